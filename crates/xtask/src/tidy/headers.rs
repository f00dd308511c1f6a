//! Every file begins by saying what it is.

use crate::tidy::finding::Finding;
use crate::tidy::source::Source;

/// The first line is a `//!` with words.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let first = source.raw().first().map_or("", String::as_str);
    let words = first.strip_prefix("//!").map(str::trim);
    if words.is_none_or(str::is_empty) {
        let advice = "begin with a `//!` header: what, how, the invariant, what is not here";
        findings.push(Finding::at(source, 0, "header", advice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fine(text: &str) -> bool {
        let mut findings = Vec::new();
        check(&Source::new("build.rs", text), &mut findings);
        findings.is_empty()
    }

    #[test]
    fn the_first_line_is_a_header_with_words() {
        assert!(is_fine("//! Builds.\nfn main() {}\n"));
        assert!(!is_fine("// Builds.\nfn main() {}\n"));
        assert!(!is_fine("//!\n"));
        assert!(!is_fine("\n//! Builds.\n"));
        assert!(!is_fine(""));
    }
}
