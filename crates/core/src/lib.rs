//! The words and the decisions of piecework.
//!
//! Pure: no clock, no randomness, no I/O, no async, no logging, no hash order.
//! First the nouns, then the language (command in, outcome or refusal back,
//! changes down), then the engine.
//!
//! Not here: bytes on disk (`piecework-storage`), sockets (`piecework-server`).

pub mod limits;

mod id;
mod money;
mod time;

pub mod event;
pub mod lease;
pub mod project;
pub mod relaxation;
pub mod requester;
pub mod schema;
pub mod submission;
pub mod task;
pub mod wishes;
pub mod worker;

pub mod quality;

mod engine;
mod matching;
mod pace;

pub mod planted;

pub mod change;
pub mod command;
pub mod image;
pub mod outcome;
mod refusal;

pub use change::{Change, Changed};
pub use command::{Command, Request};
pub use engine::{Broken, Due, Engine, Gauges, Restore, Step, Totals};
pub use id::{
    ClientId, Fingerprint, LeaseId, PartitionId, Position, ProjectId, RequesterId, Revision,
    Sequence, TaskId, TaskNumber, TenantId, WorkerId,
};
pub use limits::Limits;
pub use money::{Currency, Money};
pub use outcome::Outcome;
pub use refusal::{Kind, Refusal};
pub use time::{EngineTime, Millis, Now, WallTime};
