//! The file journal as the daemon runs it: a sync thread and a keeper thread.
//!
//! The sync thread leaves a marker after [`JournalSettings::idle`] without a
//! group, so that the last group before a quiet time is proven to be synced; the
//! keeper thread then writes the claim, at most every [`JournalSettings::claim_every`].
//!
//! Not here: any decision (`desk.rs`), writing groups (`syncing.rs`).

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use piecework_core::Position;

use crate::directory::DataDirectory;
use crate::journal::{Bounds, Group, GroupReader, Journal, JournalError, OnDurable, Ticket};

use super::JournalSettings;
use super::desk::Desk;
use super::disk::{Disk, RealDisk};
use super::keeper::Job;
use super::read::Reader;
use super::recover::recover;
use super::syncing::{End, NO_PANIC, Shared, sync_thread};
use super::walk::Walk;

/// A journal in segment files, open for appending.
///
/// Dropping it is like a crash: what was not completed may be lost. See
/// [`Journal::close`] for an orderly end.
#[derive(Debug)]
pub struct FileJournal<D: Disk = RealDisk> {
    shared: Arc<Shared<D>>,
    threads: Vec<JoinHandle<()>>,
}

impl FileJournal<RealDisk> {
    /// Opens the journal of `directory` with the daemon's settings.
    ///
    /// `trusted`: a position known to have been durable (the tables' applied
    /// position); zero when nothing is known.
    ///
    /// # Errors
    /// See [`FileJournal::open`].
    pub fn open_in(
        directory: &DataDirectory,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<FileJournal, JournalError> {
        let settings = JournalSettings::new(directory.journal_id());
        FileJournal::open(directory.journal_disk(), settings, trusted, on_durable)
    }
}

impl<D: Disk> FileJournal<D> {
    /// Recovers the journal on `disk`, or starts one, claims it and starts the
    /// threads. Everything that is then in it is durable.
    ///
    /// # Errors
    /// `Corrupt` when something synced is lost, naming where; `Full` or
    /// `Unavailable` when the claim or a segment cannot be written.
    pub fn open(
        disk: D,
        settings: JournalSettings,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<FileJournal<D>, JournalError> {
        settings.check();
        let recovered = recover(&disk, &settings, trusted)?;
        let desk = Desk::new(recovered, &settings, disk.path(""));
        let shared = Arc::new(Shared::new(disk, settings, desk, on_durable));
        let mut journal = FileJournal { shared: Arc::clone(&shared), threads: Vec::new() };
        journal.start("journal-sync", sync_thread)?;
        journal.start("journal-keeper", keeper_thread)?;
        Ok(journal)
    }

    /// A handle for threads that only read.
    #[must_use]
    pub fn reader(&self) -> JournalReader<D> {
        JournalReader { shared: Arc::clone(&self.shared) }
    }

    fn start(
        &mut self,
        name: &str,
        run: impl FnOnce(&Shared<D>) + Send + 'static,
    ) -> Result<(), JournalError> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared));
        self.threads.push(thread.map_err(|source| JournalError::Unavailable {
            what: "start a thread for",
            path: self.shared.disk.path(""),
            source,
        })?);
        Ok(())
    }

    fn end(&mut self, end: End) -> Vec<thread::Result<()>> {
        self.shared.lock().end = end;
        self.shared.work.notify_all();
        self.shared.job.notify_all();
        let ended = self.threads.drain(..).map(JoinHandle::join).collect();
        self.shared.hang_up();
        ended
    }
}

/// Reads an open journal from any thread. Clones read the same one.
///
/// Outlives the journal, and then still reads what was durable at its end; the
/// data directory stays locked as long.
#[derive(Debug)]
pub struct JournalReader<D: Disk = RealDisk> {
    shared: Arc<Shared<D>>,
}

impl<D: Disk> Clone for JournalReader<D> {
    fn clone(&self) -> JournalReader<D> {
        JournalReader { shared: Arc::clone(&self.shared) }
    }
}

impl<D: Disk> JournalReader<D> {
    /// As [`Journal::bounds`].
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.shared.lock().desk.bounds()
    }

    /// As [`Journal::read`]: the durable groups from the one that holds `from` on.
    ///
    /// Panics when `from` lies beyond the next position.
    ///
    /// # Errors
    /// `Trimmed` when `from` is no longer kept.
    pub fn read(&self, from: Position) -> Result<GroupReader, JournalError> {
        self.shared.read(from)
    }
}

impl<D: Disk> Journal for FileJournal<D> {
    fn bounds(&self) -> Bounds {
        self.shared.lock().desk.bounds()
    }

    fn append(&mut self, group: Group) -> Result<Ticket, JournalError> {
        let (ticket, state) = self.shared.take(group)?;
        drop(state);
        self.shared.work.notify_one();
        Ok(ticket)
    }

    fn append_alone(&mut self, group: Group) -> Result<Ticket, JournalError> {
        let (ticket, state) = self.shared.take(group)?;
        self.shared.write_here(state);
        Ok(ticket)
    }

    fn mark(&mut self) -> Result<(), JournalError> {
        self.shared.lock().desk.ask_marker()?;
        self.shared.work.notify_one();
        Ok(())
    }

    fn read(&self, from: Position) -> Result<GroupReader, JournalError> {
        self.shared.read(from)
    }

    fn trim(&mut self, below: Position) -> Result<Position, JournalError> {
        let mut state = self.shared.lock();
        let oldest = state.desk.trim(below)?;
        self.shared.wake_keeper(&state);
        Ok(oldest)
    }

    fn close(mut self) -> Result<(), JournalError> {
        for ended in self.end(End::Orderly) {
            ended.expect(NO_PANIC);
        }
        let state = self.shared.lock();
        if state.desk.is_stopped() {
            return Err(JournalError::Stopped { synced: state.desk.bounds().synced });
        }
        leave_claim(&state.desk, &self.shared.disk);
        Ok(())
    }
}

impl<D: Disk> Drop for FileJournal<D> {
    fn drop(&mut self) {
        // A panic there was already printed; here only the end counts.
        let _ = self.end(End::AtOnce);
    }
}

/// Writes at an orderly end how far everything is durable to the claim as well:
/// the last group and the marker behind it may lie in one file, and nothing else
/// would tell that this file was emptied. Without the claim the journal is as
/// good as after a crash, so a failure is only logged.
pub(super) fn leave_claim<D: Disk>(desk: &Desk<D::File>, disk: &D) {
    if let Err(error) = desk.claim().store(disk) {
        tracing::warn!(%error, "could not write the journal's claim at its end");
    }
}

/// The reader that [`Journal::read`] gives.
pub(super) fn open_reader<D: Disk>(
    desk: &Desk<D::File>,
    disk: &D,
    settings: &JournalSettings,
    from: Position,
) -> Result<Reader<D::File>, JournalError> {
    let bounds = desk.bounds();
    assert!(from <= bounds.next, "read from {from}, beyond the next position {}", bounds.next);
    if from < bounds.oldest {
        return Err(JournalError::Trimmed { asked: from, oldest: bounds.oldest });
    }
    let (segments, chain) = desk.readable(disk, from);
    let walk = Walk::new(segments, settings.journal, bounds.epoch, chain);
    Ok(Reader::new(walk, from, bounds.synced))
}

fn keeper_thread<D: Disk>(shared: &Shared<D>) {
    let settings = &shared.settings;
    let mut claim_at: Option<Instant> = None;
    let mut state = shared.lock();
    while state.end == End::NotYet {
        let until_claim = claim_at.map(|at| at.saturating_duration_since(Instant::now()));
        let until_claim = until_claim.filter(|left| !left.is_zero());
        let mut job = state.desk.take_job();
        if job.is_none() && until_claim.is_none() {
            job = state.desk.take_claim();
        }
        if let Some(job) = job {
            drop(state);
            if matches!(job, Job::Claim { .. }) {
                claim_at = Some(Instant::now() + settings.claim_every);
            }
            let result = job.run(&shared.disk);
            state = shared.lock();
            state.desk.job_done(job, result);
            shared.room.notify_all();
            if state.desk.is_stopped() {
                // The sync thread tells the caller.
                shared.work.notify_one();
            }
        } else if state.desk.waits_for_space() {
            let waited = shared.job.wait_timeout(state, settings.space_retry);
            let waited = waited.expect(NO_PANIC);
            state = waited.0;
            if waited.1.timed_out() {
                state.desk.retry_space();
            }
        } else if let Some(left) = until_claim.filter(|_| state.desk.claim_is_due()) {
            state = shared.job.wait_timeout(state, left).expect(NO_PANIC).0;
        } else {
            state = shared.job.wait(state).expect(NO_PANIC);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use crate::journal::JournalId;
    use crate::journal::conformance::{Heard, group_at};

    use super::super::LyingDisk;
    use super::*;

    fn open(disk: &LyingDisk, on_durable: OnDurable) -> FileJournal<LyingDisk> {
        let settings = JournalSettings {
            segment_bytes: 32 * 1024,
            idle: Duration::from_millis(1),
            ..JournalSettings::new(JournalId(9))
        };
        FileJournal::open(disk.clone(), settings, Position(0), on_durable).expect("opened")
    }

    /// A clock only ends a test that would wait for ever.
    fn wait_until(mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(60), "it never came");
            thread::yield_now();
        }
    }

    #[test]
    fn a_failed_sync_ends_a_waiting_append_and_is_told_once() {
        let disk = LyingDisk::new(1);
        let heard = Heard::default();
        let mut journal = open(&disk, heard.callback());
        journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
        wait_until(|| heard.last() == Position(1));
        disk.fail_next_sync();
        let error = loop {
            match journal.append(group_at(&journal.bounds(), 1, 10)) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, JournalError::Stopped { .. }), "{error}");
        wait_until(|| heard.errors() == 1);
        let completed = heard.last();
        assert!(matches!(journal.close(), Err(JournalError::Stopped { .. })));
        assert_eq!((heard.errors(), heard.last()), (1, completed));
    }

    /// Where the sync thread writes at that moment, it goes on and takes these as well.
    #[test]
    fn a_group_alone_is_durable_and_told_of_on_the_spot_when_nothing_else_is_written() {
        let disk = LyingDisk::new(1);
        let here = thread::current().id();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let mut journal = open(
            &disk,
            Box::new(move |durable| {
                let durable = durable.expect("written").last;
                tells.lock().unwrap().push((durable, thread::current().id() == here));
            }),
        );
        for _ in 0..200 {
            journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
            journal.append_alone(group_at(&journal.bounds(), 1, 10)).expect("taken");
            journal.append_alone(group_at(&journal.bounds(), 1, 10)).expect("taken");
        }
        journal.close().expect("closed");
        let told = told.lock().unwrap();
        let positions: Vec<u64> = told.iter().map(|(position, _)| position.0).collect();
        assert_eq!(positions, (1..=600).collect::<Vec<_>>());
        assert!(told.iter().any(|(_, is_here)| *is_here), "none was written here");
    }

    #[test]
    fn a_group_alone_that_cannot_be_synced_is_told_once_and_ends_the_journal() {
        let disk = LyingDisk::new(1);
        let heard = Heard::default();
        let mut journal = open(&disk, heard.callback());
        disk.fail_next_sync();
        let mut taken = 0;
        // The keeper's may be the one that fails.
        while journal.append_alone(group_at(&journal.bounds(), 1, 10)).is_ok() {
            taken += 1;
        }
        wait_until(|| heard.errors() == 1);
        assert!(matches!(journal.close(), Err(JournalError::Stopped { .. })));
        assert_eq!(heard.errors(), 1);
        assert!(heard.last() <= Position(taken), "{:?} of {taken}", heard.last());
    }

    #[test]
    fn a_quiet_time_leaves_a_marker_that_proves_the_last_group() {
        for alone in [false, true] {
            the_last_group_is_proven(alone);
        }
    }

    fn the_last_group_is_proven(alone: bool) {
        let disk = LyingDisk::new(1);
        let heard = Heard::default();
        let mut journal = open(&disk, heard.callback());
        for marker in [4_096, 3 * 4_096] {
            let group = group_at(&journal.bounds(), 1, 10);
            let taken = if alone { journal.append_alone(group) } else { journal.append(group) };
            taken.expect("taken");
            wait_until(|| disk.content("0000000001.segment")[marker..].starts_with(b"PWJF"));
        }
        drop(journal);
        // Without the second marker this would be an unproven tail, and cut.
        let mut content = disk.content("0000000001.segment");
        content[2 * 4_096 + 96] ^= 1;
        disk.damage("0000000001.segment", Some(content));
        let settings = JournalSettings::new(JournalId(9));
        let opened = FileJournal::open(disk, settings, Position(0), heard.callback());
        assert!(matches!(opened, Err(JournalError::Corrupt { .. })));
    }

    #[test]
    fn a_quiet_time_leaves_the_claim_but_not_too_often() {
        let disk = LyingDisk::new(1);
        let heard = Heard::default();
        let settings = JournalSettings {
            idle: Duration::from_millis(1),
            claim_every: Duration::from_secs(3_600),
            ..JournalSettings::new(JournalId(9))
        };
        let settings = JournalSettings { segment_bytes: 32 * 1024, ..settings };
        let opened = FileJournal::open(disk.clone(), settings, Position(0), heard.callback());
        let mut journal = opened.expect("opened");
        let claims = |synced: &str| {
            let claim = String::from_utf8(disk.content("claim")).expect("text");
            claim.lines().any(|line| line == synced)
        };
        // Claims that list prepared segments say how far it is synced, too.
        wait_until(|| claims("segment 3"));
        journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
        wait_until(|| claims("synced 1"));
        journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
        let marker = || disk.content("0000000001.segment")[3 * 4096..].starts_with(b"PWJF");
        wait_until(marker);
        assert!(!claims("synced 2"));
        journal.close().expect("closed");
        assert!(claims("synced 2"));
    }

    #[test]
    fn a_reader_on_another_thread_sees_every_durable_group_and_outlives_the_journal() {
        let disk = LyingDisk::new(1);
        let heard = Heard::default();
        let mut journal = open(&disk, heard.callback());
        let reader = journal.reader();
        let reading = thread::spawn(move || {
            let (mut next, mut looks) = (Position(1), 0);
            while next <= Position(300) {
                looks += 1;
                for group in reader.read(next).expect("kept") {
                    let group = group.expect("whole");
                    assert_eq!(group.first, next);
                    next = group.last().next();
                }
                assert!(next <= reader.bounds().synced.next());
            }
            (reader, looks)
        });
        for _ in 0..100 {
            journal.append(group_at(&journal.bounds(), 3, 3_000)).expect("taken");
        }
        let (reader, looks) = reading.join().expect("every group was as appended");
        assert!(looks > 0);
        let oldest = journal.trim(Position(200)).expect("trimmed");
        let trimmed = reader.read(Position(1)).err().expect("given up");
        assert!(matches!(trimmed, JournalError::Trimmed { .. }), "{trimmed}");
        journal.close().expect("closed");
        let left = reader.read(oldest).expect("kept");
        assert_eq!(left.map(|g| g.expect("whole").last()).last(), Some(Position(300)));
    }

    #[test]
    fn a_callback_that_panics_stops_the_journal_instead_of_hanging_it() {
        let disk = LyingDisk::new(1);
        let mut journal = open(&disk, Box::new(|_| panic!("on purpose")));
        let error = loop {
            match journal.append(group_at(&journal.bounds(), 1, 10)) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, JournalError::Stopped { .. }), "{error}");
    }
}
