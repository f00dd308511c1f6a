//! What was damaged, and what came of it.

use std::fmt;
use std::time::Duration;

use super::damage::EVERY_ZERO;
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
    /// Of these, refused although only the tables were hurt, which are made anew.
    pub not_rebuilt: usize,
    /// Of the snapshots that were hurt, those in whose files a reading of all
    /// snapshots found nothing.
    pub unseen: usize,
    /// Files of snapshots that were hurt.
    pub snapshots_hurt: usize,
    /// Of these, damages that cost nothing: another snapshot served, or none was needed.
    pub passed_over: usize,
    /// How long all of it took.
    pub took: Duration,
    /// The first of those that must not be, in words.
    pub findings: Vec<String>,
}

/// What must come of a damage.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    /// All that was there.
    pub(super) rows: &'a Rows,
    /// It must open.
    pub(super) is_rebuilt: bool,
    /// A file of a snapshot. If it does not open, it must say so of a snapshot.
    pub(super) hurt: Option<&'a str>,
}

impl Report {
    /// Takes note of what opening came to.
    pub(super) fn take(&mut self, what: &str, opened: &Opened, expected: &Expected<'_>) {
        self.damages += 1;
        let Expected { rows: expected, is_rebuilt, hurt } = expected;
        let (count, found) = match opened {
            Opened::Refused { why, .. } if *is_rebuilt => {
                (&mut self.not_rebuilt, Some(why.clone()))
            }
            Opened::Whole(rows) if rows == *expected && hurt.is_some() => {
                self.passed_over += 1;
                (&mut self.harmless, None)
            }
            Opened::Whole(rows) if rows == *expected => (&mut self.harmless, None),
            Opened::Whole(rows) => {
                let found = format!(
                    "opens to {} rows at {}, not {} at {}",
                    rows.rows, rows.position, expected.rows, expected.position
                );
                (&mut self.silent, Some(found))
            }
            // A file, or a position: something to look at.
            Opened::Refused { why, .. }
                if (hurt.is_some() && !why.contains("snapshots/"))
                    || (!why.contains('/') && !why.contains("position")) =>
            {
                (&mut self.unnamed, Some(why.clone()))
            }
            Opened::Refused { damage: true, .. } => (&mut self.detected, None),
            Opened::Refused { damage: false, .. } => (&mut self.refused, None),
            Opened::Hangs => (&mut self.hangs, Some("hangs".to_owned())),
            Opened::Panics => (&mut self.panics, Some("panics".to_owned())),
        };
        *count += 1;
        if let Some(found) = found {
            self.tell(what, &found);
        }
    }

    /// Takes note of whether a reading of all snapshots found the one that was hurt.
    pub(super) fn take_snapshot(&mut self, what: &str, is_seen: bool) {
        self.snapshots_hurt += 1;
        if !is_seen {
            self.unseen += 1;
            self.tell(what, "no reading of all snapshots names the file");
        }
    }

    fn tell(&mut self, what: &str, found: &str) {
        if self.findings.len() < TOLD {
            self.findings.push(format!("{what}: {found}"));
        }
    }

    /// True when every damage was told or did no harm.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Report { silent, hangs, panics, unnamed, not_rebuilt, unseen, .. } = self;
        silent + hangs + panics + unnamed + not_rebuilt + unseen == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { every, damages, detected, refused, harmless, .. } = self;
        let (zero, seconds) = ((*every).max(EVERY_ZERO), self.took.as_secs());
        writeln!(
            f,
            "corruption, every {every}. byte that is not zero and every {zero}. that is: \
             {damages} damages in {seconds} s"
        )?;
        writeln!(f, "  detected {detected}, refused otherwise {refused}, harmless {harmless}")?;
        writeln!(
            f,
            "  silent: {}, hangs: {}, panics: {}, without a place: {}, tables not rebuilt: {}",
            self.silent, self.hangs, self.panics, self.unnamed, self.not_rebuilt
        )?;
        write!(
            f,
            "  snapshots hurt: {}, passed over {}, missed by a reading of all {}",
            self.snapshots_hurt, self.passed_over, self.unseen
        )?;
        for finding in &self.findings {
            write!(f, "\n  - {finding}")?;
        }
        Ok(())
    }
}
