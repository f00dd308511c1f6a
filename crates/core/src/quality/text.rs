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
    if text.is_ascii() {
        // Composed already, and each letter has one lower case of its own.
        let mut all = joined(text.split_whitespace(), text.len());
        all.make_ascii_lowercase();
        return all;
    }
    let composed: String = text.nfkc().collect();
    let words: Vec<String> = composed.split_whitespace().map(str::to_lowercase).collect();
    joined(words.iter().map(String::as_str), composed.len())
}

fn joined<'a>(words: impl Iterator<Item = &'a str>, about: usize) -> String {
    let mut all = String::with_capacity(about);
    for word in words {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(word);
    }
    all
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
        assert_eq!(normalised(" New\x0bYORK\r\n"), normalised("new york"));
        assert_eq!(normalised(" \t"), "");
    }
}
