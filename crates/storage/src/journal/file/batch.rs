//! The frames of one sync: one is written durably, of several each is written, then one
//! fdatasync for all of them.
//!
//! Not here: where they go and who hears of it (`desk.rs`).

use std::path::PathBuf;
use std::sync::Arc;

use piecework_core::Position;
use piecework_core::planted::{self, Mistake};

use crate::journal::frame::Encoded;
use crate::journal::{JournalError, Ticket, Written};

use super::disk::DiskFile;
use super::segment::unavailable;

/// A frame with its place. Waits, then goes to disk.
#[derive(Debug)]
pub(super) struct Write<F> {
    pub(super) file: Arc<F>,
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) frame: Encoded,
    /// `None` for a marker.
    pub(super) group: Option<Placed>,
}

/// Which group a write is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) ticket: Ticket,
    pub(super) first: Position,
    pub(super) last: Position,
}

/// What the sync thread does next.
#[derive(Debug)]
pub(super) struct Batch<F> {
    /// In journal order; at least one.
    pub(super) writes: Vec<Write<F>>,
    /// All before this batch is durable up to here.
    pub(super) synced: Position,
}

impl<F: DiskFile> Batch<F> {
    /// Makes the batch durable.
    ///
    /// # Errors
    /// Nothing is known about any of its groups.
    pub(super) fn run(&mut self) -> Result<(), JournalError> {
        if let [write] = &mut self.writes[..]
            && !planted::is(Mistake::SkipSync)
        {
            let bytes = write.frame.stamp(self.synced);
            let done = write.file.write_durably(bytes, write.offset);
            return done.map_err(|error| self.failed("write", 0, error));
        }
        let count = self.writes.len();
        for index in 0..count {
            let write = &mut self.writes[index];
            let bytes = write.frame.stamp(self.synced);
            let done = match planted::is(Mistake::TrustLastWrite) && index + 1 == count {
                true => write.file.write_durably(bytes, write.offset),
                false => write.file.write_at(bytes, write.offset),
            };
            done.map_err(|error| self.failed("write", index, error))?;
        }
        for (index, write) in self.writes.iter().enumerate() {
            let following = self.writes.get(index + 1);
            if following.is_some_and(|next| Arc::ptr_eq(&next.file, &write.file))
                || planted::is(Mistake::SkipSync)
                || planted::is(Mistake::TrustLastWrite)
            {
                continue;
            }
            write.file.sync_data().map_err(|error| self.failed("sync", index, error))?;
        }
        Ok(())
    }

    /// Adds what it wrote.
    pub(super) fn count_in(&self, written: &mut Written) {
        written.bytes += self.writes.iter().map(|write| write.frame.disk_bytes()).sum::<u64>();
        written.syncs += 1;
    }

    fn failed(&self, what: &'static str, index: usize, source: std::io::Error) -> JournalError {
        let path = self.writes[index].path.clone();
        let mut groups = self.writes.iter().filter_map(|write| write.group);
        match groups.next() {
            Some(Placed { first, last, .. }) => {
                let last = groups.next_back().map_or(last, |group| group.last);
                JournalError::Unknown { what, path, first, last, source }
            }
            None => unavailable(what, path)(source),
        }
    }
}
