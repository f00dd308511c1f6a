//! From a snapshot to a new data directory.
//!
//! The new directory gets a journal id of its own: what happens there from now
//! on is another past than that of the directory the snapshot is of, and no frame
//! of one may pass for one of the other. Pages are copied as they are, the
//! manifest anew with the new id, and the journal begins behind the snapshot;
//! so the next start finds empty tables and makes them from the snapshot.
//!
//! The directory counts as one only when all that is done: after a crash on the
//! way it is refused, and the operator begins again with another.

use std::io;
use std::path::Path;

use piecework_core::Position;

use crate::directory::DataDirectory;
use crate::journal::{Disk, FileJournal, JournalId, RealDisk};

use super::error::SnapshotError;
use super::files;
use super::manifest::{Manifest, file_of};
use super::page::Look;
use super::snapshots::{SnapshotInfo, SnapshotSettings, Snapshots};

/// The root of a fresh volume may have it; it is nobody's data.
const LOST_AND_FOUND: &str = "lost+found";

/// What a restore has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The new data directory's journal.
    pub journal: JournalId,
    /// The journal that the snapshot was of.
    pub origin: JournalId,
    /// The snapshot, as the new directory has it. The next command there has
    /// the position behind it.
    pub snapshot: SnapshotInfo,
}

/// Makes a data directory at `new` from the snapshot whose manifest is at
/// `manifest`, with its pages beside it. Every byte is checked before it is
/// copied, and after. The source is only read.
///
/// # Errors
/// `NotEmpty`: there is something at `new`, and it was not touched. Otherwise
/// what is damaged, or what the operating system refused; `new` is no data
/// directory then, and may be removed.
pub fn restore(manifest: &Path, new: &Path) -> Result<Restored, SnapshotError> {
    check_vacant(new)?;
    let name = manifest.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parent = manifest.parent().filter(|parent| !parent.as_os_str().is_empty());
    let source = RealDisk::backup(parent.unwrap_or(Path::new(".")));
    let manifest = files::read_manifest(&source, &name)?.ok_or_else(|| {
        let (path, source) = (source.path(&name), io::ErrorKind::NotFound.into());
        SnapshotError::Io { doing: "read", path, source }
    })?;

    let (origin, position) = (manifest.journal, manifest.position);
    let mut snapshot = None;
    let directory = DataDirectory::make(new, |directory| -> Result<(), SnapshotError> {
        let journal = directory.journal_id();
        let disk = directory.snapshots_disk();
        copy(&source, &disk, &Manifest { journal, ..manifest })?;
        let copied = Snapshots::open_read_only(disk, SnapshotSettings::new(journal))?;
        snapshot = Some(copied.verify(position)?);
        found_journal(directory, position.next())
    })?;
    let snapshot = snapshot.expect("the directory was filled");
    Ok(Restored { journal: directory.journal_id(), origin, snapshot })
}

/// An empty journal whose first group is to start at `next`.
fn found_journal(directory: &DataDirectory, next: Position) -> Result<(), SnapshotError> {
    let id = directory.journal_id();
    Ok(FileJournal::found(&directory.journal_disk(), id, next)?)
}

/// The pages, checked, and then the manifest.
fn copy<D: Disk>(source: &RealDisk, to: &D, manifest: &Manifest) -> Result<(), SnapshotError> {
    for page in &manifest.pages {
        let name = page.hash.file();
        let bytes = files::read_page(source, manifest.position, page)?;
        let file = source.path(&name);
        page.read_as(&bytes, Look::All).map_err(|source| SnapshotError::Page { file, source })?;
        files::put(to, &name, &bytes)?;
    }
    files::sync_names(to)?;
    files::put(to, &file_of(manifest.position), &manifest.encode())?;
    files::sync_names(to)
}

fn check_vacant(new: &Path) -> Result<(), SnapshotError> {
    let failed = |source| SnapshotError::Io { doing: "list", path: new.to_owned(), source };
    let entries = match std::fs::read_dir(new) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        if entry.map_err(failed)?.file_name() != LOST_AND_FOUND {
            return Err(SnapshotError::NotEmpty { path: new.to_owned() });
        }
    }
    Ok(())
}
