//! Tables that lack what the journal no longer has are made anew from a snapshot.
//!
//! The newest snapshot that is whole and from which the journal goes on is
//! imported into empty tables; the journal's groups behind it follow in memory,
//! as at every start. A damaged one is passed over, aloud.
//!
//! Not here: setting doubtful tables aside (`piecework-storage`), making
//! snapshots (`snapshots.rs`).

use std::error::Error;
use std::fmt;

use piecework_core::Position;
use piecework_storage::{
    Bounds, Disk, ImportError, SnapshotError, SnapshotInfo, Snapshots, Store, StoreError,
};
use tracing::{info, warn};

use super::recover::RecoverError;
use crate::metrics;

/// What a start finds out about its tables.
pub(super) enum Base {
    /// They go on into the journal, filled anew or as they were.
    Good,
    /// They are older than the journal, and a snapshot is not: open again with
    /// empty ones.
    SetAside,
}

/// A snapshot that does not help, and why not.
#[derive(Debug)]
pub enum PassedOver {
    /// The journal begins too far behind it.
    TooOld {
        /// Its position.
        position: Position,
    },
    /// It cannot be read.
    Damaged(SnapshotError),
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassedOver::TooOld { position } => {
                write!(f, "the one at position {position} is older than the journal")
            }
            PassedOver::Damaged(error) => write!(f, "{}", Causes(error)),
        }
    }
}

/// An error with everything behind it.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Snapshots that were looked at in vain, for a message.
pub(super) fn listed(passed_over: &[PassedOver]) -> String {
    if passed_over.is_empty() {
        return "there is no snapshot".to_owned();
    }
    let each: Vec<String> = passed_over.iter().map(ToString::to_string).collect();
    format!("no snapshot helps: {}", each.join("; "))
}

/// Makes sure that the tables reach the journal.
///
/// # Errors
/// `Gap`; or a snapshot or the tables failed half-way: open again.
pub(super) fn reach<D: Disk>(
    store: &Store,
    snapshots: &Snapshots<D>,
    journal: &Bounds,
) -> Result<Base, RecoverError> {
    let (applied, oldest) = (store.applied(), journal.oldest);
    let is_behind = applied.next() < oldest;
    if applied > Position(0) && !is_behind {
        return Ok(Base::Good);
    }
    let (found, passed_over) = newest_good(snapshots, oldest);
    for why in &passed_over {
        warn!(%why, "a snapshot cannot be used");
    }
    let Some(found) = found else {
        if is_behind {
            return Err(RecoverError::Gap { applied, oldest, passed_over });
        }
        if journal.next > Position(1) {
            metrics::tables_rebuilt("journal");
            info!(from = "journal", "empty tables are filled again");
        }
        return Ok(Base::Good);
    };
    // A crash in the first checkpoint, or a lost record, leaves pages of which
    // nobody knows how far they go.
    if applied > Position(0) || !store.is_empty()? {
        warn!(%applied, %oldest, "the tables do not reach the journal; they are set aside");
        return Ok(Base::SetAside);
    }
    let (position, rows) = (found.position, found.rows);
    import(store, snapshots, &found).map_err(RecoverError::Import)?;
    metrics::tables_rebuilt("snapshot");
    info!(from = "snapshot", %position, rows, "empty tables are filled again");
    Ok(Base::Good)
}

/// Fills empty tables with all rows of a snapshot, durably.
pub(crate) fn import<D: Disk>(
    store: &Store,
    snapshots: &Snapshots<D>,
    from: &SnapshotInfo,
) -> Result<(), ImportError<SnapshotError>> {
    let rows = snapshots.rows(from.position).map_err(ImportError::Rows)?;
    store.import(rows, (from.position, from.now), from.digest)
}

/// Whether empty tables may be filled once more after this.
pub(super) fn is_damage(error: &ImportError<SnapshotError>) -> bool {
    match error {
        ImportError::Rows(error) => error.is_damage(),
        ImportError::Unordered { .. } => true,
        ImportError::Store(error) => StoreError::is_damage(error),
    }
}

/// The newest snapshot behind which the journal goes on, read through to its
/// last byte, and those that were passed over, newest first.
fn newest_good<D: Disk>(
    snapshots: &Snapshots<D>,
    oldest: Position,
) -> (Option<SnapshotInfo>, Vec<PassedOver>) {
    let mut passed_over = Vec::new();
    let doubtful = snapshots.doubtful();
    let mut positions: Vec<Position> = snapshots.list().iter().map(|s| s.position).collect();
    positions.extend(&doubtful);
    positions.sort_unstable();
    for position in positions.into_iter().rev() {
        if position.next() < oldest {
            passed_over.push(PassedOver::TooOld { position });
            continue;
        }
        match snapshots.verify(position) {
            Ok(info) if !doubtful.contains(&position) => return (Some(info), passed_over),
            // Readable after all: another start may use it.
            Ok(_) => {}
            Err(error) => passed_over.push(PassedOver::Damaged(error)),
        }
    }
    (None, passed_over)
}
