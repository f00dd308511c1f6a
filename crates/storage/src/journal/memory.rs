//! A journal in memory, for tests and the simulator of what lies above.
//!
//! The store outlives the journals opened on it, as a disk would. Nothing is
//! completed until [`MemoryJournal::complete`] says so, and what was not
//! completed is gone at the next open. A second open fences the first.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use piecework_core::Position;

use super::frame::{Author, encode_group};
use super::{
    Bounds, Durable, Epoch, FrameHash, Group, GroupReader, Journal, JournalError, JournalId,
    OnDurable, Ticket, Written, check_group,
};

/// What is left when a journal in memory is dropped. Clones are the same store.
#[derive(Debug, Clone)]
pub struct MemoryStore(Arc<Mutex<Stored>>);

#[derive(Debug)]
struct Stored {
    journal: JournalId,
    epoch: Epoch,
    oldest: Position,
    after: FrameHash,
    groups: VecDeque<(Group, FrameHash)>,
    synced: Position,
}

impl MemoryStore {
    /// An empty one. The same `journal` and groups give the same heads as in files.
    #[must_use]
    pub fn new(journal: JournalId) -> MemoryStore {
        MemoryStore(Arc::new(Mutex::new(Stored {
            journal,
            epoch: Epoch(0),
            oldest: Position(1),
            after: FrameHash::default(),
            groups: VecDeque::new(),
            synced: Position(0),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().expect("no holder panicked")
    }
}

impl Stored {
    fn end(&self) -> (Position, FrameHash) {
        let last = self.groups.back();
        last.map_or((self.oldest, self.after), |(group, hash)| (group.last().next(), *hash))
    }
}

/// One open of a [`MemoryStore`].
pub struct MemoryJournal {
    store: MemoryStore,
    epoch: Epoch,
    pending: VecDeque<Durable>,
    tickets: u64,
    stopped: bool,
    on_durable: OnDurable,
}

impl MemoryJournal {
    /// Claims `store`: whoever had it open before is fenced, and what was not
    /// completed is gone.
    #[must_use]
    pub fn open(store: &MemoryStore, on_durable: OnDurable) -> MemoryJournal {
        let mut stored = store.lock();
        stored.epoch = Epoch(stored.epoch.0 + 1);
        let synced = stored.synced;
        stored.groups.retain(|(group, _)| group.last() <= synced);
        let epoch = stored.epoch;
        drop(stored);
        MemoryJournal {
            store: store.clone(),
            epoch,
            pending: VecDeque::new(),
            tickets: 0,
            stopped: false,
            on_durable,
        }
    }

    /// Makes the oldest `count` open appends durable, or all there are, and
    /// completes them. Returns how many.
    pub fn complete(&mut self, count: usize) -> usize {
        let count = if self.stopped { 0 } else { count.min(self.pending.len()) };
        for durable in self.pending.drain(..count) {
            let mut stored = self.store.lock();
            if stored.epoch == self.epoch {
                stored.synced = durable.last;
                drop(stored);
                (self.on_durable)(Ok(durable));
            } else {
                self.stopped = true;
                let current = stored.epoch;
                drop(stored);
                (self.on_durable)(Err(JournalError::Fenced { ours: self.epoch, current }));
                break;
            }
        }
        count
    }

    /// The disk fails: what is open stays unknown, and nothing more is taken.
    pub fn fail(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        let (what, path) = ("sync", PathBuf::from("memory"));
        let source = io::Error::other("told to fail");
        let open = self.store.lock();
        let (first, last) = (open.synced.next(), Position(open.end().0.0 - 1));
        drop(open);
        (self.on_durable)(Err(JournalError::Unknown { what, path, first, last, source }));
    }

    fn check(&self) -> Result<MutexGuard<'_, Stored>, JournalError> {
        let stored = self.store.lock();
        if stored.epoch != self.epoch {
            return Err(JournalError::Fenced { ours: self.epoch, current: stored.epoch });
        }
        if self.stopped {
            return Err(JournalError::Stopped { synced: stored.synced });
        }
        Ok(stored)
    }
}

impl Journal for MemoryJournal {
    fn bounds(&self) -> Bounds {
        let stored = self.store.lock();
        let (next, head) = stored.end();
        Bounds {
            oldest: stored.oldest,
            next,
            head,
            synced: stored.synced,
            epoch: self.epoch,
            bytes: stored.groups.iter().map(|(group, _)| group.body.len() as u64).sum(),
            segments: stored.groups.len(),
            // It has no disk.
            written: Written::default(),
            space_low: false,
        }
    }

    fn append(&mut self, group: Group) -> Result<Ticket, JournalError> {
        let next = self.check()?.end().0;
        // Without the lock: a panic would poison the store for the next open.
        check_group(&group, next);
        let mut stored = self.check()?;
        let (_, previous) = stored.end();
        let author = Author { journal: stored.journal, epoch: self.epoch, previous };
        let hash = encode_group(author, &group).hash;
        let last = group.last();
        stored.groups.push_back((group, hash));
        drop(stored);
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.pending.push_back(Durable { ticket, last });
        Ok(ticket)
    }

    fn mark(&mut self) -> Result<(), JournalError> {
        self.check().map(|_| ())
    }

    fn read(&self, from: Position) -> Result<GroupReader, JournalError> {
        let stored = self.store.lock();
        let next = stored.end().0;
        assert!(from <= next, "read from {from}, beyond the next position {next}");
        if from < stored.oldest {
            return Err(JournalError::Trimmed { asked: from, oldest: stored.oldest });
        }
        let wanted = |group: &&Group| group.last() >= from && group.last() <= stored.synced;
        let groups: Vec<_> =
            stored.groups.iter().map(|(group, _)| group).filter(wanted).cloned().map(Ok).collect();
        Ok(Box::new(groups.into_iter()))
    }

    fn trim(&mut self, below: Position) -> Result<Position, JournalError> {
        let mut stored = self.check()?;
        let end = below.min(stored.synced.next());
        while stored.groups.front().is_some_and(|(group, _)| group.last() < end) {
            let (group, hash) = stored.groups.pop_front().expect("there is one");
            (stored.oldest, stored.after) = (group.last().next(), hash);
        }
        Ok(stored.oldest)
    }

    fn close(mut self) -> Result<(), JournalError> {
        self.complete(usize::MAX);
        self.check().map(|_| ())
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJournal").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{Heard, Subject, check_all, group_at};
    use super::*;

    struct InMemory(MemoryStore);

    impl Subject for InMemory {
        type Journal = MemoryJournal;

        fn open(&mut self, on_durable: OnDurable) -> MemoryJournal {
            MemoryJournal::open(&self.0, on_durable)
        }

        fn settle(&mut self, journal: &mut MemoryJournal, _heard: &Heard) {
            journal.complete(usize::MAX);
        }
    }

    #[test]
    fn the_memory_journal_conforms() {
        check_all(|| InMemory(MemoryStore::new(JournalId(7))));
    }

    #[test]
    fn what_was_not_completed_is_gone_at_the_next_open() {
        let store = MemoryStore::new(JournalId(7));
        let mut journal = MemoryJournal::open(&store, Heard::default().callback());
        for _ in 0..3 {
            journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
        }
        assert_eq!(journal.complete(2), 2);
        let journal = MemoryJournal::open(&store, Heard::default().callback());
        assert_eq!(journal.bounds().next, Position(3));
    }

    #[test]
    fn a_second_open_fences_the_first() {
        let store = MemoryStore::new(JournalId(7));
        let heard = Heard::default();
        let mut first = MemoryJournal::open(&store, heard.callback());
        first.append(group_at(&first.bounds(), 1, 10)).expect("taken");
        let second = MemoryJournal::open(&store, Heard::default().callback());
        let error = first.append(group_at(&first.bounds(), 1, 10)).expect_err("fenced");
        let expected = "the journal has a newer writer: epoch 2, ours is 1";
        assert_eq!(error.to_string(), expected);
        first.complete(1);
        assert_eq!((heard.durable().len(), heard.errors()), (0, 1));
        assert_eq!(second.bounds().next, Position(1));
    }

    #[test]
    fn after_a_failure_nothing_is_completed() {
        let store = MemoryStore::new(JournalId(7));
        let heard = Heard::default();
        let mut journal = MemoryJournal::open(&store, heard.callback());
        journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
        journal.fail();
        journal.fail();
        assert_eq!(journal.complete(1), 0);
        assert!(journal.append(group_at(&journal.bounds(), 1, 10)).is_err());
        assert_eq!((heard.durable().len(), heard.errors()), (0, 1));
    }
}
