//! Tests wait for a thing, never for a time.
//!
//! A test that sleeps is slow when all is well and fails when the machine is
//! slow. Wait for a line, a reply, a state, or use the paused clock.

use crate::tidy::finding::Finding;
use crate::tidy::source::{Source, words};

/// No call of a free `sleep` in tests; a method is another clock's business.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    for (index, line) in source.code().iter().enumerate().skip(source.lines_before_tests()) {
        if ["sleep", "sleep_until", "sleep_ms"].iter().any(|name| calls(line, name)) {
            let advice = "wait for what must happen instead of sleeping";
            findings.push(Finding::at(source, index, "sleep", advice));
        }
    }
}

fn calls(line: &str, name: &str) -> bool {
    words(line, name).any(|at| {
        let (before, after) = (line[..at].trim_end(), &line[at + name.len()..]);
        after.starts_with('(') && !before.ends_with('.') && !before.ends_with("fn")
    })
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
    fn sleeping_is_found_in_tests_only() {
        assert_eq!(findings("tests/a.rs", "thread::sleep(d);\ntime::sleep_until(t).await;\n"), 2);
        assert_eq!(findings("src/a.rs", "thread::sleep(d);\n"), 0);
        let inline = "thread::sleep(d);\n#[cfg(test)]\nmod tests {\n    sleep(d);\n}\n";
        assert_eq!(findings("src/a.rs", inline), 1);
    }

    #[test]
    fn another_clock_may_sleep() {
        assert_eq!(findings("tests/a.rs", "clock.sleep(d);\nfn sleep() {}\n// sleep(d)\n"), 0);
    }
}
