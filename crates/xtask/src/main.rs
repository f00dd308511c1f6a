//! `cargo xtask`: the project's own checks.
//!
//! `ci` is the whole of continuous integration; the others are its steps that
//! no ready-made tool does.
//!
//! Not here: lints (root `Cargo.toml`), what core may not touch
//! (`crates/core/.clippy.toml`), licences and sources (`deny.toml`).

mod ci;
mod command;
mod compare;
mod fuzz;
mod instructions;
mod process;
mod proof;
mod proto;
mod step;
mod tidy;
mod workspace;

use std::env;
use std::process::ExitCode;

use crate::proof::Form;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask COMMAND

  ci [--fast]   every check, in order, stopping at the first failure;
                --fast leaves out the slow ones
  tidy          the rules of the house that no ready-made tool checks
  lint-proto    buf lint, and buf breaking against the newest release
  instructions [--accept]
                counts the instructions of the hot paths under callgrind and compares
                with crates/xtask/instructions.txt; --accept writes that file
  fuzz [--seconds 60]
                every fuzz target in turn, for so long each
  crash [--kills N] [--seed SEED]
                a daemon under load that is killed N times (50 if not said)
  full-disk     a daemon on a small disk that fills up
  fixture NAME  makes tests/data/NAME, a data directory of this release, to be
                opened by every later one
  proof [--long]        every proof of crates/sim/README.md, and one table;
                        about 15 minutes, with --long about an hour
  planted               makes every known mistake and counts the seeds until the
                        simulator finds it
  powercut              cuts the power at 1,000 moments of a recorded run
  compare [--short] [-o table|json] [--rounds N] [--seconds S] [--tasks N]
          [--finished N] [--only ROW,ROW] [--dir DIR] [--piecework FILE] [--peers FILE]
                piecework beside Redis and PostgreSQL on this machine, and the bars
                as a table; --short takes under ten minutes, builds apart, with
                1,000,000 tasks where the long form has 10,000,000. --finished adds
                the row of a start beside N finished tasks; --only runs some rows.
                Data lie in DIR (/var/tmp); each FILE is a build to take instead of
                a new one
  compare steady [--minutes 10] [--rate N] [--dir DIR] [--piecework FILE]
                memory and disk of a daemon under a steady load, every ten seconds,
                and whether they stay flat
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["ci"] => Workspace::find().and_then(|workspace| ci::run(&workspace, false)),
        ["ci", "--fast"] => Workspace::find().and_then(|workspace| ci::run(&workspace, true)),
        ["tidy"] => Workspace::find().and_then(|workspace| tidy::run(&workspace)),
        ["lint-proto"] => Workspace::find().and_then(|workspace| proto::run(&workspace)),
        ["instructions"] => Workspace::find().and_then(|w| instructions::run(&w)),
        ["instructions", "--accept"] => Workspace::find().and_then(|w| instructions::accept(&w)),
        ["fuzz"] => Workspace::find().and_then(|workspace| fuzz::run(&workspace, None)),
        ["fuzz", "--seconds", seconds] => {
            Workspace::find().and_then(|workspace| fuzz::run(&workspace, Some(seconds)))
        }
        ["crash", options @ ..] => match process::Crash::parse(options) {
            Some(crash) => Workspace::find().and_then(|workspace| crash.run(&workspace)),
            None => return misused(),
        },
        ["full-disk"] => Workspace::find().and_then(|workspace| process::full_disk(&workspace)),
        ["fixture", name] => {
            Workspace::find().and_then(|workspace| process::fixture(&workspace, name))
        }
        ["proof"] => Workspace::find().and_then(|w| proof::run(&w, Form::Short)),
        ["proof", "--long"] => Workspace::find().and_then(|w| proof::run(&w, Form::Long)),
        ["planted"] => Workspace::find().and_then(|workspace| proof::planted(&workspace)),
        ["powercut"] => Workspace::find().and_then(|workspace| proof::powercut(&workspace)),
        ["compare", "steady", options @ ..] => match compare::Steady::parse(options) {
            Ok(steady) => Workspace::find().and_then(|w| compare::steady(&w, &steady)),
            Err(why) => return refused(&why),
        },
        ["compare", options @ ..] => match compare::Options::parse(options) {
            Ok(options) => Workspace::find().and_then(|w| compare::run(&w, &options)),
            Err(why) => return refused(&why),
        },
        ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return misused(),
    };
    match done {
        Ok(step::Done::Passed) => ExitCode::SUCCESS,
        Ok(step::Done::Skipped(why)) => {
            eprintln!("skipped: {why}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn refused(why: &str) -> ExitCode {
    eprintln!("error: {why}\n  try: cargo xtask help");
    ExitCode::from(2)
}

fn misused() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
