//! The two logged times, read once a turn.
//!
//! Engine time grows by the boot-time clock's delta, at most two seconds a turn,
//! and continues from the last logged value: a suspended or stopped machine
//! neither expires nor extends a lease.

use std::time::{SystemTime, UNIX_EPOCH};

use piecework_core::{EngineTime, Now, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// The most that engine time grows in one turn, in milliseconds.
const TURN_MS_MAX: u64 = 2_000;

/// Counts engine time.
pub(crate) struct Clock {
    engine: EngineTime,
    read: u64,
}

impl Clock {
    /// Goes on from the last logged engine time.
    pub(crate) fn from(last: EngineTime) -> Clock {
        Clock { engine: last, read: boot_ms() }
    }

    /// Both times now. Engine time never goes back.
    pub(crate) fn turn(&mut self) -> Now {
        let read = boot_ms();
        self.engine.0 += read.saturating_sub(self.read).min(TURN_MS_MAX);
        self.read = read;
        Now { engine: self.engine, wall: wall() }
    }
}

/// The calendar clock.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Counts on while the machine sleeps, which `Instant` does not.
fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let secs = u64::try_from(time.tv_sec).unwrap_or_default();
    secs * 1_000 + u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sleep_counts_as_two_seconds() {
        let mut clock = Clock::from(EngineTime(10_000));
        clock.read = boot_ms().saturating_sub(3_600_000);
        assert_eq!(clock.turn().engine, EngineTime(12_000));
    }
}
