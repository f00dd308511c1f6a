//! Beginning a journal at a later position than the first.
//!
//! What came before lies in a snapshot. Only the claim is written; the next open
//! prepares the first segment, as for any new journal.

use piecework_core::Position;

use crate::journal::{JournalError, JournalId};

use super::claim::Claim;
use super::disk::Disk;
use super::recover::before;
use super::segment::unavailable;
use super::threads::FileJournal;

impl<D: Disk> FileJournal<D> {
    /// Makes the empty directory `disk` a journal that begins at `next`: opened
    /// with [`FileJournal::open`], it holds nothing and its first group starts
    /// there. Durable on return; a crash before leaves an empty directory.
    ///
    /// Panics when `next` is zero: positions begin at one.
    ///
    /// # Errors
    /// `NotEmpty` when anything lies there; `Unavailable` when the claim cannot be written.
    pub fn found(disk: &D, journal: JournalId, next: Position) -> Result<(), JournalError> {
        assert!(next >= Position(1), "positions begin at one");
        let names = disk.list().map_err(unavailable("list", disk.path("")))?;
        // A claim that did not get its name is what a crash in here leaves.
        if let Some(found) = names.into_iter().find(|name| !Claim::is_unfinished(name)) {
            return Err(JournalError::NotEmpty { path: disk.path(""), found });
        }
        let claim = Claim { synced: before(next), oldest: next, ..Claim::first(journal) };
        claim.store(disk).map_err(unavailable("claim", disk.path("")))
    }
}
