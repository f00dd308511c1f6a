//! The thread that makes snapshots: when the journal has grown enough, and when
//! somebody asks.
//!
//! It gives way to all other threads, and takes at most about a quarter of a core; when
//! the journal grows faster than that it hurries. It never takes the daemon down
//! unless tables and journal disagree: those tables are wrong, and a new start
//! rebuilds them.
//!
//! When the newest snapshot turns out to be damaged, the next one is made from
//! the one before it, or from nothing, as long as the journal reaches back that
//! far. Where it does not, no snapshot can be made any more: the journal is
//! trimmed no further, so nothing is lost, and an error and a gauge say so.
//!
//! Not here: making one (`snapshots.rs`), trimming (`turn.rs`).

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use piecework_core::Position;
use piecework_storage::{
    JournalError, JournalReader, RealDisk, SnapshotError, SnapshotInfo, Snapshots, Store, give_way,
};
use tokio::sync::oneshot;
use tracing::{error, info};

use super::inbox::Inbox;
use super::release::Releases;
use super::snapshots::{Made, Maker, give_up_tables};
use super::thread;
use crate::metrics;

/// How often the journal's size is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether a checkpoint that was asked for is there.
const CHECKPOINT_LOOK_EVERY: Duration = Duration::from_millis(10);
/// A piece is followed by a rest of so many times its length.
const REST: u32 = 3;
/// After a failure: the first wait, and the longest.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(300)];

/// Why there is no snapshot for whoever asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NoSnapshot {
    /// It could not be made.
    #[error("the snapshot could not be made")]
    Failed(#[source] Arc<SnapshotError>),
    /// The tables get no checkpoint, and a snapshot is made of one.
    #[error("the disk is nearly full: there is no room for a snapshot")]
    SpaceLow,
    /// The daemon ends.
    #[error("the daemon is ending")]
    Ending,
}

/// When snapshots are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Bytes of full segments; 0: never by itself.
    pub(super) journal_bytes: u64,
    /// Bytes of a segment.
    pub(super) segment_bytes: u64,
}

type Asker = oneshot::Sender<Result<SnapshotInfo, NoSnapshot>>;

enum Order {
    Make(Asker),
    End,
}

/// Where snapshots are asked for. Clones share it.
#[derive(Clone)]
pub(crate) struct SnapshotDesk {
    orders: Sender<Order>,
    list: Arc<dyn Fn() -> Vec<SnapshotInfo> + Send + Sync>,
}

impl SnapshotDesk {
    /// Makes one with everything that is visible now; returns when it is there.
    ///
    /// # Errors
    /// See [`NoSnapshot`].
    pub(crate) async fn create(&self) -> Result<SnapshotInfo, NoSnapshot> {
        let (asker, answer) = oneshot::channel();
        self.orders.send(Order::Make(asker)).map_err(|_| NoSnapshot::Ending)?;
        answer.await.unwrap_or(Err(NoSnapshot::Ending))
    }

    /// The whole ones, oldest first.
    pub(crate) fn list(&self) -> Vec<SnapshotInfo> {
        (self.list)()
    }

    /// One behind which nobody makes snapshots.
    #[cfg(feature = "testing")]
    pub(crate) fn closed() -> SnapshotDesk {
        SnapshotDesk { orders: channel().0, list: Arc::new(Vec::new) }
    }
}

/// The running thread. Dropping it ends it after the piece it is at.
pub(super) struct SnapshotThread {
    orders: Sender<Order>,
    snapshots: Snapshots<RealDisk>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works with.
pub(super) struct Means {
    pub(super) maker: Maker<RealDisk>,
    pub(super) snapshots: Snapshots<RealDisk>,
    pub(super) store: Store,
    pub(super) journal: JournalReader,
    pub(super) inbox: Inbox,
    pub(super) releases: Arc<Releases>,
}

impl SnapshotThread {
    /// Starts it.
    ///
    /// # Errors
    /// No thread can be had.
    pub(super) fn start(means: Means, schedule: Schedule) -> std::io::Result<SnapshotThread> {
        let (orders, taken) = channel();
        let snapshots = means.snapshots.clone();
        if let Some(newest) = snapshots.newest() {
            metrics::snapshot(&newest);
        }
        let work = Work {
            means,
            schedule,
            asked: Vec::new(),
            due: Instant::now(),
            retry: RETRY[0],
            not_before: Instant::now(),
        };
        let thread = Some(thread::spawn("snapshotter", move || work.run(&taken))?);
        Ok(SnapshotThread { orders, snapshots, thread })
    }

    pub(super) fn desk(&self) -> SnapshotDesk {
        let snapshots = self.snapshots.clone();
        let list = Arc::new(move || snapshots.list());
        SnapshotDesk { orders: self.orders.clone(), list }
    }
}

impl Drop for SnapshotThread {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.orders.send(Order::End);
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

struct Asked {
    /// The snapshot is to have at least this.
    position: Position,
    asker: Asker,
}

struct Work {
    means: Means,
    schedule: Schedule,
    asked: Vec<Asked>,
    /// When the next thing is done.
    due: Instant,
    /// The wait after the next failure.
    retry: Duration,
    /// None is begun before, unless somebody asks.
    not_before: Instant,
}

/// Whether the thread goes on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Go,
    End,
}

impl Work {
    fn run(mut self, orders: &Receiver<Order>) {
        give_way();
        loop {
            match orders.recv_timeout(self.due.saturating_duration_since(Instant::now())) {
                Ok(Order::Make(asker)) => {
                    self.asked.push(Asked { position: self.means.store.published(), asker });
                    if !self.means.maker.is_making() {
                        self.due = Instant::now();
                    }
                    continue;
                }
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let next = if self.means.maker.is_making() { self.step() } else { self.look() };
            if next == Next::End {
                return;
            }
        }
    }

    /// Idle: is one to be made?
    fn look(&mut self) -> Next {
        let store = &self.means.store;
        if let Some(position) = self.asked.iter().map(|asked| asked.position).max() {
            if !self.means.maker.can_have(position) {
                if store.space_low() {
                    self.answer_all(&NoSnapshot::SpaceLow);
                } else {
                    store.want_checkpoint();
                    self.due = Instant::now() + CHECKPOINT_LOOK_EVERY;
                }
                return Next::Go;
            }
        } else if !self.is_due() {
            self.due = Instant::now() + LOOK_EVERY;
            return Next::Go;
        }
        match self.means.maker.begin() {
            Ok(()) => Next::Go,
            Err(error) => self.failed(error),
        }
    }

    fn is_due(&self) -> bool {
        let limit = self.schedule.journal_bytes;
        limit > 0
            && Instant::now() >= self.not_before
            && self.full_bytes() >= limit
            && self.means.maker.has_news()
    }

    /// Bytes of the journal's full segments, without the one that the newest
    /// snapshot reaches into.
    fn full_bytes(&self) -> u64 {
        let bounds = self.means.journal.bounds();
        let is_cut = self.means.maker.covered().get() >= bounds.oldest;
        let full = bounds.segments.saturating_sub(1 + usize::from(is_cut));
        full as u64 * self.schedule.segment_bytes
    }

    fn step(&mut self) -> Next {
        let begun = Instant::now();
        let journal = &self.means.journal;
        match self.means.maker.step(&|from| journal.read(from)) {
            Ok(None) => {
                let limit = self.schedule.journal_bytes;
                let hurries = limit > 0 && self.full_bytes() / 2 > limit;
                let took = begun.elapsed();
                self.due = Instant::now() + if hurries { Duration::ZERO } else { took * REST };
            }
            Ok(Some(made)) => self.done(made),
            Err(error) => return self.failed(error),
        }
        Next::Go
    }

    fn done(&mut self, made: Made) {
        let Made { info: snapshot, took } = made;
        metrics::snapshot_made(&snapshot, took);
        let SnapshotInfo { position, rows, stored_bytes, own_bytes, .. } = snapshot;
        let took_ms = took.as_millis();
        info!(%position, rows, stored_bytes, own_bytes, took_ms, "snapshot made");
        // The writer trims the journal in its next turn.
        self.means.inbox.nudge();
        self.retry = RETRY[0];
        self.due = Instant::now() + LOOK_EVERY;
        for asked in std::mem::take(&mut self.asked) {
            if asked.position <= position {
                // Whoever asked may have gone.
                let _ = asked.asker.send(Ok(snapshot.clone()));
            } else {
                self.asked.push(asked);
                self.due = Instant::now();
            }
        }
    }

    fn failed(&mut self, failure: SnapshotError) -> Next {
        metrics::snapshot_failed(is_base_lost(&failure));
        let error = &failure as &dyn Error;
        if matches!(failure, SnapshotError::Differs { .. }) {
            error!(error, "the tables are wrong; ending, so that a new start rebuilds them");
            self.answer_all(&NoSnapshot::Ending);
            give_up_tables(&self.means.store, &self.means.releases, failure);
            return Next::End;
        }
        if is_base_lost(&failure) {
            error!(
                error,
                "no snapshot can be made: the older ones are damaged and the journal does not \
                 reach back; it is kept from now on and grows; restore a backup"
            );
        } else {
            error!(error, retry_ms = self.retry.as_millis(), "a snapshot could not be made");
        }
        self.answer_all(&NoSnapshot::Failed(Arc::new(failure)));
        self.not_before = Instant::now() + self.retry;
        self.retry = (self.retry * 2).min(RETRY[1]);
        self.due = Instant::now() + LOOK_EVERY;
        Next::Go
    }

    fn answer_all(&mut self, why: &NoSnapshot) {
        for asked in self.asked.drain(..) {
            // Whoever asked may have gone.
            let _ = asked.asker.send(Err(why.clone()));
        }
    }
}

/// The journal does not reach back to any snapshot that is whole.
fn is_base_lost(error: &SnapshotError) -> bool {
    matches!(error, SnapshotError::Journal(JournalError::Trimmed { .. }))
}

#[cfg(test)]
mod tests;
