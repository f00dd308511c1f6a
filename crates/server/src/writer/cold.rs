//! Commands that need settled tasks: a reader fetches them off the writer.
//!
//! Not here: why a fetched task cannot be stale (`Step::NeedCold`).

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use piecework_core::image::ColdTask;
use piecework_core::{TaskId, TenantId};
use piecework_storage::{Store, StoreError};

use super::inbox::{Inbox, Waiting};

/// A command that waits for its tasks.
pub(crate) struct Cold {
    pub(crate) waiting: Waiting,
    pub(crate) tasks: Vec<TaskId>,
    /// Asked for before and held in memory since: what one round brings must
    /// not be forgotten while the next one is away.
    pub(crate) held: Vec<TaskId>,
}

/// The same, with what storage has.
pub(crate) struct Warmed {
    pub(crate) cold: Cold,
    pub(crate) found: Result<Vec<ColdTask>, StoreError>,
}

/// The writer's end of the reader.
pub(crate) struct ColdReader {
    ask: Sender<Cold>,
    warmed: Arc<Mutex<Vec<Warmed>>>,
    away: usize,
}

/// The reader itself: it fetches when it is told to.
pub(crate) struct Fetcher {
    store: Store,
    asked: Receiver<Cold>,
    warmed: Arc<Mutex<Vec<Warmed>>>,
}

impl ColdReader {
    /// Both ends, without a thread.
    pub(crate) fn new(store: Store) -> (ColdReader, Fetcher) {
        let (ask, asked) = channel();
        let warmed = Arc::new(Mutex::new(Vec::new()));
        let fetcher = Fetcher { store, asked, warmed: Arc::clone(&warmed) };
        (ColdReader { ask, warmed, away: 0 }, fetcher)
    }

    /// Starts the reader's thread; it ends when this is dropped.
    pub(crate) fn start(store: Store, inbox: Inbox) -> std::io::Result<ColdReader> {
        let (reader, fetcher) = ColdReader::new(store);
        let run = move || {
            while let Ok(cold) = fetcher.asked.recv() {
                fetcher.fetch(cold);
                inbox.nudge();
            }
        };
        thread::Builder::new().name("cold-reader".into()).spawn(run)?;
        Ok(reader)
    }

    /// Sends a command off to wait for its tasks.
    pub(crate) fn fetch(&mut self, cold: Cold) {
        self.away += 1;
        // The reader ends only with the writer.
        let _ = self.ask.send(cold);
    }

    /// Commands whose tasks have come.
    pub(crate) fn take(&mut self) -> Vec<Warmed> {
        if self.away == 0 {
            return Vec::new();
        }
        let warmed =
            std::mem::take(&mut *self.warmed.lock().unwrap_or_else(PoisonError::into_inner));
        self.away -= warmed.len();
        warmed
    }
}

impl Fetcher {
    /// Fetches for one command. False: none asked.
    #[cfg(feature = "testing")]
    pub(crate) fn step(&self) -> bool {
        self.asked.try_recv().map(|cold| self.fetch(cold)).is_ok()
    }

    fn fetch(&self, cold: Cold) {
        let found = fetch(&self.store, cold.waiting.request.tenant, &cold.tasks);
        let mut warmed = self.warmed.lock().unwrap_or_else(PoisonError::into_inner);
        warmed.push(Warmed { cold, found });
    }
}

fn fetch(store: &Store, tenant: TenantId, tasks: &[TaskId]) -> Result<Vec<ColdTask>, StoreError> {
    let view = store.view(tenant);
    tasks.iter().filter_map(|id| view.cold_task(*id).transpose()).collect()
}
