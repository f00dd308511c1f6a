//! A running writer: its threads, what reads beside it, and its end.
//!
//! Not here: what recovery does (`recover.rs`), turns (`turn.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piecework_core::Position;
use piecework_storage::{Checkpointer, DataDirectory, FileJournal, RealDisk, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use super::clock::{self, Clock};
use super::cold::ColdReader;
use super::inbox::{Inbox, Unanswered};
use super::place::DirectoryPlace;
use super::recover::{RecoverError, Recovered, recover};
use super::release::Said;
use super::snapshots::Maker;
use super::snapshotter::{Means, Schedule, SnapshotDesk, SnapshotThread};
use super::thread;
use super::turn::{CommitError, Own, Writer, WriterFacts};
use crate::config::Config;
use crate::metrics;

/// How a writer ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Closed in good order.
    Orderly,
    /// It failed; what was acknowledged is durable.
    Failed(CommitError),
    /// Its thread is gone without a word.
    Gone,
}

/// A running writer, and what reads beside it.
pub(crate) struct Running {
    inbox: Inbox,
    store: Store,
    published: watch::Receiver<Position>,
    gauges: watch::Receiver<WriterFacts>,
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<Result<(), CommitError>>,
    checkpointer: Option<Checkpointer>,
    snapshots: Option<SnapshotThread>,
    desk: SnapshotDesk,
    /// Keeps the directory locked.
    _directory: DataDirectory,
}

/// Opens a data directory and starts its writer. Blocks until it is recovered.
///
/// The second value hands replies to the runtime: give it to `fire`.
///
/// # Errors
/// See [`RecoverError`]. Nothing was changed that a later start could not mend.
pub(crate) fn start(
    config: &Config,
) -> Result<(Running, mpsc::UnboundedReceiver<Said>), RecoverError> {
    let place = DirectoryPlace { config, directory: DataDirectory::open(&config.data_dir)? };
    let recovered = recover(&place, &config.limits())?;
    run(config, recovered, place.directory)
}

fn run(
    config: &Config,
    recovered: Recovered<FileJournal, RealDisk>,
    directory: DataDirectory,
) -> Result<(Running, mpsc::UnboundedReceiver<Said>), RecoverError> {
    let Recovered { store, snapshots, inbox, releases, replies, journal, engine, now } = recovered;
    let (publish, published) = watch::channel(store.published());
    store.subscribe(Box::new(move |position| {
        publish.send_replace(position);
    }));
    let cold = ColdReader::start(store.clone(), inbox.clone()).map_err(RecoverError::Thread)?;
    let failing = Arc::clone(&releases);
    let on_error = move |source: StoreError| failing.fail(CommitError::Checkpoint { source });
    let every = config.checkpoint_every();
    let checkpointer = Checkpointer::start(store.clone(), every, metrics::checkpoint, on_error)
        .map_err(RecoverError::Thread)?;
    let maker = Maker::new(snapshots.clone(), store.clone());
    let covered = maker.covered();
    let means = Means {
        maker,
        snapshots,
        store: store.clone(),
        journal: journal.reader(),
        inbox: inbox.clone(),
        releases: Arc::clone(&releases),
    };
    let own = Own { store: store.clone(), inbox: inbox.clone(), releases, cold, covered };
    let mut writer = Writer::new(engine, journal, own);
    let (publish, gauges) = watch::channel(writer.facts());
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, ended) = oneshot::channel();
    let (own_inbox, own_stop) = (inbox.clone(), Arc::clone(&stop));
    let mut clock = Clock::from(now.engine, clock::read());
    let body = move || {
        let result = writer
            .begin(clock.turn(clock::read()))
            .and_then(|()| thread::run(writer, clock, &own_inbox, &own_stop, &publish));
        drop(own_inbox.close(Unanswered::Stopped));
        // Nobody listens when the daemon has given up already.
        let _ = tell.send(result);
    };
    thread::spawn("writer", body).map_err(RecoverError::Thread)?;
    let schedule = Schedule {
        journal_bytes: config.snapshot_journal_bytes,
        segment_bytes: config.segment_bytes,
    };
    let snapshots = SnapshotThread::start(means, schedule).map_err(RecoverError::Thread)?;
    let running = Running {
        inbox,
        store,
        published,
        gauges,
        stop,
        ended,
        checkpointer: Some(checkpointer),
        desk: snapshots.desk(),
        snapshots: Some(snapshots),
        _directory: directory,
    };
    Ok((running, replies))
}

impl Running {
    /// Where requests go.
    pub(crate) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// What readers see.
    pub(crate) fn store(&self) -> Store {
        self.store.clone()
    }

    /// The newest position that readers see, as it moves.
    pub(crate) fn published(&self) -> watch::Receiver<Position> {
        self.published.clone()
    }

    /// What the writer last said of itself.
    pub(crate) fn facts(&self) -> watch::Receiver<WriterFacts> {
        self.gauges.clone()
    }

    /// Where snapshots are asked for.
    pub(crate) fn snapshots(&self) -> SnapshotDesk {
        self.desk.clone()
    }

    /// Resolves when the writer ends by itself: always a failure.
    pub(crate) async fn ended(&mut self) -> Ending {
        Ending::of((&mut self.ended).await)
    }

    /// Takes no new requests; those that wait are still answered.
    pub(crate) fn drain(&self) {
        self.inbox.drain();
    }

    /// Ends the writer in good order and writes a last checkpoint, as far as
    /// `within` goes: the journal alone is enough for the next start.
    pub(crate) async fn stop(mut self, within: Duration) -> Ending {
        let begun = Instant::now();
        // One that is being made is given up: the next run makes another.
        let snapshots = self.snapshots.take();
        let snapshots = tokio::task::spawn_blocking(move || drop(snapshots));
        self.stop.store(true, Ordering::Release);
        self.inbox.nudge();
        let ending = match tokio::time::timeout(within, &mut self.ended).await {
            Ok(ended) => Ending::of(ended),
            Err(_) => return Ending::Gone,
        };
        let Some(checkpointer) = self.checkpointer.take() else { return ending };
        if tokio::time::timeout(within.saturating_sub(begun.elapsed()), snapshots).await.is_err() {
            warn!("a piece of a snapshot does not end; the process does not wait for it");
        }
        let checkpoint = tokio::task::spawn_blocking(move || checkpointer.finish());
        match tokio::time::timeout(within.saturating_sub(begun.elapsed()), checkpoint).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(failure))) => {
                let error = &failure as &dyn std::error::Error;
                warn!(error, "no last checkpoint; the next start reads the journal");
            }
            Ok(Err(_)) | Err(_) => warn!("no last checkpoint; the next start reads the journal"),
        }
        ending
    }
}

impl Ending {
    fn of(ended: Result<Result<(), CommitError>, oneshot::error::RecvError>) -> Ending {
        match ended {
            Ok(Ok(())) => Ending::Orderly,
            Ok(Err(error)) => Ending::Failed(error),
            Err(_) => Ending::Gone,
        }
    }
}
