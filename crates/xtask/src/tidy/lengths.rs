//! A file holds one idea, so it is short.
//!
//! Not here: the length of functions, which clippy counts (`too_many_lines`).

use crate::tidy::finding::Finding;
use crate::tidy::source::Source;

/// Lines before the tests.
const FILE_LINES_MAX: usize = 500;

/// At most `FILE_LINES_MAX` lines before the tests.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let lines = source.lines_before_tests();
    if lines > FILE_LINES_MAX {
        let advice = format!(
            "split this file: {lines} lines before its tests, limit {FILE_LINES_MAX}; one idea per file"
        );
        findings.push(Finding::at(source, FILE_LINES_MAX, "length", &advice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        let mut findings = Vec::new();
        check(&Source::new(path, text), &mut findings);
        findings.len()
    }

    #[test]
    fn only_lines_before_the_tests_count() {
        let (short, long) = ("x\n".repeat(500), "x\n".repeat(501));
        assert_eq!(findings("src/a.rs", &short), 0);
        assert_eq!(findings("src/a.rs", &long), 1);
        assert_eq!(findings("src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}\n")), 0);
        assert_eq!(findings("tests/a.rs", &long), 0);
    }
}
