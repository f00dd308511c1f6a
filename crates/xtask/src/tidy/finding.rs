//! One broken rule, where it is and what to do.

use std::fmt;

use crate::tidy::source::Source;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    advice: String,
}

impl Finding {
    /// `line`: from 1. `advice`: what to do, as a sentence without its full stop.
    pub(crate) fn new(path: &str, line: usize, rule: &'static str, advice: String) -> Finding {
        Finding { path: path.to_owned(), line, rule, advice }
    }

    /// In a source file; `index` counts its lines from 0.
    pub(crate) fn at(source: &Source, index: usize, rule: &'static str, advice: &str) -> Finding {
        Finding::new(source.path(), index + 1, rule, advice.to_owned())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.path, self.line, self.advice, self.rule)
    }
}
