//! Tells every story in `cases/` to an engine.
//!
//! Each file is one story and its name is a claim; `story/mod.rs` explains the
//! language. All stories are told even if one goes wrong, so that a failure shows
//! every claim that it breaks.

#![expect(clippy::disallowed_methods, reason = "stories are files")]
#![expect(clippy::disallowed_macros, reason = "a broken story is told on the error stream")]

mod story;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Refusals that need more rows than a story can tell of; `edges.rs` reaches them.
const UNTOLD: [&str; 2] = ["TOO_MANY_PROJECTS", "TOO_MANY_TASKS"];

fn cases() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut open = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("the cases are there") {
            let path = entry.expect("the cases can be listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "txt") {
                let text = std::fs::read_to_string(&path).expect("a case can be read");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

fn outcome(text: &str) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| story::tell(text))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

#[test]
fn every_story_goes_as_it_is_told() {
    let mut broken = 0;
    for (path, text) in cases() {
        if let Err(why) = outcome(&text) {
            broken += 1;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            eprintln!("\n{name}\n  {why}");
        }
    }
    assert_eq!(broken, 0, "stories that went otherwise");
}

#[test]
fn every_story_begins_by_saying_what_it_claims() {
    for (path, text) in cases() {
        assert!(text.starts_with("# "), "{} has no comment", path.display());
        assert!(
            text.contains("->") || text.contains("expect"),
            "{} claims nothing",
            path.display()
        );
    }
}

#[test]
fn every_refusal_occurs_in_some_story() {
    let mut told: BTreeSet<String> = UNTOLD.iter().map(ToString::to_string).collect();
    for (_, text) in cases() {
        for expected in story::expectations(&text) {
            told.extend(expected.split([' ', ',']).map(str::to_owned));
        }
    }
    let untold: Vec<_> = story::REFUSALS.iter().filter(|name| !told.contains(**name)).collect();
    assert!(untold.is_empty(), "no story tells of {untold:?}");
}
