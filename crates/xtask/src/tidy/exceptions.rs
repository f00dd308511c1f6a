//! A rule broken on purpose, with its reason beside it.
//!
//! Works like `#[expect]`: it covers its own line and the next line that is not
//! a comment, and an exception that excuses nothing is a finding.

use crate::tidy::finding::Finding;
use crate::tidy::source::Source;

const MARK: &str = "tidy-expect(";
const RULE: &str = "exception";

/// One comment that excuses one rule.
struct Exception<'a> {
    /// The comment's line, from 1.
    line: usize,
    /// The line of code it stands above, from 1.
    covers: usize,
    rule: &'a str,
    has_reason: bool,
}

/// Removes what the file excuses, adds exceptions that are wrong.
pub(crate) fn apply(source: &Source, mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut wrong = Vec::new();
    for exception in exceptions(source) {
        let count = findings.len();
        findings.retain(|finding| {
            let here = finding.line == exception.line || finding.line == exception.covers;
            !(here && finding.rule == exception.rule)
        });
        let problem = if findings.len() == count {
            "delete this exception: it excuses nothing"
        } else if exception.has_reason {
            continue;
        } else {
            "give the reason after a colon"
        };
        wrong.push(Finding::at(source, exception.line - 1, RULE, problem));
    }
    findings.extend(wrong);
    findings
}

fn exceptions(source: &Source) -> impl Iterator<Item = Exception<'_>> {
    source.comments().iter().enumerate().filter_map(|(index, line)| {
        let text = line.trim_start();
        // Documentation only mentions them.
        let text = text.strip_prefix("//").filter(|text| !text.starts_with(['!', '/']))?;
        let (rule, rest) = text.trim_start().strip_prefix(MARK)?.split_once(')')?;
        let has_code = |line: &String| !line.trim().is_empty();
        let below = source.code()[index + 1..].iter().position(has_code).unwrap_or(0);
        let has_reason = rest.strip_prefix(':').is_some_and(|reason| !reason.trim().is_empty());
        Some(Exception { line: index + 1, covers: index + 2 + below, rule, has_reason })
    })
}

#[cfg(test)]
mod tests {
    use crate::tidy::check;
    use crate::tidy::source::Source;

    fn rules(text: &str) -> Vec<&'static str> {
        let source = Source::new("tests/a.rs", text);
        check(&source).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn an_exception_covers_its_line_and_the_next_code() {
        let above = "//! A.\n// tidy-expect(sleep): nothing to wait for,\n// really\nsleep(d);\n";
        assert!(rules(above).is_empty());
        assert!(rules("//! A.\nsleep(d); // tidy-expect(sleep): so\n").is_empty());
        assert_eq!(rules("//! A.\n// tidy-expect(sleep): so\nf();\nsleep(d);\n").len(), 2);
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_use() {
        assert_eq!(rules("//! A.\n// tidy-expect(sleep)\nsleep(d);\n"), ["exception"]);
        assert_eq!(rules("//! A.\n// tidy-expect(sleep): so\nf();\n"), ["exception"]);
        assert_eq!(rules("//! A.\n// tidy-expect(sled): so\nsleep(d);\n"), ["sleep", "exception"]);
    }
}
