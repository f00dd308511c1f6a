//! Tasks come in as fast as others end, so that about as many stay open however long it takes.
//!
//! Not here: the calls themselves (`pour.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use piecework_client::Client;
use tokio::time::{Instant, interval};

use super::pour::{self, Pour, batch_max};
use super::report::Report;
use super::setup::{Ground, Work};
use super::stretch::{Load, Stretch, Tally};

/// Calls under way at a time.
const CALLS: usize = 2;
/// How often it is looked how many have ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A call is made when this share of the open tasks has ended, or as many as it may bring.
const SHARE: u64 = 10;

/// What keeps the number of open tasks.
#[derive(Debug)]
pub(super) struct TopUp {
    pour: Pour,
    batch: u64,
    /// Open at the beginning.
    open: u64,
    /// Answers that end a task.
    overlap: u64,
    /// Tasks of calls that were sent, and of those that were answered.
    asked: AtomicU64,
    made: AtomicU64,
    /// Open tasks when there were the fewest.
    lowest: AtomicU64,
}

impl TopUp {
    /// `open`: as many as there are.
    pub(super) fn new(ground: &Ground, work: &Work, open: u64) -> Arc<Self> {
        let batch = (open / SHARE).clamp(1, u64::from(batch_max(work.payload)));
        let calls = u32::try_from(batch).unwrap_or(u32::MAX);
        Arc::new(Self {
            // Without end; the stretch has one.
            pour: Pour::new("top-up", ground, work, u64::MAX, calls),
            batch,
            open,
            overlap: u64::from(work.overlap),
            asked: AtomicU64::new(0),
            made: AtomicU64::new(0),
            lowest: AtomicU64::new(open),
        })
    }

    /// Those who make the calls.
    pub(super) fn loads(self: &Arc<Self>, clients: &[Client], stretch: &Arc<Stretch>) -> Vec<Load> {
        let one = |client: &Client| -> Load {
            Box::pin(Arc::clone(self).keep_up(client.clone(), Arc::clone(stretch)))
        };
        clients.iter().cycle().take(CALLS).map(one).collect()
    }

    async fn keep_up(self: Arc<Self>, client: Client, stretch: Arc<Stretch>) -> Result<Tally> {
        let mut look = interval(LOOK_EVERY);
        while !stretch.is_over(Instant::now()) {
            look.tick().await;
            while self.takes_one(stretch.done()) {
                let Some(call) = self.pour.next_call() else { break };
                let (made, _) = pour::send(&client, call).await?;
                self.made.fetch_add(made, Ordering::Relaxed);
            }
        }
        Ok(Tally::new())
    }

    /// Whether so many answers leave room for one more call, which is then taken.
    fn takes_one(&self, answers: u64) -> bool {
        let ended = answers / self.overlap;
        let here = (self.open + self.made.load(Ordering::Relaxed)).saturating_sub(ended);
        self.lowest.fetch_min(here, Ordering::Relaxed);
        let more = |asked| Some(asked + self.batch).filter(|asked| *asked <= ended);
        self.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn told(&self, report: Report) -> Report {
        report
            .with("created_meanwhile", self.made.load(Ordering::Relaxed))
            .with("open_lowest", self.lowest.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::setup::{Priorities, Work};
    use super::*;

    #[test]
    fn a_call_is_made_for_those_that_ended_and_the_fewest_are_remembered() {
        let work = Work {
            payload: 1,
            overlap: 2,
            projects: 1,
            requirements: 0,
            priorities: Priorities::Equal,
            own_ids: false,
            aggregation: None,
            seed: 1,
        };
        let mut ground = Ground::default();
        ground.projects.push("projects/one".to_owned());
        let top_up = TopUp::new(&ground, &work, 100);
        assert!(!top_up.takes_one(19), "nine tasks ended and half of one");
        assert!(top_up.takes_one(40) && top_up.takes_one(40) && !top_up.takes_one(40));
        assert_eq!(top_up.lowest.load(Ordering::Relaxed), 80);
    }
}
