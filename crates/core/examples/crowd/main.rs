//! What the methods of aggregation make of real crowd answers.
//!
//!     cargo run --release -p piecework-core --example crowd [-- EVERY LAG]
//!
//! Reads the sets in `$PIECEWORK_CROWD_DATA`, or `../shared/data/crowd`, and says
//! "skipped" where there are none. EVERY and LAG: how often a refinement starts in the
//! replay of dynamic overlap, and how long it takes, in answers bought.
//!
//! Not here: the bars; they are in the tests of this crate.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a measurement reads files and prints"
)]

mod data;
mod dynamic;

use std::path::PathBuf;

use piecework_core::quality::{Overlap, Refinement, Refiner, majority};

use data::Set;
use dynamic::{Pace, replay, shuffled};

/// Random orders that are replayed.
const SEEDS: u64 = 5;
const SETS: [&str; 4] = ["rte", "bluebird", "weather_amt", "music_genre"];

fn main() -> Result<(), String> {
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
    for method in ["majority", "dawid_skene", "default"] {
        let all: Vec<f64> = sets.iter().map(|set| set.accuracy(&answers(set, method))).collect();
        print!("| {method} |");
        all.iter().for_each(|accuracy| print!(" {accuracy:.2} |"));
        println!(" {:.2} |", all.iter().sum::<f64>() / all.len() as f64);
    }
    let overlap = Overlap { min: 2, max: u16::MAX, target: 0.95 };
    println!("\n| dynamic overlap | random: accuracy | labels | file order: accuracy | labels |");
    for set in &sets {
        let all: Vec<_> = (1..=SEEDS)
            .map(|seed| replay(set, &shuffled(set.answers.len(), seed), overlap, pace))
            .collect();
        let mean =
            |of: fn(&dynamic::Outcome) -> f64| all.iter().map(of).sum::<f64>() / SEEDS as f64;
        let file: Vec<usize> = (0..set.answers.len()).collect();
        let file = replay(set, &file, overlap, pace);
        println!(
            "| {} | {:.1} | {:.1} % | {:.1} | {:.1} % |",
            set.name,
            mean(|o| o.accuracy),
            mean(|o| o.used),
            file.accuracy,
            file.used
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
    match method {
        "dawid_skene" => refined(Refiner::DawidSkene),
        "default" => refined(Refiner::Smoothed),
        _ => {
            let of = |task: usize| -> Vec<u16> {
                let given = set.answers.iter().filter(|a| a.task == task);
                given.map(|a| a.class).collect()
            };
            (0..set.tasks).map(|task| majority(&of(task), set.classes).map(|o| o.answer)).collect()
        }
    }
}
