//! What was found out about one part of a data directory.

use std::error::Error;
use std::path::Path;

use piecework_core::Position;
use piecework_storage::RowsDigest;

use crate::writer::Causes;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Every byte was read and is what was written.
    Good,
    /// Nothing is lost, and the next start has something to do.
    Noted,
    /// It is not what was written.
    Damaged,
}

/// One part and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `journal`, `tables`, `snapshot`, `state`.
    pub part: &'static str,
    /// How it is.
    pub found: Found,
    /// Up to where it goes, where that is known.
    pub position: Option<u64>,
    /// What its rows add up to, where it has rows and all were read.
    pub digest: Option<String>,
    /// Its files, its size, or what is wrong and what to do about it.
    pub detail: String,
}

/// All rows at the journal's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The last position.
    pub position: u64,
    /// What the rows add up to.
    pub digest: String,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Each part, in the order in which they were looked at.
    pub findings: Vec<Finding>,
    /// The state that the daemon would start with, unless damage hides it.
    pub state: Option<State>,
}

impl Verified {
    /// What is damaged, one line a part; `None`: nothing is.
    #[must_use]
    pub fn damage(&self) -> Option<String> {
        let damaged = self.findings.iter().filter(|finding| finding.found == Found::Damaged);
        let lines: Vec<String> = damaged.map(|f| format!("{}: {}", f.part, f.detail)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    pub(super) fn good(
        &mut self,
        part: &'static str,
        position: Position,
        digest: Option<RowsDigest>,
        detail: String,
    ) {
        self.add(part, Found::Good, Some(position), digest, detail);
    }

    pub(super) fn noted(&mut self, part: &'static str, position: Option<Position>, detail: String) {
        self.add(part, Found::Noted, position, None, detail);
    }

    /// `place`: where it lies; `todo`: what a person does about it.
    pub(super) fn damaged(
        &mut self,
        part: &'static str,
        position: Option<Position>,
        place: &Path,
        error: &(dyn Error + 'static),
        todo: &str,
    ) {
        let what = Causes(error).to_string();
        // Most errors name their file themselves.
        let place = place.display().to_string();
        let place = if what.contains(&place) { String::new() } else { format!("{place}: ") };
        self.add(part, Found::Damaged, position, None, format!("{place}{what}; {todo}"));
    }

    fn add(
        &mut self,
        part: &'static str,
        found: Found,
        position: Option<Position>,
        digest: Option<RowsDigest>,
        detail: String,
    ) {
        let position = position.map(|position| position.0);
        let digest = digest.map(|digest| digest.to_string());
        self.findings.push(Finding { part, found, position, digest, detail });
    }
}
