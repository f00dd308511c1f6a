//! Damage to a data directory: is it told, or does it cost nothing?
//!
//! A small directory is made by the real journal and the real tables from groups
//! of a real engine. Every damage works on a copy, which is then opened as the
//! daemon does. It must not open, with an error that says where, or open to the
//! very same rows: never to others, and never hang.
//!
//! Not here: what the daemon prints and its exit status (`tests/`).

mod damage;
mod opening;
mod report;
mod small;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use damage::{Damage, damages};
use opening::{Opened, open_watched};
pub use report::Report;
use small::{Files, Small, write};

/// Flips every `every`th byte of every file, cuts, swaps and removes files, and
/// puts old copies back; once where the journal holds everything, once where it
/// was trimmed and the tables are needed. `every` is at least 1.
///
/// # Errors
/// The directory cannot be made or copied, or does not open undamaged. What a
/// damage does is in the report.
pub fn run(every: usize) -> Result<Report> {
    let mut report = Report { every: every.max(1), ..Report::default() };
    for trimmed in [false, true] {
        let small = Small::make(trimmed).context("the directory to be damaged")?;
        let whole = try_one(&small.late, None)?;
        let Opened::Whole(rows) = whole else {
            anyhow::bail!("the undamaged directory does not open: {whole:?}");
        };
        ensure!(rows.rows > 0, "the undamaged directory holds no rows");
        for damage in damages(&small, report.every) {
            let what = format!("{damage}, journal {}", if trimmed { "trimmed" } else { "whole" });
            let opened = try_one(&damage.apply(&small), Some(&damage))?;
            report.take(&what, &opened, &rows);
        }
    }
    Ok(report)
}

/// Opens a copy of `files` in a place of its own.
fn try_one(files: &Files, damage: Option<&Damage>) -> Result<Opened> {
    let temp = memory_directory().context("a place for a copy")?;
    let path = temp.path().join("data");
    write(files, &path).with_context(|| format!("a copy with {damage:?}"))?;
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
