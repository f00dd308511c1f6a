//! Snapshots: all rows at an exact position, in files of their own.
//!
//! ```text
//! <position>.manifest   what a snapshot is made of; written last (manifest.rs)
//! <blake3>.rows         some rows that follow each other; shared between snapshots (page.rs)
//! ```
//!
//! The next snapshot is merged from the one before it and the journal's groups
//! behind that, never from the tables: those may have lost rows in silence, and
//! a snapshot is what they are compared with and rebuilt from. Read in the order
//! of the modules.

mod error;
mod files;
mod manifest;
mod page;

mod delta;
mod merge;

mod snapshots;
mod snapshotter;

mod fold;
mod verify;

mod restore;

#[cfg(any(test, feature = "testing"))]
mod any_bytes;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod history;
#[cfg(test)]
mod model_tests;
#[cfg(all(test, feature = "planted"))]
mod planted_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod sharing_tests;

#[cfg(any(test, feature = "testing"))]
pub use any_bytes::{read_any_manifest, read_any_page};
#[cfg(any(test, feature = "testing"))]
pub(crate) use any_bytes::{read_any_snapshot, small_files};
pub use error::{ManifestFault, PageFault, SnapshotError};
pub use fold::fold_digest;
pub use restore::{Restored, restore};
pub use snapshots::{SnapshotInfo, SnapshotSettings, Snapshots};
pub use snapshotter::{ReadJournal, SnapshotProgress, Snapshotter};
pub use verify::SnapshotRows;
