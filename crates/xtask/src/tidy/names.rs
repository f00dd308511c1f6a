//! A module is named by its noun or its command, never by "things in here".

use crate::tidy::finding::Finding;
use crate::tidy::source::{Source, words};

const FORBIDDEN: [&str; 8] =
    ["utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"];

const ADVICE: &str = "name the module by its noun or its command, not by a drawer for anything";

/// No forbidden name in the path or in a `mod` with a body.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let path = source.path();
    if path.trim_end_matches(".rs").split('/').any(is_forbidden) {
        findings.push(Finding::at(source, 0, "name", ADVICE));
    }
    for (index, line) in source.code().iter().enumerate() {
        let named = words(line, "mod").any(|at| {
            let (name, rest) = split_name(line[at + "mod".len()..].trim_start());
            // A `mod x;` is found at the file of `x`.
            is_forbidden(name) && rest.trim_start().starts_with('{')
        });
        if named {
            findings.push(Finding::at(source, index, "name", ADVICE));
        }
    }
}

fn split_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()))
}

/// The last word decides: `lease_manager` is a manager.
fn is_forbidden(name: &str) -> bool {
    name.rsplit('_').next().is_some_and(|word| FORBIDDEN.contains(&word))
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
    fn drawers_are_found_in_paths_and_inline_modules() {
        assert_eq!(findings("crates/core/src/utils.rs", ""), 1);
        assert_eq!(findings("tests/common/mod.rs", ""), 1);
        assert_eq!(findings("src/lease_manager.rs", ""), 1);
        assert_eq!(findings("src/a.rs", "pub mod helpers {\n}\n"), 1);
        assert_eq!(findings("src/a.rs", "mod helpers;\n// mod utils {\n"), 0);
        assert_eq!(findings("src/common_prefix.rs", "mod lease {\n}\n"), 0);
    }
}
