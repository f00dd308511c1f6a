//! The lives of a journal that are recorded: opened, appended to, trimmed,
//! closed or dropped, opened again.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use piecework_core::{EngineTime, Now, Position, WallTime};
use piecework_storage::{
    DataDirectory, Disk, Durable, FileJournal, Group, Journal as _, JournalError, JournalSettings,
    LyingDisk, OnDurable, RecordingDisk,
};

use super::Run;
use super::history::{ACKNOWLEDGED, APPENDING, History, OPENED, OPENING, Owed, TRIMMING};
use crate::Random;

/// Groups appended in a life of a run on files, and how many such lives.
const GROUPS: usize = 120;
const LIVES: usize = 4;
/// The same in the life after a kill.
const GROUPS_AFTER_KILL: usize = 12;

/// Several lives on real files.
pub(super) fn record_files(random: &mut Random) -> Result<Run> {
    let temp = tempfile::tempdir()?;
    let directory = DataDirectory::open(&temp.path().join("data"))?;
    let settings = JournalSettings {
        segment_bytes: [16, 32, 64][random.index(3)] * 1024,
        queued_groups: 1 + random.index(3),
        idle: Duration::from_millis(1),
        ..JournalSettings::new(directory.journal_id())
    };
    let disk = RecordingDisk::new(directory.journal_disk())?;
    let mut history = History::default();
    for _ in 0..LIVES {
        live(&disk, &settings, GROUPS, &mut history, random)?;
    }
    Ok(Run { settings, recording: disk.recording(), history })
}

/// One life on `disk` as a killed process left it. `owed`: at the kill.
pub(super) fn record_second(
    disk: LyingDisk,
    settings: &JournalSettings,
    owed: Owed,
    random: &mut Random,
) -> Result<Run> {
    let disk = RecordingDisk::over(disk);
    let mut history = History { start: owed, groups: Vec::new() };
    live(&disk, settings, GROUPS_AFTER_KILL, &mut history, random)?;
    Ok(Run { settings: settings.clone(), recording: disk.recording(), history })
}

fn live<D: Disk>(
    disk: &RecordingDisk<D>,
    settings: &JournalSettings,
    groups: usize,
    history: &mut History,
    random: &mut Random,
) -> Result<()> {
    disk.note(OPENING, Position(0));
    let (on_durable, durable) = listen(disk);
    let mut journal = FileJournal::open(disk.clone(), settings.clone(), Position(0), on_durable)?;
    disk.note(OPENED, journal.bounds().synced);
    for _ in 0..groups {
        let group = group(journal.bounds().next, random);
        let last = group.last();
        disk.note(APPENDING, last);
        history.groups.push(group.clone());
        journal.append(group)?;
        match random.index(24) {
            0 => journal.mark()?,
            1..=3 => wait_for(&durable, last)?,
            4 => {
                let below = last.0.saturating_sub(random.index(60) as u64).max(1);
                disk.note(TRIMMING, Position(below));
                journal.trim(Position(below))?;
            }
            _ => {}
        }
    }
    if random.one_in(2) {
        journal.close()?;
    }
    Ok(())
}

/// Notes every acknowledgement in the record, and tells of it.
fn listen<D: Disk>(
    disk: &RecordingDisk<D>,
) -> (OnDurable, Receiver<Result<Durable, JournalError>>) {
    let (tell, durable) = channel();
    let disk = disk.clone();
    let on_durable = move |result: Result<Durable, JournalError>| {
        if let Ok(durable) = &result {
            disk.note(ACKNOWLEDGED, durable.last);
        }
        // Nobody listens any more once the journal is about to be dropped.
        let _ = tell.send(result);
    };
    (Box::new(on_durable), durable)
}

fn wait_for(durable: &Receiver<Result<Durable, JournalError>>, last: Position) -> Result<()> {
    while durable.recv().context("the journal ended")??.last < last {}
    Ok(())
}

fn group(first: Position, random: &mut Random) -> Group {
    let bytes = match random.index(40) {
        0 => random.index(90_000),
        1..=5 => random.index(14_000),
        _ => random.index(2_500),
    };
    let count = 1 + u32::try_from(random.index(4)).expect("small");
    let now = Now { engine: EngineTime(first.0), wall: WallTime(first.0) };
    Group { first, count, now, body: random.bytes(bytes).into() }
}
