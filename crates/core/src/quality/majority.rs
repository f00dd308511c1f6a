//! Majority vote over one choice field.
//!
//! A tie goes to the class among the leaders that was voted for first: the same rule
//! as for the result of a whole answer. The probabilities are the shares of the votes.
//!
//! Not here: whole answers with several fields (`verdicts.rs`).

use super::opinion::Opinion;

/// The majority of `votes`, which stand in order of arrival, among `classes` choices.
/// `None` without votes.
#[must_use]
pub fn majority(votes: &[u16], classes: u16) -> Option<Opinion> {
    let mut opinion = Opinion::of(shares(votes, classes), votes.len());
    let most = opinion.confidence();
    let leads = |class: &&u16| opinion.posterior[usize::from(**class)] >= most;
    opinion.answer = *votes.iter().find(leads)?;
    Some(opinion)
}

/// The share of each class among `votes`.
pub(super) fn shares(votes: &[u16], classes: u16) -> Vec<f64> {
    let mut counts = vec![0.0; usize::from(classes.max(1))];
    votes.iter().for_each(|class| counts[usize::from(*class)] += 1.0);
    let all = votes.len().max(1) as f64;
    counts.iter_mut().for_each(|count| *count /= all);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_votes_win_and_a_tie_goes_to_the_first_voted_for() {
        let of = |votes: &[u16]| majority(votes, 4).map(|o| (o.answer, o.confidence_ppm()));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[2, 1, 1]), Some((1, 666_666)));
        assert_eq!(of(&[2, 1, 1, 2]), Some((2, 500_000)));
        assert_eq!(of(&[0, 3, 1, 1, 3]), Some((3, 400_000)));
    }
}
