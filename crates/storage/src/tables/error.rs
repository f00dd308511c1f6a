//! What can go wrong in the tables.

use std::io;
use std::path::PathBuf;

use super::key_value::KeyValueError;
use super::keys::{Key, KeyError};
use super::values::Misread;
use crate::digest::RowsDigest;
use crate::group::GroupError;

/// The tables failed us. They can be rebuilt from the journal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store of keys and values failed.
    #[error("the tables could not be used")]
    KeyValue(#[from] KeyValueError),
    /// A row is not what was written.
    #[error("the {key} is damaged")]
    Row {
        /// Which row.
        key: Key,
        /// What is wrong with it.
        #[source]
        source: Misread,
    },
    /// A page of rows is not what was written.
    #[error("the page that starts at the {key} is damaged")]
    Page {
        /// The least row it may hold.
        key: Key,
    },
    /// A row of a kind that we do not know: of a later release, or damaged.
    #[error("the tables hold a row that is none of ours")]
    Key(#[source] KeyError),
    /// A touched task or a lease without its spec.
    #[error("the {key} belongs to a task that is not there")]
    Orphan {
        /// Which row.
        key: Key,
    },
    /// How far the tables are cannot be read.
    #[error("how far the tables are complete cannot be read")]
    Applied(#[source] Misread),
    /// The stored digest of all rows cannot be read.
    #[error("the digest of the tables' rows cannot be read")]
    Digest(#[source] Misread),
    /// The tables hold rows, or say how far they are, but not what they add up to.
    #[error("the tables hold rows but no digest of them")]
    NoDigest,
    /// Rows were lost, or changed in a way that their checksums do not show.
    #[error("the tables' rows have digest {found}, expected {expected}")]
    DigestDiffers {
        /// That of the rows that are there.
        found: RowsDigest,
        /// What it should be.
        expected: RowsDigest,
    },
    /// The body of a group cannot be read.
    #[error("a group could not be published")]
    Group(#[from] GroupError),
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
    /// Only empty tables can be filled.
    #[error("the tables to be filled are not empty")]
    NotEmpty,
    /// An earlier checkpoint failed.
    #[error("an earlier checkpoint of the tables failed")]
    Stopped,
}

impl StoreError {
    /// Whether what was stored is in doubt: condemn the tables and start again.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Row { .. }
            | StoreError::Page { .. }
            | StoreError::Key(_)
            | StoreError::Orphan { .. }
            | StoreError::Applied(_)
            | StoreError::Digest(_)
            | StoreError::NoDigest
            | StoreError::DigestDiffers { .. }
            | StoreError::KeyValue(KeyValueError::Damaged { .. }) => true,
            StoreError::KeyValue(KeyValueError::Io { .. })
            | StoreError::Group(_)
            | StoreError::Io { .. }
            | StoreError::NotEmpty
            | StoreError::Stopped => false,
        }
    }
}
