//! A measured stretch of time: it begins for all at once, and ends by the clock
//! or when there is nothing left to do.
//!
//! Not here: what the load does (one file for each scenario).

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::subject::{Sample, Subject};
use crate::progress;

/// Why a stretch ended that had nothing left to do.
const ALL_DONE: &str = "no tasks left; name more with --open";
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// The stretch, as all see it who put load on the daemon.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) begun: Instant,
    /// Nothing is begun from then on.
    pub(super) until: Option<Instant>,
    done: AtomicU64,
    /// More than that there is not to be done.
    all: AtomicU64,
    ended: OnceLock<(Instant, String)>,
}

/// One who puts load on the daemon, where not all do the same.
pub(super) type Load = Pin<Box<dyn Future<Output = Result<Tally>> + Send>>;

/// What one of them did, or all of them.
#[derive(Debug)]
pub(super) struct Tally {
    /// What counts: cycles, tasks or results.
    pub(super) done: u64,
    /// Answers that the daemon did not take, or did not count; calls of the intake that it put off.
    pub(super) refused: u64,
    /// Bytes that came, where they are counted.
    pub(super) bytes: u64,
    /// How long each call took, in microseconds.
    pub(super) micros: Histogram<u64>,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) tally: Tally,
    pub(super) took: Duration,
    pub(super) before: Sample,
    pub(super) after: Sample,
    /// Why it ended before its time.
    pub(super) ended_early: Option<String>,
}

impl Stretch {
    fn begin(length: Option<Duration>) -> Self {
        let begun = Instant::now();
        let until = length.map(|length| begun + length);
        let (done, all) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Self { begun, until, done, all, ended: OnceLock::new() }
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now) || self.ended.get().is_some()
    }

    /// There is nothing left to do since `since`; the first one's word counts.
    pub(super) fn ran_out(&self, since: Instant, why: impl Into<String>) {
        self.ended.get_or_init(|| (since, why.into()));
    }

    /// There is no more to do than that: once all of it is done, the stretch is over.
    pub(super) fn holds(&self, all: u64) {
        self.all.store(all, Ordering::Relaxed);
    }

    /// So much more of what counts was done.
    pub(super) fn add(&self, done: u64) {
        let before = self.done.fetch_add(done, Ordering::Relaxed);
        if before + done >= self.all.load(Ordering::Relaxed) {
            self.ran_out(Instant::now(), ALL_DONE);
        }
    }

    /// What was done of that.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        let micros = Histogram::new(3).expect("three digits are allowed");
        Self { done: 0, refused: 0, bytes: 0, micros }
    }

    /// A call took so long.
    pub(super) fn took(&mut self, time: Duration) {
        // It grows as far as it must.
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 1);
        self.micros.record(micros).expect("it resizes itself");
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.bytes += other.bytes;
        self.micros.add(&other.micros).expect("it resizes itself");
    }
}

/// Lets all of them work at once and watches. `length`: until they have ended by themselves,
/// where there is none. `what`: what is counted.
pub(super) async fn measure<F>(
    subject: &Subject,
    what: &'static str,
    length: Option<Duration>,
    load: impl FnOnce(&Arc<Stretch>) -> Vec<F>,
) -> Result<Measured>
where
    F: Future<Output = Result<Tally>> + Send + 'static,
{
    subject.rests().await;
    let before = subject.sample().await?;
    let stretch = Arc::new(Stretch::begin(length));
    let mut running = JoinSet::new();
    for one in load(&stretch) {
        running.spawn(one);
    }
    let tally = watch(&stretch, what, &mut running).await?;
    let ended = Instant::now();
    let after = subject.sample().await?;
    let early = stretch.ended.get();
    let ended = early.map_or(ended, |(since, _)| *since);
    let took = ended.saturating_duration_since(stretch.begun);
    let ended_early = early.map(|(_, why)| why.clone());
    Ok(Measured { tally, took, before, after, ended_early })
}

/// Until the last of them has ended.
async fn watch(
    stretch: &Stretch,
    what: &'static str,
    running: &mut JoinSet<Result<Tally>>,
) -> Result<Tally> {
    let rate = progress::rate(what);
    let mut show = interval(SHOW_EVERY);
    let mut all = Tally::new();
    loop {
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(one) => all.add(&one??),
                None => break,
            },
            _ = show.tick() => rate.set_position(stretch.done()),
        }
    }
    rate.finish_and_clear();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let (mut one, mut other) = (Tally::new(), Tally::new());
        one.done = 3;
        one.took(Duration::from_micros(100));
        (other.done, other.refused) = (4, 1);
        other.took(Duration::from_secs(3_600));
        one.add(&other);
        assert_eq!((one.done, one.refused, one.micros.len()), (7, 1, 2));
        assert!(one.micros.max() >= 3_600_000_000);
    }

    #[tokio::test]
    async fn it_ends_by_the_clock_or_when_there_is_nothing_left() {
        let now = Instant::now();
        assert!(Stretch::begin(Some(Duration::ZERO)).is_over(Instant::now()));
        let endless = Stretch::begin(None);
        assert!(!endless.is_over(now + Duration::from_secs(1)));
        endless.ran_out(now, "no tasks");
        endless.ran_out(now, "another word");
        assert!(endless.is_over(now));
        assert_eq!(endless.ended.get().map(|(_, why)| why.as_str()), Some("no tasks"));

        let finite = Stretch::begin(None);
        finite.holds(3);
        finite.add(2);
        assert!(!finite.is_over(now));
        finite.add(1);
        assert!(finite.is_over(now));
    }
}
