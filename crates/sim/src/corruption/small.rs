//! A small data directory, as it was early and late in its life.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use piecework_core::Position;
use piecework_server::testing::{World, seeds};
use piecework_storage::{
    DataDirectory, FileJournal, Group, Journal as _, JournalSettings, Store, StoreSettings,
};

/// Small, so that a few dozen groups fill several.
pub(super) const SEGMENT_BYTES: u64 = 32 * 1024;
const RESERVE_BYTES: u64 = 64 * 1024;

/// No more than a copy of it in memory should take.
pub(super) fn store_settings() -> StoreSettings {
    StoreSettings { reserve_bytes: RESERVE_BYTES, ..StoreSettings::default() }
}

/// File names from the data directory on, and what they hold.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// One directory at two times.
pub(super) struct Small {
    pub(super) early: Files,
    pub(super) late: Files,
}

impl Small {
    /// Writes what a small world wrote. `trimmed`: the journal begins where the
    /// tables have everything before.
    pub(super) fn make(trimmed: bool) -> Result<Small> {
        let temp = super::memory_directory()?;
        let path = temp.path().join("data");
        let groups = groups();
        let half = groups.len() / 2;
        live(&path, &groups[..half], trimmed)?;
        let early = read(&path)?;
        live(&path, &groups[half..], trimmed)?;
        Ok(Small { early, late: read(&path)? })
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

/// One life: opened, appended to, published, checkpointed, closed.
fn live(path: &Path, groups: &[Group], trimmed: bool) -> Result<()> {
    let directory = DataDirectory::open(path)?;
    let store = Store::open(&directory.tables_path(), &store_settings())?;
    let settings = JournalSettings {
        segment_bytes: SEGMENT_BYTES,
        ..JournalSettings::new(directory.journal_id())
    };
    let disk = directory.journal_disk();
    let mut journal = FileJournal::open(disk, settings, store.applied(), Box::new(|_| {}))?;
    if store.applied().next() < journal.bounds().next {
        for group in journal.read(store.applied().next())? {
            let group = group?;
            store.publish(&Bytes::from(group.body.clone()), group.last(), group.now)?;
        }
    }
    store.opened()?;
    for (number, group) in groups.iter().enumerate() {
        let (last, now) = (group.last(), group.now);
        journal.append(group.clone())?;
        store.publish(&Bytes::from(group.body.clone()), last, now)?;
        if number % 7 == 6 {
            store.checkpoint_now()?;
        }
    }
    let last = groups.last().context("groups to append")?.last();
    if trimmed {
        store.checkpoint_now()?;
        // Only what is durable is given up.
        while journal.bounds().synced < last {
            std::thread::yield_now();
        }
        journal.trim(Position(last.0 + 1))?;
    }
    journal.close()?;
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
    for part in ["journal", "tables"] {
        fs::create_dir_all(path.join(part))?;
    }
    for (name, content) in files {
        let at = path.join(name);
        fs::create_dir_all(at.parent().context("a file lies in a directory")?)?;
        fs::write(at, content)?;
    }
    Ok(())
}
