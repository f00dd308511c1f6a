//! A deterministic simulator that tries to break piecework's promises.
//!
//! The real engine, writer, codecs, journal frames and tables run on simulated
//! disks in virtual time; a seed chooses what clients do and what goes wrong. A
//! naive model then says what should have happened.
//!
//! Not here: real processes and real disks (`tests/` at the top).

mod random;

pub mod bare;
pub mod model;
pub mod workload;

pub use random::Random;
