//! From a data directory to a running writer, and back.
//!
//! Start: lock the directory, open the tables, open the journal (which cuts an
//! unacknowledged tail and rewrites what is not proven to be synced), fill the
//! tables from a snapshot where they do not reach the journal, bring them up to
//! the journal's end in memory, load the engine. The first command of a run says
//! that it is one.
//!
//! Not here: reading frames and pages (`piecework-storage`), which snapshot it is
//! (`rebuild.rs`), the running writer (`running.rs`).

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use piecework_core::{Engine, Limits, Now, Position, Restore};
use piecework_storage::{
    DirectoryError, Disk, GroupReader, ImportError, Journal, JournalError, OnDurable,
    SnapshotError, Snapshots, Store, StoreError,
};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::inbox::{Inbox, LaneLimits};
use super::place::Place;
use super::rebuild::{self, Base, PassedOver};
use super::release::{Releases, Said};

/// Bounds of each of the three lanes: 64 MiB in all.
const LANES: LaneLimits = LaneLimits { requests: 16_384, bytes: 21 * 1024 * 1024 };
/// Once as they are, once because they are of no use, once because a snapshot was.
const OPENED_AT_MOST: u32 = 3;

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
    /// The snapshots cannot be used.
    #[error("the snapshots cannot be used")]
    Snapshots(#[source] SnapshotError),
    /// The tables could not be filled from a snapshot.
    #[error("could not fill the tables from a snapshot")]
    Import(#[source] ImportError<SnapshotError>),
    /// The tables lack what the journal no longer has, and so do the snapshots.
    #[error(
        "the tables end at position {applied} and the journal begins at {oldest}: positions \
         between them are lost, and {}; put missing files back, or go back to a backup \
         with `piecework restore`",
        rebuild::listed(.passed_over)
    )]
    Gap {
        /// Where the tables end.
        applied: Position,
        /// Where the journal begins.
        oldest: Position,
        /// The snapshots there are.
        passed_over: Vec<PassedOver>,
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
            RecoverError::Snapshots(error) => error.is_damage(),
            RecoverError::Import(error) => rebuild::is_damage(error),
            RecoverError::Directory(_) | RecoverError::Thread(_) => false,
        }
    }
}

/// All that a writer is made of.
pub(crate) struct Recovered<J, D: Disk> {
    pub(crate) store: Store,
    pub(crate) snapshots: Snapshots<D>,
    pub(crate) inbox: Inbox,
    pub(crate) releases: Arc<Releases>,
    pub(crate) replies: mpsc::UnboundedReceiver<Said>,
    pub(crate) journal: J,
    pub(crate) engine: Engine,
    /// The last logged times.
    pub(crate) now: Now,
}

/// What lies at a place.
pub(crate) type RecoveredAt<P> = Recovered<<P as Place>::Journal, <P as Place>::Disk>;

/// From what lies at `place` to all that a writer is made of.
///
/// # Errors
/// See [`RecoverError`].
pub(crate) fn recover<P: Place>(
    place: &P,
    limits: &Limits,
) -> Result<RecoveredAt<P>, RecoverError> {
    // Each time the tables are opened again they are set aside, since the marker
    // of the time before still stands.
    for _ in 1..OPENED_AT_MOST {
        match open(place, limits.clone()) {
            Ok(Some(recovered)) => return Ok(recovered),
            Ok(None) => {}
            Err(RecoverError::Tables(error)) if error.is_damage() => {
                let error = &error as &dyn Error;
                warn!(error, "the tables are damaged and are rebuilt");
            }
            Err(RecoverError::Import(error)) if rebuild::is_damage(&error) => {
                let error = &error as &dyn Error;
                warn!(error, "the tables could not be filled; once more");
            }
            Err(error) => return Err(error),
        }
    }
    let opened = open(place, limits.clone())?;
    Ok(opened.expect("empty tables are not set aside"))
}

/// `None`: the tables are of no use; open again with empty ones.
fn open<P: Place>(place: &P, limits: Limits) -> Result<Option<RecoveredAt<P>>, RecoverError> {
    let begun = Instant::now();
    let store = place.tables()?;
    let inbox = Inbox::new(LANES);
    let (runtime, replies) = mpsc::unbounded_channel();
    let releases = Releases::new(store.clone(), inbox.clone(), runtime);
    let completions = Arc::clone(&releases);
    let on_durable = Box::new(move |result| completions.durable(result));
    let (snapshots, journal) = match journal_and_base(place, &store, on_durable) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(error) => {
            if !matches!(error, RecoverError::Import(_)) {
                // What is wrong is not the tables: they need not be set aside.
                let _ = store.opened();
            }
            return Err(error);
        }
    };
    let bounds = journal.bounds();
    let (replayed, now) = replay(&store, bounds.next, |from| journal.read(from))?;
    let engine = engine_of(&store, limits, now)?;
    store.opened()?;
    let took_ms = begun.elapsed().as_millis();
    let position = store.published();
    info!(%position, replayed, took_ms, "recovered");
    Ok(Some(Recovered { store, snapshots, inbox, releases, replies, journal, engine, now }))
}

type Opened<P> = (Snapshots<<P as Place>::Disk>, <P as Place>::Journal);

/// Opens snapshots and journal, and fills the tables if they do not reach it.
fn journal_and_base<P: Place>(
    place: &P,
    store: &Store,
    on_durable: OnDurable,
) -> Result<Option<Opened<P>>, RecoverError> {
    let snapshots = place.snapshots().map_err(RecoverError::Snapshots)?;
    for error in snapshots.damaged() {
        let error = error as &dyn Error;
        warn!(error, "a snapshot is damaged; see `piecework snapshot verify`");
    }
    // What a snapshot has was read from a durable journal.
    let journal = place.journal(store.applied().max(snapshots.covered()), on_durable)?;
    match rebuild::reach(store, &snapshots, &journal.bounds())? {
        Base::Good => Ok(Some((snapshots, journal))),
        Base::SetAside => Ok(None),
    }
}

/// Shows readers, and so the engine's image, what the tables do not have yet, of
/// a journal that ends before `next`. Returns how many commands that were and the
/// last logged times.
pub(crate) fn replay(
    store: &Store,
    next: Position,
    read: impl FnOnce(Position) -> Result<GroupReader, JournalError>,
) -> Result<(u64, Now), RecoverError> {
    let (applied, mut now) = (store.applied(), store.applied_now());
    if applied.next() >= next {
        return Ok((0, now));
    }
    for group in read(applied.next())? {
        let group = group?;
        let last = group.last();
        now = group.now;
        store.publish(&group.body, last, now)?;
        store.make_room()?;
    }
    Ok((next.0 - 1 - applied.0, now))
}

/// The engine of what is published.
pub(crate) fn engine_of(store: &Store, limits: Limits, now: Now) -> Result<Engine, StoreError> {
    let mut restore = Restore::new(limits, now);
    store.load(now.engine, &mut |row| restore.row(row))?;
    Ok(restore.finish())
}
