//! The engine and the model agree, seed by seed, and the interesting things happen.

use std::collections::BTreeMap;

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
    // Runs in which nothing happened prove nothing.
    at_least(&all, "commands", all.commands, 300_000);
    at_least(&all, "expiries", all.expiries, 4_000);
    at_least(&all, "reassignments", all.reassignments, 8_000);
    at_least(&all, "empty answers", all.empty, 10_000);
    at_least(&all, "restarts", all.restarts, 400);
    at_least(&all, "lost calls", all.lost, 4_000);
    at_least(&all, "cold tasks", all.fetched, 10_000);
    for (what, least) in [("CountedLate", 400), ("KeptPayable", 30), ("KeptUnpaid", 30)] {
        at_least(&all, what, times(&all.late, what), least);
    }
    for (what, least) in [
        ("LateWindowOver", 800),
        ("LeaseSuperseded", 20),
        ("TaskCancelled", 50),
        ("TaskDone", 30),
        ("TaskFailed", 15),
    ] {
        at_least(&all, what, times(&all.late, what), least);
    }
    for (what, least) in [("Done", 10_000), ("Failed", 500), ("Cancelled", 1_000)] {
        at_least(&all, what, times(&all.ends, what), least);
    }
    for what in REFUSALS {
        at_least(&all, what, times(&all.refusals, what), 5);
    }
}

/// Refusals that the clients here provoke.
const REFUSALS: [&str; 35] = [
    "AlreadyThere",
    "AnswerInvalid",
    "CapacityReached",
    "EtagMismatch",
    "KindMismatch",
    "LateWindowOver",
    "LeaseEnded",
    "LeaseNotFound",
    "LeaseSuperseded",
    "LeaseUsed",
    "NameTaken",
    "NewcomerRefused",
    "OverlapTooLow",
    "OwnRequester",
    "PayloadTooLarge",
    "ProjectCancelled",
    "ProjectClosed",
    "ProjectNotDrained",
    "ProjectNotFound",
    "ProjectPaused",
    "QuotaReached",
    "RegionMismatch",
    "RequestIdReused",
    "RequesterNotFound",
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
