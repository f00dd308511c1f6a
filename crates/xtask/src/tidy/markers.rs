//! Nothing unfinished is merged without a number to find it again.

use crate::tidy::finding::Finding;
use crate::tidy::source::{Source, words};

/// No `FIXME`, no `todo!`, no `#[ignore]`; a `TODO` names its issue: `TODO(#12)`.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    for (index, line) in source.comments().iter().enumerate() {
        if words(line, "FIXME").any(|at| !is_quoted(line, at)) {
            findings.push(Finding::at(source, index, "fixme", "finish it before merging"));
        }
        let unnumbered = |at: usize| {
            let rest = line[at + "TODO".len()..].trim_start_matches(['(', ' ']);
            let number = rest.strip_prefix('#').and_then(|rest| rest.chars().next());
            !is_quoted(line, at) && !number.is_some_and(|c| c.is_ascii_digit())
        };
        if words(line, "TODO").any(unnumbered) {
            let advice = "name the issue: TODO(#12)";
            findings.push(Finding::at(source, index, "todo", advice));
        }
    }
    for (index, line) in source.code().iter().enumerate() {
        let macro_follows = |at: usize| {
            let rest = line[at + "todo".len()..].trim_start();
            rest.starts_with('!') && !rest.starts_with("!=")
        };
        if words(line, "todo").any(macro_follows) {
            let advice = "write the code, or refuse the call with a typed error";
            findings.push(Finding::at(source, index, "todo", advice));
        }
        let is_attribute = |at: usize| line[..at].trim_end().ends_with("#[");
        if words(line, "ignore").any(is_attribute) {
            let advice = "make the test run, or delete it: a skipped test proves nothing";
            findings.push(Finding::at(source, index, "ignore", advice));
        }
    }
}

/// A mention, not a marker.
fn is_quoted(line: &str, at: usize) -> bool {
    line[..at].ends_with('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        let mut findings = Vec::new();
        check(&Source::new("src/a.rs", text), &mut findings);
        findings.iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn unfinished_work_is_found() {
        assert_eq!(rules("// FIXME later\n"), ["fixme"]);
        assert_eq!(rules("// TODO: later\n"), ["todo"]);
        assert_eq!(rules("/* TODO(me) */\n"), ["todo"]);
        assert_eq!(rules("fn f() { todo!() }\n"), ["todo"]);
        assert_eq!(rules("#[ignore = \"slow\"]\n"), ["ignore"]);
        assert_eq!(rules("#[ignore]\n"), ["ignore"]);
    }

    #[test]
    fn numbered_and_quoted_markers_are_fine() {
        assert!(rules("// TODO(#12): later\n// TODO #7\n// no `TODO` here\n").is_empty());
        assert!(rules("let s = \"FIXME todo!() TODO\";\n").is_empty());
        assert!(rules("let todo = 1; let ignore = todo != 2;\n").is_empty());
    }
}
