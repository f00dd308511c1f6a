//! What the data directory takes, and whether that grows.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// `st_blocks` counts in these, whatever the file system.
const BLOCK_BYTES: u64 = 512;

/// What lies on disk at one moment, bytes.
pub(super) struct Sample {
    at: Duration,
    journal: u64,
    tables: u64,
    snapshots: u64,
    total: u64,
    live: u64,
}

impl Sample {
    pub(super) fn take(at: Duration, data: &Path, live: u64) -> io::Result<Sample> {
        let part = |name: &str| allocated(&data.join(name));
        let (journal, tables, snapshots) = (part("journal")?, part("tables")?, part("snapshots")?);
        Ok(Sample { at, journal, tables, snapshots, total: allocated(data)?, live })
    }

    pub(super) fn print(&self, cycles: u64) {
        let Sample { at, journal, tables, snapshots, total, live } = self;
        let seconds = at.as_secs();
        println!(
            "{seconds:4} {cycles:8} {journal:11} {tables:11} {snapshots:11} {total:11} {live:11}"
        );
    }
}

/// Bytes of the blocks that a file, or all in a directory, takes.
fn allocated(path: &Path) -> io::Result<u64> {
    // A file that is given up meanwhile takes nothing any more.
    let gone =
        |error: io::Error| (error.kind() == io::ErrorKind::NotFound).then_some(0).ok_or(error);
    let found = match path.symlink_metadata() {
        Ok(found) => found,
        Err(error) => return gone(error),
    };
    let mut bytes = found.blocks() * BLOCK_BYTES;
    if found.is_dir() {
        for entry in std::fs::read_dir(path)? {
            bytes += allocated(&entry?.path())?;
        }
    }
    Ok(bytes)
}

/// One column.
type Part = fn(&Sample) -> u64;

/// The second half: the first one fills the window.
pub(super) fn summarize(samples: &[Sample]) {
    let half = &samples[samples.len() / 2..];
    let median = |of: Part| {
        let mut values: Vec<u64> = half.iter().map(of).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    let parts: [(&str, Part); 5] = [
        ("journal", |s| s.journal),
        ("tables", |s| s.tables),
        ("snapshots", |s| s.snapshots),
        ("total", |s| s.total),
        ("live", |s| s.live),
    ];
    let live = median(|s| s.live).max(1) as f64;
    println!("\nsecond half   median   maximum   bytes/minute   multiple of live");
    for (name, of) in parts {
        let (middle, most) = (median(of), half.iter().map(of).max().unwrap_or(0));
        let (slope, times) = (slope(half, of), middle as f64 / live);
        println!("{name:9} {middle:11} {most:11} {slope:11.0} {times:8.1}");
    }
}

/// Bytes a minute, by least squares.
fn slope(samples: &[Sample], of: Part) -> f64 {
    let count = samples.len().max(1) as f64;
    let points = || samples.iter().map(|s| (s.at.as_secs_f64() / 60.0, of(s) as f64));
    let (x, y) = points().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / count, sum.1 + p.1 / count));
    let (up, across) = points()
        .fold((0.0, 0.0), |sum, p| (sum.0 + (p.0 - x) * (p.1 - y), sum.1 + (p.0 - x) * (p.0 - x)));
    if across > 0.0 { up / across } else { 0.0 }
}
