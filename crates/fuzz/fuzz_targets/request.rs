//! Any bytes as the request of any method, alone or behind a good request:
//! two messages in a row are one, whose later fields win.
#![no_main]

use std::sync::LazyLock;

use piecework_server::testing::{request, seeds};

static SEEDS: LazyLock<Vec<(usize, Vec<u8>)>> = LazyLock::new(seeds);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [method, seed, rest @ ..] = bytes else { return };
    match usize::from(*seed).checked_sub(1) {
        None => request(usize::from(*method), rest),
        Some(seed) => {
            let (method, good) = &SEEDS[(seed * 256 + usize::from(*method)) % SEEDS.len()];
            request(*method, &[good.as_slice(), rest].concat());
        }
    }
});
