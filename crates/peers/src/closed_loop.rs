//! A closed loop: everybody begins at once and goes on until the time is over, or until
//! there is nothing left to do for them.
//!
//! Not here: what one round does (a file for each peer).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::usage;

/// One connection that works.
pub(crate) trait Hand: Send + 'static {
    /// One round, durable where the peer can. Returns how many were finished in it; 0:
    /// there is nothing left.
    fn round(&mut self) -> impl Future<Output = Result<u64>> + Send;
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// What was finished.
    pub(crate) done: u64,
    /// From the beginning to the end of the last round.
    pub(crate) took: Duration,
    /// How long each round took, in microseconds.
    pub(crate) micros: Histogram<u64>,
    /// CPU time of the server meanwhile.
    pub(crate) server_cpu: Option<Duration>,
    /// It ended before its time, for lack of work.
    pub(crate) ran_out: bool,
}

/// What one of them did.
struct Tally {
    done: u64,
    micros: Histogram<u64>,
    last: Option<Instant>,
}

/// Runs all hands. `server`: the process of the server, where its CPU is to be told.
///
/// # Errors
/// One of them failed.
pub(crate) async fn run<H: Hand>(
    hands: Vec<H>,
    length: Duration,
    server: Option<u32>,
) -> Result<Measured> {
    let ran_out = Arc::new(AtomicBool::new(false));
    let before = server.and_then(usage::cpu);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for hand in hands {
        running.spawn(work(hand, begun, begun + length, Arc::clone(&ran_out)));
    }
    let mut all = Tally::new();
    while let Some(ended) = running.join_next().await {
        all.add(&ended??)?;
    }
    let after = server.and_then(usage::cpu);
    Ok(Measured {
        done: all.done,
        took: all.last.map_or(Duration::ZERO, |last| last - begun),
        micros: all.micros,
        server_cpu: after.zip(before).map(|(after, before)| after.saturating_sub(before)),
        ran_out: ran_out.load(Ordering::Relaxed),
    })
}

async fn work<H: Hand>(
    mut hand: H,
    begun: Instant,
    until: Instant,
    ran_out: Arc<AtomicBool>,
) -> Result<Tally> {
    let mut tally = Tally::new();
    let mut now = begun;
    while now < until {
        let done = hand.round().await?;
        let before = std::mem::replace(&mut now, Instant::now());
        if done == 0 {
            // The others may still hold something: each ends by itself.
            ran_out.store(true, Ordering::Relaxed);
            break;
        }
        tally.took(done, before, now);
    }
    Ok(tally)
}

impl Tally {
    fn new() -> Self {
        let micros = Histogram::new(3).expect("three digits are allowed");
        Self { done: 0, micros, last: None }
    }

    fn took(&mut self, done: u64, before: Instant, now: Instant) {
        let micros = u64::try_from((now - before).as_micros()).unwrap_or(u64::MAX >> 1);
        self.micros.record(micros.max(1)).expect("it resizes itself");
        self.done += done;
        self.last = Some(now);
    }

    fn add(&mut self, other: &Tally) -> Result<()> {
        self.micros.add(&other.micros).context("could not add up the times of all")?;
        self.done += other.done;
        self.last = self.last.max(other.last);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use anyhow::bail;

    use super::*;

    /// Takes tens from a common store.
    struct Ten(Arc<AtomicU64>);

    impl Hand for Ten {
        async fn round(&mut self) -> Result<u64> {
            tokio::task::yield_now().await;
            let take = |left: u64| left.checked_sub(10);
            let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            Ok(taken.map_or(0, |_| 10))
        }
    }

    /// Took these many before it began, and is slow to finish them: first others see
    /// that nothing is left.
    struct Holding(u64);

    impl Hand for Holding {
        async fn round(&mut self) -> Result<u64> {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let left = self.0.checked_sub(1);
            self.0 = left.unwrap_or(0);
            Ok(u64::from(left.is_some()))
        }
    }

    struct Failing;

    impl Hand for Failing {
        async fn round(&mut self) -> Result<u64> {
            bail!("refused")
        }
    }

    #[tokio::test]
    async fn all_of_it_is_done_once_and_the_lack_of_more_is_told() {
        let store = Arc::new(AtomicU64::new(1_000));
        let hands = (0..4).map(|_| Ten(Arc::clone(&store))).collect();
        let measured = run(hands, Duration::from_secs(60), None).await.expect("works");
        assert_eq!((measured.done, measured.micros.len()), (1_000, 100));
        assert!(measured.ran_out && measured.took < Duration::from_secs(60));
        assert_eq!(measured.server_cpu, None);
    }

    #[tokio::test]
    async fn what_is_held_is_finished_also_when_others_find_nothing_left() {
        let hands = (0..4).map(Holding).collect();
        let measured = run(hands, Duration::from_secs(60), None).await.expect("works");
        assert_eq!((measured.done, measured.ran_out), (1 + 2 + 3, true));
    }

    #[tokio::test]
    async fn the_clock_ends_it() {
        let hands = vec![Ten(Arc::new(AtomicU64::new(u64::MAX)))];
        let measured = run(hands, Duration::from_millis(1), None).await.expect("works");
        assert!(!measured.ran_out && measured.done >= 10);
        assert!(measured.took >= Duration::from_millis(1));
    }

    #[tokio::test]
    async fn one_failure_is_the_failure_of_all() {
        let failed = run(vec![Failing, Failing], Duration::from_secs(60), None).await;
        assert_eq!(failed.expect_err("fails").to_string(), "refused");
    }
}
