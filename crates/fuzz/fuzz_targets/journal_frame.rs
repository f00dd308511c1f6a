//! A journal's segment with any content.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| piecework_storage::fuzzing::journal_frame(bytes));
