//! From a data directory to a running writer, and back.
//!
//! Start: lock the directory, open the tables, open the journal (which cuts an
//! unacknowledged tail and rewrites what is not proven to be synced), bring the
//! tables up to the journal's end in memory, load the engine. The first command
//! of a run says that it is one.
//!
//! Not here: reading frames and pages (`piecework-storage`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use piecework_core::{Engine, Limits, Now, Position, Restore};
use piecework_storage::{
    CHECKPOINT_EVERY, Checkpointer, DataDirectory, DirectoryError, FileJournal, Journal,
    JournalError, JournalSettings, OnDurable, Store, StoreError, StoreSettings,
};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::clock::{self, Clock};
use super::cold::ColdReader;
use super::inbox::{Inbox, LaneLimits, Unanswered};
use super::release::{Releases, Reply};
use super::thread;
use super::turn::{CommitError, Writer, WriterFacts};
use crate::config::Config;

/// Bounds of each of the three lanes: 64 MiB in all.
const LANES: LaneLimits = LaneLimits { requests: 16_384, bytes: 21 * 1024 * 1024 };

/// Why a data directory does not become a running daemon.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// It is locked, foreign or of another format.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The tables cannot be opened or read.
    #[error(transparent)]
    Tables(#[from] StoreError),
    /// The journal cannot be opened or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The tables lack what the journal no longer has.
    #[error(
        "the tables end at position {applied} and the journal begins at {oldest}: positions between them are lost"
    )]
    Gap {
        /// Where the tables end.
        applied: Position,
        /// Where the journal begins.
        oldest: Position,
    },
    /// A thread cannot be started.
    #[error("could not start a thread")]
    Thread(#[source] std::io::Error),
}

impl RecoverError {
    /// Whether something that was durable is lost or cannot be read.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            RecoverError::Gap { .. } => true,
            RecoverError::Journal(error) => matches!(error, JournalError::Corrupt { .. }),
            RecoverError::Tables(error) => {
                error.is_damage() || matches!(error, StoreError::Group(_))
            }
            RecoverError::Directory(_) | RecoverError::Thread(_) => false,
        }
    }
}

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
) -> Result<(Running, mpsc::UnboundedReceiver<Vec<Reply>>), RecoverError> {
    let home = DirectoryHome { config, directory: DataDirectory::open(&config.data_dir)? };
    let recovered = recover(&home, config.limits())?;
    run(recovered, home.directory)
}

/// Where the state of a writer lies, and how its parts are opened.
pub(crate) trait Home {
    /// The journal.
    type Journal: Journal;

    /// Opens the tables, or sets doubtful ones aside and starts with empty ones.
    fn tables(&self) -> Result<Store, StoreError>;

    /// Opens the journal. `trusted`: a position known to have been durable.
    fn journal(
        &self,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<Self::Journal, JournalError>;
}

/// A data directory of this machine.
struct DirectoryHome<'a> {
    config: &'a Config,
    directory: DataDirectory,
}

impl Home for DirectoryHome<'_> {
    type Journal = FileJournal;

    fn tables(&self) -> Result<Store, StoreError> {
        let settings = StoreSettings {
            overlay_bytes: usize::try_from(self.config.overlay_bytes).unwrap_or(usize::MAX),
            cache_bytes: self.config.cache_bytes,
            open_patience: Duration::from_millis(self.config.open_tables_within_ms),
            reserve_bytes: self.config.reserve_bytes,
            ..StoreSettings::default()
        };
        Store::open(&self.directory.tables_path(), &settings)
    }

    fn journal(
        &self,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<FileJournal, JournalError> {
        let settings = JournalSettings {
            segment_bytes: self.config.segment_bytes,
            ..JournalSettings::new(self.directory.journal_id())
        };
        FileJournal::open(self.directory.journal_disk(), settings, trusted, on_durable)
    }
}

/// All that a writer is made of.
pub(crate) struct Recovered<J> {
    pub(crate) store: Store,
    pub(crate) inbox: Inbox,
    pub(crate) releases: Arc<Releases>,
    pub(crate) replies: mpsc::UnboundedReceiver<Vec<Reply>>,
    pub(crate) journal: J,
    pub(crate) engine: Engine,
    /// The last logged times.
    pub(crate) now: Now,
}

/// From what lies at home to all that a writer is made of.
///
/// # Errors
/// See [`RecoverError`].
pub(crate) fn recover<H: Home>(
    home: &H,
    limits: Limits,
) -> Result<Recovered<H::Journal>, RecoverError> {
    match open(home, limits.clone()) {
        Err(RecoverError::Tables(error)) if error.is_damage() => {
            // The marker still stands: opened again, the tables are set aside
            // and rebuilt from the journal.
            let error = &error as &dyn std::error::Error;
            warn!(error, "the tables are damaged and are rebuilt from the journal");
            open(home, limits)
        }
        opened => opened,
    }
}

fn open<H: Home>(home: &H, limits: Limits) -> Result<Recovered<H::Journal>, RecoverError> {
    let begun = Instant::now();
    let store = home.tables()?;
    let inbox = Inbox::new(LANES);
    let (runtime, replies) = mpsc::unbounded_channel();
    let releases = Releases::new(store.clone(), inbox.clone(), runtime);
    let completions = Arc::clone(&releases);
    let on_durable = Box::new(move |result| completions.durable(result));
    let journal = home.journal(store.applied(), on_durable)?;
    let (replayed, now) = replay(&store, &journal)?;
    let mut restore = Restore::new(limits, now);
    store.load(now.engine, &mut |row| restore.row(row))?;
    let engine = restore.finish();
    store.opened()?;
    let took_ms = begun.elapsed().as_millis();
    let position = store.published();
    info!(%position, replayed, took_ms, "recovered");
    Ok(Recovered { store, inbox, releases, replies, journal, engine, now })
}

/// Shows readers, and so the engine's image, what the tables do not have yet.
/// Returns how many commands that were and the last logged times.
fn replay(store: &Store, journal: &impl Journal) -> Result<(u64, Now), RecoverError> {
    let bounds = journal.bounds();
    let (applied, mut now) = (store.applied(), store.applied_now());
    if applied.next() < bounds.oldest {
        return Err(RecoverError::Gap { applied, oldest: bounds.oldest });
    }
    if applied.next() >= bounds.next {
        return Ok((0, now));
    }
    for group in journal.read(applied.next())? {
        let group = group?;
        let last = group.last();
        now = group.now;
        store.publish(&Bytes::from(group.body), last, now)?;
        store.make_room()?;
    }
    Ok((bounds.next.0 - 1 - applied.0, now))
}

fn run(
    recovered: Recovered<FileJournal>,
    directory: DataDirectory,
) -> Result<(Running, mpsc::UnboundedReceiver<Vec<Reply>>), RecoverError> {
    let Recovered { store, inbox, releases, replies, journal, engine, now } = recovered;
    let (publish, published) = watch::channel(store.published());
    store.subscribe(Box::new(move |position| {
        publish.send_replace(position);
    }));
    let cold = ColdReader::start(store.clone(), inbox.clone()).map_err(RecoverError::Thread)?;
    let failing = Arc::clone(&releases);
    let on_error = move |source: StoreError| failing.fail(CommitError::Checkpoint { source });
    let checkpointer = Checkpointer::start(store.clone(), CHECKPOINT_EVERY, on_error)
        .map_err(RecoverError::Thread)?;
    let mut writer = Writer::new(engine, journal, store.clone(), inbox.clone(), releases, cold);
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
    let checkpointer = Some(checkpointer);
    let _directory = directory;
    let running =
        Running { inbox, store, published, gauges, stop, ended, checkpointer, _directory };
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
        self.stop.store(true, Ordering::Release);
        self.inbox.nudge();
        let ending = match tokio::time::timeout(within, &mut self.ended).await {
            Ok(ended) => Ending::of(ended),
            Err(_) => return Ending::Gone,
        };
        let Some(checkpointer) = self.checkpointer.take() else { return ending };
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
