//! Whole files: put in place durably, read back, copied.
//!
//! A file is written under a name that means nothing, synced, and renamed: under
//! its own name it is whole or not there. Names are durable after a sync of the
//! directory, which the caller does once for many.

use std::io;

use crate::journal::{Disk, DiskFile};

use super::error::SnapshotError;

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
    write().map_err(|source| failed(disk, "write", name, source))
}

/// All of a file; `None`: there is none.
pub(super) fn read<D: Disk>(disk: &D, name: &str) -> Result<Option<Vec<u8>>, SnapshotError> {
    let read = || -> io::Result<Vec<u8>> {
        let file = disk.open(name)?;
        let length = usize::try_from(file.bytes()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let filled = file.read_at(&mut bytes, 0)?;
        bytes.truncate(filled);
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(disk, "read", name, source)),
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
