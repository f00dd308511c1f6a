//! Bytes from anywhere, given to everything here that reads bytes from disk.
//!
//! One function per format; each takes any bytes and must neither panic nor take
//! memory out of proportion. A fuzzer calls them for hours, a test for seconds.
//!
//! Not here: requests (`piecework_server::testing`), the fuzzer (`crates/fuzz`).

mod journal_frame;
mod mutation;
mod snapshot_file;
mod table_value;

pub use journal_frame::journal_frame;
pub use mutation::mutated;
pub use snapshot_file::snapshot_file;
pub use table_value::table_value;
