//! Pages, rows and messages of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| piecework_storage::fuzzing::table_value(bytes));
