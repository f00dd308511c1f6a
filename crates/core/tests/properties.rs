//! Any history: random commands, retries, restarts and passing time.
//!
//! After every step the laws hold (`world/laws.rs`) and the engine's indexes agree
//! with the rows. Beyond that: a retry has the first outcome, an answer the verdict
//! of the late rule, a grant is the smallest key of a brute-force walk and obeys
//! every hard rule, an empty answer means that nothing fits, a second run of the same commands changes the same
//! rows, and an engine rebuilt from the rows answers as the first one does.
//!
//! `PROPTEST_CASES` sets the number of histories; seeds are fixed. A run in which
//! the interesting things did not happen often enough fails.

mod history;
mod world;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use history::{Seen, plans, play};

#[test]
fn every_history_keeps_the_promises() {
    let config = Config { failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let histories = config.cases;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let seen = RefCell::new(Seen::default());
    // While a history shrinks it breaks hundreds of times; the last one is told.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let told = TestRunner::new_with_rng(config, rng).run(&plans(), |plan| {
        let new = play(&plan);
        seen.borrow_mut().add(&new);
        Ok(())
    });
    std::panic::set_hook(hook);
    if let Err(broken) = told {
        panic!("{broken}");
    }
    // A run in which nothing happened proves nothing.
    let seen = seen.into_inner();
    for (what, times) in seen.list() {
        assert!(times >= u64::from(histories) / 10, "too few {what}: {seen:?}");
    }
}
