//! Reading all snapshots through, as an operator does who wants to be sure.
//!
//! A start reads no more of them than it needs.

use std::error::Error;
use std::path::Path;

use anyhow::Result;
use piecework_storage::{JournalId, RealDisk, SnapshotError, Snapshots};

use super::small::snapshot_settings;

/// Whether a reading of all snapshots below `path` finds damage in `file`.
pub(super) fn names(path: &Path, journal: JournalId, file: &str) -> Result<bool> {
    let disk = RealDisk::backup(&path.join("snapshots"));
    let snapshots = Snapshots::open_read_only(disk, snapshot_settings(journal))?;
    let unread = snapshots.list().into_iter();
    let found: Vec<SnapshotError> =
        unread.filter_map(|one| snapshots.verify(one.position).err()).collect();
    let name = path.join(file).display().to_string();
    Ok(found
        .iter()
        .chain(snapshots.damaged())
        .any(|error| error.is_damage() && tells(error, &name)))
}

fn tells(error: &SnapshotError, name: &str) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains(name) {
            return true;
        }
        cause = error.source();
    }
    false
}
