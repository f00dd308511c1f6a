//! The piecework daemon.
//!
//! `serve` is its life: recover, answer calls, drain, end. Calls come through
//! `services` and `wire`; the `writer` alone changes state. `offline` is for a
//! data directory on which no daemon runs.
//!
//! Not here: reading the configuration and signals (the `piecework` binary),
//! decisions (`piecework-core`), bytes on disk (`piecework-storage`).

mod config;
mod serve;

pub mod offline;

mod drain;
mod ending;
mod http;
mod metrics;
mod open_calls;
mod refiner;
mod rpc;
mod services;
mod wire;
mod writer;

#[cfg(feature = "testing")]
pub mod testing;

pub use config::{Config, Log, LogFormat, Times};
pub use serve::{Ready, ServeError, serve};
#[cfg(feature = "testing")]
pub use writer::stepped;
pub use writer::{CommitError, PassedOver, RecoverError};
