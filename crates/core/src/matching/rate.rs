//! Limits on grants a minute, by virtual scheduling: one number per limit.
//!
//! `tat` is the time by which all grants so far are paid for. A grant moves it by one
//! interval; who is more than the slack ahead of it waits. Kept in memory only.
//!
//! Not here: who is throttled (`engine/throttle.rs`).

use crate::EngineTime;

/// Microseconds of a minute, and of the slack that a fast rate has.
const MINUTE_US: u64 = 60_000_000;
const SLACK_US: u64 = 1_000_000;

/// Grants of one project, or of one requester, against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Paid {
    /// Theoretical arrival time, in microseconds of engine time.
    tat_us: u64,
}

impl Paid {
    /// A grant. `per_minute`: zero, no limit.
    pub(crate) fn grant(&mut self, per_minute: u32, now: EngineTime) {
        if let Some(interval) = interval(per_minute) {
            self.tat_us = self.tat_us.max(now.0 * 1_000) + interval;
        }
    }

    /// From when on the next grant may be; before that it is throttled.
    pub(crate) fn free_at(&self, per_minute: u32) -> EngineTime {
        let Some(interval) = interval(per_minute) else { return EngineTime(0) };
        let slack = SLACK_US.saturating_sub(interval);
        EngineTime(self.tat_us.saturating_sub(slack).div_ceil(1_000))
    }
}

fn interval(per_minute: u32) -> Option<u64> {
    MINUTE_US.checked_div(per_minute.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted_in_an_hour(per_minute: u32) -> u32 {
        let (mut paid, mut grants) = (Paid::default(), 0);
        for ms in 0..3_600_000 {
            let now = EngineTime(ms);
            while paid.free_at(per_minute) <= now {
                paid.grant(per_minute, now);
                grants += 1;
            }
        }
        grants
    }

    #[test]
    fn a_slow_rate_grants_one_an_interval_and_no_burst() {
        let mut paid = Paid::default();
        paid.grant(6, EngineTime(50_000));
        assert_eq!(paid.free_at(6), EngineTime(60_000));
        assert_eq!(granted_in_an_hour(6), 360);
    }

    #[test]
    fn a_fast_rate_has_one_second_of_slack() {
        let rate = 6_000;
        let (mut paid, mut burst) = (Paid::default(), 0);
        while paid.free_at(rate) <= EngineTime(1_000) {
            paid.grant(rate, EngineTime(1_000));
            burst += 1;
        }
        assert_eq!(burst, 100, "a second's worth");
        let all = granted_in_an_hour(rate);
        assert!(all.abs_diff(360_000) <= 100, "{all}");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let mut paid = Paid::default();
        paid.grant(0, EngineTime(5));
        assert_eq!((paid, paid.free_at(0)), (Paid::default(), EngineTime(0)));
    }
}
