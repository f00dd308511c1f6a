//! A copy of the tables, opened and read through.
//!
//! The store of keys and values writes when it is opened, so the tables
//! themselves are never opened here. Damaged ones may hang at opening: that
//! happens on a thread that nobody waits for longer than the patience lasts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use piecework_storage::{
    Checked, KeyValueError, PageLog, Store, StoreError, StoreSettings, free_bytes,
};

use super::{OfflineError, Progress};

/// How long opening and reading may take, and besides for so many bytes a second.
const PATIENCE: Duration = Duration::from_secs(60);
const BYTES_A_SECOND: u64 = 4 * 1024 * 1024;

/// What became of the copy.
pub(super) enum Copied {
    /// Every page was read.
    Good(Store, Checked),
    /// There are none.
    Absent,
    /// They were condemned, or a start broke off: the next start sets them aside.
    Condemned,
    /// They are not what was written.
    Damaged(StoreError),
    /// Nothing moved for too long.
    Hanging,
}

/// Copies the tables in `tables` to `scratch`, opens the copy and reads it through.
///
/// # Errors
/// There is no room for a copy, or it cannot be made.
pub(super) fn copied(
    tables: &Path,
    scratch: &Path,
    progress: Progress<'_>,
) -> Result<Copied, OfflineError> {
    let pages = tables.join("pages");
    if !pages.is_dir() {
        return Ok(Copied::Absent);
    }
    if tables.join("OPENING").exists() {
        return Ok(Copied::Condemned);
    }
    let needed = bytes_of(&pages)?;
    let free =
        free_bytes(scratch).map_err(|source| failed("look at the space of", scratch, source))?;
    if free < needed {
        return Err(OfflineError::Space { needed, free, path: scratch.to_owned() });
    }
    progress(&format!("tables, a copy of {needed} bytes in {}", scratch.display()));
    let copy = scratch.join("tables");
    copy_all(&pages, &copy)?;
    let patience = PATIENCE + Duration::from_secs(needed / BYTES_A_SECOND);
    let (tell, told) = channel();
    let opening = move || {
        let opened = store_in(&copy).and_then(|store| Ok((store.check_pages()?, store)));
        // Whoever waited may have lost patience.
        let _ = tell.send(opened);
    };
    let spawned = thread::Builder::new().name("tables-copy".to_owned()).spawn(opening);
    let thread = spawned.map_err(|source| failed("read", scratch, source))?;
    match told.recv_timeout(patience) {
        Ok(Ok((checked, store))) => Ok(Copied::Good(store, checked)),
        Ok(Err(error)) if error.is_damage() => Ok(Copied::Damaged(error)),
        Ok(Err(StoreError::KeyValue(error @ KeyValueError::Io { .. }))) => {
            // The copy is whole; what sled cannot make sense of is in the tables.
            Ok(Copied::Damaged(StoreError::KeyValue(error)))
        }
        Ok(Err(error)) => Err(error.into()),
        Err(RecvTimeoutError::Timeout) => Ok(Copied::Hanging),
        Err(RecvTimeoutError::Disconnected) => {
            // It panicked, and has said so on stderr.
            drop(thread.join());
            Ok(Copied::Hanging)
        }
    }
}

/// Empty tables in `scratch`.
///
/// # Errors
/// They cannot be made.
pub(super) fn empty(scratch: &Path) -> Result<Store, OfflineError> {
    Ok(store_in(&scratch.join("anew"))?)
}

fn store_in(directory: &Path) -> Result<Store, StoreError> {
    let settings = StoreSettings::default();
    let kv = PageLog::in_directory(directory, settings.cache_bytes)?;
    Store::with_key_value(Arc::new(kv), &settings)
}

fn bytes_of(directory: &Path) -> Result<u64, OfflineError> {
    let mut bytes = 0;
    for path in entries(directory)? {
        let meta = fs::metadata(&path).map_err(|e| failed("look at", &path, e))?;
        bytes += if meta.is_dir() { bytes_of(&path)? } else { meta.len() };
    }
    Ok(bytes)
}

fn copy_all(from: &Path, to: &Path) -> Result<(), OfflineError> {
    fs::create_dir_all(to).map_err(|e| failed("create", to, e))?;
    for path in entries(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_all(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(|e| failed("copy", &path, e))?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, OfflineError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    };
    list().map_err(|source| failed("list", directory, source))
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> OfflineError {
    OfflineError::Io { doing, path: path.to_owned(), source }
}
