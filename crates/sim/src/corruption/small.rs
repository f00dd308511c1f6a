//! A small data directory, as it was early and late in its life.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use piecework_core::Position;
use piecework_server::testing::{World, seeds};
use piecework_storage::{
    DataDirectory, FileJournal, Group, Journal as _, JournalId, JournalSettings, RealDisk,
    SnapshotProgress, SnapshotSettings, Snapshots, Snapshotter, Store, StoreSettings,
};

/// Small, so that a few dozen groups fill several.
pub(super) const SEGMENT_BYTES: u64 = 16 * 1024;
const RESERVE_BYTES: u64 = 64 * 1024;

/// No more than a copy of it in memory should take.
pub(super) fn store_settings() -> StoreSettings {
    StoreSettings { reserve_bytes: RESERVE_BYTES, ..StoreSettings::default() }
}

/// File names from the data directory on, and what they hold.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Page files of a few rows each, both snapshots kept.
pub(super) fn snapshot_settings(journal: JournalId) -> SnapshotSettings {
    SnapshotSettings { file_bytes: 8 * 1024, kept: 2, ..SnapshotSettings::new(journal) }
}

/// What a directory has besides its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The whole journal, and no snapshot.
    NoSnapshot,
    /// Two snapshots, and the journal behind the older one.
    Trimmed,
    /// The same without tables: a snapshot is needed, and either will do.
    TablesGone,
    /// The journal behind the newer one only, and no tables: that one is needed.
    NewestNeeded,
}

impl Shape {
    pub(super) const ALL: [Shape; 4] =
        [Shape::NoSnapshot, Shape::Trimmed, Shape::TablesGone, Shape::NewestNeeded];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::NoSnapshot => "whole journal, no snapshot",
            Shape::Trimmed => "two snapshots, trimmed journal",
            Shape::TablesGone => "two snapshots, trimmed journal, no tables",
            Shape::NewestNeeded => "journal trimmed to the newest snapshot, no tables",
        })
    }
}

/// One directory at two times.
pub(super) struct Small {
    pub(super) journal: JournalId,
    pub(super) early: Files,
    pub(super) late: Files,
}

impl Small {
    /// Writes what a small world wrote, in two lives.
    pub(super) fn make(shape: Shape) -> Result<Small> {
        let temp = super::memory_directory()?;
        let path = temp.path().join("data");
        let groups = groups();
        let half = groups.len() / 2;
        live(&path, &groups[..half], shape)?;
        let early = read(&path)?;
        live(&path, &groups[half..], shape)?;
        let mut late = read(&path)?;
        if matches!(shape, Shape::TablesGone | Shape::NewestNeeded) {
            late.retain(|name, _| !name.starts_with("tables/"));
        }
        let journal = DataDirectory::open(&path)?.journal_id();
        Ok(Small { journal, early, late })
    }
}

/// What a world was asked, as its journal has it.
fn groups() -> Vec<Group> {
    let mut world = World::prepared();
    for (method, message) in seeds() {
        // Refusals are answers, too.
        let _ = world.ask(method, &message);
    }
    world.groups()
}

/// One life: opened, appended to, published, checkpointed, closed. On the
/// way a snapshot is made, and behind the second the journal is trimmed.
fn live(path: &Path, groups: &[Group], shape: Shape) -> Result<()> {
    let directory = DataDirectory::open(path)?;
    let store = Store::open(&directory.tables_path(), &store_settings())?;
    let settings = JournalSettings {
        segment_bytes: SEGMENT_BYTES,
        ..JournalSettings::new(directory.journal_id())
    };
    let snapshots =
        Snapshots::open(directory.snapshots_disk(), snapshot_settings(directory.journal_id()))?;
    let disk = directory.journal_disk();
    let mut journal = FileJournal::open(disk, settings, store.applied(), Box::new(|_| {}))?;
    if store.applied().next() < journal.bounds().next {
        for group in journal.read(store.applied().next())? {
            let group = group?;
            store.publish(&group.body, group.last(), group.now)?;
        }
    }
    store.opened()?;
    for (number, group) in groups.iter().enumerate() {
        let (last, now) = (group.last(), group.now);
        journal.append(group.clone())?;
        store.publish(&group.body, last, now)?;
        if number % 7 == 6 {
            store.checkpoint_now()?;
        }
        let is_due = number == groups.len() * 2 / 3;
        if is_due && shape != Shape::NoSnapshot {
            store.checkpoint_now()?;
            // Only what is durable is read, and given up.
            while journal.bounds().synced < last {
                std::thread::yield_now();
            }
            snapshot(&snapshots, &store, &journal)?;
        }
    }
    if let [older, newer] = &snapshots.list()[..] {
        let (needed, at_least) = match shape {
            Shape::NewestNeeded => (newer.position, older.position.next()),
            _ => (older.position, Position(1)),
        };
        let oldest = journal.trim(needed.next())?;
        ensure!(oldest > at_least, "too little was trimmed: {oldest} is left, {needed} is covered");
    }
    journal.close()?;
    Ok(())
}

/// Makes a snapshot of what the tables' last checkpoint has.
fn snapshot(snapshots: &Snapshots<RealDisk>, store: &Store, journal: &FileJournal) -> Result<()> {
    let (position, now, digest) = store.applied_digest().context("a finished checkpoint")?;
    let mut snapshotter = Snapshotter::begin(snapshots, position, now, Some(digest))?;
    while matches!(snapshotter.step(&|from| journal.read(from))?, SnapshotProgress::Working) {}
    Ok(())
}

/// All files below `path` but the lock.
fn read(path: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?.path();
            let name = entry.strip_prefix(path)?.to_string_lossy().into_owned();
            if entry.is_dir() {
                directories.push(entry);
            } else if name != "LOCK" {
                files.insert(name, fs::read(&entry)?);
            }
        }
    }
    Ok(files)
}

/// Puts `files` below `path`.
pub(super) fn write(files: &Files, path: &Path) -> Result<()> {
    for part in ["journal", "tables", "snapshots"] {
        fs::create_dir_all(path.join(part))?;
    }
    for (name, content) in files {
        let at = path.join(name);
        fs::create_dir_all(at.parent().context("a file lies in a directory")?)?;
        fs::write(at, content)?;
    }
    Ok(())
}
