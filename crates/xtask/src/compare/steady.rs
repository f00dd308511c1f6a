//! `compare steady`: memory and disk of a daemon under a load that stays the same.
//!
//! Projects come, are worked off and go (`piecework bench churn`), so that what is kept does
//! not grow. With settings under which journal, snapshots and tables turn over many times in
//! ten minutes, a line every ten seconds; flat is what does not rise in the last third.
//!
//! Not here: how fast it is.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::compare::interrupt::Interrupt;
use crate::compare::options::{DIR, at_least_one, directory, value_of};
use crate::compare::program::Program;
use crate::compare::servers::fresh_directory;
use crate::step::Done;
use crate::workspace::Workspace;

const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// What may be added in the last third to what the second one reached.
const GROWTH_MAX: f64 = 0.05;
/// Tasks of each project that comes and goes.
const PROJECT_TASKS: &str = "5000";
/// Two in each third.
const SAMPLES_MIN: usize = 6;
/// `st_blocks` counts in these, whatever the file system.
const BLOCK_BYTES: u64 = 512;

/// Settings under which everything turns over within minutes.
const SETTINGS: [(&str, &str); 6] = [
    ("PIECEWORK_SEGMENT_BYTES", "4194304"),
    ("PIECEWORK_SNAPSHOT_JOURNAL_BYTES", "16777216"),
    ("PIECEWORK_OVERLAY_BYTES", "8388608"),
    ("PIECEWORK_CACHE_BYTES", "67108864"),
    ("PIECEWORK_TIMES__CREATE_KEYS_KEPT_MS", "60000"),
    ("PIECEWORK_LOG__FILTER", "warn"),
];

/// `compare steady` with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Steady {
    minutes: u32,
    /// Cycles a second.
    rate: u32,
    dir: PathBuf,
    /// Another build of `piecework`.
    piecework: Option<String>,
}

/// One moment, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    seconds: u64,
    resident: u64,
    disk: u64,
}

impl Steady {
    /// Reads them, in any order.
    ///
    /// # Errors
    /// What is wrong with which.
    pub(crate) fn parse(options: &[&str]) -> Result<Self, String> {
        let dir = PathBuf::from(DIR);
        let mut read = Self { minutes: 10, rate: 1_000, dir, piecework: None };
        let mut words = options.iter();
        while let Some(name) = words.next() {
            let value = value_of(name, words.next())?;
            match *name {
                "--minutes" => read.minutes = at_least_one(name, value)?,
                "--rate" => read.rate = at_least_one(name, value)?,
                "--dir" => read.dir = directory(value)?,
                "--piecework" => read.piecework = Some(value.to_owned()),
                other => return Err(format!("compare steady has no option {other}")),
            }
        }
        Ok(read)
    }
}

/// Runs it and prints the line.
///
/// # Errors
/// It is not flat, or something could not be started, or the load was not held.
pub(crate) fn steady(workspace: &Workspace, options: &Steady) -> Result<Done> {
    let interrupt = Interrupt::listen()?;
    let piecework = super::build(workspace, "piecework", options.piecework.as_deref())?;
    let directory = super::directory(&options.dir)?;
    let data = fresh_directory(directory.path(), "data")?;
    let (daemon, server) = serve(&piecework, &data, directory.path(), &interrupt)?;

    let mut churn = Command::new(&piecework);
    churn.args(["bench", "churn", "-o", "json", "--server", &server]);
    churn.args(["--tasks", PROJECT_TASKS, "--rate", &options.rate.to_string()]);
    churn.args(["--seconds", &(options.minutes * 60).to_string()]);
    let load = Program::start("churn", &mut churn, Signal::INT, directory.path())?;
    let (began, mut samples) = (Instant::now(), Vec::new());
    println!("seconds   resident MiB   disk MiB");
    let told = load.finish_watched(&interrupt, SAMPLE_EVERY, || {
        let sample = Sample {
            seconds: began.elapsed().as_secs(),
            resident: resident(daemon.id()).context("the daemon is gone")?,
            disk: allocated(&data).context("could not look at the data directory")?,
        };
        println!("{:7} {:14.1} {:10.1}", sample.seconds, mib(sample.resident), mib(sample.disk));
        samples.push(sample);
        Ok(())
    })?;
    let report: serde_json::Value =
        serde_json::from_str(&told).context("could not read what it told")?;
    println!(
        "{} cycles, {} of the rate held, {} projects deleted",
        report["cycles"], report["rate_held"], report["projects_deleted"]
    );
    if report["projects_deleted"] == 0 {
        bail!("nothing was deleted yet, so that it had to grow; name more --minutes or --rate");
    }
    let mut steep = Vec::new();
    for (what, of) in COLUMNS {
        let Some(growth) = growth(&samples, of) else {
            bail!("{} samples are too few; name more --minutes", samples.len());
        };
        let verdict = if growth < GROWTH_MAX { "flat" } else { "not flat" };
        println!("{what}: {:+.1} % in the last third: {verdict}", growth * 100.0);
        steep.extend((growth >= GROWTH_MAX).then_some(what));
    }
    if !steep.is_empty() {
        bail!("not flat: {}", steep.join(", "));
    }
    Ok(Done::Passed)
}

/// One column.
type Column = fn(&Sample) -> u64;

const COLUMNS: [(&str, Column); 2] =
    [("resident memory", |sample| sample.resident), ("disk", |sample| sample.disk)];

/// The daemon, and its address.
fn serve(
    piecework: &Path,
    data: &Path,
    logs: &Path,
    interrupt: &Interrupt,
) -> Result<(Program, String)> {
    let mut command = Command::new(piecework);
    command.args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    command.arg("--data-dir").arg(data).envs(SETTINGS);
    let mut daemon = Program::start("serve", &mut command, Signal::TERM, logs)?;
    let out = logs.join("serve.out");
    let is_ready = || address(&fs::read_to_string(&out).unwrap_or_default()).is_some();
    daemon.ready(interrupt, is_ready)?;
    let server = address(&daemon.printed()).context("the daemon did not say where it listens")?;
    Ok((daemon, server))
}

/// Where the daemon listens, once it has said so in a whole line.
fn address(printed: &str) -> Option<String> {
    let (line, _) = printed.split_once('\n')?;
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("listen="))?;
    Some(format!("http://{address}"))
}

/// By how much the highest of the last third is above the highest of the one before: what goes
/// up and down, as a journal does that is cut off from time to time, is flat all the same.
fn growth(samples: &[Sample], of: Column) -> Option<f64> {
    if samples.len() < SAMPLES_MIN {
        return None;
    }
    let third = samples.len() / 3;
    let (before, last) = samples[third..].split_at(samples.len() - 2 * third);
    let highest = |part: &[Sample]| part.iter().map(of).max().unwrap_or(0) as f64;
    Some(highest(last) / highest(before) - 1.0)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Memory that it has in RAM, bytes.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Bytes of the blocks that a file, or all in a directory, takes.
fn allocated(path: &Path) -> io::Result<u64> {
    let found = match path.symlink_metadata() {
        Ok(found) => found,
        // Given up meanwhile: it takes nothing any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut bytes = found.blocks() * BLOCK_BYTES;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            bytes += allocated(&entry?.path())?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(disk: &[u64]) -> Vec<Sample> {
        let sample = |(seconds, disk): (u64, &u64)| Sample { seconds, resident: 1, disk: *disk };
        (0..).zip(disk).map(sample).collect()
    }

    #[test]
    fn a_saw_is_flat_and_a_slope_is_not() {
        let growth = |disk: &[u64]| growth(&samples(disk), |sample| sample.disk);
        assert_eq!(growth(&[1, 9, 50, 100, 60, 100, 55, 90, 100]), Some(0.0));
        assert!(growth(&[10, 20, 30, 40, 50, 60, 70, 80, 90]).is_some_and(|up| up > GROWTH_MAX));
        assert_eq!(growth(&[1, 2, 3, 4, 4, 2]), Some(0.0), "the beginning does not count");
        assert_eq!(growth(&[1; 5]), None);
    }

    #[test]
    fn options_come_in_any_order() {
        let read = Steady::parse(&["--rate", "5", "--minutes", "1"]).expect("are options");
        assert_eq!((read.minutes, read.rate), (1, 5));
        let wrong = |words: &[&str]| Steady::parse(words).unwrap_err();
        assert_eq!(wrong(&["--minutes", "0"]), "--minutes 0: it is a whole number, at least 1");
        assert_eq!(wrong(&["--only", "open"]), "compare steady has no option --only");
    }

    #[test]
    fn the_address_is_read_from_a_whole_line() {
        let line = "ready listen=127.0.0.1:5 metrics=127.0.0.1:6\n";
        assert_eq!(address(line).as_deref(), Some("http://127.0.0.1:5"));
        assert_eq!(address("ready listen=127.0.0.1:5"), None);
    }

    #[test]
    fn what_lies_in_a_directory_is_counted() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let empty = allocated(directory.path()).expect("is there");
        fs::write(directory.path().join("file"), [1; 100_000]).expect("writes");
        assert!(allocated(directory.path()).expect("is there") >= empty + 100_000);
        assert_eq!(allocated(&directory.path().join("none")).expect("is none"), 0);
        assert!(resident(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
    }
}
