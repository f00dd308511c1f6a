//! From a snapshot to a data directory that a daemon can start on.

use std::path::Path;

use piecework_core::Limits;
use piecework_storage::{
    DataDirectory, SnapshotInfo, SnapshotSettings, Snapshots, Store, StoreSettings,
};

use super::{OfflineError, Progress};
use crate::writer::{engine_of, import};

/// A data directory that was made from a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredDirectory {
    /// The snapshot's position; the next command has the one behind it.
    pub position: u64,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of its files.
    pub stored_bytes: u64,
    /// What the rows of the new tables add up to: the same as the snapshot's.
    pub digest: String,
}

/// Makes a data directory at `new` from the snapshot whose manifest is at
/// `manifest`, fills its tables, and checks that they have the snapshot's digest
/// and that the engine can be made of them.
///
/// # Errors
/// There is something at `new`: it was not touched. Otherwise what is damaged;
/// `new` may be removed then.
pub fn restore(
    manifest: &Path,
    new: &Path,
    progress: Progress<'_>,
) -> Result<RestoredDirectory, OfflineError> {
    progress("copying and checking the snapshot");
    let restored = piecework_storage::restore(manifest, new)?;
    let SnapshotInfo { position, now, rows, stored_bytes, digest: expected, .. } =
        restored.snapshot;
    progress("filling the tables");
    let directory = DataDirectory::open(new)?;
    let settings = SnapshotSettings::new(restored.journal);
    let snapshots = Snapshots::open_read_only(directory.snapshots_disk(), settings)?;
    let store = Store::open(&directory.tables_path(), &StoreSettings::default())?;
    import(&store, &snapshots, &restored.snapshot)?;
    progress("comparing");
    let found = store.digest()?;
    if found != expected {
        return Err(OfflineError::Differs { position, found, expected });
    }
    engine_of(&store, Limits::default(), now)?.check(now)?;
    store.opened()?;
    Ok(RestoredDirectory { position: position.0, rows, stored_bytes, digest: found.to_string() })
}
