//! What was damaged, and what came of it.

use std::fmt;

use super::opening::{Opened, Rows};

/// Findings that are told in words; the others are counted.
const TOLD: usize = 20;

/// What [`super::run`] did and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The distance of flipped bytes.
    pub every: usize,
    /// Directories that were damaged and opened.
    pub damages: usize,
    /// Of these, refused as damaged, by name.
    pub detected: usize,
    /// Of these, refused as no directory of ours, or one that lacks a part.
    pub refused: usize,
    /// Of these, opened to the same rows.
    pub harmless: usize,
    /// Of these, opened to other rows without a word.
    pub silent: usize,
    /// Of these, not open after a minute.
    pub hangs: usize,
    /// Of these, ended by a panic.
    pub panics: usize,
    /// Of these, refused without a file or position.
    pub unnamed: usize,
    /// The first of the last four, in words.
    pub findings: Vec<String>,
}

impl Report {
    pub(super) fn take(&mut self, what: &str, opened: &Opened, expected: &Rows) {
        self.damages += 1;
        let (count, found) = match opened {
            Opened::Whole(rows) if rows == expected => (&mut self.harmless, None),
            Opened::Whole(rows) => {
                let found = format!(
                    "opens to {} rows at {}, not {} at {}",
                    rows.rows, rows.position, expected.rows, expected.position
                );
                (&mut self.silent, Some(found))
            }
            // A file, or a position: something to look at.
            Opened::Refused { why, .. } if !why.contains('/') && !why.contains("position") => {
                (&mut self.unnamed, Some(why.clone()))
            }
            Opened::Refused { damage: true, .. } => (&mut self.detected, None),
            Opened::Refused { damage: false, .. } => (&mut self.refused, None),
            Opened::Hangs => (&mut self.hangs, Some("hangs".to_owned())),
            Opened::Panics => (&mut self.panics, Some("panics".to_owned())),
        };
        *count += 1;
        if let Some(found) = found.filter(|_| self.findings.len() < TOLD) {
            self.findings.push(format!("{what}: {found}"));
        }
    }

    /// True when every damage was told or did no harm.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.silent + self.hangs + self.panics + self.unnamed == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { every, damages, detected, refused, harmless, .. } = self;
        writeln!(f, "corruption, every {every}. byte: {damages} damages")?;
        writeln!(f, "  detected {detected}, refused otherwise {refused}, harmless {harmless}")?;
        write!(
            f,
            "  silent: {}, hangs: {}, panics: {}, without a place: {}",
            self.silent, self.hangs, self.panics, self.unnamed
        )?;
        for finding in &self.findings {
            write!(f, "\n  - {finding}")?;
        }
        Ok(())
    }
}
