//! The power fails at any operation of a real run: is everything acknowledged there?
//!
//! A run of the real journal with its threads, on real files, is recorded; disks
//! as a power cut could leave them are built from the record, recovered by the
//! real recovery and compared with what was handed over and acknowledged. In
//! some the process is killed first, recovers what only the page cache holds,
//! acknowledges more, and then the power fails.
//!
//! Not here: what a power cut does to a disk (`LyingDisk` in storage).

mod check;
mod history;
mod life;
mod report;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use piecework_core::planted::{self, Mistake};
use piecework_storage::{JournalSettings, LyingDisk, Recording};

use history::{History, Phase};
pub use report::Report;

use crate::Random;

/// States that are built from one recorded run.
const STATES_PER_RUN: usize = 250;
/// States that are built for one cut.
const STATES_PER_CUT: usize = 2;
/// Cuts in the life after one kill.
const CUTS_PER_KILL: usize = 6;

/// Builds and checks `states` disks or a few more. `control`: a mistake to make
/// meanwhile, which must be found. Equal seeds choose alike, but threads and
/// disks make each run different.
///
/// # Errors
/// The real run failed: no directory, a full disk. What a check finds is in the
/// report.
pub fn run(states: usize, seed: u64, control: Option<Mistake>) -> Result<Report> {
    let _planted = Planted::new(control);
    let mut random = Random::new(seed);
    let mut report = Report::new(seed, control);
    while report.states < states {
        let wanted = STATES_PER_RUN.min(states - report.states);
        let run = life::record_files(&mut random).context("the run to be recorded")?;
        report.recorded(&run.recording);
        cut_once(&run, wanted / 2, &mut random, &mut report);
        kill_and_cut(&run, wanted - wanted / 2, &mut random, &mut report)
            .context("a life after a kill")?;
    }
    Ok(report)
}

/// A recorded run and what was handed over in it.
struct Run {
    settings: JournalSettings,
    recording: Recording,
    history: History,
}

/// A power cut out of the blue.
fn cut_once(run: &Run, states: usize, random: &mut Random, report: &mut Report) {
    let cuts = choose_cuts(&run.recording, states.div_ceil(STATES_PER_CUT), random);
    let mut replay = run.recording.replay();
    for (cut, phase) in cuts {
        replay.advance(cut);
        let owed = run.history.owed(&run.recording, cut);
        for _ in 0..STATES_PER_CUT {
            let state_seed = random.bits();
            let disk = replay.killed(state_seed, false);
            report.state(phase, disk.power_cut());
            if let Err(lost) = check::check(&disk, &run.settings, &owed, random) {
                report.failed(format!("cut at {cut}, {phase}, state {state_seed}: {lost}"));
            }
        }
    }
}

/// A kill, a second life on what is in the cache, and then a power cut.
fn kill_and_cut(run: &Run, states: usize, random: &mut Random, report: &mut Report) -> Result<()> {
    let kills = states.div_ceil(CUTS_PER_KILL * STATES_PER_CUT);
    let mut replay = run.recording.replay();
    for kill in choose_kills(&run.recording, kills, random) {
        replay.advance(kill);
        let disk: LyingDisk = replay.killed(random.bits(), random.one_in(2));
        let owed = run.history.owed(&run.recording, kill);
        let second = life::record_second(disk, &run.settings, owed, random)
            .with_context(|| format!("after a kill at operation {kill}"));
        match second {
            Ok(second) => {
                report.second_lives += 1;
                cut_once(&second, CUTS_PER_KILL * STATES_PER_CUT, random, report);
            }
            Err(error) => report.failed(format!("{error:#}")),
        }
    }
    Ok(())
}

/// Cuts in ascending order, about as many in each phase.
fn choose_cuts(recording: &Recording, count: usize, random: &mut Random) -> Vec<(usize, Phase)> {
    let mut by_phase: BTreeMap<Phase, Vec<usize>> = BTreeMap::new();
    for (at, phase) in History::phases(recording).into_iter().enumerate() {
        by_phase.entry(phase).or_default().push(at);
    }
    let phases: Vec<Phase> = by_phase.keys().copied().collect();
    let mut cuts: Vec<_> = (0..count)
        .map(|number| {
            let phase = phases[number % phases.len()];
            (*random.pick(&by_phase[&phase]), phase)
        })
        .collect();
    cuts.sort_unstable();
    cuts
}

/// Moments at which a process may be killed, in ascending order; mostly such
/// at which something was written or renamed and is not yet synced.
fn choose_kills(recording: &Recording, count: usize, random: &mut Random) -> Vec<usize> {
    let operations = recording.operations();
    let syncs: Vec<usize> =
        (0..operations.len()).filter(|at| operations[*at].operation.is_sync()).collect();
    let mut kills: Vec<usize> = (0..count)
        .map(|_| match random.index(4) {
            0 => random.index(operations.len()),
            // A build that never syncs has no such moments.
            _ if syncs.is_empty() => random.index(operations.len()),
            _ => *random.pick(&syncs),
        })
        .collect();
    kills.sort_unstable();
    kills
}

/// A mistake is planted as long as this lives.
struct Planted;

impl Planted {
    fn new(mistake: Option<Mistake>) -> Planted {
        planted::plant(mistake);
        Planted
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        planted::plant(None);
    }
}
