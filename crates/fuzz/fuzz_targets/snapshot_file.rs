//! Snapshots of which one file has any content.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| piecework_storage::fuzzing::snapshot_file(bytes));
