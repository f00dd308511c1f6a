//! Many seeds, on all cores.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use piecework_sim::run::{self, Coverage, Run};
use piecework_sim::world::Events;

/// Fewer seeds were picked for what they found, not for what they meet.
const SEEDS_TO_JUDGE: usize = 100;
/// Of a hundred runs, so many may prove too little.
const UNKNOWN_PERCENT_MAX: usize = 25;

/// What came of many seeds.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) seeds: usize,
    pub(crate) failed: Vec<u64>,
    unknown: usize,
    coverage: Coverage,
    events: Events,
    steps: usize,
    took: Duration,
}

impl Summary {
    /// Nothing failed, and enough was met to say so.
    pub(crate) fn is_passed(&self) -> bool {
        let knows = self.unknown * 100 <= self.seeds * UNKNOWN_PERCENT_MAX;
        self.failed.is_empty() && (knows || self.seeds < SEEDS_TO_JUDGE)
    }

    /// How much was run.
    pub(crate) fn cases(&self) -> String {
        let (commands, unknown) = (self.coverage.commands, self.unknown);
        format!("{} seeds, {commands} commands, {unknown} unknown", self.seeds)
    }

    /// What was done to it.
    pub(crate) fn faults(&self) -> String {
        let (e, c) = (&self.events, &self.coverage);
        format!(
            "{} crashes ({} power cuts, {} in recovery), {} tables in doubt, {} disk faults, \
             {} rotten files, {} lost replies, {} clock jumps; {} expiries, {} late answers, \
             {} reassignments",
            e.crashes,
            e.power_cuts,
            e.died_in_recovery,
            e.tables_in_doubt,
            e.disk_faults,
            e.rotten_files,
            e.lost_replies,
            e.jumps,
            c.expired,
            c.late,
            c.reassigned,
        )
    }

    fn add(&mut self, run: &Run) {
        self.seeds += 1;
        self.steps += run.steps.len();
        self.coverage.add(&run.coverage);
        self.events.add(&run.events);
        if let Some(failure) = &run.failure {
            eprintln!("seed {}: {failure}", run.seed);
            self.failed.push(run.seed);
        } else if run.coverage.unknown(&run.events).is_some() {
            self.unknown += 1;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { seeds, failed, unknown, coverage: c, events: e, steps, took } = self;
        write!(
            f,
            "simulation: seeds={seeds} failed={} unknown={unknown} steps={steps} commands={} \
             granted={} expired={} reassigned={} late={} crashes={} power_cuts={} \
             died_in_recovery={} tables_in_doubt={} disk_faults={} lost_replies={} jumps={} \
             checkpoints={} snapshots={} took_s={:.1} seeds_a_minute={:.0}",
            failed.len(),
            c.commands,
            c.granted,
            c.expired,
            c.reassigned,
            c.late,
            e.crashes,
            e.power_cuts,
            e.died_in_recovery,
            e.tables_in_doubt,
            e.disk_faults,
            e.lost_replies,
            e.jumps,
            e.checkpoints,
            e.snapshots,
            took.as_secs_f64(),
            60.0 * *seeds as f64 / took.as_secs_f64().max(0.001),
        )
    }
}

/// Runs all of them, or up to about the first that fails, or as many as there is time for.
pub(crate) fn run(seeds: &[u64], jobs: usize, first: bool, within: Option<Duration>) -> Summary {
    let began = Instant::now();
    let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed)
                    && within.is_none_or(|within| began.elapsed() < within)
                    && let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let run = run::run(*seed);
                    enough.fetch_or(first && run.failure.is_some(), Ordering::Relaxed);
                    summary.lock().expect("no run panics").add(&run);
                }
            });
        }
    });
    let mut summary = summary.into_inner().expect("no run panicked");
    summary.failed.sort_unstable();
    summary.took = began.elapsed();
    summary
}

/// The seeds of a file: one a line, `#` begins a comment.
pub(crate) fn read(file: &Path) -> Result<Vec<u64>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("could not read {}", file.display()))?;
    let mut seeds = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            let wrong = || format!("{}:{}: {line:?} is no seed", file.display(), number + 1);
            seeds.push(line.parse().with_context(wrong)?);
        }
    }
    Ok(seeds)
}

/// One thread a core.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
