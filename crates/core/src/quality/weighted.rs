//! Accuracy-weighted vote: each vote weighs as much as its worker is known to be right.
//!
//! A worker of accuracy a on K choices weighs ln(a (K − 1) / (1 − a)), which is best
//! when workers err independently and evenly (S. Nitzan, J. Paroush, "Optimal Decision
//! Rules in Uncertain Dichotomous Choice Situations", 1982). A worker at chance weighs
//! nothing; one below it speaks against what it says.
//!
//! Not here: where accuracies come from (`online.rs`, the ratings).

use super::opinion::{Opinion, normalise};

/// No worker is held better or worse than this, whatever its record.
const ACCURACY_MIN: f64 = 0.01;
const ACCURACY_MAX: f64 = 0.99;

/// The weighted vote of (accuracy 0 to 1, class) among `classes` choices, all equally
/// likely beforehand. `None` without votes.
#[must_use]
pub fn weighted(votes: &[(f64, u16)], classes: u16) -> Option<Opinion> {
    let mut logs = vec![0.0; usize::from(classes.max(1))];
    for (accuracy, class) in votes {
        let right = accuracy.clamp(ACCURACY_MIN, ACCURACY_MAX);
        let others = f64::from(classes.max(2) - 1);
        logs[usize::from(*class)] += libm::log(right * others / (1.0 - right));
    }
    normalise(&mut logs);
    (!votes.is_empty()).then(|| Opinion::of(logs, votes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_worker_outweighs_two_that_guess() {
        let opinion = weighted(&[(0.55, 0), (0.95, 1), (0.55, 0)], 2).expect("votes");
        assert_eq!(opinion.answer, 1);
        let even = |a: f64| a / (1.0 - a);
        let odds = even(0.95) / (even(0.55) * even(0.55));
        assert!((opinion.confidence() - odds / (1.0 + odds)).abs() < 1e-12);
        assert_eq!(weighted(&[], 2), None);
    }

    #[test]
    fn two_choices_of_one_who_is_always_wrong_point_to_the_other() {
        assert_eq!(weighted(&[(0.1, 0)], 2).map(|o| o.answer), Some(1));
    }
}
