//! What was handed to the journal, and what it owes us at each moment of a record.
//!
//! The notes between the recorded operations say when: a group is noted before
//! it is appended, an acknowledgement after it was told, a trim before it is
//! asked for, an opening before and after.

use std::fmt;

use piecework_core::Position;
use piecework_storage::{Group, Note, Operation, Recording};

pub(super) const APPENDING: &str = "appending";
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
pub(super) const TRIMMING: &str = "trimming";
pub(super) const OPENING: &str = "opening";
/// The position is the last one that was recovered.
pub(super) const OPENED: &str = "opened";

/// Every group handed over, in the order of the notes that say so, behind what
/// was owed when the record began.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) start: Owed,
    pub(super) groups: Vec<Group>,
}

/// What a journal must hold after a power cut.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    /// What it may hold, in order; the first part of it must be there.
    pub(super) groups: Vec<Group>,
    /// Everything up to here was acknowledged.
    pub(super) acknowledged: Position,
    /// What lies below may be gone.
    pub(super) trimmed: Position,
}

impl Default for Owed {
    fn default() -> Owed {
        Owed { groups: Vec::new(), acknowledged: Position(0), trimmed: Position(1) }
    }
}

/// What the journal was doing when the power failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Writing,
    Rolling,
    Recovering,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Writing => "while writing",
            Phase::Rolling => "while rolling",
            Phase::Recovering => "in recovery",
        })
    }
}

impl History {
    /// What is owed just before operation `cut`.
    pub(super) fn owed(&self, recording: &Recording, cut: usize) -> Owed {
        let mut owed = self.start.clone();
        let mut groups = self.groups.iter();
        for recorded in &recording.operations()[..cut] {
            let Operation::Note(Note { what, position }) = recorded.operation else { continue };
            match what {
                APPENDING => owed.groups.extend(groups.next().cloned()),
                ACKNOWLEDGED => owed.acknowledged = owed.acknowledged.max(position),
                TRIMMING => owed.trimmed = owed.trimmed.max(position),
                // Replies may rest on whatever was recovered; the rest is gone.
                OPENED => {
                    owed.groups.retain(|group| group.last() <= position);
                    owed.acknowledged = owed.acknowledged.max(position);
                }
                _ => {}
            }
        }
        owed
    }

    /// What the journal was about to do at each operation.
    pub(super) fn phases(recording: &Recording) -> Vec<Phase> {
        let mut opening = false;
        let phase = |recorded: &piecework_storage::Recorded| {
            if let Operation::Note(Note { what, .. }) = recorded.operation {
                opening = what == OPENING || (opening && what != OPENED);
            }
            match recorded.thread.as_deref() {
                _ if opening => Phase::Recovering,
                Some("journal-keeper") => Phase::Rolling,
                _ => Phase::Writing,
            }
        };
        recording.operations().iter().map(phase).collect()
    }
}
