//! The first answer is the result; the others only say how sure one may be of it.
//!
//! Not here: whole answers with several fields (`verdicts.rs`).

use super::majority::shares;
use super::opinion::Opinion;

/// The first of `votes`, which stand in order of arrival, among `classes` choices, with
/// the shares of all of them as probabilities. `None` without votes.
#[must_use]
pub fn first(votes: &[u16], classes: u16) -> Option<Opinion> {
    let mut opinion = Opinion::of(shares(votes, classes), votes.len());
    opinion.answer = *votes.first()?;
    Some(opinion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_vote_is_the_answer_even_when_outvoted() {
        let opinion = first(&[2, 1, 1], 3).expect("there are votes");
        assert_eq!((opinion.answer, opinion.confidence_ppm()), (2, 333_333));
        assert_eq!(first(&[], 3), None);
    }
}
