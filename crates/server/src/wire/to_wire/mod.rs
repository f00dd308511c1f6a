//! Domain values become messages.
//!
//! One file per noun. Whoever calls has looked up the names: a function here
//! writes down what it is given.

pub(crate) mod event;
pub(crate) mod explain;
pub(crate) mod lease;
pub(crate) mod project;
pub(crate) mod rating;
pub(crate) mod requester;
pub(crate) mod result;
pub(crate) mod snapshot;
pub(crate) mod submission;
pub(crate) mod task;
pub(crate) mod votes;
pub(crate) mod worker;

use std::time::Duration;

use piecework_core::worker::WorkerKind;
use piecework_core::{Millis, Money, WallTime};
use piecework_proto::v1;

/// A length of time.
pub(crate) fn duration(time: Millis) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(time.0 / 1000).unwrap_or(i64::MAX),
        nanos: nanos(time.0),
    }
}

/// A process's own length of time, to the millisecond.
pub(crate) fn std_duration(time: Duration) -> prost_types::Duration {
    duration(Millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

/// A moment.
pub(crate) fn timestamp(time: WallTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(time.0 / 1000).unwrap_or(i64::MAX),
        nanos: nanos(time.0),
    }
}

/// An amount; `None`: nothing.
pub(crate) fn money(money: Money) -> Option<v1::Money> {
    let Money { micros, currency } = money;
    (micros != 0).then(|| v1::Money { micros, currency: currency.to_string() })
}

/// A person or a model.
pub(crate) fn kind(kind: WorkerKind) -> v1::WorkerKind {
    match kind {
        WorkerKind::Human => v1::WorkerKind::Human,
        WorkerKind::Ai => v1::WorkerKind::Ai,
    }
}

fn nanos(millis: u64) -> i32 {
    i32::try_from(millis % 1000 * 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_milliseconds() {
        let time = duration(Millis(61_005));
        assert_eq!((time.seconds, time.nanos), (61, 5_000_000));
        assert_eq!(timestamp(WallTime(999)).nanos, 999_000_000);
    }

    #[test]
    fn nothing_owed_is_absent() {
        assert_eq!(money(Money::NONE), None);
    }
}
