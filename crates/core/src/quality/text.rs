//! Texts are compared without regard to case, spaces and ways to write a character.
//!
//! Not here: which of them is the result (`field.rs`), whether a field is compared at
//! all (schemas; free fields are not).

use unicode_normalization::UnicodeNormalization;

/// The text as it is compared: Unicode's NFKC (so that a full-width letter, a ligature
/// and an accent of its own are the plain ones), then lower case, one space between
/// words, none around.
#[must_use]
pub fn normalised(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    let words: Vec<String> = composed.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_spaces_and_ways_to_write_a_character_make_no_difference() {
        assert_eq!(normalised("  Straße\tNo  5 "), "straße no 5");
        assert_eq!(normalised("ＯＳＬＯ"), normalised("Oslo "));
        assert_eq!(normalised("e\u{301}"), "é");
        assert_ne!(normalised("Oslo"), normalised("Os lo"));
    }
}
