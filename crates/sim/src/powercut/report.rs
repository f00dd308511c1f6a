//! What was cut, and what was found.

use std::fmt;

use piecework_core::planted::Mistake;
use piecework_storage::{PowerCut, Recording};

use super::history::Phase;

/// Findings that are told in words; the others are counted.
const TOLD: usize = 5;

/// What [`super::run`] did and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What chance began with.
    pub seed: u64,
    /// The mistake that was made on purpose.
    pub control: Option<Mistake>,
    /// Runs on real files that were recorded.
    pub runs: usize,
    /// Syncs in them, of files and of the directory.
    pub syncs: usize,
    /// Lives after a kill that were recorded.
    pub second_lives: usize,
    /// Disks that were built and recovered.
    pub states: usize,
    /// Of these, cut while groups were written.
    pub writing: usize,
    /// Of these, cut while a segment was prepared, listed or given up.
    pub rolling: usize,
    /// Of these, cut in recovery.
    pub recovering: usize,
    /// Unsynced writes that were wholly gone.
    pub writes_lost: usize,
    /// Unsynced writes of which some sectors came through.
    pub writes_torn: usize,
    /// Created, renamed or removed names that were not.
    pub names_lost: usize,
    /// States in which something was missing, other or too much.
    pub failed: usize,
    /// The first of them, in words.
    pub findings: Vec<String>,
}

impl Report {
    pub(super) fn new(seed: u64, control: Option<Mistake>) -> Report {
        Report { seed, control, ..Report::default() }
    }

    pub(super) fn recorded(&mut self, recording: &Recording) {
        self.runs += 1;
        self.syncs += recording.operations().iter().filter(|r| r.operation.is_sync()).count();
    }

    pub(super) fn state(&mut self, phase: Phase, cut: PowerCut) {
        self.states += 1;
        match phase {
            Phase::Writing => self.writing += 1,
            Phase::Rolling => self.rolling += 1,
            Phase::Recovering => self.recovering += 1,
        }
        self.writes_lost += cut.lost;
        self.writes_torn += cut.torn;
        self.names_lost += cut.names_lost;
    }

    pub(super) fn failed(&mut self, what: String) {
        self.failed += 1;
        if self.findings.len() < TOLD {
            self.findings.push(what);
        }
    }

    /// True when it is as it should be: nothing found, or the planted mistake.
    #[must_use]
    pub fn is_as_it_should_be(&self) -> bool {
        (self.failed > 0) == self.control.is_some()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, states, writing, rolling, recovering, .. } = self;
        write!(f, "power cut, seed {seed}")?;
        if let Some(mistake) = self.control {
            write!(f, ", control {}", mistake.name())?;
        }
        writeln!(f, ": {} runs with {} syncs recorded", self.runs, self.syncs)?;
        writeln!(
            f,
            "  states {states}: cut while writing {writing}, while rolling {rolling}, \
             in recovery {recovering}; after a kill in {} lives",
            self.second_lives
        )?;
        writeln!(
            f,
            "  unsynced writes lost {}, torn {}; names lost {}",
            self.writes_lost, self.writes_torn, self.names_lost
        )?;
        write!(f, "  lost: {}", self.failed)?;
        for finding in &self.findings {
            write!(f, "\n  - {finding}")?;
        }
        Ok(())
    }
}
