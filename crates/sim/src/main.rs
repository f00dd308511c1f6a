//! `piecework-sim`: run seeds, repeat one, run one twice, look for a planted mistake,
//! damage a directory.
//!
//! Progress and stories go to stderr, one summary line to stdout. Exit status: 0
//! passed, 1 something failed or proved too little, 2 wrong usage.

mod planted;
mod seeds;

use std::fmt::Display;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use piecework_core::planted::{Mistake, plant};
use piecework_sim::run::{self, shrink, story};
use piecework_sim::{corruption, powercut};

/// Runs the daemon's engine, writer, journal and tables on disks that lie.
#[derive(Debug, Parser)]
#[command(name = "piecework-sim", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run many seeds
    Run(Run),
    /// Run one seed and, when it fails, tell the shortest story found
    Replay {
        /// Which
        seed: u64,
        /// Tell every step, without shrinking
        #[arg(long)]
        whole: bool,
        #[command(flatten)]
        plant: Plant,
    },
    /// Run one seed twice: the same must happen
    Twice {
        /// Which
        seed: u64,
    },
    /// List the mistakes that can be planted
    Mistakes,
    /// Make each of them and look for it: a table of the seeds needed
    Planted {
        /// Give up a mistake after so many seeds
        #[arg(long, default_value_t = 5_000)]
        seeds_max: u64,
    },
    /// Cut the power at any operation of a recorded run of the file journal
    Powercut {
        /// How many states of the disk
        #[arg(long, default_value_t = 1_000)]
        states: usize,
        /// Chooses them
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Damage a small data directory, byte by byte and file by file
    Corruption {
        /// Of the bytes, every so many
        #[arg(long, default_value_t = 1)]
        every: usize,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// From A up to and without B
    #[arg(long, value_name = "A..B", value_parser = range)]
    seeds: Option<Range<u64>>,
    /// The seeds of a file, one a line, besides
    #[arg(long, value_name = "FILE")]
    file: Option<std::path::PathBuf>,
    /// Threads; by default one a core
    #[arg(long, default_value_t = seeds::cores())]
    jobs: usize,
    /// Begin no more seeds after so many seconds
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
    /// Stop at the first failing seed
    #[arg(long)]
    first: bool,
    #[command(flatten)]
    plant: Plant,
}

#[derive(Debug, Args)]
struct Plant {
    /// A mistake to make on purpose; `mistakes` lists them
    #[arg(long, value_name = "MISTAKE", value_parser = mistake)]
    plant: Option<Mistake>,
}

/// How long shrinking goes on.
const SHRINKS_FOR: Duration = Duration::from_secs(40);

fn main() -> ExitCode {
    // A panic in a run is a finding, told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    match perform(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn perform(cli: &Cli) -> Result<bool> {
    match &cli.verb {
        Verb::Run(run) => {
            plant(run.plant.plant);
            let mut seeds: Vec<u64> = match &run.file {
                Some(file) => seeds::read(file)?,
                None => Vec::new(),
            };
            seeds.extend(run.seeds.clone().into_iter().flatten());
            if seeds.is_empty() {
                bail!("no seeds; give --seeds 0..1000, or --file with at least one");
            }
            let summary =
                seeds::run(&seeds, run.jobs, run.first, run.within.map(Duration::from_secs));
            println!("{summary}");
            row("simulation", summary.cases(), summary.faults(), summary.failed.len());
            if let (Some(failed), None) = (summary.failed.first(), run.plant.plant) {
                tell(*failed, false);
            }
            Ok(summary.is_passed())
        }
        Verb::Replay { seed, whole, plant: chosen } => {
            plant(chosen.plant);
            Ok(!tell(*seed, *whole))
        }
        Verb::Twice { seed } => {
            let (first, second) = (run::run(*seed), run::run(*seed));
            let same = first.fingerprint == second.fingerprint && first.steps == second.steps;
            let hex = |run: &run::Run| blake3::Hash::from(run.fingerprint).to_hex();
            println!("seed {seed}: {} and {}", hex(&first), hex(&second));
            let steps = format!("{} steps, twice", first.steps.len());
            row("the same seed twice", &steps, "as above", usize::from(!same));
            Ok(same && first.failure.is_none())
        }
        Verb::Mistakes => {
            Mistake::ALL.iter().for_each(|m| println!("{:26} {}", m.name(), m.what()));
            Ok(true)
        }
        Verb::Planted { seeds_max } => Ok(tell_planted(*seeds_max)),
        Verb::Powercut { states, seed } => tell_powercut(*states, *seed),
        Verb::Corruption { every } => {
            let report = corruption::run(*every)?;
            println!("{report}");
            let cases = format!("{} damages, every {every}. byte", report.damages);
            let faults = format!("detected {}, harmless {}", report.detected, report.harmless);
            row("corruption", cases, faults, report.silent + report.hangs + report.panics);
            Ok(report.is_clean())
        }
    }
}

fn tell_planted(seeds_max: u64) -> bool {
    println!("| mistake | what goes wrong | seeds needed | found as | seconds |");
    println!("|---|---|---|---|---|");
    let hunts = planted::hunt_all(seeds_max);
    hunts.iter().for_each(|hunt| println!("{hunt}"));
    let most = hunts.iter().filter_map(|hunt| Some(hunt.found?.0)).max().unwrap_or_default();
    let missed = hunts.iter().filter(|hunt| hunt.found.is_none()).count();
    let faults = format!("found {} within {most} seeds", hunts.len() - missed);
    row("planted mistakes", format!("{} mistakes", hunts.len()), faults, missed);
    missed == 0
}

fn tell_powercut(states: usize, seed: u64) -> Result<bool> {
    let report = powercut::run(states, seed, None)?;
    println!("{report}");
    let mut is_good = report.is_as_it_should_be();
    let mut controls = Vec::new();
    for control in [Mistake::SkipSync, Mistake::TrustLastWrite, Mistake::TrustPageCache] {
        let report = powercut::run(states, seed, Some(control))?;
        println!("{report}");
        is_good &= report.is_as_it_should_be();
        controls.push(format!("control {} fails in {}", control.name(), report.failed));
    }
    let faults = format!("{} torn writes; {}", report.writes_torn, controls.join(", "));
    row("power cut", format!("{} states", report.states), faults, report.failed);
    Ok(is_good)
}

/// A line for `cargo xtask proof`: test, cases, faults, failures.
fn row(test: &str, cases: impl Display, faults: impl Display, found: usize) {
    println!("proof\t{test}\t{cases}\t{faults}\t{found}");
}

/// Runs a seed and tells how it fails. False: it does not.
fn tell(seed: u64, whole: bool) -> bool {
    let run = run::run(seed);
    let Some(failure) = &run.failure else {
        println!(
            "seed {seed}: passed, {} steps, {:?}, {:?}",
            run.steps.len(),
            run.events,
            run.coverage
        );
        return false;
    };
    if whole {
        eprint!("{}", story(seed, &run.steps, failure));
        return true;
    }
    eprintln!("seed {seed} fails after {} steps: {failure}\nshrinking ...", run.steps.len());
    if let Some((steps, failure)) = shrink(&run, SHRINKS_FOR) {
        eprint!("{}", story(seed, &steps, &failure));
    }
    true
}

fn range(text: &str) -> Result<Range<u64>> {
    let (from, to) = text.split_once("..").context("write it as 0..1000")?;
    let range = from.parse()?..to.parse()?;
    if range.is_empty() {
        bail!("{text} has no seeds");
    }
    Ok(range)
}

fn mistake(name: &str) -> Result<Mistake> {
    let found = Mistake::ALL.iter().find(|mistake| mistake.name() == name);
    found
        .copied()
        .with_context(|| format!("no mistake {name}; `piecework-sim mistakes` lists them"))
}
