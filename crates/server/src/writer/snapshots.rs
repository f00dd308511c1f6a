//! Making snapshots as a state machine: idle, making, idle again.
//!
//! A snapshot is made at the end of the last finished checkpoint, whose digest it
//! is compared with. Once it is in place and read back, the journal below it may
//! go: [`Covered`] tells the writer, which trims in its next turn.
//!
//! Not here: when one is made, and how fast (`snapshotter.rs`).

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use piecework_core::Position;
use piecework_storage::{
    Disk, ReadJournal, SnapshotError, SnapshotInfo, SnapshotProgress, Snapshots, Snapshotter, Store,
};
use tracing::error;

use super::release::Releases;
use super::turn::CommitError;

/// Up to where a snapshot has everything that was read back after it was made.
#[derive(Debug, Clone)]
pub(crate) struct Covered(Arc<AtomicU64>);

impl Covered {
    fn new(position: Position) -> Covered {
        Covered(Arc::new(AtomicU64::new(position.0)))
    }

    /// The position. Cost: one atomic read.
    pub(crate) fn get(&self) -> Position {
        Position(self.0.load(Ordering::Acquire))
    }
}

/// Makes one snapshot after the other, piece by piece.
#[derive(Debug)]
pub(crate) struct Maker<D: Disk> {
    snapshots: Snapshots<D>,
    store: Store,
    covered: Covered,
    making: Option<(Snapshotter<D>, Instant)>,
}

/// A snapshot that was made, and how long it took.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) info: SnapshotInfo,
    pub(crate) took: Duration,
}

impl<D: Disk> Maker<D> {
    /// Idle. What earlier runs left behind counts.
    pub(crate) fn new(snapshots: Snapshots<D>, store: Store) -> Maker<D> {
        let covered = Covered::new(snapshots.covered());
        Maker { snapshots, store, covered, making: None }
    }

    /// How far the journal may be trimmed, as it moves.
    pub(crate) fn covered(&self) -> Covered {
        self.covered.clone()
    }

    /// Whether one is being made.
    pub(crate) fn is_making(&self) -> bool {
        self.making.is_some()
    }

    /// Whether a finished checkpoint has more than the newest snapshot, and its
    /// digest to compare.
    pub(crate) fn has_news(&self) -> bool {
        let applied = self.store.applied_digest();
        applied.is_some_and(|(position, ..)| position > self.snapshots.covered())
    }

    /// Whether one that is begun now has everything up to `position`. Not so before a
    /// checkpoint has got there, nor while the last one's digest is unknown.
    pub(crate) fn can_have(&self, position: Position) -> bool {
        let applied = self.store.applied_digest();
        applied.is_some_and(|(applied, ..)| applied >= position)
    }

    /// Begins one of what the last finished checkpoint has; none where its digest is
    /// unknown.
    ///
    /// # Errors
    /// See [`Snapshotter::begin`].
    pub(crate) fn begin(&mut self) -> Result<(), SnapshotError> {
        let Some((position, now, digest)) = self.store.applied_digest() else { return Ok(()) };
        let snapshotter = Snapshotter::begin(&self.snapshots, position, now, Some(digest))?;
        self.making = Some((snapshotter, Instant::now()));
        Ok(())
    }

    /// The next piece of the one being made. `None`: there is more to do, or
    /// nothing is being made.
    ///
    /// # Errors
    /// There will be no snapshot; idle again. `Differs`: give up the tables.
    pub(crate) fn step(&mut self, read: ReadJournal<'_>) -> Result<Option<Made>, SnapshotError> {
        let Some((mut snapshotter, begun)) = self.making.take() else { return Ok(None) };
        match snapshotter.step(read)? {
            SnapshotProgress::Working => {
                self.making = Some((snapshotter, begun));
                Ok(None)
            }
            SnapshotProgress::Done(info) => {
                self.covered.0.store(info.position.0, Ordering::Release);
                Ok(Some(Made { info, took: begun.elapsed() }))
            }
        }
    }
}

/// The tables are not what the journal says (`SnapshotError::Differs`): the next
/// start sets them aside and makes them anew, and this one ends.
pub(crate) fn give_up_tables(store: &Store, releases: &Releases, source: SnapshotError) {
    if let Err(error) = store.condemn() {
        let error = &error as &dyn Error;
        error!(error, "wrong tables could not be condemned");
    }
    releases.fail(CommitError::Snapshot { source });
}
