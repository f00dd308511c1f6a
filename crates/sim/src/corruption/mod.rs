//! Damage to a data directory: is it told, or does it cost nothing?
//!
//! A small directory is made by the real journal and the real tables from groups
//! of a real engine. Every damage works on a copy, which is then opened as the
//! daemon does. It must not open, with an error that says where, or open to the
//! very same rows: never to others, and never hang.
//!
//! Not here: what the daemon prints and its exit status (`tests/`).

mod damage;
mod offline;
mod opening;
mod report;
mod small;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use damage::{Damage, damages};
use opening::{Opened, open_watched};
use report::Expected;
pub use report::Report;
use small::{Files, Shape, Small, write};

/// Flips every `every`th byte of every file (of zeros every 64th at most), cuts,
/// swaps and removes files, and puts old copies back; where the journal holds
/// everything, where it was trimmed below two snapshots, and where these are
/// needed because the tables are gone. `every` is at least 1.
///
/// Damaged tables must be made anew, and a reading of all snapshots must find
/// each that was hurt, also where the start does not need it.
///
/// # Errors
/// The directory cannot be made or copied, or does not open undamaged. What a
/// damage does is in the report.
pub fn run(every: usize) -> Result<Report> {
    let mut report = Report { every: every.max(1), ..Report::default() };
    let begun = Instant::now();
    for shape in Shape::ALL {
        let small = Small::make(shape).context("the directory to be damaged")?;
        let whole = try_one(&small.late, None, |_| Ok(()))?;
        let Opened::Whole(rows) = whole else {
            anyhow::bail!("the undamaged directory does not open: {whole:?}");
        };
        ensure!(rows.rows > 0, "the undamaged directory holds no rows");
        for damage in damages(&small, report.every) {
            let what = format!("{damage} ({shape})");
            let files = damage.apply(&small);
            let hurt = damage.hurt_snapshot(&small, &files);
            let opened = try_one(&files, Some(&damage), |path| {
                if let Some(file) = hurt {
                    report.take_snapshot(&what, offline::names(path, small.journal, file)?);
                }
                Ok(())
            })?;
            let expected = Expected { rows: &rows, is_rebuilt: damage.is_in_tables(), hurt };
            report.take(&what, &opened, &expected);
        }
    }
    report.took = begun.elapsed();
    Ok(report)
}

/// Opens a copy of `files` in a place of its own, after somebody has `read` it.
fn try_one(
    files: &Files,
    damage: Option<&Damage>,
    read: impl FnOnce(&Path) -> Result<()>,
) -> Result<Opened> {
    let temp = memory_directory().context("a place for a copy")?;
    let path = temp.path().join("data");
    write(files, &path).with_context(|| format!("a copy with {damage:?}"))?;
    read(&path)?;
    let opened = open_watched(&path);
    if matches!(opened, Opened::Hangs) {
        // Its thread still works there.
        let _ = temp.keep();
    }
    Ok(opened)
}

/// A temporary directory, in memory where the system has such a place: thousands
/// of copies are synced and thrown away.
fn memory_directory() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}
