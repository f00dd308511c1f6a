//! The snapshots of a directory: listed, and read through to the last byte.
//!
//! A daemon may run meanwhile: its files of snapshots never change, they only
//! come and go. One that went while it was being read is no finding.

use std::path::Path;

use piecework_proto::v1;
use piecework_storage::{
    DataDirectory, Disk, RealDisk, SnapshotError, SnapshotInfo, SnapshotSettings, Snapshots,
};

use super::finding::Verified;
use super::{OfflineError, Progress};
use crate::wire::to_wire::snapshot::snapshot;
use crate::writer::Causes;

const TODO: &str = "the daemon does without it as long as another one is whole; \
                    make a new one with `piecework snapshot create`, or restore another backup";

/// The snapshots in a directory.
#[derive(Debug, Clone, Default)]
pub struct SnapshotList {
    /// The whole ones, oldest first.
    pub whole: Vec<v1::Snapshot>,
    /// What is wrong with others, as far as their names and manifests tell.
    pub damaged: Vec<String>,
}

/// Lists the snapshots of the directory at `data_dir`, whether a daemon runs or not.
///
/// # Errors
/// There is no data directory, or it cannot be read.
pub fn list_snapshots(data_dir: &Path) -> Result<SnapshotList, OfflineError> {
    let snapshots = beside(data_dir)?;
    let whole = snapshots.list().iter().map(snapshot).collect();
    let damaged = snapshots.damaged().iter().map(|error| Causes(error).to_string()).collect();
    Ok(SnapshotList { whole, damaged })
}

/// Reads snapshots of the directory at `data_dir` through, all or the one of this
/// name, whether a daemon runs or not.
///
/// # Errors
/// There is no data directory or no such snapshot, or it cannot be read. What is
/// damaged is a finding.
pub fn verify_snapshots(
    data_dir: &Path,
    name: Option<&str>,
    progress: Progress<'_>,
) -> Result<Verified, OfflineError> {
    let snapshots = beside(data_dir)?;
    let disk = DataDirectory::snapshots_beside(data_dir)?.1;
    let mut verified = Verified::default();
    check(&snapshots, &disk, name, progress, &mut verified)?;
    if let Some(name) = name.filter(|_| verified.findings.is_empty()) {
        return Err(OfflineError::NoSuchSnapshot { name: name.to_owned() });
    }
    Ok(verified)
}

/// Reads snapshots through and says how they are.
pub(super) fn check(
    snapshots: &Snapshots<RealDisk>,
    disk: &RealDisk,
    name: Option<&str>,
    progress: Progress<'_>,
    verified: &mut Verified,
) -> Result<(), OfflineError> {
    let listed = snapshots.list();
    for error in snapshots.damaged() {
        if name.is_none_or(|name| Causes(error).to_string().contains(stem(name))) {
            verified.damaged("snapshot", None, &disk.path(""), error, TODO);
        }
    }
    for info in listed.iter().filter(|info| name.is_none_or(|name| is_named(info, name))) {
        let position = info.position;
        progress(&format!("snapshot {position}, {} bytes", info.stored_bytes));
        let file = disk.path(&info.file);
        match snapshots.verify(position) {
            Ok(SnapshotInfo { rows, stored_bytes, digest, .. }) => {
                let detail = format!("{}, {rows} rows, {stored_bytes} bytes", file.display());
                verified.good("snapshot", position, Some(digest), detail);
            }
            Err(error) if error.is_damage() => {
                if file.exists() {
                    verified.damaged("snapshot", Some(position), &file, &error, TODO);
                }
            }
            Err(SnapshotError::Absent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn beside(data_dir: &Path) -> Result<Snapshots<RealDisk>, OfflineError> {
    let (journal, disk) = DataDirectory::snapshots_beside(data_dir)?;
    Ok(Snapshots::open_read_only(disk, SnapshotSettings::new(journal))?)
}

/// Of `snapshots/0…42`, `0…42.manifest` or `0…42` what tells it from others.
fn stem(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.strip_suffix(".manifest").unwrap_or(file)
}

fn is_named(info: &SnapshotInfo, name: &str) -> bool {
    stem(&info.file) == stem(name) || stem(name) == info.position.to_string()
}
