//! What the methods of aggregation make of real crowd answers.
//!
//!     cargo run --release -p piecework-core --example crowd [-- EVERY LAG | measure TASKS]
//!
//! Reads the sets in `$PIECEWORK_CROWD_DATA`, or `../shared/data/crowd`, and says
//! "skipped" where there are none. EVERY and LAG: how often a refinement starts in the
//! replay of dynamic overlap, and how long it takes, in answers bought. `measure` invents
//! a project of so many tasks and says what refining it costs.
//!
//! Not here: the methods, and what must hold of every crowd (`tests/crowd.rs`).

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a measurement reads files and a clock, and prints"
)]

mod data;
mod dynamic;
mod measure;

use std::path::PathBuf;

use piecework_core::WorkerId;
use piecework_core::quality::{Crowd, Opinion, Overlap, Refinement, Refiner, majority, weighted};

use data::Set;
use dynamic::{Pace, replay, shuffled};

/// Random orders that are replayed.
const SEEDS: u64 = 5;
/// Accuracy that dynamic overlap is to reach, and the share of labels it may use for it.
const BARS: [(f64, f64); 4] = [(91.5, 52.0), (75.5, 25.0), (84.5, 30.0), (78.5, 62.0)];
const SETS: [&str; 4] = ["rte", "bluebird", "weather_amt", "music_genre"];

fn main() -> Result<(), String> {
    if std::env::args().nth(1).as_deref() == Some("measure") {
        let tasks = std::env::args().nth(2).and_then(|tasks| tasks.parse().ok());
        measure::measure(tasks.unwrap_or(1_000_000));
        return Ok(());
    }
    let folder = std::env::var_os("PIECEWORK_CROWD_DATA")
        .map_or_else(|| PathBuf::from("../shared/data/crowd"), PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no crowd data at {}", folder.display());
        return Ok(());
    }
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let pace = Pace { every: numbers.next().unwrap_or(300), lag: numbers.next().unwrap_or(50) };
    let mut sets = Vec::new();
    for name in SETS {
        sets.extend(Set::read(&folder.join(name))?);
    }
    println!("| all labels | {} | mean |", SETS.join(" | "));
    for method in ["first", "majority", "weighted", "online", "dawid_skene", "default"] {
        let all: Vec<f64> = sets.iter().map(|set| set.accuracy(&answers(set, method))).collect();
        print!("| {method} |");
        all.iter().for_each(|accuracy| print!(" {accuracy:.2} |"));
        println!(" {:.2} |", all.iter().sum::<f64>() / all.len() as f64);
    }
    println!("bars: dawid_skene within 0.5 of 92.75, 88.89, 84.00, 76.86; mean of default 86.5");
    println!("\n| dynamic overlap | random | labels | bar | file order | labels |");
    for (set, (least, most)) in sets.iter().zip(BARS) {
        let overlap = Overlap { min: 2, max: u16::MAX, target_ppm: 950_000 };
        let all: Vec<_> = (1..=SEEDS)
            .map(|seed| replay(set, &shuffled(set.answers.len(), seed), overlap, pace))
            .collect();
        let mean =
            |of: fn(&dynamic::Outcome) -> f64| all.iter().map(of).sum::<f64>() / SEEDS as f64;
        let (accuracy, used) = (mean(|o| o.accuracy), mean(|o| o.used));
        let file: Vec<usize> = (0..set.answers.len()).collect();
        let file = replay(set, &file, overlap, pace);
        let met = if accuracy >= least && used <= most { "met" } else { "missed" };
        println!(
            "| {} | {accuracy:.1} | {used:.1} % | {least} with {most} %: {met} | {:.1} | {:.1} % |",
            set.name, file.accuracy, file.used
        );
    }
    Ok(())
}

/// What a method answers to each task, all labels used.
fn answers(set: &Set, method: &str) -> Vec<Option<u16>> {
    let refined = |refiner| {
        let refined = Refinement::start(set.votes(&set.answers).table(), refiner).settled();
        let mut answers = vec![None; set.tasks];
        for (task, opinion) in refined.opinions() {
            answers[task.0 as usize - 1] = Some(opinion.answer);
        }
        answers
    };
    let tasks = set.by_task();
    let classes = |task: usize| -> Vec<u16> { tasks[task].iter().map(|(_, c)| *c).collect() };
    let each = |of: &dyn Fn(usize) -> Option<Opinion>| -> Vec<Option<u16>> {
        (0..set.tasks).map(|task| of(task).map(|o| o.answer)).collect()
    };
    match method {
        "first" => (0..set.tasks).map(|task| classes(task).first().copied()).collect(),
        "majority" => each(&|task| majority(&classes(task), set.classes)),
        "weighted" => {
            let table = set.votes(&set.answers).table();
            let evidence = Refinement::start(table, Refiner::Smoothed).settled().evidence();
            let mut crowd = Crowd::new(set.classes);
            evidence.iter().for_each(|evidence| crowd.adopt(evidence));
            each(&|task| {
                let of = |(worker, class): &(WorkerId, u16)| (crowd.accuracy(*worker), *class);
                let votes: Vec<(f64, u16)> = tasks[task].iter().map(of).collect();
                weighted(&votes, set.classes)
            })
        }
        "online" => online(set, &tasks),
        "dawid_skene" => refined(Refiner::DawidSkene),
        _ => refined(Refiner::Smoothed),
    }
}

/// The online posterior alone, without any refinement: it learns from a task once it has
/// all its votes, in the order of the file.
fn online(set: &Set, tasks: &[Vec<(WorkerId, u16)>]) -> Vec<Option<u16>> {
    let mut crowd = Crowd::new(set.classes);
    for votes in tasks {
        let opinion = crowd.opinion(votes);
        crowd.learn(votes, &opinion.posterior);
    }
    tasks.iter().map(|votes| Some(crowd.opinion(votes).answer)).collect()
}
