//! Filling empty tables from rows in key order, as a snapshot gives them.
//!
//! Rows go into pages by the same folding as in a checkpoint, chunk by chunk; how
//! far the tables are is written last, once the rows add up to what was promised.
//! So whatever breaks off in between, the tables never claim to be complete.

use std::collections::BTreeMap;

use bytes::Bytes;
use piecework_core::{Now, Position};

use super::checkpoint::{BATCH_BYTES, Checkpoint};
use super::error::StoreError;
use super::keys::Key;
use super::overlay::Slot;
use super::store::Store;
use super::values::Applied;
use crate::digest::RowsDigest;

/// Why rows could not be imported. The tables are of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E> {
    /// Where the rows come from failed.
    #[error("the rows to import could not be read")]
    Rows(#[source] E),
    /// They are to come in ascending order, each once.
    #[error("the {key} to import does not come behind the one before it")]
    Unordered {
        /// The row that came too late.
        key: Key,
    },
    /// The tables failed; `DigestDiffers`: other rows came than were promised.
    #[error("the rows could not be put into the tables")]
    Store(#[from] StoreError),
}

impl Store {
    /// Fills empty tables with all rows there are at position `at.0`, given in
    /// ascending order of keys; `at.1`: the logged times of the group that ends
    /// there. `expected`: what they add up to. Afterwards this is where the tables
    /// are applied and published, durably: replay the journal from the next one.
    ///
    /// Call it before [`Store::opened`]: a process that dies in here leaves the
    /// marker, and the next open sets the half-filled tables aside. Blocks until
    /// all is written; the watchdog is fed by every chunk of about half a megabyte.
    ///
    /// # Errors
    /// `Store(NotEmpty)`: nothing was changed. Otherwise the tables stay unusable
    /// and applied at zero: condemn them, or drop this store and open again.
    pub fn import<E>(
        &self,
        rows: impl Iterator<Item = Result<(Key, Bytes), E>>,
        at: (Position, Now),
        expected: RowsDigest,
    ) -> Result<(), ImportError<E>> {
        let mut checkpoint = self.checkpoint();
        if self.published() > Position(0) {
            return Err(StoreError::NotEmpty.into());
        }
        checkpoint.begin_import(&self.shared.tables)?;
        let mut chunk: BTreeMap<Key, Slot> = BTreeMap::new();
        let (mut bytes, mut last) = (0, None);
        for row in rows {
            let (key, value) = row.map_err(ImportError::Rows)?;
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(ImportError::Unordered { key });
            }
            bytes += key.as_bytes().len() + value.len();
            last = Some(key.clone());
            chunk.insert(key, Some(value));
            if bytes >= BATCH_BYTES {
                self.take_chunk(&mut checkpoint, &std::mem::take(&mut chunk), at.0)?;
                bytes = 0;
            }
        }
        self.take_chunk(&mut checkpoint, &chunk, at.0)?;
        let applied = Applied { position: at.0, now: at.1, rows: Some(expected) };
        checkpoint.end_import(&self.shared.tables, applied)?;
        self.begin_at(applied);
        Ok(())
    }

    fn take_chunk(
        &self,
        checkpoint: &mut Checkpoint,
        chunk: &BTreeMap<Key, Slot>,
        as_of: Position,
    ) -> Result<(), StoreError> {
        let mut done = None;
        while chunk.last_key_value().map(|(key, _)| key) != done.as_ref() {
            done = checkpoint.write(&self.shared.tables, chunk, done.as_ref(), as_of)?;
            self.feed();
        }
        Ok(())
    }
}
