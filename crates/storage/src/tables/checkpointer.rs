//! The thread that writes checkpoints: when the overlay is half full, and every
//! so often when anything was published.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::checkpoint::Progress;
use super::error::StoreError;
use super::store::Store;

/// How often a checkpoint is written when the overlay does not fill before.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Wakes the thread.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<BellState>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct BellState {
    is_rung: bool,
    is_over: bool,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.set(|state| state.is_rung = true);
    }

    fn end(&self) {
        self.set(|state| state.is_over = true);
    }

    fn set(&self, change: impl FnOnce(&mut BellState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// Waits for a ring or for `every`. False: it is over.
    fn wait(&self, every: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |state: &mut BellState| !state.is_rung && !state.is_over;
        let woken = self.rung.wait_timeout_while(state, every, quiet);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        state.is_rung = false;
        !state.is_over
    }
}

/// The running thread. Dropping it ends it, without a last checkpoint.
#[derive(Debug)]
pub struct Checkpointer {
    store: Store,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it; one for a store. `on_error` hears of the first failure, which
    /// is fatal: nothing more is written, the overlay will fill up.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        store: Store,
        every: Duration,
        on_error: impl FnOnce(StoreError) + Send + 'static,
    ) -> io::Result<Checkpointer> {
        let working = store.clone();
        let run = move || {
            while working.shared.bell.wait(every) {
                if let Err(error) = write_one(&working) {
                    on_error(error);
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("checkpointer".to_owned()).spawn(run)?;
        Ok(Checkpointer { store, thread: Some(thread) })
    }

    /// Ends the thread, then writes everything published so far.
    ///
    /// # Errors
    /// The store failed.
    pub fn finish(self) -> Result<(), StoreError> {
        let store = self.store.clone();
        drop(self);
        store.checkpoint_now().map(|_| ())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.store.shared.bell.end();
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn write_one(store: &Store) -> Result<(), StoreError> {
    while store.checkpoint_step()? == Progress::Working {}
    Ok(())
}
