//! A worker's rating in one skill area: the record that it is computed from, and what
//! was published of it.
//!
//! What a worker may see is what was published, in batches: a rating read after each
//! answer would tell which of them was judged, and so betray known answers.
//!
//! Not here: the formula (`record.rs`), when it is published (`engine/apply/rate.rs`).

use super::record::{Basis, Record, Standing, millionths};
use crate::{EngineTime, Millis};

/// Imagined answers of a worker of whom nothing is known.
const PRIOR_ANSWERS: u64 = 4;
/// Agreement of these, in percent.
const PRIOR_PERCENT: u64 = 70;

/// What is kept of a worker in one skill area, or in all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rating {
    /// The evidence.
    pub record: Record,
    /// The evidence is as it was then: it has faded further since.
    pub as_of: EngineTime,
    /// What its worker may see.
    pub published: Published,
}

/// What was published of a rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// Judged answers at that time; zero: nothing was published.
    pub judged: u32,
    /// Of these, rather right.
    pub agreed: u32,
    /// The standing at that time; `None`: an earlier release published counts alone, or
    /// nothing was.
    pub bulletin: Option<Bulletin>,
}

/// A standing in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bulletin {
    /// Posterior mean of being right, in millionths.
    pub accuracy_ppm: u32,
    /// Lower bound of its 90 % interval.
    pub low_ppm: u32,
    /// Upper bound of its 90 % interval.
    pub high_ppm: u32,
    /// 0 to 100, in thousandths.
    pub speed_milli: Option<u32>,
    /// 0 to 100, in thousandths.
    pub consistency_milli: Option<u32>,
    /// 0 to 100, in thousandths.
    pub overall_milli: u32,
}

impl Rating {
    /// Lets the evidence fade until `now`: before each change of it, and where it is read.
    pub fn fade(&mut self, now: EngineTime, half_life: Millis) {
        self.record.fade(now - self.as_of, half_life);
        self.as_of = self.as_of.max(now);
    }

    /// The record as it is at `now`.
    #[must_use]
    pub fn faded(&self, now: EngineTime, half_life: Millis) -> Record {
        let mut rating = *self;
        rating.fade(now, half_life);
        rating.record
    }
}

impl Published {
    /// What a record has to say now.
    #[must_use]
    pub fn of(record: &Record) -> Published {
        let bulletin = Some(Bulletin::of(&record.standing()));
        Published { judged: record.judged(), agreed: record.agreed, bulletin }
    }

    /// What was published, by its counts where there is no more.
    #[must_use]
    pub fn bulletin(&self) -> Bulletin {
        self.bulletin.unwrap_or_else(|| Bulletin::of_counts(self.judged, self.agreed))
    }
}

impl Bulletin {
    /// Rounded down.
    #[must_use]
    pub fn of(standing: &Standing) -> Bulletin {
        let milli = |score: f64| millionths(score / 100.0) / 10;
        Bulletin {
            accuracy_ppm: millionths(standing.accuracy),
            low_ppm: millionths(standing.low),
            high_ppm: millionths(standing.high),
            speed_milli: standing.speed.map(milli),
            consistency_milli: standing.consistency.map(milli),
            overall_milli: milli(standing.overall),
        }
    }

    /// What a minimum rating is compared with: see `Record::points`.
    #[must_use]
    pub fn points(&self, basis: Basis) -> u8 {
        let ppm = match basis {
            Basis::Mean => self.accuracy_ppm,
            Basis::LowerBound => self.low_ppm,
        };
        u8::try_from(ppm / 10_000).unwrap_or(100)
    }

    /// Of counts alone: `agreed` of `judged` answers agreed with the others. To the
    /// last digit what earlier releases told.
    fn of_counts(judged: u32, agreed: u32) -> Bulletin {
        let right = u64::from(agreed.min(judged)) * 100_000;
        let prior = PRIOR_ANSWERS * PRIOR_PERCENT * 1_000;
        let overall = (right + prior) / (u64::from(judged) + PRIOR_ANSWERS);
        let overall_milli = u32::try_from(overall).unwrap_or(100_000);
        let standing = Record::of_counts(judged, agreed).standing();
        Bulletin { overall_milli, ..Bulletin::of(&standing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Judgement;

    #[test]
    fn what_was_published_as_counts_stays_what_it_was() {
        let told = |judged, agreed| {
            let published = Published { judged, agreed, bulletin: None };
            published.bulletin().overall_milli
        };
        assert_eq!(
            [told(0, 0), told(20, 20), told(20, 0), told(21, 20)],
            [70_000, 95_000, 11_666, 91_200]
        );
    }

    #[test]
    fn fading_in_two_steps_is_fading_once_and_time_never_goes_back() {
        let mut rating = Rating::default();
        (0..8).for_each(|_| rating.record.judge(Judgement::by_gold(true)));
        let half_life = Millis(1_000);
        let later = rating.faded(EngineTime(2_000), half_life);
        rating.fade(EngineTime(500), half_life);
        rating.fade(EngineTime(400), half_life);
        assert_eq!(rating.as_of, EngineTime(500));
        let twice = rating.faded(EngineTime(2_000), half_life);
        assert!((later.gold.all - 2.0).abs() < 1e-9 && (twice.gold.all - 2.0).abs() < 1e-9);
    }
}
