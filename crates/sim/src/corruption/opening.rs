//! Opening a directory as the daemon does, and what it then holds.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Error, Result};
use piecework_core::{Limits, Position, WallTime};
use piecework_server::RecoverError;
use piecework_server::stepped::{NotStarted, Place, Reading, SteppedWriter};
use piecework_storage::{
    DataDirectory, FileJournal, JournalError, JournalSettings, OnDurable, RealDisk, RowsDigest,
    SnapshotError, Snapshots, Store, StoreError, StoreSettings,
};

use super::small::{SEGMENT_BYTES, snapshot_settings, store_settings};

/// Opening takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of opening.
#[derive(Debug)]
pub(super) enum Opened {
    /// It holds these rows.
    Whole(Rows),
    /// The daemon would not start. `damage`: with exit status 3.
    Refused { why: String, damage: bool },
    /// Still not open after a minute.
    Hangs,
    /// Something panicked.
    Panics,
}

/// All rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) position: Position,
    pub(super) rows: u64,
    pub(super) digest: RowsDigest,
}

/// Opens the directory at `path`, in a thread that may be left behind.
pub(super) fn open_watched(path: &Path) -> Opened {
    let (tell, told) = channel();
    let path = path.to_owned();
    let opening = thread::spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = tell.send(open(&path));
    });
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(rows)) => Opened::Whole(rows),
        Ok(Err(error)) => {
            let damage = match error.downcast_ref::<NotStarted>() {
                Some(NotStarted::Recover(error)) => error.is_damage(),
                _ => false,
            };
            Opened::Refused { why: format!("{error:#}"), damage }
        }
        Err(RecvTimeoutError::Timeout) => Opened::Hangs,
        Err(RecvTimeoutError::Disconnected) => {
            let _ = opening.join();
            Opened::Panics
        }
    }
}

fn open(path: &Path) -> Result<Rows> {
    let directory = DataDirectory::open(path).map_err(RecoverError::Directory);
    let home = Home(directory.map_err(NotStarted::Recover)?);
    // Equal clocks, so that equal directories become equal rows.
    let reading = Reading { boot_ms: 1, wall: WallTime(1_800_000_000_000) };
    let writer = SteppedWriter::open(&home, &Limits::default(), reading, Box::new(|_| {}))?;
    writer.check().map_err(Error::msg)?;
    let store = writer.store().clone();
    writer.close()?;
    store.checkpoint_now()?;
    let rows = store.check_pages()?.rows;
    Ok(Rows { position: store.applied(), rows, digest: store.rows_digest() })
}

/// A data directory with the settings of `small.rs`.
struct Home(DataDirectory);

impl Place for Home {
    type Journal = FileJournal;
    type Disk = RealDisk;

    fn tables(&self) -> Result<Store, StoreError> {
        // Longer than we wait: a hang is to be seen, not to end this process.
        let settings = StoreSettings { open_patience: 10 * PATIENCE, ..store_settings() };
        Store::open(&self.0.tables_path(), &settings)
    }

    fn snapshots(&self) -> Result<Snapshots<RealDisk>, SnapshotError> {
        Snapshots::open(self.0.snapshots_disk(), snapshot_settings(self.0.journal_id()))
    }

    fn journal(
        &self,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<FileJournal, JournalError> {
        let settings = JournalSettings {
            segment_bytes: SEGMENT_BYTES,
            ..JournalSettings::new(self.0.journal_id())
        };
        FileJournal::open(self.0.journal_disk(), settings, trusted, on_durable)
    }
}
