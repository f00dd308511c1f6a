//! Texts: the one that most workers wrote, compared without regard to case, spaces
//! and ways to write the same character.
//!
//! Of the spellings that compare as equal the commonest is the answer, of equals the
//! first given; so it is with the texts themselves.
//!
//! Not here: whether a field is compared at all (schemas; free fields are not).

use unicode_normalization::UnicodeNormalization;

use super::agreement;

/// What the texts of one task say together.
#[derive(Debug, Clone, PartialEq)]
pub struct TextOpinion {
    /// Which of the answers is the result, as a place in what was given.
    pub answer: usize,
    /// How many compare as equal to it.
    pub agree: u32,
    /// Texts it rests on.
    pub votes: u32,
    /// The probability that it is right, 0 to 1.
    pub confidence: f64,
}

/// The text as it is compared: Unicode's NFKC (so that a full-width letter, a ligature
/// and an accent of its own are the plain ones), then lower case, one space between
/// words, none around.
#[must_use]
pub fn normalised(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    let words: Vec<String> = composed.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// The opinion of texts in order of arrival. `None` without any.
#[must_use]
pub fn text(answers: &[&str]) -> Option<TextOpinion> {
    let compared: Vec<String> = answers.iter().map(|a| normalised(a)).collect();
    let like = |at: usize| compared.iter().filter(|c| **c == compared[at]).count();
    let spelt = |at: usize| answers.iter().filter(|a| **a == answers[at]).count();
    let (mut best, mut most) = (0, (0, 0));
    for at in 0..answers.len() {
        // Of equals the first, so only a greater one takes its place.
        let this = (like(at), spelt(at));
        let joins = compared[at] == compared[best];
        if this.0 > most.0 || joins && this > most {
            (best, most) = (at, this);
        }
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (!answers.is_empty()).then(|| TextOpinion {
        answer: best,
        agree: count(most.0),
        votes: count(answers.len()),
        confidence: agreement::confidence(most.0, answers.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spaces_make_no_difference_and_the_commonest_spelling_wins() {
        let opinion = text(&["Oslo ", "Bergen", "oslo", "OSLO", "oslo"]).expect("texts");
        assert_eq!((opinion.answer, opinion.agree, opinion.votes), (2, 4, 5));
        assert_eq!(normalised("  Straße\tNo  5 "), "straße no 5");
    }

    #[test]
    fn a_tie_goes_to_the_text_given_first() {
        let opinion = text(&["b", "a", "a", "b"]).expect("texts");
        assert_eq!((opinion.answer, opinion.agree), (0, 2));
        assert!(opinion.confidence < 0.9);
        assert_eq!(text(&[]), None);
    }
}
