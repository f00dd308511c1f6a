//! The commit point: groups of commands, in order, durable or not at all.
//!
//! `append` hands over one group and returns a ticket; the group counts only
//! when its completion arrives. Completions come in ticket order. Heads are
//! predicted from local hashes, so the writer never waits to know the next one.
//!
//! Invariant: positions are dense; a group that was completed is never lost,
//! and one that was never appended is never read.
//!
//! Not here: what a body holds (opaque bytes), and when to trim.

mod error;
mod frame;

mod file;
mod memory;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;

use std::fmt;

use bytes::Bytes;
use piecework_core::{Now, Position};

pub use error::{Damage, JournalError};
pub use file::{
    Cut, Disk, DiskFile, FileJournal, Inspection, JournalReader, JournalSettings, RealDisk,
    RealFile, inspect,
};
#[cfg(any(test, feature = "testing"))]
pub use file::{
    LyingDisk, LyingFile, Note, Operation, PowerCut, Recorded, Recording, RecordingDisk,
    RecordingFile, Replay, SteppedJournal,
};
pub use frame::FrameFault;
pub use memory::{MemoryJournal, MemoryStore};

/// One turn's commands, committed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Position of the first command.
    pub first: Position,
    /// Commands in the group, at least 1: positions `first` to `first + count - 1`.
    pub count: u32,
    /// The logged times of the turn.
    pub now: Now,
    /// The encoded commands and changes; the journal never looks inside.
    pub body: Bytes,
}

impl Group {
    /// Position of the last command.
    #[must_use]
    pub fn last(&self) -> Position {
        Position(self.first.0 + u64::from(self.count) - 1)
    }
}

/// Names one append of this open journal. Dense from 1, in append order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Everything up to `last` is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// The append that this completes.
    pub ticket: Ticket,
    /// The last position of its group.
    pub last: Position,
}

/// Which claim on the journal wrote a frame. Raised at each open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one journal for life; random, and never shown to clients.
///
/// Every frame carries it, so that neither another journal's file nor a
/// payload made to look like a frame can pass for one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub u128);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The hash of a group's frame, which covers the one before it, and so all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FrameHash(pub u128);

impl fmt::Display for FrameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a journal holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest position kept; equals `next` in an empty journal.
    pub oldest: Position,
    /// The position that the next group must start at.
    pub next: Position,
    /// The hash of the last group appended, durable or not; zero before the first.
    pub head: FrameHash,
    /// Everything up to here is durable.
    pub synced: Position,
    /// The claim under which this journal is open.
    pub epoch: Epoch,
    /// Bytes taken on disk, prepared segments included.
    pub bytes: u64,
    /// Segments that hold groups.
    pub segments: usize,
    /// What was written since this open.
    pub written: Written,
    /// True when the next segment could not be prepared: refuse new tasks, so
    /// that what was prepared before is left for submits.
    pub space_low: bool,
}

/// What an open journal wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Bytes of groups and markers, with what goes around them on disk.
    pub bytes: u64,
    /// Times that it waited for the disk, each for all that had come by then.
    pub syncs: u64,
}

/// Groups in order, each checked against the one before it.
///
/// Owns its files: it may move to another thread and outlives a trim.
pub type GroupReader = Box<dyn Iterator<Item = Result<Group, JournalError>> + Send>;

/// Hears of every append, in ticket order. After one `Err` it is never called again.
///
/// The file journal calls it on its sync thread: return soon, never panic.
pub type OnDurable = Box<dyn FnMut(Result<Durable, JournalError>) + Send>;

/// The port. Opening is each provider's own: it claims the journal with a new
/// epoch and takes an [`OnDurable`].
pub trait Journal {
    /// What it holds now. Cost: one uncontended lock.
    fn bounds(&self) -> Bounds;

    /// Hands over `group` and returns before it is durable. Blocks only while
    /// an earlier group is in sync and the queue behind it is full.
    ///
    /// Panics when `group` does not start at the next position, or is empty.
    ///
    /// # Errors
    /// `Full`: nothing was taken and the journal lives on. Any other error is
    /// the end of this journal: drop it and recover.
    fn append(&mut self, group: Group) -> Result<Ticket, JournalError>;

    /// The same for a group that nothing else waits with: it may be made durable and
    /// completed on this thread, which spares waking another one.
    ///
    /// # Errors
    /// As [`Journal::append`].
    fn append_alone(&mut self, group: Group) -> Result<Ticket, JournalError> {
        self.append(group)
    }

    /// Asks for a marker behind everything appended so far: a proof in the
    /// journal itself that all of it was synced. Takes no position, gives no
    /// completion, and is skipped when there is no room for it.
    ///
    /// # Errors
    /// The journal has stopped.
    fn mark(&mut self) -> Result<(), JournalError>;

    /// The durable groups from the one that holds `from` on.
    ///
    /// Panics when `from` lies beyond the next position.
    ///
    /// # Errors
    /// `Trimmed` when `from` is no longer kept; the iterator yields `Corrupt`
    /// or `Unavailable` once and then ends.
    fn read(&self, from: Position) -> Result<GroupReader, JournalError>;

    /// Gives up what lies wholly below `below`, in whole segments and never
    /// what is not yet durable. Returns the oldest position kept from now on;
    /// the space comes back a little later.
    ///
    /// # Errors
    /// The journal has stopped.
    fn trim(&mut self, below: Position) -> Result<Position, JournalError>;

    /// Makes everything durable, completes it, leaves a marker and lets go.
    ///
    /// # Errors
    /// Something appended was not completed; the completion has told.
    fn close(self) -> Result<(), JournalError>;
}

/// Asserts what every provider asks of a group: a mistake of ours, never input.
fn check_group(group: &Group, next: Position) {
    assert!(group.count >= 1, "a group holds at least one command");
    assert_eq!(group.first, next, "a group starts at the next position");
}
