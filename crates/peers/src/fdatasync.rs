//! `fdatasync`: the floor of anything durable, one append of 4 KiB and one fdatasync.
//!
//! Into a file that was written full of zeros before, so that a sync writes data and no
//! sizes. At its end it begins again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use hdrhistogram::Histogram;

use crate::closed_loop::Measured;
use crate::report::Report;

/// Bytes of the file.
const FILE_BYTES: u64 = 64 << 20;
/// Bytes of an append.
const APPEND_BYTES: u64 = 4 << 10;
/// Bytes written at a time while it is filled.
const FILL_BYTES: usize = 1 << 20;

/// Appends of 4 KiB to a preallocated file, each with an fdatasync
#[derive(Debug, Args)]
pub(crate) struct Fdatasync {
    /// How long is measured, in seconds
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// On the disk to measure; the file goes away afterwards
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    dir: PathBuf,
}

impl Fdatasync {
    pub(crate) fn run(&self) -> Result<Report> {
        let at = || format!("could not write a file of 64 MiB in {}", self.dir.display());
        let file = tempfile::tempfile_in(&self.dir).with_context(at)?;
        fill(&file).with_context(at)?;
        let measured = measure(&file, Duration::from_secs(self.seconds))?;
        Ok(Report::of("fdatasync")
            .with("file_bytes", FILE_BYTES)
            .with("append_bytes", APPEND_BYTES)
            .measured("sync", &measured))
    }
}

/// With zeros, and all of it on the disk.
fn fill(file: &File) -> Result<()> {
    let zeros = vec![0; FILL_BYTES];
    for at in (0..FILE_BYTES).step_by(FILL_BYTES) {
        file.write_all_at(&zeros, at)?;
    }
    Ok(file.sync_all()?)
}

fn measure(file: &File, length: Duration) -> Result<Measured> {
    let append = vec![b'x'; usize::try_from(APPEND_BYTES)?];
    let mut micros = Histogram::new(3).expect("three digits are allowed");
    let begun = Instant::now();
    let mut now = begun;
    for number in 0.. {
        if now >= begun + length {
            break;
        }
        file.write_all_at(&append, place(number)).context("could not append")?;
        file.sync_data().context("could not sync")?;
        let before = std::mem::replace(&mut now, Instant::now());
        let took = u64::try_from((now - before).as_micros())?;
        micros.record(took.max(1)).expect("it resizes itself");
    }
    let (done, took) = (micros.len(), now - begun);
    Ok(Measured { done, took, micros, server_cpu: None, ran_out: false })
}

/// Where the append with this number goes.
fn place(number: u64) -> u64 {
    number % (FILE_BYTES / APPEND_BYTES) * APPEND_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_follow_each_other_and_stay_in_the_file() {
        assert_eq!((place(0), place(1)), (0, APPEND_BYTES));
        let last = FILE_BYTES / APPEND_BYTES - 1;
        assert_eq!(place(last) + APPEND_BYTES, FILE_BYTES);
        assert_eq!(place(last + 1), 0);
    }

    #[test]
    fn the_file_keeps_its_size() {
        let file = tempfile::tempfile().expect("a temporary file");
        fill(&file).expect("fills");
        let measured = measure(&file, Duration::from_millis(1)).expect("measures");
        assert!(measured.done > 0 && measured.done == measured.micros.len());
        assert_eq!(file.metadata().expect("a size").len(), FILE_BYTES);
    }
}
