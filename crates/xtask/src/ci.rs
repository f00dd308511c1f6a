//! Every check, in order.
//!
//! Cheap checks first; the first failure ends the run and says how to repeat
//! it. The last thing printed is the test runner's own closing line.
//!
//! Not here: the checks themselves; this file lists and times them.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::Command;
use crate::step::{Done, Step, Work};
use crate::tidy;
use crate::workspace::Workspace;
use crate::{instructions, proof, proto};

/// Runs the checks.
///
/// # Errors
/// The first check that failed.
pub(crate) fn run(workspace: &Workspace, fast: bool) -> Result<Done> {
    let steps = steps(Command::is_there(&["cargo", "nextest"]));
    let count = steps.len();
    let started = Instant::now();
    let mut closing = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let heading = format!("{}/{count} {}", index + 1, step.name);
        if fast && step.slow {
            say(&format!("== {heading}: left out by --fast"))?;
            continue;
        }
        say(&format!("== {heading}: {}", step.repeat()))?;
        let step_started = Instant::now();
        let done = perform(workspace, step, &mut closing);
        let took = seconds(step_started.elapsed());
        match done {
            Ok(Done::Passed) => say(&format!("== {heading}: passed in {took}"))?,
            Ok(Done::Skipped(why)) => say(&format!("== {heading}: skipped: {why}"))?,
            Err(error) => {
                say(&format!("== {heading}: FAILED after {took}"))?;
                return Err(error.context(format!("repeat with: {}", step.repeat())));
            }
        }
    }
    say(&format!("== all passed in {}", seconds(started.elapsed())))?;
    for line in closing {
        say(&line)?;
    }
    Ok(Done::Passed)
}

fn steps(nextest: bool) -> Vec<Step> {
    let mut steps = vec![
        Step::quick("format", Work::Run(Command::new(&["cargo", "fmt", "--all", "--check"]))),
        Step::quick("clippy", Work::Run(Command::new(&CLIPPY))),
        Step::quick("tidy", Work::Own(tidy::run, "cargo xtask tidy")),
        Step::slow(
            "dependencies",
            Work::Own(dependencies, "cargo deny check bans licenses sources"),
        ),
        Step::slow("proto", Work::Own(proto::run, "cargo xtask lint-proto")),
    ];
    if nextest {
        steps.push(Step::quick("tests", Work::Test(Command::new(&NEXTEST))));
        steps.push(Step::slow("doc tests", Work::Run(Command::new(&DOC_TESTS))));
    } else {
        // The built-in runner includes the doc tests.
        steps.push(Step::quick("tests", Work::Test(Command::new(&TESTS))));
    }
    let docs = Command::new(&DOCS).with("RUSTDOCFLAGS", "-D warnings");
    steps.push(Step::slow("docs", Work::Run(docs)));
    steps.push(Step::slow("short proofs", Work::Own(proofs, "cargo xtask proof")));
    let count = Work::Own(instructions::run, "cargo xtask instructions");
    steps.push(Step::slow("instructions", count));
    steps
}

const CLIPPY: [&str; 8] =
    ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
const NEXTEST: [&str; 7] =
    ["cargo", "nextest", "run", "--workspace", "--locked", "--profile", "ci"];
const TESTS: [&str; 4] = ["cargo", "test", "--workspace", "--locked"];
const DOC_TESTS: [&str; 5] = ["cargo", "test", "--doc", "--workspace", "--locked"];
const DOCS: [&str; 5] = ["cargo", "doc", "--no-deps", "--workspace", "--locked"];

fn perform(workspace: &Workspace, step: &Step, closing: &mut Vec<String>) -> Result<Done> {
    match &step.work {
        Work::Run(command) => command.run(&workspace.root)?,
        Work::Test(command) => closing.extend(command.run_tests(&workspace.root)?),
        Work::Own(check, _) => return check(workspace),
    }
    Ok(Done::Passed)
}

/// Licences, sources and banned crates, by the rules of `deny.toml`.
///
/// Security advisories are left to a machine that may fetch their database.
fn dependencies(workspace: &Workspace) -> Result<Done> {
    if !Command::is_there(&["cargo", "deny"]) {
        return Ok(Done::Skipped("cargo-deny not installed".to_owned()));
    }
    let words = ["cargo", "deny", "--locked", "check", "bans", "licenses", "sources"];
    Command::new(&words).run(&workspace.root)?;
    Ok(Done::Passed)
}

/// The simulator; kills, power cuts and the other proofs run as tests.
fn proofs(workspace: &Workspace) -> Result<Done> {
    proof::run(workspace, proof::Form::Ci)
}

/// Prints at once: other programs write to the same place in between.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("could not write to stdout")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_keeps_format_lints_tidy_and_tests() {
        let kept: Vec<&str> =
            steps(true).iter().filter(|step| !step.slow).map(|step| step.name).collect();
        assert_eq!(kept, ["format", "clippy", "tidy", "tests"]);
    }

    #[test]
    fn doc_tests_run_once_whichever_runner_there_is() {
        let names = |nextest| steps(nextest).iter().map(|step| step.name).collect::<Vec<_>>();
        assert!(names(true).contains(&"doc tests"));
        assert!(!names(false).contains(&"doc tests"));
    }
}
