//! What one lease decision costs, and that it does not depend on what waits.
//!
//! `cargo bench -p piecework-core` prints two tables. For every row: the time of one
//! `Lease` as the engine decides it, grant or empty answer, with all its changes, and
//! its instructions as callgrind counts them; nothing is written to disk. For every
//! family of rows: how many times the instructions of its smallest row its largest
//! takes. What comes between two decisions (answers, new tasks) is not measured. A
//! decision that takes several turns of the daemon counts as its dearest turn.
//!
//! Words after `--` choose rows by their beginning; `--times` leaves the counts out,
//! `--counts` the times.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a measurement reads a clock, starts valgrind and prints"
)]

#[path = "../../tests/market/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod market;

mod decisions;
#[path = "../instructions/mod.rs"]
mod instructions;
mod markets;
mod rows;

use std::collections::BTreeMap;

use decisions::Turns;
use instructions::Uncounted;
use rows::{ROWS, Row};

/// Decisions before the first that is measured.
const WARM_UP: usize = 500;
/// Decisions that are timed.
const TIMED: usize = 5_000;
/// Decisions whose instructions are counted.
const COUNTED: usize = 500;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [subject, row] = words.as_slice()
        && subject == instructions::SUBJECT
    {
        return subject_of(row);
    }
    let says = |flag: &str| words.iter().any(|word| word == flag);
    let (mut times, mut counts) = (!says("--counts"), !says("--times"));
    times |= !counts;
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_chosen = |row: &&Row| {
        chosen.is_empty() || chosen.iter().any(|word| row.name.starts_with(word.as_str()))
    };
    println!(
        "| one lease decision | median µs | p99 µs | largest µs | median instructions | largest |"
    );
    println!("|---|---|---|---|---|---|");
    let mut medians: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut missing = None;
    for row in ROWS.iter().filter(is_chosen) {
        let timed = if times { time(row) } else { "| – | – | – |".to_owned() };
        let counted = if counts { count(row) } else { Ok(None) };
        match counted {
            Ok(Some((median, largest))) => {
                println!("| {} {timed} {} | {} |", row.name, grouped(median), grouped(largest));
                medians.entry(row.family).or_default().push(median);
            }
            Ok(None) => println!("| {} {timed} – | – |", row.name),
            Err(fault) => {
                println!("| {} {timed} – | – |", row.name);
                // Without it, no other row will be counted.
                counts = !matches!(fault, Uncounted::Missing(_));
                missing = Some(fault);
            }
        }
    }
    if let Some(fault) = missing {
        println!("\nNo instructions: {fault}.");
    }
    print_families(&medians);
}

/// Median and largest number of instructions.
fn count(row: &Row) -> Result<Option<(u64, u64)>, Uncounted> {
    let counts = instructions::count(row.name)?;
    let largest = counts.last().copied().unwrap_or_default();
    Ok(Some((counts[counts.len() / 2], largest)))
}

/// Median, p99 and largest time, as cells of a table.
fn time(row: &Row) -> String {
    let mut market = (row.build)();
    let decide = |n| (row.decide)(&mut market, n).dearest_ns;
    let mut took: Vec<u64> = (0..WARM_UP + TIMED).map(decide).skip(WARM_UP).collect();
    took.sort_unstable();
    let at = |part: usize| took[(took.len() - 1) * part / 1_000] as f64 / 1_000.0;
    format!("| {:.2} | {:.2} | {:.2} |", at(500), at(990), at(1_000))
}

/// Runs one row under callgrind's eyes.
fn subject_of(row: &str) {
    let row = ROWS.iter().find(|known| known.name == row).expect("a row of the table");
    let mut market = (row.build)();
    for n in 0..WARM_UP {
        (row.decide)(&mut market, n);
    }
    instructions::prepared();
    let decide = |n| -> Turns { (row.decide)(&mut market, n) };
    let turns: Vec<usize> =
        (WARM_UP..WARM_UP + COUNTED).map(decide).map(|turns| turns.turns).collect();
    instructions::report(&turns);
}

fn print_families(medians: &BTreeMap<&str, Vec<u64>>) {
    let whole = medians.iter().filter(|(_, medians)| medians.len() > 1);
    let whole: Vec<_> = whole.collect();
    if whole.is_empty() {
        return;
    }
    println!("\n| family | instructions, largest to smallest |");
    println!("|---|---|");
    for (family, medians) in whole {
        let (smallest, largest) = (medians[0], medians[medians.len() - 1]);
        println!("| {family} | {:.2} |", largest as f64 / smallest as f64);
    }
}

/// 12345 as 12,345.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
