//! What the journal's threads share, and writing what the desk has taken: on the sync
//! thread, or on the appender's own where nothing else waits with it.
//!
//! One at a time: whoever writes a batch also tells of it before the next is begun, so
//! completions come in the order of the appends.
//!
//! Not here: any decision (`desk.rs`), appending and the keeper (`threads.rs`).

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

use piecework_core::Position;

use crate::journal::frame::encode_group;
use crate::journal::{Durable, Group, GroupReader, JournalError, OnDurable, Ticket, check_group};

use super::JournalSettings;
use super::batch::Batch;
use super::desk::{Desk, Room};
use super::disk::Disk;
use super::threads::open_reader;

pub(super) const NO_PANIC: &str = "no journal thread panicked";

/// What all threads of a journal see.
#[derive(Debug)]
pub(super) struct Shared<D: Disk> {
    pub(super) disk: D,
    pub(super) settings: JournalSettings,
    state: Mutex<State<D>>,
    /// For the sync thread: there is something to write, or an end.
    pub(super) work: Condvar,
    /// For the keeper: there is a job, or an end.
    pub(super) job: Condvar,
    /// For the appender: what it waits for may have come.
    pub(super) room: Condvar,
    caller: Caller,
}

#[derive(Debug)]
pub(super) struct State<D: Disk> {
    pub(super) desk: Desk<D::File>,
    pub(super) end: End,
    /// A batch is being written, or told of.
    is_writing: bool,
    /// The appender wrote one itself since the sync thread last looked.
    is_fresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    NotYet,
    /// Once everything is durable.
    Orderly,
    AtOnce,
}

/// Who is told of completions, until the journal ends.
struct Caller(Mutex<Option<OnDurable>>);

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

impl Caller {
    fn tell(&self, told: impl IntoIterator<Item = Result<Durable, JournalError>>) {
        if let Some(on_durable) = &mut *self.0.lock().expect(NO_PANIC) {
            told.into_iter().for_each(on_durable);
        }
    }
}

impl<D: Disk> Shared<D> {
    pub(super) fn new(
        disk: D,
        settings: JournalSettings,
        desk: Desk<D::File>,
        on_durable: OnDurable,
    ) -> Shared<D> {
        let state = State { desk, end: End::NotYet, is_writing: false, is_fresh: false };
        let (work, job, room) = <(Condvar, Condvar, Condvar)>::default();
        let caller = Caller(Mutex::new(Some(on_durable)));
        Shared { disk, settings, state: Mutex::new(state), work, job, room, caller }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().expect(NO_PANIC)
    }

    /// Puts a group on the desk. Only the appender does.
    pub(super) fn take(
        &self,
        group: Group,
    ) -> Result<(Ticket, MutexGuard<'_, State<D>>), JournalError> {
        let (author, next) = {
            let state = self.lock();
            (state.desk.author(), state.desk.next_position())
        };
        check_group(&group, next);
        // Outside the lock: only this thread moves the head.
        let frame = encode_group(author, &group);
        let bytes = frame.disk_bytes();
        let (first, last) = (group.first, group.last());
        drop(group);
        let mut state = self.lock();
        while state.desk.room(bytes)? == Room::Later {
            self.wake_keeper(&state);
            state = self.room.wait(state).expect(NO_PANIC);
        }
        let ticket = state.desk.take(frame, first, last);
        self.wake_keeper(&state);
        Ok((ticket, state))
    }

    pub(super) fn read(&self, from: Position) -> Result<GroupReader, JournalError> {
        let reader = open_reader(&self.lock().desk, &self.disk, &self.settings, from)?;
        Ok(Box::new(reader))
    }

    pub(super) fn wake_keeper(&self, state: &State<D>) {
        if state.desk.has_job() || state.desk.claim_is_due() {
            self.job.notify_one();
        }
    }

    /// The threads have ended: nobody is told anything any more.
    pub(super) fn hang_up(&self) {
        if let Ok(mut on_durable) = self.caller.0.lock() {
            *on_durable = None;
        }
    }

    /// Writes on this thread what waits, and tells of it, unless the sync thread is at it;
    /// then that goes on.
    pub(super) fn write_here(&self, mut state: MutexGuard<'_, State<D>>) {
        let batch = if state.is_writing { None } else { state.desk.take_batch(false) };
        let owed = state.desk.owes_marker();
        let Some(batch) = batch else {
            drop(state);
            return self.work.notify_one();
        };
        let mut state = self.write(state, batch);
        state.is_fresh = true;
        let wakes = !owed && state.desk.owes_marker();
        drop(state);
        if wakes {
            // It looks when it has been quiet for so long that a marker is due.
            self.work.notify_one();
        }
    }

    fn write<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<D>>,
        mut batch: Batch<D::File>,
    ) -> MutexGuard<'a, State<D>> {
        state.is_writing = true;
        drop(state);
        // The queue is empty again.
        self.room.notify_all();
        let result = batch.run();
        state = self.lock();
        let completions = state.desk.batch_done(&batch, result);
        self.wake_keeper(&state);
        if state.desk.is_stopped() {
            // No batch follows that would make room for who waits.
            self.room.notify_all();
        }
        drop(state);
        // Its files are let go before anyone hears that it is done.
        drop(batch);
        self.caller.tell(completions);
        state = self.lock();
        state.is_writing = false;
        state
    }
}

/// Ends the journal when its sync thread does, however that comes about, so
/// that nobody waits for it for ever.
struct LastWord<'a, D: Disk>(&'a Shared<D>);

impl<D: Disk> Drop for LastWord<'_, D> {
    fn drop(&mut self) {
        if thread::panicking()
            && let Ok(mut state) = self.0.state.lock()
        {
            state.desk.abandon();
        }
        self.0.room.notify_all();
    }
}

/// What the sync thread does.
pub(super) fn sync_thread<D: Disk>(shared: &Shared<D>) {
    let _last_word = LastWord(shared);
    let mut idle = false;
    let mut state = shared.lock();
    loop {
        if let Some(error) = state.desk.take_failure() {
            drop(state);
            shared.room.notify_all();
            shared.caller.tell([Err(error)]);
            state = shared.lock();
        }
        if state.end == End::AtOnce {
            return;
        }
        let ending = state.end == End::Orderly;
        let batch = match state.is_writing {
            true => None,
            false => state.desk.take_batch(idle || ending),
        };
        if let Some(batch) = batch {
            state = shared.write(state, batch);
            idle = false;
            continue;
        }
        if ending {
            return;
        }
        // Without a marker to write there is nothing to wake up for.
        if state.desk.owes_marker() || state.is_writing {
            let waited = shared.work.wait_timeout(state, shared.settings.idle).expect(NO_PANIC);
            state = waited.0;
            idle = waited.1.timed_out() && !std::mem::take(&mut state.is_fresh);
        } else {
            state = shared.work.wait(state).expect(NO_PANIC);
        }
    }
}
