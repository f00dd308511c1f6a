//! What a project's votes were told of and have not read, and when that is worth a look.
//!
//! A look at a log costs more than what a few records add to it.
//!
//! Not here: the log (`project.rs`), who tells (the writer).

use std::time::{Duration, Instant};

/// After so long without anything new what is left is read.
pub(super) const QUIET: Duration = Duration::from_millis(300);
/// What came is read after so long, whatever else comes.
const UNREAD_MAX: Duration = Duration::from_secs(1);

/// How many changes, since when, and when the last one came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unread {
    changes: u64,
    since: Instant,
    told: Instant,
}

impl Unread {
    /// Nothing.
    pub(super) fn new(now: Instant) -> Unread {
        Unread { changes: 0, since: now, told: now }
    }

    /// So many changes came.
    pub(super) fn hear(&mut self, changes: u32, now: Instant) {
        if self.changes == 0 {
            self.since = now;
        }
        self.changes += u64::from(changes);
        self.told = now;
    }

    /// Whether to read, where `enough` changes may matter.
    pub(super) fn is_worth_reading(&self, enough: u64, now: Instant) -> bool {
        let passed = |since, most| now.saturating_duration_since(since) >= most;
        let is_time = passed(self.told, QUIET) || passed(self.since, UNREAD_MAX);
        self.changes > 0 && (self.changes >= enough || is_time)
    }

    /// All is being read. Returns when the last of it came.
    pub(super) fn read(&mut self) -> Instant {
        self.changes = 0;
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: u64 = 50;

    #[test]
    fn a_log_is_read_when_enough_came_when_it_is_quiet_or_after_a_second() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut unread = Unread::new(begun);
        assert!(!unread.is_worth_reading(ENOUGH, at(10_000)), "nothing came");
        unread.hear(49, at(10_000));
        assert!(!unread.is_worth_reading(ENOUGH, at(10_299)));
        assert!(unread.is_worth_reading(ENOUGH, at(10_300)), "it is quiet");
        unread.hear(1, at(10_100));
        assert!(unread.is_worth_reading(ENOUGH, at(10_100)), "fifty came");
        assert_eq!(unread.read(), at(10_100));
        assert!(!unread.is_worth_reading(ENOUGH, at(20_000)), "all is read");
        // One by one, never quiet.
        (0..10).for_each(|n| unread.hear(1, at(20_000 + n * 100)));
        assert!(!unread.is_worth_reading(ENOUGH, at(20_999)));
        assert!(unread.is_worth_reading(ENOUGH, at(21_000)), "a second has passed");
    }
}
