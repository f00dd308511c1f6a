//! The thread that writes checkpoints: when the overlay is half full, and every
//! so often when anything was published. In between it scrubs tables that were
//! too large to be checked at the open, and notes which tasks are settled. On a
//! disk that is nearly full it writes nothing and looks again every so often. It gives
//! way to all who have callers: what they wait for is durable without it.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::checkpoint::Progress;
use super::error::StoreError;
use super::scrub::{Checked, Scrubbed};
use super::store::Store;
use crate::give_way;

/// A scrub reads this much at a time.
const SCRUB_BYTES: usize = 1024 * 1024;
/// How long a scrub, and whoever looks for settled tasks, rests after each piece: either
/// takes some percent of one core and of the disk.
const PIECE_REST: Duration = Duration::from_millis(20);

/// How often it is looked whether the disk is nearly full: the writer asks, and
/// refuses new tasks.
const SPACE_EVERY: Duration = Duration::from_secs(1);
/// How long a disk that is nearly full is left alone.
const SPACE_RETRY: Duration = Duration::from_millis(500);

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

    /// Waits for the end or for `at_most`; rings go on to wait. False: it is over.
    fn pause(&self, at_most: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = self.rung.wait_timeout_while(state, at_most, |state| !state.is_over);
        !woken.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// Waits for a ring, the end or for `at_most`.
    fn wait(&self, at_most: Duration) -> Woken {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |state: &mut BellState| !state.is_rung && !state.is_over;
        let woken = self.rung.wait_timeout_while(state, at_most, quiet);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        let is_rung = std::mem::take(&mut state.is_rung);
        if state.is_over {
            return Woken::Over;
        }
        if is_rung { Woken::Rung } else { Woken::Quiet }
    }
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Rung,
    Quiet,
    Over,
}

/// The running thread. Dropping it ends it, without a last checkpoint.
#[derive(Debug)]
pub struct Checkpointer {
    store: Store,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it; one for a store. `every`: how often a checkpoint is written when the
    /// overlay does not fill before. `on_written` hears how long each took. `on_error`
    /// hears of the first failure, which is fatal: nothing more is written, the overlay
    /// will fill up. Where it means damage the tables are condemned already, so that the
    /// next open sets them aside.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        store: Store,
        every: Duration,
        on_written: impl Fn(Duration) + Send + 'static,
        on_error: impl FnOnce(StoreError) + Send + 'static,
    ) -> io::Result<Checkpointer> {
        let working = store.clone();
        let run = move || {
            give_way();
            if let Err(error) = work(&working, every, &on_written) {
                if error.is_damage()
                    && let Err(error) = working.condemn()
                {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "damaged tables could not be condemned");
                }
                on_error(error);
            }
        };
        let thread = thread::Builder::new().name("checkpointer".to_owned()).spawn(run)?;
        Ok(Checkpointer { store, thread: Some(thread) })
    }

    /// Ends the thread, then writes everything published so far; on a disk that
    /// is nearly full it leaves the rest to the journal.
    ///
    /// # Errors
    /// The store failed.
    pub fn finish(self) -> Result<(), StoreError> {
        let store = self.store.clone();
        drop(self);
        while store.applied() < store.published() {
            if write_one(&store, || false)? == Wrote::NoRoom {
                break;
            }
        }
        Ok(())
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

fn work(store: &Store, every: Duration, on_written: &impl Fn(Duration)) -> Result<(), StoreError> {
    let mut written = Instant::now();
    loop {
        store.shared.reserve.look();
        let until_due = every.saturating_sub(written.elapsed()).min(SPACE_EVERY);
        let is_scrubbing = store.is_scrub_due();
        let is_noting = store.is_note_due();
        let has_pieces = is_scrubbing || is_noting;
        let at_most = if has_pieces { until_due.min(PIECE_REST) } else { until_due };
        let woken = store.shared.bell.wait(at_most);
        if woken == Woken::Over {
            return Ok(());
        }
        if woken == Woken::Rung || written.elapsed() >= every {
            let begun = Instant::now();
            match write_one(store, || store.shared.bell.pause(SPACE_RETRY))? {
                Wrote::NoRoom => return Ok(()),
                Wrote::Checkpoint => on_written(begun.elapsed()),
                Wrote::Nothing => {}
            }
            written = Instant::now();
        }
        if is_noting && !store.space_low() {
            store.note_step()?;
        }
        if is_scrubbing && let Scrubbed::Done(checked) = store.scrub_step(SCRUB_BYTES)? {
            let Checked { rows, pages, bytes } = checked;
            tracing::info!(rows, pages, bytes, "all rows of the tables are there");
        }
    }
}

/// What came of a checkpoint.
#[derive(Debug, PartialEq, Eq)]
enum Wrote {
    Checkpoint,
    /// All that is published was durable.
    Nothing,
    /// The disk is nearly full, and whoever waited for room gave up.
    NoRoom,
}

/// Writes a checkpoint, if there is anything to write. `wait`: called while the
/// disk is nearly full; says whether to look again.
fn write_one(store: &Store, wait: impl Fn() -> bool) -> Result<Wrote, StoreError> {
    loop {
        while !store.shared.reserve.look() {
            if !wait() {
                return Ok(Wrote::NoRoom);
            }
        }
        match store.checkpoint_step()? {
            Progress::Working => {}
            Progress::Idle => return Ok(Wrote::Nothing),
            Progress::Done(_) => return Ok(Wrote::Checkpoint),
        }
    }
}
