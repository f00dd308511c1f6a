//! A deterministic simulator that tries to break piecework's promises.
//!
//! The real engine, writer, codecs, journal frames and tables run on simulated
//! disks in virtual time; a seed chooses what clients do and what goes wrong. A
//! naive model then says what should have happened.
//!
//! Not here: real processes and real disks (`tests/` at the top).

mod laws;
mod random;

pub mod bare;
pub mod corruption;
pub mod model;
pub mod powercut;
pub mod run;
pub mod workload;
pub mod world;

pub use random::Random;
