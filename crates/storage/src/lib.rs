//! Where piecework's changes become durable.
//!
//! The journal is the commit point and the truth; the tables are a checkpoint
//! that can be rebuilt from it. One process at a time owns a data directory.
//!
//! Not here: what a group means; the writer in `piecework-server` decides that.

// Rows for tests are made by a file that the tests outside share.
#[cfg(test)]
extern crate self as piecework_storage;

mod background;
mod digest;
mod directory;
mod group;
mod group_body;
mod journal;
mod snapshot;
mod space;
mod tables;

#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;

pub use background::give_way;
pub use digest::RowsDigest;
pub use directory::{DataDirectory, DirectoryError, FORMAT_NUMBER};
pub use group::{CommandHeader, CommandRows, GroupError, decode_group, encode_command};
pub use group_body::GroupBody;
pub use journal::{
    Bounds, Cut, Damage, Disk, DiskFile, Durable, Epoch, FileJournal, FrameFault, FrameHash, Group,
    GroupReader, Inspection, Journal, JournalError, JournalId, JournalReader, JournalSettings,
    MemoryJournal, MemoryStore, OnDurable, RealDisk, RealFile, Ticket, Written, inspect,
};
#[cfg(any(test, feature = "testing"))]
pub use journal::{
    LyingDisk, LyingFile, Note, Operation, PowerCut, Recorded, Recording, RecordingDisk,
    RecordingFile, Replay, SteppedJournal, conformance,
};
pub use snapshot::{
    ManifestFault, PageFault, ReadJournal, Restored, SnapshotError, SnapshotInfo, SnapshotProgress,
    SnapshotRows, SnapshotSettings, Snapshots, Snapshotter, fold_digest, restore,
};
#[cfg(any(test, feature = "testing"))]
pub use snapshot::{read_any_manifest, read_any_page};
pub use space::free_bytes;
pub use tables::{
    Applied, Batch, Checked, Checkpointer, Direction, EVENTS_LOOKED_AT_MAX, EXIT_START_AGAIN,
    Events, FreeBytes, GivenAnswer, ImportError, Key, KeyError, KeyValue, KeyValueError,
    MemoryKeyValue, Misread, OnPublished, PageLog, Progress, Room, Row, RowError, RowId, Scrubbed,
    SledKeyValue, Store, StoreError, StoreSettings, Tag, TaskTitle, View, Visit,
};
