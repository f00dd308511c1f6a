//! The writer: the only one that changes state. Read `turn.rs` first.

mod clock;
mod cold;
mod inbox;
mod meter;
mod parked;
mod place;
mod rebuild;
mod recover;
mod release;
mod running;
mod snapshots;
mod snapshotter;
#[cfg(feature = "testing")]
pub mod stepped;
mod thread;
mod turn;

pub(crate) use inbox::{Answer, Inbox, Unanswered};
pub use rebuild::PassedOver;
pub use recover::RecoverError;
pub use turn::CommitError;

pub(crate) use clock::wall;
pub(crate) use rebuild::{Causes, import};
pub(crate) use recover::{engine_of, replay};
pub(crate) use release::fire;
pub(crate) use running::{Ending, Running, start};
pub(crate) use snapshotter::{NoSnapshot, SnapshotDesk};
