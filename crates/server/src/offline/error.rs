//! Why something could not be done with a data directory at all.

use std::io;
use std::path::PathBuf;

use piecework_core::Position;
use piecework_storage::{
    DirectoryError, ImportError, JournalError, RowsDigest, SnapshotError, StoreError,
};

use crate::writer::RecoverError;

/// What went wrong. What is damaged in a directory that is verified is no error
/// but a finding.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The directory cannot be opened.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The tables cannot be made.
    #[error(transparent)]
    Tables(#[from] StoreError),
    /// The tables cannot be filled.
    #[error(transparent)]
    Import(#[from] ImportError<SnapshotError>),
    /// The journal cannot be followed.
    #[error(transparent)]
    Replay(#[from] RecoverError),
    /// The copy of the tables needs more than there is.
    #[error(
        "a copy of the tables needs {needed} bytes and {} has {free} free; \
         name another place with --scratch",
        path.display()
    )]
    Space {
        /// Bytes of the tables.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Where the copy is to lie.
        path: PathBuf,
    },
    /// No such snapshot.
    #[error("there is no snapshot {name:?}; `piecework snapshot list` shows those there are")]
    NoSuchSnapshot {
        /// As it was asked for.
        name: String,
    },
    /// Other rows came out than went in.
    #[error("the restored tables have digest {found} at position {position}, expected {expected}")]
    Differs {
        /// The snapshot's position.
        position: Position,
        /// That of the tables.
        found: RowsDigest,
        /// That of the snapshot.
        expected: RowsDigest,
    },
    /// The engine's rules do not hold.
    #[error("the restored state contradicts itself")]
    Broken(#[from] piecework_core::Broken),
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
}

impl OfflineError {
    /// The process's exit code: 2 wrong usage, 3 damaged data, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            OfflineError::Space { .. }
            | OfflineError::NoSuchSnapshot { .. }
            | OfflineError::Snapshot(SnapshotError::NotEmpty { .. })
            | OfflineError::Directory(
                DirectoryError::Absent { .. }
                | DirectoryError::NotOurs { .. }
                | DirectoryError::InUse { .. }
                | DirectoryError::InUseBy { .. }
                | DirectoryError::NewerFormat { .. },
            ) => 2,
            OfflineError::Directory(
                DirectoryError::UnreadableFormat { .. } | DirectoryError::Incomplete { .. },
            )
            | OfflineError::Differs { .. }
            | OfflineError::Broken(_) => 3,
            OfflineError::Snapshot(error) if error.is_damage() => 3,
            OfflineError::Journal(JournalError::Corrupt { .. }) => 3,
            OfflineError::Tables(error) if error.is_damage() => 3,
            OfflineError::Replay(error) if error.is_damage() => 3,
            OfflineError::Directory(DirectoryError::Io { .. })
            | OfflineError::Snapshot(_)
            | OfflineError::Journal(_)
            | OfflineError::Tables(_)
            | OfflineError::Import(_)
            | OfflineError::Replay(_)
            | OfflineError::Io { .. } => 1,
        }
    }
}
