//! The daemon as its users meet it: a real process, real files, real kills.
//!
//! Each test starts a daemon of its own on free ports and in a directory of its
//! own, and talks to it through the client crate or the command line. Tests
//! wait for what must happen (a long poll, a stream, a count), never for time.
//!
//! Not here: what one transition does (`crates/core/tests`), crashes that tear
//! writes (the simulation).

mod harness;

mod bad_input;
mod bench;
mod cli;
mod crash;
mod crowd;
mod damage;
mod full_disk;
mod lifecycle;
mod metrics;
mod replay_kill;
mod restart;
mod rolling;
mod runtime;
mod snapshots;
mod upgrade;
mod work;
