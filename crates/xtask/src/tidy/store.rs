//! The table store is named in one file, so that another one is one file.

use crate::tidy::finding::Finding;
use crate::tidy::source::{Source, words};

const HOME: &str = "crates/storage/src/tables/sled.rs";

/// No path or import of the crate `sled` outside its home. `self::sled::…` is
/// our own module of that name.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if source.path() == HOME {
        return;
    }
    for (index, line) in source.code().iter().enumerate() {
        if words(line, "sled").any(|at| names_crate(line, at)) {
            let advice = format!("go through the KeyValue port; only {HOME} names the store");
            findings.push(Finding::at(source, index, "sled", &advice));
        }
    }
}

fn names_crate(line: &str, at: usize) -> bool {
    let (before, after) = (line[..at].trim_end(), line[at + "sled".len()..].trim_start());
    let imports = before.ends_with("use") || before.ends_with("extern crate");
    let parent = before.strip_suffix("::").map(str::trim_end);
    let is_ours =
        parent.is_some_and(|parent| parent.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    !is_ours && (after.starts_with("::") || imports)
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
    fn the_store_is_named_at_home_only() {
        for text in ["use sled::Db;", "use sled;", "let db: ::sled::Db;", "f(sled::open(p))"] {
            assert_eq!(findings("crates/storage/src/tables.rs", text), 1, "{text}");
            assert_eq!(findings(HOME, text), 0, "{text}");
        }
    }

    #[test]
    fn our_own_module_of_that_name_is_fine() {
        for text in ["mod sled;", "pub use self::sled::Tables;", "crate::tables::sled::open()"] {
            assert_eq!(findings("crates/storage/src/tables.rs", text), 0, "{text}");
        }
    }
}
