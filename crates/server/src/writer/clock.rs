//! The two logged times, read once a turn.
//!
//! Engine time grows by the boot-time clock's delta, at most two seconds a turn,
//! and continues from the last logged value: a suspended or stopped machine
//! neither expires nor extends a lease.

use std::time::{SystemTime, UNIX_EPOCH};

use piecework_core::planted::{self, Mistake};
use piecework_core::{EngineTime, Now, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// The most that engine time grows in one turn, in milliseconds.
const TURN_MS_MAX: u64 = 2_000;

/// What the machine's clocks say.
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "the simulator's"))]
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Milliseconds since the machine was started, sleep included.
    pub boot_ms: u64,
    /// The calendar clock, which may step.
    pub wall: WallTime,
}

/// Counts engine time.
pub(crate) struct Clock {
    engine: EngineTime,
    read: u64,
}

impl Clock {
    /// Goes on from the last logged engine time.
    pub(crate) fn from(last: EngineTime, reading: Reading) -> Clock {
        Clock { engine: last, read: reading.boot_ms }
    }

    /// Both times of a turn. Engine time never goes back.
    pub(crate) fn turn(&mut self, reading: Reading) -> Now {
        let grown = reading.boot_ms.saturating_sub(self.read);
        let jumps = planted::is(Mistake::ClockJump);
        self.engine.0 += if jumps { grown } else { grown.min(TURN_MS_MAX) };
        self.read = reading.boot_ms;
        Now { engine: self.engine, wall: reading.wall }
    }
}

/// Both clocks of this machine, now.
pub(crate) fn read() -> Reading {
    Reading { boot_ms: boot_ms(), wall: wall() }
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
    fn a_long_sleep_counts_as_two_seconds_and_a_step_back_as_none() {
        let reading = |boot_ms| Reading { boot_ms, wall: WallTime(7) };
        let mut clock = Clock::from(EngineTime(10_000), reading(500));
        assert_eq!(clock.turn(reading(3_600_500)).engine, EngineTime(12_000));
        assert_eq!(clock.turn(reading(100)).engine, EngineTime(12_000));
        assert_eq!(clock.turn(reading(150)), Now { engine: EngineTime(12_050), wall: WallTime(7) });
    }
}
