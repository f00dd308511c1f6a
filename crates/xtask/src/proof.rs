//! Every proof in one run, and one table at the end.
//!
//! The short form is for every day, the long one for a change of the format or
//! the engine. A tool ends with lines `proof<TAB>test<TAB>cases<TAB>faults<TAB>found`;
//! the processes' own tests end with a line of their own, shown as it is.
//!
//! Not here: the proofs (`crates/sim`, `tests/`).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::command::Command;
use crate::step::Done;
use crate::workspace::Workspace;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// What `ci` adds to the tests: the simulator alone.
    Ci,
    /// All of it within 15 minutes on two cores.
    Short,
    /// All of it at full length.
    Long,
}

/// One proof and how it is run.
struct Proof {
    command: Command,
    /// The name of the row of a test of the real process, and how its line begins.
    own: Option<(&'static str, &'static str)>,
}

/// A line of the table.
struct Row {
    test: String,
    cases: String,
    faults: String,
    found: String,
    took: Duration,
}

/// Where the seeds of CI begin.
const CI_SEED: u64 = 20_000;
const SIM: [&str; 7] = ["cargo", "run", "--locked", "--quiet", "-p", "piecework-sim", "--"];
const PROCESS: [&str; 7] = ["cargo", "test", "-p", "piecework", "--test", "daemon", "--locked"];

/// Runs all of a form and prints the table.
///
/// # Errors
/// Something was found, or a proof could not be run; the others were run all the same.
pub(crate) fn run(workspace: &Workspace, form: Form) -> Result<Done> {
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for proof in proofs(form, fresh_seed()) {
        eprintln!("== {}", proof.command);
        let began = Instant::now();
        let (text, passed) = proof.command.output(&workspace.root)?;
        let mut here = proof.rows(&text, began.elapsed());
        if !passed {
            failed.push(proof.command.to_string());
            eprint!("{text}");
        }
        if here.is_empty() {
            here.push(Row::failed(&proof.command, began.elapsed()));
        }
        here.iter().for_each(|row| eprintln!("{row}"));
        rows.append(&mut here);
    }
    println!("| test | cases | faults injected | found | seconds |\n|---|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join("; "));
    }
    Ok(Done::Passed)
}

/// Looks for every planted mistake.
///
/// # Errors
/// One was not found.
pub(crate) fn planted(workspace: &Workspace) -> Result<Done> {
    sim(&["planted"]).run(&workspace.root)?;
    Ok(Done::Passed)
}

/// Cuts the power at a thousand moments of a recorded run.
///
/// # Errors
/// Something acknowledged was lost, or a control was not found.
pub(crate) fn powercut(workspace: &Workspace) -> Result<Done> {
    sim(&["powercut"]).run(&workspace.root)?;
    Ok(Done::Passed)
}

fn sim(words: &[&str]) -> Command {
    Command::new(&[&SIM[..], words].concat())
}

/// Tests of the real process with this in their name, one at a time.
fn process(filter: &str) -> Command {
    let rest = ["--", "--nocapture", "--test-threads=1", filter];
    Command::new(&[&PROCESS[..], &rest].concat())
}

/// Others every time.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 10_000
}

fn proofs(form: Form, fresh: u64) -> Vec<Proof> {
    let tool = |words: &[&str]| Proof { command: sim(words), own: None };
    let own = |name, begins, command| Proof { command, own: Some((name, begins)) };
    // The same commit gives the same answer in CI; fresh ones come with `proof`.
    let (fresh, seeds) = match form {
        // About four minutes on two cores, of which the simulator takes all there are.
        Form::Ci => (CI_SEED, 1_200),
        Form::Short => (fresh, 2_000),
        Form::Long => (fresh, 10_000),
    };
    let range = format!("{fresh}..{}", fresh + seeds);
    let mut all = vec![
        tool(&["run", "--file", "crates/sim/seeds.txt"]),
        tool(&["run", "--seeds", &range]),
        tool(&["twice", &fresh.to_string()]),
        tool(&["planted"]),
    ];
    if form == Form::Ci {
        // The others run as tests, in a form as short as this one.
        return all;
    }
    let long = form == Form::Long;
    all.push(tool(&["powercut", "--states", if long { "1000" } else { "100" }]));
    all.push(tool(&["corruption", "--every", if long { "1" } else { "997" }]));
    let kills = if long { "50" } else { "5" };
    let crash = process("crash::").with("PIECEWORK_CRASH_KILLS", kills);
    all.push(own("real process", "crash: ", crash));
    all.push(own("full disk", "full disk: ", process("full_disk::")));
    all.push(own("earlier releases", "test result: ", process("upgrade::")));
    let fuzz = ["cargo", "test", "-p", "piecework-sim", "--test", "fuzz", "--locked"];
    all.push(own("malformed input", "test result: ", Command::new(&fuzz)));
    all
}

impl Proof {
    fn rows(&self, text: &str, took: Duration) -> Vec<Row> {
        let lines = text.lines().map(str::trim_start);
        match self.own {
            None => lines.filter_map(|line| Row::read(line, took)).collect(),
            Some((test, begins)) => lines
                .filter_map(|line| line.strip_prefix(begins))
                .map(|cases| Row {
                    test: test.to_owned(),
                    cases: cases.trim_end().to_owned(),
                    faults: "as counted".to_owned(),
                    found: "0".to_owned(),
                    took,
                })
                .collect(),
        }
    }
}

impl Row {
    fn read(line: &str, took: Duration) -> Option<Row> {
        let mut parts = line.strip_prefix("proof\t")?.split('\t').map(str::to_owned);
        let row = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (test, cases, faults, found) = row;
        Some(Row { test, cases, faults, found, took })
    }

    fn failed(command: &Command, took: Duration) -> Row {
        let (test, found) = (format!("`{command}`"), "**failed**".to_owned());
        Row { test, cases: String::new(), faults: String::new(), found, took }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row { test, cases, faults, found, took } = self;
        write!(f, "| {test} | {cases} | {faults} | {found} | {:.0} |", took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_s_line_becomes_a_row() {
        let proof = Proof { command: sim(&["run"]), own: None };
        let rows = proof.rows("x\nproof\ta\tb\tc\t0\n", Duration::from_secs(3));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].to_string(), "| a | b | c | 0 | 3 |");
    }

    #[test]
    fn the_short_form_has_everything_that_the_long_one_has() {
        let count = |form| proofs(form, 1).len();
        assert_eq!(count(Form::Short), count(Form::Long));
        assert!(count(Form::Ci) < count(Form::Short));
    }
}
