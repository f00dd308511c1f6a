//! The power fails at any operation of a recorded run of the journal.

use std::sync::{Mutex, MutexGuard, PoisonError};

use piecework_core::planted::Mistake;
use piecework_sim::powercut::{self, Report};

/// A mistake is planted for the whole process: one run at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(states: usize, control: Option<Mistake>) -> Report {
    let _alone: MutexGuard<'_, ()> = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    powercut::run(states, 1, control).expect("the run was recorded")
}

#[test]
fn p01_a_power_cut_loses_nothing_that_was_acknowledged() {
    let report = run(100, None);
    assert_eq!(report.failed, 0, "{report}");
    assert!(report.states >= 100 && report.second_lives > 0, "{report}");
    assert!(report.writing > 0 && report.rolling > 0 && report.recovering > 0, "{report}");
    assert!(report.writes_torn > 0 && report.writes_lost > 0 && report.names_lost > 0, "{report}");
}

#[test]
fn p01_a_journal_that_does_not_sync_is_found_out() {
    let report = run(40, Some(Mistake::SkipSync));
    assert!(report.failed > 0, "{report}");
}

#[test]
fn p01_a_journal_that_takes_its_last_write_for_all_is_found_out() {
    let report = run(100, Some(Mistake::TrustLastWrite));
    assert!(report.failed > 0, "{report}");
}

#[test]
fn p01_a_recovery_that_trusts_the_page_cache_is_found_out() {
    let report = run(100, Some(Mistake::TrustPageCache));
    assert!(report.failed > 0, "{report}");
}
