//! A worker's record in one skill area: judged answers by source, how fast it works, and
//! its latest judgements; and the standing that follows from it.
//!
//! All of it fades: after a half-life it counts half. Times are arguments; sums are kept
//! as floats, whose bits can be written down.
//!
//! - Accuracy: the mean of the beta distribution of 4 imagined answers, 70 % right, and
//!   the evidence; its 5 % and 95 % quantiles are the interval.
//! - Speed: 50 at the median time of the class, 100 at half of it, 0 at twice.
//! - Consistency: 100 when the latest answers spread no more over blocks than chance
//!   alone would make them, less in proportion to how much more.
//! - Overall: accuracy 70 %, consistency 20 %, speed 10 %, of those that are known.
//!
//! Not here: judging an answer (`judgement.rs`), publishing, the clock.

use super::interval::beta_quantile;
use super::judgement::{Judgement, Source};
use crate::Millis;

/// Imagined answers of a worker of whom nothing is known, and how many are right.
const PRIOR_ANSWERS: f64 = 4.0;
const PRIOR_ACCURACY: f64 = 0.7;
/// Imagined answers at the class's median time.
const PRIOR_PACE: f64 = 4.0;
/// Latest judgements that are looked at for consistency, in blocks of so many.
const WINDOW: u32 = 64;
const BLOCK: u32 = 8;
/// Blocks below which nothing is said of consistency.
const BLOCKS_MIN: u32 = 4;
const SHARE_ACCURACY: f64 = 0.7;
const SHARE_CONSISTENCY: f64 = 0.2;
const SHARE_SPEED: f64 = 0.1;

/// Evidence from one source, faded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Rightness, in certain answers.
    pub right: f64,
    /// Weight, in certain answers.
    pub all: f64,
    /// Answers that it comes from, never faded.
    pub answers: u32,
}

/// What is kept of a worker in one skill area.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Record {
    /// By the result of the others.
    pub agreement: Tally,
    /// By known answers.
    pub gold: Tally,
    /// By people who looked.
    pub review: Tally,
    /// Judged answers that were rather right than wrong, never faded.
    pub agreed: u32,
    /// Sum of log2(class median / own time), and its weight.
    pub pace: Tally,
    /// The latest judgements, newest in the lowest bit: set where right.
    pub window: u64,
    /// How many of them there are, at most 64.
    pub windowed: u32,
}

/// No sum is ever NaN: all weights and rights are finite.
impl Eq for Tally {}
impl Eq for Record {}

/// Which bound of the interval is compared with what a project asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// The mean: takes a chance on workers who are little known.
    #[default]
    Mean,
    /// The lower bound: takes those only who have proved it.
    LowerBound,
}

/// What a record amounts to. Shares are 0 to 1, scores 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Posterior mean of being right.
    pub accuracy: f64,
    /// Bounds between which it lies with probability 0.9.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// `None` without any times.
    pub speed: Option<f64>,
    /// `None` with fewer than 32 judged answers in the window.
    pub consistency: Option<f64>,
    /// All together, 0 to 100.
    pub overall: f64,
    /// Judged answers, never faded.
    pub judged: u32,
}

impl Record {
    /// What counts alone say: `agreed` of `judged` answers agreed with the others, each
    /// of them certainly. Of their order nothing is known.
    #[must_use]
    pub fn of_counts(judged: u32, agreed: u32) -> Record {
        let agreement = Tally { right: agreed.into(), all: judged.into(), answers: judged };
        Record { agreement, agreed, ..Record::default() }
    }

    /// Judged answers, never faded: who has few is a newcomer.
    #[must_use]
    pub fn judged(&self) -> u32 {
        let sources = [self.agreement, self.gold, self.review];
        sources.iter().fold(0, |sum, tally| sum.saturating_add(tally.answers))
    }

    /// Lets all evidence fade for `elapsed` engine time. Nothing fades where `half_life`
    /// is zero. Fading twice is as fading once for the sum.
    pub fn fade(&mut self, elapsed: Millis, half_life: Millis) {
        if half_life.0 == 0 {
            return;
        }
        let kept = libm::exp2(-(elapsed.0 as f64) / half_life.0 as f64);
        for tally in [&mut self.agreement, &mut self.gold, &mut self.review, &mut self.pace] {
            tally.right *= kept;
            tally.all *= kept;
        }
    }

    /// Takes a judged answer in.
    pub fn judge(&mut self, judgement: Judgement) {
        let tally = self.tally(judgement.source);
        tally.add(judgement.right, judgement.weight);
        tally.answers = tally.answers.saturating_add(1);
        self.agreed = self.agreed.saturating_add(judgement.is_right().into());
        self.window = self.window << 1 | u64::from(judgement.is_right());
        self.windowed = (self.windowed + 1).min(WINDOW);
    }

    /// Takes back a judgement that a revision has overtaken; what is put in its place is
    /// judged anew. What has faded since is taken back as if it had not, and the window
    /// keeps it: both pass.
    pub fn unjudge(&mut self, judgement: Judgement) {
        let tally = self.tally(judgement.source);
        tally.add(judgement.right, -judgement.weight);
        tally.answers = tally.answers.saturating_sub(1);
        self.agreed = self.agreed.saturating_sub(judgement.is_right().into());
    }

    /// Takes the time of an answer in: `took` against the median of its class, both above
    /// zero. A single one counts as no more than four times as fast or as slow.
    pub fn time(&mut self, took: Millis, class_median: Millis) {
        let ratio = class_median.0.max(1) as f64 / took.0.max(1) as f64;
        self.pace.add(libm::log2(ratio).clamp(-2.0, 2.0), 1.0);
        self.pace.answers = self.pace.answers.saturating_add(1);
    }

    /// How often it is right, 0 to 1, as far as is known: the posterior mean.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let (right, all) = self.evidence();
        right / all
    }

    /// What a minimum rating is compared with: points of accuracy, 0 to 100, rounded
    /// down. Cost: nanoseconds by the mean, some ten microseconds by the lower bound.
    #[must_use]
    pub fn points(&self, basis: Basis) -> u8 {
        let (right, all) = self.evidence();
        whole_points(match basis {
            Basis::Mean => right / all,
            Basis::LowerBound => beta_quantile(0.05, right, all - right),
        })
    }

    /// Rightness and weight from all sources, imagined answers among them.
    fn evidence(&self) -> (f64, f64) {
        let sources = [self.agreement, self.gold, self.review];
        let all: f64 = sources.iter().map(|t| t.all.max(0.0)).sum();
        let right: f64 = sources.iter().map(|t| t.right).sum();
        (right.clamp(0.0, all) + PRIOR_ANSWERS * PRIOR_ACCURACY, all + PRIOR_ANSWERS)
    }

    /// What it amounts to now. Cost: some ten microseconds, for the interval.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let (right, all) = self.evidence();
        let accuracy = right / all;
        let (speed, consistency) = (self.speed(), self.consistency());
        let mut parts = (accuracy * 100.0 * SHARE_ACCURACY, SHARE_ACCURACY);
        for (part, share) in [(consistency, SHARE_CONSISTENCY), (speed, SHARE_SPEED)] {
            if let Some(part) = part {
                parts = (parts.0 + part * share, parts.1 + share);
            }
        }
        Standing {
            accuracy,
            low: beta_quantile(0.05, right, all - right),
            high: beta_quantile(0.95, right, all - right),
            speed,
            consistency,
            overall: parts.0 / parts.1,
            judged: self.judged(),
        }
    }

    fn tally(&mut self, source: Source) -> &mut Tally {
        match source {
            Source::Agreement => &mut self.agreement,
            Source::Gold => &mut self.gold,
            Source::Review => &mut self.review,
        }
    }

    fn speed(&self) -> Option<f64> {
        let mean = self.pace.right / (self.pace.all + PRIOR_PACE);
        (self.pace.all > 0.0).then(|| (50.0 + 50.0 * mean).clamp(0.0, 100.0))
    }

    fn consistency(&self) -> Option<f64> {
        let blocks = self.windowed.min(WINDOW) / BLOCK;
        if blocks < BLOCKS_MIN {
            return None;
        }
        let shares: Vec<f64> = (0..blocks)
            .map(|block| (self.window >> (block * BLOCK) & 0xFF).count_ones())
            .map(|right| f64::from(right) / f64::from(BLOCK))
            .collect();
        let mean = shares.iter().sum::<f64>() / f64::from(blocks);
        let spread = shares.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>();
        let spread = spread / f64::from(blocks - 1);
        let by_chance = mean * (1.0 - mean) / f64::from(BLOCK);
        // One who is always right, or always wrong, is the same all the time.
        Some(if spread <= by_chance { 100.0 } else { 100.0 * by_chance / spread })
    }
}

impl Tally {
    fn add(&mut self, right: f64, weight: f64) {
        self.right += right * weight;
        self.all += weight;
    }
}

impl Standing {
    /// What is compared with a minimum, in whole points of accuracy, rounded down.
    #[must_use]
    pub fn points(&self, basis: Basis) -> u8 {
        let share = match basis {
            Basis::Mean => self.accuracy,
            Basis::LowerBound => self.low,
        };
        whole_points(share)
    }
}

fn whole_points(share: f64) -> u8 {
    u8::try_from(millionths(share) / 10_000).unwrap_or(100)
}

/// Rounded down; what misses a millionth by the rounding of floats alone has reached it.
pub(super) fn millionths(share: f64) -> u32 {
    super::ppm(share + 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(right: u32, wrong: u32) -> Record {
        let mut record = Record::default();
        for n in 0..right + wrong {
            record.judge(Judgement::by_gold(n >= wrong));
        }
        record
    }

    #[test]
    fn evidence_narrows_the_interval_around_the_mean() {
        let newcomer = Record::default().standing();
        assert_eq!(newcomer.points(Basis::Mean), 70);
        assert!(newcomer.low < 0.35 && newcomer.high > 0.95);
        let (few, many) = (judged(9, 1).standing(), judged(900, 100).standing());
        assert!(few.low < many.low && many.high < few.high, "{few:?} {many:?}");
        assert!((many.accuracy - 0.9).abs() < 0.002);
        assert!(many.points(Basis::LowerBound) < many.points(Basis::Mean));
    }

    #[test]
    fn evidence_fades_by_half_in_a_half_life() {
        let mut record = judged(100, 0);
        record.time(Millis(500), Millis(1_000));
        record.fade(Millis(1_000), Millis(2_000));
        record.fade(Millis(1_000), Millis(2_000));
        assert!((record.gold.all - 50.0).abs() < 1e-9 && (record.pace.all - 0.5).abs() < 1e-9);
        assert_eq!(record.judged(), 100, "a worker does not become a newcomer again");
        record.fade(Millis(u64::MAX), Millis(1));
        assert_eq!(record.standing().points(Basis::Mean), 70, "all forgotten");
    }

    #[test]
    fn a_judgement_can_be_taken_back() {
        let mut record = judged(5, 0);
        let before = record.agreement;
        let judgement = Judgement { source: Source::Agreement, right: -0.1, weight: 0.7 };
        record.judge(judgement);
        record.unjudge(judgement);
        assert!((record.agreement.right - before.right).abs() < 1e-12);
        assert_eq!((record.judged(), record.agreed), (5, 5));
    }

    #[test]
    fn points_by_either_basis_are_those_of_the_standing() {
        for (right, wrong) in [(0, 0), (3, 1), (40, 9), (0, 30), (500, 1)] {
            let record = judged(right, wrong);
            for basis in [Basis::Mean, Basis::LowerBound] {
                assert_eq!(record.points(basis), record.standing().points(basis));
            }
        }
        assert_eq!(Record::of_counts(10, 0).points(Basis::Mean), 20, "exactly a fifth");
        assert_eq!(Record::of_counts(16, 16).points(Basis::Mean), 94);
        assert_eq!(Record::of_counts(16, 16).points(Basis::LowerBound), 83);
    }

    #[test]
    fn counts_alone_say_nothing_of_consistency_until_newer_answers_do() {
        let mut record = Record::of_counts(1_000, 900);
        assert_eq!((record.judged(), record.standing().consistency), (1_000, None));
        for _ in 0..31 {
            record.judge(Judgement::by_gold(true));
        }
        assert_eq!(record.standing().consistency, None);
        record.judge(Judgement::by_gold(true));
        assert_eq!(record.standing().consistency, Some(100.0));
    }

    #[test]
    fn speed_is_fifty_at_the_median_and_needs_evidence_to_move() {
        let mut record = Record::default();
        assert_eq!(record.standing().speed, None);
        record.time(Millis(1_000), Millis(1_000));
        assert_eq!(record.standing().speed, Some(50.0));
        let mut fast = Record::default();
        fast.time(Millis(100), Millis(1_000));
        let once = fast.standing().speed.expect("a time");
        for _ in 0..50 {
            fast.time(Millis(500), Millis(1_000));
        }
        let often = fast.standing().speed.expect("times");
        assert!(once < 75.0 && often > 90.0, "{once} {often}");
    }

    #[test]
    fn one_who_turns_is_less_consistent_than_one_who_errs_now_and_then() {
        let steady = judged_in_turn(&[true, true, true, false]);
        let turned = {
            let mut record = Record::default();
            (0..64).for_each(|n| record.judge(Judgement::by_gold(n < 48)));
            record
        };
        let of = |record: &Record| record.standing().consistency.expect("enough answers");
        assert!(of(&steady) > 99.0 && of(&turned) < 30.0);
        assert!(steady.standing().overall > turned.standing().overall);
        assert_eq!(judged(31, 0).standing().consistency, None);
    }

    fn judged_in_turn(pattern: &[bool]) -> Record {
        let mut record = Record::default();
        for right in pattern.iter().cycle().take(64) {
            record.judge(Judgement::by_gold(*right));
        }
        record
    }
}
