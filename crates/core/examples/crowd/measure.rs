//! What refining costs on a large project, and one online update on a large crowd.
//!
//! Not here: what comes out.

use std::time::Instant;

use piecework_core::quality::{Crowd, Refinement, Refiner, Votes};
use piecework_core::{TaskNumber, WorkerId};

const WORKERS: u32 = 10_000;
const VOTES_PER_TASK: u32 = 3;
const UPDATES: u32 = 100_000;
/// Numbers a slice of a refinement works on.
const SLICE: usize = 100_000;

/// Measures a project of so many tasks, with few and with more classes.
pub(crate) fn measure(tasks: u32) {
    println!(
        "| {tasks} tasks × {VOTES_PER_TASK}, {WORKERS} workers | table s | refinement s | longest slice ms | opinions s | peak MiB |"
    );
    for classes in [2, 10] {
        let mut votes = Votes::new(classes);
        for task in 1..=tasks {
            for turn in 0..VOTES_PER_TASK {
                votes.put(TaskNumber(task), worker(task, turn), class(task, turn, classes));
            }
        }
        let start = Instant::now();
        let table = votes.table();
        let laid_out = start.elapsed();
        let start = Instant::now();
        let mut refinement = Refinement::start(table, Refiner::Smoothed);
        let mut longest = 0.0f64;
        loop {
            let slice = Instant::now();
            let settled = refinement.work(SLICE);
            longest = longest.max(slice.elapsed().as_secs_f64() * 1e3);
            if settled {
                break;
            }
        }
        let refined = start.elapsed();
        let start = Instant::now();
        let sum: f64 = refinement.opinions().map(|(_, opinion)| opinion.confidence()).sum();
        let told = start.elapsed();
        println!(
            "| {classes} classes | {:.1} | {:.1} | {longest:.0} | {:.1} | {} | (mean confidence {:.3})",
            laid_out.as_secs_f64(),
            refined.as_secs_f64(),
            told.as_secs_f64(),
            peak_mib(),
            sum / f64::from(tasks)
        );
        online(&refinement, classes);
    }
}

/// One answer: the task's posterior, and what is learned when it becomes final.
fn online(refinement: &Refinement, classes: u16) {
    let mut crowd = Crowd::new(classes);
    if let Some(evidence) = refinement.evidence() {
        crowd.adopt(&evidence);
    }
    let mut took: Vec<u128> = Vec::with_capacity(UPDATES as usize);
    for task in 1..=UPDATES {
        let votes: Vec<(WorkerId, u16)> =
            (0..5).map(|turn| (worker(task, turn), class(task, turn, classes))).collect();
        let start = Instant::now();
        let opinion = crowd.opinion(&votes);
        crowd.learn(&votes[4..], &opinion.posterior);
        took.push(start.elapsed().as_nanos());
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100] as f64 / 1e3;
    println!(
        "  online, fifth answer of a task, with learning: median {:.2} µs, p99 {:.2} µs",
        at(50),
        at(99)
    );
}

fn mixed(a: u32, b: u32) -> u32 {
    let mut z = u64::from(a) << 32 | u64::from(b);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    u32::try_from((z ^ (z >> 31)) >> 32).expect("32 bits")
}

fn worker(task: u32, turn: u32) -> WorkerId {
    WorkerId((mixed(task, 0) + turn * 1_237) % WORKERS)
}

fn class(task: u32, turn: u32, classes: u16) -> u16 {
    let truth = mixed(task, 1) % u32::from(classes);
    let right = mixed(task, turn + 2) % 100 < 60 + worker(task, turn).0 % 35;
    let given = if right { truth } else { mixed(task, turn + 100) % u32::from(classes) };
    u16::try_from(given).expect("a class")
}

/// The most memory this process ever held.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}
