//! Where the state of a writer lies: a data directory, or what a simulator has instead.
//!
//! Not here: what recovery does with it (`recover.rs`).

use std::time::Duration;

use piecework_core::Position;
use piecework_storage::{
    DataDirectory, Disk, FileJournal, Journal, JournalError, JournalSettings, OnDurable, RealDisk,
    SnapshotError, SnapshotSettings, Snapshots, Store, StoreError, StoreSettings,
};

use crate::config::Config;

/// Where the state of a writer lies, and how its parts are opened.
#[cfg_attr(
    not(feature = "testing"),
    expect(unreachable_pub, reason = "only a simulator has places of its own")
)]
pub trait Place {
    /// The journal.
    type Journal: Journal;
    /// Where the snapshots lie.
    type Disk: Disk;

    /// Opens the tables, or sets doubtful ones aside and starts with empty ones:
    /// also whenever this is called a second time in one start, and after the
    /// tables were condemned.
    ///
    /// # Errors
    /// They cannot be read.
    fn tables(&self) -> Result<Store, StoreError>;

    /// Opens the snapshots.
    ///
    /// # Errors
    /// Their directory cannot be used.
    fn snapshots(&self) -> Result<Snapshots<Self::Disk>, SnapshotError>;

    /// Opens the journal. `trusted`: a position known to have been durable.
    ///
    /// # Errors
    /// As the journal says.
    fn journal(
        &self,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<Self::Journal, JournalError>;
}

/// A data directory of this machine.
pub(crate) struct DirectoryPlace<'a> {
    pub(crate) config: &'a Config,
    pub(crate) directory: DataDirectory,
}

impl Place for DirectoryPlace<'_> {
    type Journal = FileJournal;
    type Disk = RealDisk;

    fn tables(&self) -> Result<Store, StoreError> {
        let settings = StoreSettings {
            overlay_bytes: usize::try_from(self.config.overlay_bytes).unwrap_or(usize::MAX),
            cache_bytes: self.config.cache_bytes,
            open_patience: Duration::from_millis(self.config.open_tables_within_ms),
            reserve_bytes: self.config.reserve_bytes,
            ..StoreSettings::default()
        };
        Store::open(&self.directory.tables_path(), &settings)
    }

    fn snapshots(&self) -> Result<Snapshots<RealDisk>, SnapshotError> {
        let settings = SnapshotSettings {
            kept: self.config.snapshots_kept,
            ..SnapshotSettings::new(self.directory.journal_id())
        };
        Snapshots::open(self.directory.snapshots_disk(), settings)
    }

    fn journal(
        &self,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<FileJournal, JournalError> {
        let settings = JournalSettings {
            segment_bytes: self.config.segment_bytes,
            ..JournalSettings::new(self.directory.journal_id())
        };
        FileJournal::open(self.directory.journal_disk(), settings, trusted, on_durable)
    }
}
