//! `piecework-sim`: run seeds, repeat one, run one twice, look for a planted mistake,
//! damage a directory.
//!
//! Progress and stories go to stderr, one summary line to stdout. Exit status: 0
//! passed, 1 something failed or proved too little, 2 wrong usage.

mod seeds;

use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use piecework_core::planted::{self, Mistake};
use piecework_sim::run::{self, shrink, story};

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
    /// Damage a small data directory in every way and open it
    Corruption {
        /// Flip every so manieth byte; 1 takes minutes
        #[arg(long, default_value_t = 4_001)]
        every: usize,
    },
    /// List the mistakes that can be planted
    Mistakes,
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
            planted::plant(run.plant.plant);
            let mut seeds: Vec<u64> = match &run.file {
                Some(file) => seeds::read(file)?,
                None => Vec::new(),
            };
            seeds.extend(run.seeds.clone().into_iter().flatten());
            if seeds.is_empty() {
                bail!("no seeds; give --seeds 0..1000, or --file with at least one");
            }
            let summary = seeds::run(&seeds, run.jobs, run.first);
            println!("{summary}");
            if let (Some(failed), None) = (summary.failed.first(), run.plant.plant) {
                tell(*failed, false);
            }
            Ok(summary.is_passed())
        }
        Verb::Replay { seed, whole, plant } => {
            planted::plant(plant.plant);
            Ok(!tell(*seed, *whole))
        }
        Verb::Twice { seed } => {
            let (first, second) = (run::run(*seed), run::run(*seed));
            let same = first.fingerprint == second.fingerprint && first.steps == second.steps;
            let hex = |run: &run::Run| blake3::Hash::from(run.fingerprint).to_hex();
            println!("seed {seed}: {} and {}", hex(&first), hex(&second));
            Ok(same && first.failure.is_none())
        }
        Verb::Corruption { every } => {
            let report = piecework_sim::corruption::run(*every)?;
            println!("{report}");
            Ok(report.is_clean())
        }
        Verb::Mistakes => {
            Mistake::ALL.iter().for_each(|m| println!("{:26} {}", m.name(), m.what()));
            Ok(true)
        }
    }
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
