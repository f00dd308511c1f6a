//! `google.protobuf.Duration` and `std::time::Duration`.
//!
//! The API has no negative durations; where one arrives, nothing is left.

use std::time::Duration;

/// As the API writes it. What is too long for it becomes its longest.
#[must_use]
pub fn to_proto(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// As Rust counts it; zero where the field is absent or negative.
#[must_use]
pub fn from_proto(duration: Option<prost_types::Duration>) -> Duration {
    duration.and_then(|duration| Duration::try_from(duration).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_and_negative_ones_are_nothing() {
        let length = Duration::new(90, 250_000_000);
        assert_eq!(from_proto(Some(to_proto(length))), length);
        assert_eq!(from_proto(None), Duration::ZERO);
        let negative = prost_types::Duration { seconds: -3, nanos: 0 };
        assert_eq!(from_proto(Some(negative)), Duration::ZERO);
    }
}
