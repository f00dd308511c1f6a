//! The two logged times.
//!
//! Engine time decides leases; it is the sum of what the writer counted and
//! never jumps. Wall time serves calendar rules (a task's deadline) and may step.
//!
//! Not here: reading a clock; the writer passes both.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Milliseconds the daemon has been awake, over all its runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct EngineTime(pub u64);

/// Milliseconds since 1970-01-01 UTC, as the machine's calendar clock says.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct WallTime(pub u64);

/// A length of time in milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Millis(pub u64);

/// Both logged times of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now {
    /// Decides leases.
    pub engine: EngineTime,
    /// Decides calendar rules and is shown to people.
    pub wall: WallTime,
}

impl Millis {
    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Millis {
        Millis(secs * 1000)
    }

    /// From whole minutes.
    #[must_use]
    pub const fn from_mins(mins: u64) -> Millis {
        Millis::from_secs(mins * 60)
    }
}

impl Add<Millis> for EngineTime {
    type Output = EngineTime;
    fn add(self, by: Millis) -> EngineTime {
        EngineTime(self.0.saturating_add(by.0))
    }
}

impl Sub for EngineTime {
    type Output = Millis;
    /// How long ago `earlier` was; zero when it lies ahead.
    fn sub(self, earlier: EngineTime) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for EngineTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}
