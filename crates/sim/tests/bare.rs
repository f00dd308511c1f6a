//! The engine and the model agree, seed by seed, and the interesting things happen.

use std::collections::BTreeMap;

use piecework_sim::bare::{self, Coverage};

/// Seeds of one test: four of them run side by side.
const SEEDS: u64 = 50;

#[test]
fn engine_and_model_agree_over_seeds_from_0() {
    agree(0);
}

#[test]
fn engine_and_model_agree_over_seeds_from_50() {
    agree(50);
}

#[test]
fn engine_and_model_agree_over_seeds_from_100() {
    agree(100);
}

#[test]
fn engine_and_model_agree_over_seeds_from_150() {
    agree(150);
}

fn agree(first: u64) {
    let mut all = Coverage::default();
    for seed in first..first + SEEDS {
        match bare::run(seed) {
            Ok(coverage) => all.add(&coverage),
            Err(failure) => panic!("{failure}"),
        }
    }
    // Runs in which nothing happened prove nothing.
    at_least(&all, "commands", all.commands, 75_000);
    at_least(&all, "expiries", all.expiries, 700);
    at_least(&all, "reassignments", all.reassignments, 2_000);
    at_least(&all, "empty answers", all.empty, 2_500);
    at_least(&all, "restarts", all.restarts, 80);
    at_least(&all, "lost calls", all.lost, 800);
    at_least(&all, "cold tasks", all.fetched, 2_500);
    for (what, least) in [("CountedLate", 80), ("KeptPayable", 2), ("KeptUnpaid", 2)] {
        at_least(&all, what, times(&all.late, what), least);
    }
    for (what, least) in [
        ("LateWindowOver", 200),
        ("LeaseSuperseded", 1),
        ("TaskCancelled", 10),
        ("TaskDone", 6),
        ("TaskFailed", 1),
    ] {
        at_least(&all, what, times(&all.late, what), least);
    }
    for (what, least) in [("Done", 4_000), ("Failed", 100), ("Cancelled", 250)] {
        at_least(&all, what, times(&all.ends, what), least);
    }
    for what in REFUSALS {
        at_least(&all, what, times(&all.refusals, what), 1);
    }
}

/// Refusals that the clients here provoke.
const REFUSALS: [&str; 30] = [
    "AlreadyThere",
    "AnswerInvalid",
    "CapacityReached",
    "EtagMismatch",
    "LateWindowOver",
    "LeaseEnded",
    "LeaseNotFound",
    "LeaseSuperseded",
    "LeaseUsed",
    "NameTaken",
    "OverlapTooLow",
    "OwnRequester",
    "PayloadTooLarge",
    "ProjectCancelled",
    "ProjectClosed",
    "ProjectNotDrained",
    "ProjectNotFound",
    "ProjectPaused",
    "RequestIdReused",
    "SchemaChange",
    "ServerPicks",
    "SkillMissing",
    "SkillNotFound",
    "TaskCancelled",
    "TaskDone",
    "TaskFailed",
    "TaskNotFailed",
    "TaskNotFound",
    "TooManyCreateKeys",
    "WorkerSuspended",
];

fn times(counts: &BTreeMap<String, u64>, what: &str) -> u64 {
    counts.get(what).copied().unwrap_or_default()
}

fn at_least(all: &Coverage, what: &str, times: u64, least: u64) {
    assert!(times >= least, "only {times} {what}, at least {least} belong here: {all:#?}");
}

#[test]
fn a_seed_runs_twice_the_same() {
    for seed in [3, 17, 40] {
        let runs = [bare::run(seed), bare::run(seed)].map(|run| run.expect("it agrees"));
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}
