//! Whole files: put in place durably, read back, copied.
//!
//! A file is written under a name that means nothing, synced, and renamed: under
//! its own name it is whole or not there. Names are durable after a sync of the
//! directory, which the caller does once for many.

use std::io;

use piecework_core::Position;

use crate::journal::{Disk, DiskFile};

use super::error::{ManifestFault, PageFault, SnapshotError};
use super::manifest::{Manifest, position_of};
use super::page::PageEntry;

/// A manifest of a ten million pages would be longer.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// What is behind a name that means nothing yet.
const NEW: &str = ".new";

/// Whether a file is one that a crash has left half-made.
pub(super) fn is_half_made(file: &str) -> bool {
    file.ends_with(NEW)
}

/// Puts a file in place. A crash may still take its name away.
pub(super) fn put<D: Disk>(disk: &D, name: &str, bytes: &[u8]) -> Result<(), SnapshotError> {
    let new = format!("{name}{NEW}");
    let write = || -> io::Result<()> {
        let file = disk.create(&new)?;
        file.write_at(bytes, 0)?;
        file.sync_data()?;
        disk.rename(&new, name)
    };
    write().map_err(|source| {
        // Only for the space: a name of this kind means nothing.
        let _ = disk.remove(&new);
        failed(disk, "write", name, source)
    })
}

/// What is found under a name.
pub(super) enum Found {
    Nothing,
    /// More bytes than were asked for; none was read.
    TooLong(u64),
    Bytes(Vec<u8>),
}

/// All of a file of at most so many bytes: damage may have made it any length.
pub(super) fn read<D: Disk>(disk: &D, name: &str, bytes_max: u64) -> Result<Found, SnapshotError> {
    let read = || -> io::Result<Found> {
        let file = disk.open(name)?;
        let length = file.bytes()?;
        if length > bytes_max {
            return Ok(Found::TooLong(length));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let filled = file.read_at(&mut bytes, 0)?;
        bytes.truncate(filled);
        Ok(Found::Bytes(bytes))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        read => read.map_err(|source| failed(disk, "read", name, source)),
    }
}

/// A manifest in a file of whatever name; `None`: there is no such file.
pub(super) fn read_manifest<D: Disk>(
    disk: &D,
    name: &str,
) -> Result<Option<Manifest>, SnapshotError> {
    let manifest = match read(disk, name, MANIFEST_BYTES_MAX)? {
        Found::Nothing => return Ok(None),
        Found::TooLong(bytes) => Err(ManifestFault::Long { bytes }),
        Found::Bytes(bytes) => Manifest::decode(&bytes),
    };
    // A name that tells a position is held to it.
    let manifest = manifest.and_then(|manifest| match position_of(name) {
        Some(expected) if expected != manifest.position => {
            Err(ManifestFault::Misplaced { found: manifest.position, expected })
        }
        _ => Ok(manifest),
    });
    let file = disk.path(name);
    manifest.map(Some).map_err(|source| SnapshotError::Manifest { file, source })
}

/// The file of a page of the snapshot at `position`, of the right length.
pub(super) fn read_page<D: Disk>(
    disk: &D,
    position: Position,
    page: &PageEntry,
) -> Result<Vec<u8>, SnapshotError> {
    let name = page.hash.file();
    let (file, expected) = (disk.path(&name), page.stored_bytes);
    match read(disk, &name, expected)? {
        Found::Nothing => Err(SnapshotError::Missing { file, position }),
        Found::TooLong(found) => {
            let source = PageFault::Length { found, expected };
            Err(SnapshotError::Page { file, source })
        }
        Found::Bytes(bytes) => Ok(bytes),
    }
}

/// Makes the names of files durable.
pub(super) fn sync_names<D: Disk>(disk: &D) -> Result<(), SnapshotError> {
    disk.sync_directory().map_err(|source| failed(disk, "sync", "", source))
}

/// Removes a file, if it is there.
pub(super) fn remove<D: Disk>(disk: &D, name: &str) -> Result<(), SnapshotError> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed(disk, "remove", name, error))
        }
        _ => Ok(()),
    }
}

/// The names of all files, in order.
pub(super) fn list<D: Disk>(disk: &D) -> Result<Vec<String>, SnapshotError> {
    let mut names = disk.list().map_err(|source| failed(disk, "list", "", source))?;
    names.sort();
    Ok(names)
}

fn failed<D: Disk>(disk: &D, doing: &'static str, name: &str, source: io::Error) -> SnapshotError {
    SnapshotError::Io { doing, path: disk.path(name), source }
}
