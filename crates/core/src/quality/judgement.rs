//! What one finished task says about one worker's answer to it: the evidence that
//! ratings are made of.
//!
//! Agreement is judged by the others alone, at least two of them, without a tie. Of
//! others whose answer is right with probability c, a worker of accuracy a on K choices
//! agrees with probability a c + (1 − a)(1 − c)/(K − 1). Solved for a, an agreement or a
//! dissent counts as so much rightness that its mean is a; and the less sure the others
//! are, the less it weighs: the slope squared, as its variance demands.
//!
//! Not here: adding it up (`record.rs`), the others' opinion (`online.rs`).

use serde::{Deserialize, Serialize};

use super::opinion::Opinion;

/// Fewer others than this judge nobody.
const OTHERS_MIN: u32 = 2;
/// Below this the others hardly know; what they say would be noise blown up.
const SLOPE_MIN: f64 = 0.2;

/// Where a judgement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The result of the other workers.
    Agreement,
    /// A task whose answer is known.
    Gold,
    /// A reviewer, or the requester.
    Review,
}

/// One answer, judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Where it comes from.
    pub source: Source,
    /// How right it was: 0 to 1 where that is certain, a little beyond where it is
    /// inferred.
    pub right: f64,
    /// Of how many certain answers it is worth, 0 to 1.
    pub weight: f64,
}

/// A judgement in thousandths, as it is applied and kept: so it can be taken back as it
/// was, and written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weighed {
    /// See `Judgement::right`; between -2,000 and 3,000.
    pub right: i16,
    /// See `Judgement::weight`; 1 to 1,000.
    pub weight: u16,
}

impl Weighed {
    /// What it says about agreement.
    #[must_use]
    pub fn by_agreement(self) -> Judgement {
        Judgement {
            source: Source::Agreement,
            right: f64::from(self.right) / 1_000.0,
            weight: f64::from(self.weight) / 1_000.0,
        }
    }
}

impl Judgement {
    /// One judgement of an answer whose fields were judged one by one. `None` without any.
    ///
    /// Right is the mean of the fields', weighted; the weight is the plain mean: an
    /// answer of many fields is one answer, and no more than one certain one.
    #[must_use]
    pub fn of_fields(fields: &[Judgement]) -> Option<Judgement> {
        let source = fields.first()?.source;
        let all: f64 = fields.iter().map(|field| field.weight).sum();
        let right: f64 = fields.iter().map(|field| field.right * field.weight).sum();
        Some(Judgement { source, right: right / all, weight: all / fields.len() as f64 })
    }

    /// In thousandths. `None`: it weighs less than one.
    #[must_use]
    pub fn weighed(&self) -> Option<Weighed> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to what fits"
        )]
        let weighed = Weighed {
            right: libm::round(self.right * 1_000.0).clamp(-30_000.0, 30_000.0) as i16,
            weight: libm::round(self.weight * 1_000.0).clamp(0.0, 1_000.0) as u16,
        };
        (weighed.weight > 0).then_some(weighed)
    }

    /// Rather right than wrong.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.right >= 0.5
    }

    /// Judges `own` by what the others say without it. `None` with fewer than two others,
    /// with a tie between them, or when they hardly know.
    #[must_use]
    pub fn by_agreement(own: u16, others: &Opinion) -> Option<Judgement> {
        let sure = others.confidence();
        let tied = (0u16..)
            .zip(&others.posterior)
            .any(|(class, p)| class != others.answer && *p >= sure - 1e-9);
        if others.votes < OTHERS_MIN || tied {
            return None;
        }
        let wrongs = others.posterior.len().max(2) as f64 - 1.0;
        let chance = (1.0 - sure) / wrongs;
        let slope = sure - chance;
        let agrees = if own == others.answer { 1.0 } else { 0.0 };
        (slope >= SLOPE_MIN).then(|| Judgement {
            source: Source::Agreement,
            right: (agrees - chance) / slope,
            weight: slope * slope,
        })
    }

    /// Judges by a known answer.
    #[must_use]
    pub fn by_gold(right: bool) -> Judgement {
        Judgement { source: Source::Gold, right: f64::from(u8::from(right)), weight: 1.0 }
    }

    /// Judges by a person who looked at it.
    #[must_use]
    pub fn by_review(accepted: bool) -> Judgement {
        Judgement { source: Source::Review, right: f64::from(u8::from(accepted)), weight: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(posterior: &[f64], votes: usize) -> Opinion {
        Opinion::of(posterior.to_vec(), votes)
    }

    #[test]
    fn two_others_that_do_not_tie_judge_and_weigh_by_how_sure_they_are() {
        assert_eq!(Judgement::by_agreement(0, &others(&[0.9, 0.1], 1)), None, "one other");
        assert_eq!(Judgement::by_agreement(0, &others(&[0.5, 0.5], 4)), None, "a tie");
        assert_eq!(Judgement::by_agreement(0, &others(&[0.55, 0.45], 4)), None, "unsure");
        let of = |own, p: f64| Judgement::by_agreement(own, &others(&[p, 1.0 - p], 2));
        let sure = of(0, 1.0).expect("judged");
        assert_eq!((sure.right, sure.weight), (1.0, 1.0));
        let unsure = of(0, 0.8).expect("judged");
        assert!(unsure.weight < 0.4 && unsure.right > 1.0);
        assert!(of(1, 0.8).expect("judged").right < 0.0);
    }

    #[test]
    fn fields_make_one_judgement_and_thousandths_come_back() {
        let field = |right, weight| Judgement { source: Source::Agreement, right, weight };
        assert_eq!(Judgement::of_fields(&[]), None);
        let one = Judgement::of_fields(&[field(1.0, 1.0), field(0.0, 0.5)]).expect("judged");
        assert!((one.right - 2.0 / 3.0).abs() < 1e-12 && (one.weight - 0.75).abs() < 1e-12);
        let milli = one.weighed().expect("it weighs");
        assert_eq!(milli, Weighed { right: 667, weight: 750 });
        assert_eq!(milli.by_agreement().weighed(), Some(milli));
        assert_eq!(field(-0.1, 0.0004).weighed(), None);
    }

    #[test]
    fn what_is_inferred_has_the_worker_s_accuracy_as_its_mean() {
        let (accuracy, sure) = (0.7, 0.9);
        let agrees = accuracy * sure + (1.0 - accuracy) * (1.0 - sure);
        let right = |own| {
            let judged = Judgement::by_agreement(own, &others(&[sure, 1.0 - sure], 3));
            judged.expect("judged").right
        };
        let mean = agrees * right(0) + (1.0 - agrees) * right(1);
        assert!((mean - accuracy).abs() < 1e-12);
    }
}
