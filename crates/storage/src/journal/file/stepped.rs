//! The file journal without threads: a simulator decides who moves when.
//!
//! The same desk, batches and jobs as in [`super::FileJournal`], so what holds
//! here holds there, but for the order of the steps, which here is chosen.

use std::fmt;

use piecework_core::Position;

use crate::journal::frame::encode_group;
use crate::journal::{
    Bounds, Group, GroupReader, Journal, JournalError, OnDurable, Ticket, check_group,
};

use super::JournalSettings;
use super::desk::{Desk, Room};
use super::disk::Disk;
use super::recover::recover;
use super::threads::{leave_claim, open_reader};

/// A file journal whose sync thread and keeper are functions to call.
pub struct SteppedJournal<D: Disk> {
    disk: D,
    settings: JournalSettings,
    desk: Desk<D::File>,
    on_durable: OnDurable,
}

impl<D: Disk> SteppedJournal<D> {
    /// As [`super::FileJournal::open`], but nothing moves by itself afterwards.
    ///
    /// # Errors
    /// As there.
    pub fn open(
        disk: D,
        settings: JournalSettings,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<SteppedJournal<D>, JournalError> {
        settings.check();
        let recovered = recover(&disk, &settings, trusted)?;
        let desk = Desk::new(recovered, &settings, disk.path(""));
        Ok(SteppedJournal { disk, settings, desk, on_durable })
    }

    /// One round of the sync thread; `idle` when nothing came for a while.
    /// Returns false when there was nothing to do.
    pub fn step_sync(&mut self, idle: bool) -> bool {
        if let Some(error) = self.desk.take_failure() {
            (self.on_durable)(Err(error));
            return true;
        }
        let Some(mut batch) = self.desk.take_batch(idle) else { return false };
        let result = batch.run();
        let completions = self.desk.batch_done(&batch, result);
        drop(batch);
        completions.into_iter().for_each(&mut self.on_durable);
        true
    }

    /// One job of the keeper. Returns false when there was none.
    pub fn step_keeper(&mut self) -> bool {
        let job = self.desk.take_job().or_else(|| self.desk.take_claim());
        let Some(job) = job else { return false };
        let result = job.run(&self.disk);
        self.desk.job_done(job, result);
        true
    }

    /// The keeper's wait on a full disk is over.
    pub fn retry_space(&mut self) {
        self.desk.retry_space();
    }
}

impl<D: Disk> Journal for SteppedJournal<D> {
    fn bounds(&self) -> Bounds {
        self.desk.bounds()
    }

    /// Where the threaded journal would block, this one takes the steps it waits for.
    fn append(&mut self, group: Group) -> Result<Ticket, JournalError> {
        check_group(&group, self.desk.next_position());
        let frame = encode_group(self.desk.author(), &group);
        while self.desk.room(frame.disk_bytes())? == Room::Later {
            let moved = self.step_sync(false) || self.step_keeper();
            assert!(moved, "the append waits for nothing");
        }
        Ok(self.desk.take(frame, group.first, group.last()))
    }

    fn mark(&mut self) -> Result<(), JournalError> {
        self.desk.ask_marker()
    }

    fn read(&self, from: Position) -> Result<GroupReader, JournalError> {
        Ok(Box::new(open_reader(&self.desk, &self.disk, &self.settings, from)?))
    }

    fn trim(&mut self, below: Position) -> Result<Position, JournalError> {
        self.desk.trim(below)
    }

    fn close(mut self) -> Result<(), JournalError> {
        while self.step_sync(true) {}
        if self.desk.is_stopped() {
            return Err(JournalError::Stopped { synced: self.desk.bounds().synced });
        }
        leave_claim(&self.desk, &self.disk);
        Ok(())
    }
}

impl<D: Disk> fmt::Debug for SteppedJournal<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteppedJournal").field("disk", &self.disk).finish_non_exhaustive()
    }
}
