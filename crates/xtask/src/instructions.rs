//! `instructions`: the hot paths take no more instructions than is written down.
//!
//! The benches run under callgrind, where the same build counts the same every time.
//! What they are to take lies in [`BASELINE`]; more than a tenth above it is an error
//! until a commit moves it and says why. Without valgrind or gungraun's runner the
//! check is skipped, except in CI.
//!
//! Not here: what is counted (`crates/{core,storage,server}/benches`).

mod baseline;
mod comparison;
mod counts;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command::Command;
use crate::instructions::baseline::{Baseline, Machine};
use crate::instructions::comparison::Comparison;
use crate::step::Done;
use crate::workspace::Workspace;

/// From the root.
const BASELINE: &str = "crates/xtask/instructions.txt";
/// Crate, bench and what else cargo must be told.
const BENCHES: [(&str, &str, &[&str]); 3] = [
    ("piecework-core", "engine", &[]),
    ("piecework-storage", "tables", &[]),
    ("piecework-server", "wire", &["--features", "testing"]),
];
/// Of `gungraun` in the root's Cargo.toml.
const RUNNER_VERSION: &str = "0.20.0";

/// Counts and compares.
///
/// # Errors
/// A bench takes too much, is new or is gone; or it could not be counted.
pub(crate) fn run(workspace: &Workspace) -> Result<Done> {
    let runner = match find_runner(workspace) {
        Ok(runner) => runner,
        Err(missing) if env::var("CI").is_ok_and(|value| value == "true") => {
            bail!("{missing}: in CI instructions must be counted")
        }
        Err(missing) => return Ok(Done::Skipped(missing)),
    };
    let baseline = Baseline::parse(&workspace.read(BASELINE)?)
        .with_context(|| format!("could not read {BASELINE}"))?;
    let machine = machine(workspace)?;
    if machine.host != baseline.machine.host {
        let (host, other) = (&machine.host, &baseline.machine.host);
        let why = format!("{BASELINE} was counted on {other}, which {host} cannot be compared to");
        return Ok(Done::Skipped(why));
    }
    let comparison = Comparison::new(&baseline.counts, &count(workspace, &runner)?);
    print!("{comparison}");
    let cheaper = comparison.cheaper();
    if !cheaper.is_empty() {
        println!("instructions: move the baseline, or what was won may be lost again: {cheaper}");
    }
    if let Some(wrong) = comparison.wrong() {
        if machine != baseline.machine {
            eprintln!("the baseline was counted with {}, this is {machine}", baseline.machine);
        }
        bail!(
            "{wrong}; if that is meant, `cargo xtask instructions --accept` writes {BASELINE} \
             anew, and the commit says why"
        );
    }
    Ok(Done::Passed)
}

/// Counts, and writes down what was counted as the baseline.
///
/// # Errors
/// It could not be counted or written.
pub(crate) fn accept(workspace: &Workspace) -> Result<Done> {
    let runner = find_runner(workspace).map_err(anyhow::Error::msg)?;
    let baseline = Baseline { machine: machine(workspace)?, counts: count(workspace, &runner)? };
    // Another machine's baseline is replaced whole: there is nothing to compare.
    let before = workspace.read(BASELINE).and_then(|text| Baseline::parse(&text)).ok();
    let before = before.map(|before| before.counts).unwrap_or_default();
    print!("{}", Comparison::new(&before, &baseline.counts));
    let write = || format!("could not write {BASELINE}");
    fs::write(workspace.root.join(BASELINE), baseline.to_string()).with_context(write)?;
    println!("instructions: {BASELINE} is written; the commit says why");
    Ok(Done::Passed)
}

/// What every bench takes now.
fn count(workspace: &Workspace, runner: &str) -> Result<BTreeMap<String, u64>> {
    // Of its own, and empty: gungraun would compare with its last run.
    let home = workspace.target.join("instructions");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("could not empty {}", home.display()))?;
    }
    let mut all = BTreeMap::new();
    for (member, bench, more) in BENCHES {
        let words =
            [&["cargo", "bench", "--locked", "-p", member, "--bench", bench], more].concat();
        let words = [&words[..], &["--", "--output-format=json"]].concat();
        let command = Command::new(&words)
            .with("GUNGRAUN_RUNNER", runner)
            .with("GUNGRAUN_HOME", &home.to_string_lossy());
        eprintln!("== {command}");
        let text = command.read(&workspace.root)?;
        counts::collect(&text, &mut all).with_context(|| format!("could not read from {bench}"))?;
    }
    Ok(all)
}

/// Gungraun's runner, or what is missing and how to get it.
fn find_runner(workspace: &Workspace) -> Result<String, String> {
    if !Command::is_there(&["valgrind"]) {
        return Err("valgrind is missing (on Debian: apt-get install valgrind)".to_owned());
    }
    let below = |target: PathBuf| target.join("tools/bin/gungraun-runner");
    let ours = [below(workspace.target.clone()), below(workspace.root.join("target"))];
    let ours = ours.map(|path| path.to_string_lossy().into_owned());
    let wanted = format!("gungraun-runner {RUNNER_VERSION}");
    let fits = |runner: &&String| {
        let said = Command::new(&[runner, "--version"]).output(&workspace.root);
        said.is_ok_and(|(text, passed)| passed && text.trim() == wanted)
    };
    let all = ["gungraun-runner".to_owned()].into_iter().chain(ours).collect::<Vec<_>>();
    all.iter().find(fits).cloned().ok_or_else(|| {
        format!(
            "{wanted} is missing (cargo install gungraun-runner --version {RUNNER_VERSION} \
             --locked --root target/tools --target-dir target/tools/build)"
        )
    })
}

fn machine(workspace: &Workspace) -> Result<Machine> {
    let text = Command::new(&["rustc", "-vV"]).read(&workspace.root)?;
    let line = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let found = line("release: ").zip(line("host: "));
    let (compiler, host) = found.context("`rustc -vV` has an unknown shape")?;
    Ok(Machine { compiler, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!("../../../Cargo.toml");
    const CI: &str = include_str!("../../../.ci/run");
    const COMMITTED: &str = include_str!("../instructions.txt");

    #[test]
    fn crate_runner_and_ci_agree_on_gungraun_s_version() {
        assert!(MANIFEST.contains(&format!("gungraun = \"={RUNNER_VERSION}\"")));
        assert!(CI.contains(&format!("GUNGRAUN={RUNNER_VERSION}\n")));
    }

    #[test]
    fn the_committed_baseline_can_be_read_and_is_as_it_would_be_written() {
        let baseline = Baseline::parse(COMMITTED).expect("our own file");
        assert_eq!(baseline.to_string(), COMMITTED);
        for (member, ..) in BENCHES {
            let short = member.trim_start_matches("piecework-");
            assert!(baseline.counts.keys().any(|name| name.starts_with(short)), "{member}");
        }
    }
}
