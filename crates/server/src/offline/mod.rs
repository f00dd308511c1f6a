//! What is done with a data directory while no daemon runs on it.
//!
//! Snapshots can be listed and checked beside a running daemon too, since their
//! files never change. Nothing here changes an existing directory.
//!
//! Not here: making snapshots (`writer/snapshots.rs`), how results are printed
//! (the `piecework` binary).

mod error;
mod finding;

mod snapshots;
mod tables;

mod restore;
mod verify;

pub use error::OfflineError;
pub use finding::{Finding, Found, State, Verified};
pub use restore::{RestoredDirectory, restore};
pub use snapshots::{SnapshotList, list_snapshots, verify_snapshots};
pub use verify::verify;

/// Hears what is being done now, in a few words.
pub type Progress<'a> = &'a dyn Fn(&str);
