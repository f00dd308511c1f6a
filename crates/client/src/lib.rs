//! Rust client of the piecework daemon.
//!
//! The generated clients over one connection, and around them what every user
//! of the API would otherwise write again: errors with their reason, retries
//! of calls that are safe to retry, results that resume after a lost
//! connection, large imports, leases that do not run out under a busy handler,
//! and a runtime that needs nothing but that handler.
//!
//! Not here: anything for the terminal; that is the `piecework` command.

mod client;
mod connection;
mod durations;
mod error;
mod import;
mod keeper;
mod request_id;
mod retry;
mod runtime;
mod watch;

pub use client::{Client, ConnectError, MESSAGE_BYTES_MAX};
pub use durations::{from_proto, to_proto};
pub use error::{CallError, FieldProblem, Refused};
pub use import::{Import, ImportedChunk, TaskOutcome};
pub use keeper::{KeptLease, LeaseKeeper};
pub use piecework_proto as proto;
pub use request_id::request_id;
pub use retry::Retry;
pub use runtime::{End, Ended, Finished, Runtime, RuntimeBuilder, Stopped, Task, Work, WorkError};
pub use watch::{ResultWatcher, WatchError, Watched};
