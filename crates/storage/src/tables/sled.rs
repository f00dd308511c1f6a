//! Keys and values in sled, and the only file that names it.
//!
//! What was measured decides the settings (architecture, *Storage contract*):
//! `flush()` alone lost acknowledged batches in every power cut, so `flush` here
//! also syncs the file, through a descriptor of our own that is open from the
//! start: a write-back error reaches every descriptor open at that time, once.
//!
//! sled's own damage checks find most, not all; rows and pages carry checksums.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use ::sled::{Config, Db, Error, IVec, Mode};
use bytes::Bytes;

use super::key_value::{Batch, KeyValue, KeyValueError, Visit};

/// Where sled writes everything but its small snapshots.
const FILE: &str = "db";
/// Only the flusher collects garbage: without it file and memory grow under churn.
const FLUSH_EVERY_MS: u64 = 500;

/// One sled tree in a directory.
pub struct SledKeyValue {
    db: Db,
    file: File,
}

impl SledKeyValue {
    /// Opens or creates. Takes seconds on a large file and may hang on a damaged
    /// one: open under a watchdog.
    ///
    /// `cache_bytes`: what sled keeps of the file in memory, about.
    ///
    /// # Errors
    /// The directory cannot be used, or sled found it damaged.
    pub fn open(directory: &Path, cache_bytes: u64) -> Result<SledKeyValue, KeyValueError> {
        let path = directory.join(FILE);
        wait_until_let_go(&path)?;
        let config = Config::new()
            .path(directory)
            .mode(Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .use_compression(false);
        let db = config.open().map_err(|e| failed("open", e))?;
        let io = |doing| move |source| KeyValueError::Io { doing, source };
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(io("open"))?;
        // The file's name must survive a power cut as its content does.
        File::open(directory).and_then(|d| d.sync_all()).map_err(io("sync the directory of"))?;
        Ok(SledKeyValue { db, file })
    }
}

impl KeyValue for SledKeyValue {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KeyValueError> {
        let value = self.db.get(key).map_err(|e| failed("read", e))?;
        Ok(value.as_ref().map(copy))
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<(Bytes, Bytes)>, KeyValueError> {
        let pair = self.db.range::<&[u8], _>(..=key).next_back().transpose();
        let pair = pair.map_err(|e| failed("read", e))?;
        Ok(pair.map(|(key, value)| (copy(&key), copy(&value))))
    }

    fn scan(&self, from: &[u8], below: &[u8], visit: Visit<'_>) -> Result<(), KeyValueError> {
        if from >= below {
            return Ok(());
        }
        for pair in self.db.range(from..below) {
            let (key, value) = pair.map_err(|e| failed("read", e))?;
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply_batch(&self, batch: &Batch) -> Result<(), KeyValueError> {
        let mut writes = ::sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(key.as_slice(), value.as_slice()),
                None => writes.remove(key.as_slice()),
            }
        }
        self.db.apply_batch(writes).map_err(|e| failed("write", e))
    }

    fn flush(&self) -> Result<(), KeyValueError> {
        self.db.flush().map_err(|e| failed("flush", e))?;
        self.file.sync_data().map_err(|source| KeyValueError::Io { doing: "sync", source })
    }

    fn size_on_disk(&self) -> Result<u64, KeyValueError> {
        self.db.size_on_disk().map_err(|e| failed("measure", e))
    }
}

/// After a handle was dropped, sled's threads may hold its file's lock for a moment, and
/// sled itself does not wait for it. Nobody else holds it: the directory has a lock of its
/// own.
fn wait_until_let_go(file: &Path) -> Result<(), KeyValueError> {
    let io = |source| KeyValueError::Io { doing: "lock", source };
    match File::open(file) {
        Ok(file) => file.lock().map_err(io),
        Err(none) if none.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io(source)),
    }
}

fn copy(bytes: &IVec) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn failed(doing: &'static str, error: Error) -> KeyValueError {
    match error {
        Error::Io(source) => KeyValueError::Io { doing, source },
        other => KeyValueError::Damaged { doing, source: Box::new(other) },
    }
}
