//! Counting the instructions of one step, by running this program under callgrind.
//!
//! Times depend on what else the machine does; counts do not, and hardware counters are
//! missing on most virtual machines. The program runs itself under callgrind once a
//! row: there it is a *subject*, which prepares, says so with [`prepared`], then takes
//! its steps inside [`counted`] and calls [`over`] after each. Nothing outside
//! `counted` counts. Works for any hot path: include this file in another bench, mark
//! the step, and give the names of the rows.
//!
//! Not here: what is measured (`lease/`), reading clocks.

use std::fmt;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first argument of a subject; the name of its row is the second.
pub(crate) const SUBJECT: &str = "--subject";

static PREPARED: AtomicBool = AtomicBool::new(false);

/// What a subject prints at its end, before the number of steps per unit.
const STEPS: &str = "steps:";

/// What counts. Callgrind knows it by its name.
#[inline(never)]
pub(crate) fn counted<T>(step: impl FnOnce() -> T) -> T {
    black_box(black_box(step)())
}

/// From here on steps count.
#[inline(never)]
pub(crate) fn prepared() {
    PREPARED.store(true, Ordering::Relaxed);
    dump();
}

/// A counted step is over.
pub(crate) fn over() {
    if PREPARED.load(Ordering::Relaxed) {
        dump();
    }
}

/// Callgrind knows it by its name, and writes down what was counted since the last time.
#[inline(never)]
fn dump() {
    black_box(());
}

/// What a subject says at its end: of how many steps each of its units was made.
pub(crate) fn report(steps: &[usize]) {
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    println!("{STEPS}{}", steps.join(","));
}

/// Instructions of the dearest step of each unit, ascending.
pub(crate) fn count(row: &str) -> Result<Vec<u64>, Uncounted> {
    let folder = tempfolder(row)?;
    let program = std::env::current_exe().map_err(Uncounted::Files)?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--dump-line=no"])
        .args(["--toggle-collect=*instructions::counted*", "--dump-before=*instructions::dump*"])
        .arg(format!("--callgrind-out-file={}", folder.join("dump").display()))
        .arg(program)
        .args([SUBJECT, row])
        .stdin(Stdio::null())
        .output()
        .map_err(Uncounted::Missing)?;
    let said = String::from_utf8_lossy(&run.stdout);
    let steps = said.lines().find_map(|line| line.strip_prefix(STEPS));
    let Some(steps) = steps.filter(|_| run.status.success()) else {
        return Err(Uncounted::Failed(String::from_utf8_lossy(&run.stderr).into_owned()));
    };
    // The first dump is what was counted while preparing.
    let mut dump = 1;
    let mut units = Vec::new();
    for unit in steps.split(',') {
        let mut dearest = 0;
        for _ in 0..unit.parse().map_err(|_| Uncounted::Failed(steps.to_owned()))? {
            dump += 1;
            dearest = dearest.max(total(&folder.join(format!("dump.{dump}")))?);
        }
        units.push(dearest);
    }
    fs::remove_dir_all(&folder).map_err(Uncounted::Files)?;
    units.sort_unstable();
    Ok(units)
}

/// An empty folder for the dumps of one row.
fn tempfolder(row: &str) -> Result<PathBuf, Uncounted> {
    let name: String = row.chars().filter(char::is_ascii_alphanumeric).collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    match fs::remove_dir_all(&folder) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(Uncounted::Files(fault)),
        _ => fs::create_dir_all(&folder).map(|()| folder).map_err(Uncounted::Files),
    }
}

/// What callgrind counted in one dump.
fn total(dump: &Path) -> Result<u64, Uncounted> {
    let text = fs::read_to_string(dump).map_err(Uncounted::Files)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let count = total.and_then(|total| total.trim().parse().ok());
    count.ok_or_else(|| Uncounted::Failed(format!("no total in {}", dump.display())))
}

/// Why there are no counts.
#[derive(Debug)]
pub(crate) enum Uncounted {
    /// Valgrind cannot be started.
    Missing(io::Error),
    /// It, or the subject, failed; what was said.
    Failed(String),
    /// Its dumps cannot be kept or read.
    Files(io::Error),
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uncounted::Missing(source) => write!(
                f,
                "could not start valgrind ({source}); install it, on Debian or Ubuntu with \
                 `apt-get install valgrind`, elsewhere under the same name"
            ),
            Uncounted::Failed(said) => write!(f, "could not count under valgrind:\n{said}"),
            Uncounted::Files(source) => write!(f, "could not keep callgrind's dumps: {source}"),
        }
    }
}
