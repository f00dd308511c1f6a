//! The engine and the model agree, seed by seed.

use piecework_sim::bare::{self, Coverage};

const SEEDS: u64 = 200;

#[test]
fn engine_and_model_agree_over_many_seeds() {
    let mut all = Coverage::default();
    for seed in 0..SEEDS {
        match bare::run(seed) {
            Ok(coverage) => all.add(&coverage),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{all:#?}");
}
