//! When a project will be done, if its last fifteen minutes go on.
//!
//! A ring of one-minute buckets by engine time, counted in places: what came, and the
//! answers that counted. Known in memory only: after a start it learns anew.
//!
//! Not here: what comes and counts (`engine/edit.rs`, `engine/apply/create_tasks.rs`).

use crate::{EngineTime, Millis};

/// Buckets of the ring: the running minute and the fourteen before it.
const MINUTES: usize = 15;
/// Milliseconds of a bucket.
const MINUTE_MS: u64 = 60_000;

/// What came and what was answered in the last fifteen minutes, and what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Since when it looks.
    since: EngineTime,
    /// Counted answers still wanted of open tasks.
    pub(crate) places: u64,
    buckets: [Bucket; MINUTES],
}

/// One minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bucket {
    minute: u64,
    arrived: u64,
    counted: u64,
}

/// When a project will be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// What it comes to.
    pub outlook: Outlook,
    /// Places that came while it looked.
    pub arrived: u64,
    /// Answers that counted while it looked.
    pub counted: u64,
    /// How long it looked: at most fifteen minutes.
    pub over: Millis,
    /// Counted answers still wanted of open tasks.
    pub places: u64,
}

/// What a forecast comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Less than a minute was seen.
    Learning,
    /// Nothing is left to do.
    Idle,
    /// More is worked off than comes.
    Clears {
        /// In so long nothing is left.
        within: Millis,
    },
    /// As much comes as is worked off, or more.
    Growing,
}

impl Forecast {
    /// Places that come, in thousandths a minute.
    #[must_use]
    pub fn arrivals_milli(&self) -> u64 {
        self.milli_per_minute(self.arrived)
    }

    /// Answers that count, in thousandths a minute.
    #[must_use]
    pub fn completions_milli(&self) -> u64 {
        self.milli_per_minute(self.counted)
    }

    /// Less than a minute is taken for one: what is learning tells no wild rates.
    fn milli_per_minute(&self, count: u64) -> u64 {
        let milli = u128::from(count) * 1_000 * u128::from(MINUTE_MS);
        u64::try_from(milli / u128::from(self.over.0.max(MINUTE_MS))).unwrap_or(u64::MAX)
    }
}

/// The forecasts of all projects together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flows {
    /// Places that come, in thousandths a minute.
    pub arrivals_milli: u64,
    /// Answers that count, in thousandths a minute.
    pub completions_milli: u64,
    /// Projects with places that will not drain.
    pub growing: u64,
}

impl Flows {
    /// One more project.
    pub(crate) fn add(mut self, forecast: &Forecast) -> Flows {
        self.arrivals_milli += forecast.arrivals_milli();
        self.completions_milli += forecast.completions_milli();
        self.growing += u64::from(forecast.outlook == Outlook::Growing);
        self
    }
}

impl Flow {
    /// Looks from now on.
    pub(crate) fn since(since: EngineTime) -> Flow {
        Flow { since, places: 0, buckets: [Bucket::default(); MINUTES] }
    }

    /// So many places came, and so many answers counted.
    pub(crate) fn note(&mut self, now: EngineTime, arrived: u64, counted: u64) {
        if arrived == 0 && counted == 0 {
            return;
        }
        let minute = now.0 / MINUTE_MS;
        let slot = usize::try_from(minute % MINUTES as u64).expect("below fifteen");
        let bucket = &mut self.buckets[slot];
        if bucket.minute != minute {
            *bucket = Bucket { minute, ..Bucket::default() };
        }
        bucket.arrived += arrived;
        bucket.counted += counted;
    }

    /// What becomes of it.
    pub(crate) fn forecast(&self, now: EngineTime) -> Forecast {
        let minute = now.0 / MINUTE_MS;
        let first = minute.saturating_sub(MINUTES as u64 - 1);
        let (mut arrived, mut counted) = (0, 0);
        for bucket in self.buckets.iter().filter(|b| (first..=minute).contains(&b.minute)) {
            arrived += bucket.arrived;
            counted += bucket.counted;
        }
        let over = now - self.since.max(EngineTime(first * MINUTE_MS));
        let outlook = match counted.checked_sub(arrived) {
            _ if self.places == 0 => Outlook::Idle,
            _ if now - self.since < Millis(MINUTE_MS) => Outlook::Learning,
            None | Some(0) => Outlook::Growing,
            Some(net) => {
                let within = u128::from(self.places) * u128::from(over.0) / u128::from(net);
                Outlook::Clears { within: Millis(u64::try_from(within).unwrap_or(u64::MAX)) }
            }
        };
        Forecast { outlook, arrived, counted, over, places: self.places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> EngineTime {
        EngineTime(minutes * MINUTE_MS)
    }

    #[test]
    fn what_is_worked_off_faster_than_it_comes_clears() {
        let mut flow = Flow::since(at(100));
        flow.places = 350;
        for minute in 100..115 {
            flow.note(at(minute), 10, 20);
        }
        let forecast = flow.forecast(at(115));
        // The oldest minute has left the ring: 140 came and 280 counted in 14 minutes.
        assert_eq!(
            (forecast.arrived, forecast.counted, forecast.over),
            (140, 280, Millis(840_000))
        );
        assert_eq!(forecast.outlook, Outlook::Clears { within: Millis::from_mins(35) });
        assert_eq!(flow.forecast(at(200)).outlook, Outlook::Growing, "nobody works any more");
    }

    #[test]
    fn what_comes_faster_than_it_is_worked_off_grows() {
        let mut flow = Flow::since(at(0));
        flow.places = 9;
        flow.note(at(1), 10, 9);
        assert_eq!(flow.forecast(at(2)).outlook, Outlook::Growing);
        flow.note(at(1), 0, 1);
        assert_eq!(flow.forecast(at(2)).outlook, Outlook::Growing, "it stays as long as it is");
        flow.note(at(1), 0, 1);
        assert!(matches!(flow.forecast(at(2)).outlook, Outlook::Clears { .. }));
    }

    #[test]
    fn the_first_minute_learns_and_no_places_are_idle() {
        let mut flow = Flow::since(at(7));
        assert_eq!(flow.forecast(at(7)).outlook, Outlook::Idle);
        flow.places = 1;
        assert_eq!(flow.forecast(EngineTime(at(8).0 - 1)).outlook, Outlook::Learning);
        assert_eq!(flow.forecast(at(8)).outlook, Outlook::Growing);
    }

    #[test]
    fn a_minute_of_the_last_round_is_not_counted_again() {
        let mut flow = Flow::since(at(0));
        flow.note(at(1), 5, 5);
        flow.note(at(16), 1, 1);
        let forecast = flow.forecast(at(16));
        assert_eq!((forecast.arrived, forecast.counted), (1, 1));
    }
}
