//! When each call of an open loop is due, whatever became of those before it.
//!
//! A time is counted from then: a daemon that stands still for a second is charged with
//! all the calls of that second, and not only with the one that waited.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::stretch::Stretch;

/// The calls of one of several who share a rate.
#[derive(Debug)]
pub(super) struct Schedule {
    begun: Instant,
    until: Option<Instant>,
    per_second: f64,
    /// Of all together; the next of this one.
    number: u64,
    step: u64,
}

impl Schedule {
    /// `per_second`: calls of all together; `which` of `many` this one is, from 0.
    pub(super) fn new(stretch: &Stretch, per_second: f64, which: u64, many: u64) -> Self {
        let Stretch { begun, until, .. } = stretch;
        Self { begun: *begun, until: *until, per_second, number: which, step: many }
    }

    /// Waits until the next call is due; at once when that has passed. Returns when that was or
    /// is; none when it is no longer within the stretch, or that is over.
    pub(super) async fn next(&mut self, stretch: &Stretch) -> Option<Instant> {
        let due = self.due()?;
        sleep_until(due).await;
        (!stretch.is_over(Instant::now())).then_some(due)
    }

    fn due(&mut self) -> Option<Instant> {
        let after = Duration::from_secs_f64(self.number as f64 / self.per_second);
        self.number += self.step;
        let due = self.begun + after;
        self.until.is_none_or(|until| due < until).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_due_by_the_clock_and_shared_evenly() {
        let begun = Instant::now();
        let until = Some(begun + Duration::from_secs(1));
        let one = |which| Schedule { begun, until, per_second: 10.0, number: which, step: 3 };
        let mut all = Vec::new();
        for which in 0..3 {
            let mut schedule = one(which);
            while let Some(due) = schedule.due() {
                all.push((due - begun).as_millis());
            }
        }
        all.sort_unstable();
        assert_eq!(all, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    }
}
