//! Why a snapshot could not be made, read or restored.

use std::io;
use std::path::PathBuf;

use piecework_core::Position;

use crate::digest::RowsDigest;
use crate::directory::DirectoryError;
use crate::group::GroupError;
use crate::journal::{JournalError, JournalId};
use crate::tables::{Key, KeyError, Misread};

/// What went wrong, with the file it went wrong in.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The operating system refused.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What we tried.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A manifest is not what was written.
    #[error("snapshot manifest {} is damaged", file.display())]
    Manifest {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ManifestFault,
    },
    /// A page file is not what was written.
    #[error("snapshot page {} is damaged", file.display())]
    Page {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        source: PageFault,
    },
    /// A manifest names a page file that is not there.
    #[error("snapshot page {} is missing, the snapshot at position {position} needs it", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The snapshot's position.
        position: Position,
    },
    /// There is none.
    #[error("there is no snapshot at position {position}")]
    Absent {
        /// The position asked for.
        position: Position,
    },
    /// Snapshot and tables disagree: one of them is wrong, and tables can be rebuilt.
    #[error(
        "at position {position} the rows of the journal have digest {snapshot}, \
         the tables have {tables}"
    )]
    Differs {
        /// The position of both.
        position: Position,
        /// The digest of the rows merged from the journal.
        snapshot: RowsDigest,
        /// The digest of the tables.
        tables: RowsDigest,
    },
    /// No group ends where the snapshot is to end.
    #[error("no group ends at position {to}: one reaches from {first} to {last}")]
    InsideGroup {
        /// The position asked for.
        to: Position,
        /// The first position of the group.
        first: Position,
        /// Its last position.
        last: Position,
    },
    /// The journal was read and did not go on.
    #[error("the journal ends before position {next}, the snapshot is to reach {to}")]
    JournalEnds {
        /// The position that is not there.
        next: Position,
        /// The position asked for.
        to: Position,
    },
    /// A newer snapshot is there already.
    #[error("a snapshot at position {to} would be older than the one at {newest}")]
    Behind {
        /// The position asked for.
        to: Position,
        /// That of the newest snapshot.
        newest: Position,
    },
    /// Only one snapshot is made at a time.
    #[error("another snapshot is being made")]
    Busy,
    /// An earlier piece of it failed.
    #[error("an earlier piece of this snapshot failed")]
    Stopped,
    /// Opened to be read only.
    #[error("the snapshots in {} were opened to be read only", path.display())]
    ReadOnly {
        /// The directory.
        path: PathBuf,
    },
    /// The journal could not be read.
    #[error("the journal behind the snapshot could not be read")]
    Journal(#[from] JournalError),
    /// The body of a group cannot be read.
    #[error("the group at position {first} cannot be read")]
    Group {
        /// The first position of the group.
        first: Position,
        /// What is wrong with it.
        #[source]
        source: GroupError,
    },
    /// A row says something that we do not understand.
    #[error("the {key} cannot be read")]
    Row {
        /// Which row.
        key: Key,
        /// What is wrong with it.
        #[source]
        source: Misread,
    },
    /// A restore makes a new data directory and leaves existing ones alone.
    #[error("{} is not empty: restore into a new directory", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The new data directory could not be made.
    #[error("the new data directory could not be made")]
    Directory(#[from] DirectoryError),
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// It is too short for one.
    #[error("it ends after {bytes} bytes")]
    Short {
        /// How many there are.
        bytes: usize,
    },
    /// Longer than any.
    #[error("it has {bytes} bytes, too many for one")]
    Long {
        /// How many there are.
        bytes: u64,
    },
    /// Not the bytes that were written.
    #[error("its checksum is {found:08x}, expected {expected:08x}")]
    Checksum {
        /// Computed from the bytes.
        found: u32,
        /// Stored with them.
        expected: u32,
    },
    /// Whole, but no manifest.
    #[error("it does not begin like a manifest")]
    Magic,
    /// Of a later release.
    #[error("it has version {found}, this program knows {known}")]
    Version {
        /// In the file.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// No message.
    #[error("its message cannot be read")]
    Message(#[source] prost::DecodeError),
    /// A field contradicts the others, or is no such thing.
    #[error("its field {field} is wrong")]
    Field {
        /// Name of the field.
        field: &'static str,
    },
    /// A key is none of ours.
    #[error("it names a key that is none of ours")]
    Key(#[source] KeyError),
    /// The name says another position.
    #[error("it is that of position {found}, its name says {expected}")]
    Misplaced {
        /// In the file.
        found: Position,
        /// In its name.
        expected: Position,
    },
    /// A snapshot of another journal.
    #[error("it belongs to journal {found}, expected {expected}")]
    Foreign {
        /// The journal it names.
        found: JournalId,
        /// Ours.
        expected: JournalId,
    },
}

/// What is wrong with a page file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// More or fewer bytes than were written.
    #[error("it has {found} bytes, expected {expected}")]
    Length {
        /// Found.
        found: u64,
        /// As the manifest, or its own header, has it.
        expected: u64,
    },
    /// Not the bytes that were written.
    #[error("its content is not that of its name")]
    Hash,
    /// No page file at all.
    #[error("it does not begin like a page")]
    Magic,
    /// Of a later release.
    #[error("it has version {found}, this program knows {known}")]
    Version {
        /// In the file.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// Not the bytes that were written.
    #[error("its checksum is {found:08x}, expected {expected:08x}")]
    Checksum {
        /// Computed from the bytes.
        found: u32,
        /// Stored with them.
        expected: u32,
    },
    /// What was compressed cannot be had back.
    #[error("it cannot be decompressed")]
    Compression,
    /// The rows end too early or late.
    #[error("row {row} of it is cut short")]
    Short {
        /// The how-manieth, from 0.
        row: u64,
    },
    /// A key is none of ours.
    #[error("row {row} of it has no key of ours")]
    Key {
        /// The how-manieth, from 0.
        row: u64,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// Keys go up.
    #[error("the {key} is not behind the row before it")]
    Order {
        /// The row in the wrong place.
        key: Key,
    },
    /// A value is not what was written.
    #[error("the {key} is damaged")]
    Value {
        /// Which row.
        key: Key,
        /// What is wrong with it.
        #[source]
        source: Misread,
    },
    /// Whole, but not what the manifest says of it.
    #[error("its {what} is not what the manifest says")]
    Unlike {
        /// Rows, bytes, first key, last key or digest.
        what: &'static str,
    },
}

impl SnapshotError {
    /// Whether files of a snapshot are in doubt: an older one may still be whole.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            SnapshotError::Manifest { .. }
            | SnapshotError::Page { .. }
            | SnapshotError::Missing { .. } => true,
            SnapshotError::Io { .. }
            | SnapshotError::Absent { .. }
            | SnapshotError::Differs { .. }
            | SnapshotError::InsideGroup { .. }
            | SnapshotError::JournalEnds { .. }
            | SnapshotError::Behind { .. }
            | SnapshotError::Busy
            | SnapshotError::Stopped
            | SnapshotError::ReadOnly { .. }
            | SnapshotError::Journal(_)
            | SnapshotError::Group { .. }
            | SnapshotError::Row { .. }
            | SnapshotError::NotEmpty { .. }
            | SnapshotError::Directory(_) => false,
        }
    }
}
