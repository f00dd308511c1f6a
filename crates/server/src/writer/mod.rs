//! The writer: the only one that changes state. Read `turn.rs` first.

mod clock;
mod cold;
mod ended;
mod gates;
mod inbox;
mod meter;
mod parked;
mod place;
mod rebuild;
mod recover;
mod release;
mod running;
mod slot;
mod snapshots;
mod snapshotter;
#[cfg(feature = "testing")]
pub mod stepped;
mod thread;
mod turn;

#[cfg(test)]
pub(crate) use inbox::LaneLimits;
pub(crate) use inbox::{Answer, Inbox, Unanswered, Waiting};
pub use rebuild::PassedOver;
pub use recover::RecoverError;
pub use turn::CommitError;

pub(crate) use clock::wall;
pub(crate) use ended::{Ended, How};
pub(crate) use rebuild::{Causes, import};
pub(crate) use recover::{engine_of, replay};
pub(crate) use release::fire;
pub(crate) use running::{Ending, Running, start};
pub(crate) use slot::{Mail, MailSlot};
pub(crate) use snapshotter::{NoSnapshot, SnapshotDesk};
