//! Multi-choice: each option is a question of its own, chosen or not.
//!
//! An option is a field of two classes, 0 not chosen and 1 chosen, with votes, priors
//! and workers' counts of its own: how rare it is and how easily it is overlooked differ
//! from one to the next. (Whole selections as classes would split votes that differ in
//! one option; one model for all options would take a rare one for a common one.) A tie
//! leaves the option out. The answer is as sure as its least sure option.
//!
//! A boolean is the same with one option: class 0 is `false`, class 1 is `true`.
//!
//! Not here: the methods, which see classes only.

use super::opinion::Opinion;

/// The class of an option that was not chosen, and of `false`.
pub const ABSENT: u16 = 0;
/// The class of an option that was chosen, and of `true`.
pub const CHOSEN: u16 = 1;

/// What the options of one task say together.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionsOpinion {
    /// The options that are chosen, ascending.
    pub chosen: Vec<u16>,
    /// How sure the least sure option is, 0 to 1.
    pub confidence: f64,
    /// Answers it rests on.
    pub votes: u32,
}

/// One answer as a vote for each of `options` options: its class by option.
#[must_use]
pub fn votes_of(chosen: &[u16], options: u16) -> Vec<u16> {
    (0..options).map(|o| if chosen.contains(&o) { CHOSEN } else { ABSENT }).collect()
}

/// Puts the opinions of all options, in their order, together.
#[must_use]
pub fn joined(opinions: &[Opinion]) -> OptionsOpinion {
    let chosen = (0u16..).zip(opinions).filter(|(_, o)| o.answer == CHOSEN);
    OptionsOpinion {
        chosen: chosen.map(|(option, _)| option).collect(),
        confidence: opinions.iter().map(Opinion::confidence).fold(1.0, f64::min),
        votes: opinions.iter().map(|o| o.votes).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_is_voted_on_by_itself() {
        assert_eq!(votes_of(&[2, 0], 4), [CHOSEN, ABSENT, CHOSEN, ABSENT]);
        let of = |share: f64| Opinion::of(vec![1.0 - share, share], 4);
        let opinion = joined(&[of(0.75), of(0.5), of(1.0), of(0.0)]);
        assert_eq!(opinion.chosen, [0, 2], "a tie leaves the option out");
        assert!((opinion.confidence - 0.5).abs() < 1e-12);
        assert_eq!(opinion.votes, 4);
    }
}
