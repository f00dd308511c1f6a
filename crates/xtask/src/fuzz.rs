//! Every fuzz target in turn, for a while each.
//!
//! Not here: the targets (`crates/fuzz`), and their short form, which is a test.

use anyhow::{Context, Result, bail};

use crate::command::Command;
use crate::step::Done;
use crate::workspace::Workspace;

const SECONDS: &str = "60";
const DIRECTORY: &str = "crates/fuzz";
const TARGETS: [&str; 4] = ["journal_frame", "table_value", "snapshot_file", "request"];
const MISSING: &str = "it needs cargo-fuzz (`cargo install cargo-fuzz`), a nightly compiler \
    (`rustup toolchain install nightly`) and a compiler for C++";

/// Runs each target for so many seconds; installs nothing.
///
/// # Errors
/// A target found something, or cannot be built.
pub(crate) fn run(workspace: &Workspace, seconds: Option<&str>) -> Result<Done> {
    let seconds = seconds.unwrap_or(SECONDS);
    if seconds.parse::<u32>().is_err() {
        bail!("--seconds {seconds} is not a number of seconds");
    }
    if !Command::is_there(&["cargo", "+nightly", "fuzz"]) {
        return Ok(Done::Skipped(MISSING.to_owned()));
    }
    let for_seconds = format!("-max_total_time={seconds}");
    for target in TARGETS {
        // The address sanitizer looks for mistakes that safe code cannot make.
        let words = ["cargo", "+nightly", "fuzz", "run", "--fuzz-dir", DIRECTORY];
        let rest = ["--sanitizer", "none", target, "--", &for_seconds, "-max_len=4096"];
        let command = Command::new(&[words.as_slice(), rest.as_slice()].concat());
        println!("== {target}: {command}");
        command.run(&workspace.root).with_context(|| {
            format!("{target} found something: see {DIRECTORY}/artifacts/{target}")
        })?;
    }
    Ok(Done::Passed)
}
