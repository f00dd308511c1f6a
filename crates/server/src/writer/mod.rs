//! The writer: the only one that changes state. Read `turn.rs` first.

mod clock;
mod cold;
mod inbox;
mod meter;
mod parked;
mod recover;
mod release;
#[cfg(feature = "testing")]
pub mod stepped;
mod thread;
mod turn;

pub(crate) use inbox::{Answer, Inbox, Unanswered};
pub use recover::RecoverError;
pub use turn::CommitError;

pub(crate) use clock::wall;
pub(crate) use recover::{Ending, Running, start};
pub(crate) use release::fire;
