//! From a data directory to another by way of a snapshot.

use std::path::{Path, PathBuf};

use crate::directory::{DataDirectory, DirectoryError};
use crate::journal::{FileJournal, Journal as _, JournalSettings, RealDisk};
use crate::tables::{Store, StoreSettings};

use super::history::{History, rows_of};
use super::{SnapshotError, SnapshotSettings, Snapshots, restore};

/// A data directory with a snapshot of a history, and where its manifest is.
fn world(path: &Path) -> (History, PathBuf) {
    let directory = DataDirectory::open(path).expect("made");
    let snapshots = open(&directory);
    let history = History::random(3, 30);
    let info = history.snapshot(&snapshots).expect("snapshot");
    (history, directory.snapshots_path().join(info.file))
}

fn open(directory: &DataDirectory) -> Snapshots<RealDisk> {
    let settings =
        SnapshotSettings { file_bytes: 4096, ..SnapshotSettings::new(directory.journal_id()) };
    Snapshots::open(directory.snapshots_disk(), settings).expect("open")
}

#[test]
fn a_restored_directory_has_its_own_journal_the_snapshot_and_the_next_position() {
    let temp = tempfile::tempdir().expect("temp");
    let (old, new) = (temp.path().join("old"), temp.path().join("deep/er/new"));
    let (history, manifest) = world(&old);
    let restored = restore(&manifest, &new).expect("restored");
    assert_eq!(restored.snapshot.digest, history.digest());
    assert_eq!(restored.origin, DataDirectory::open(&old).expect("old").journal_id());
    assert_ne!(restored.journal, restored.origin);

    let directory = DataDirectory::open(&new).expect("new");
    assert_eq!(directory.journal_id(), restored.journal);
    let snapshots = open(&directory);
    assert!(snapshots.damaged().is_empty());
    assert_eq!(rows_of(&snapshots, history.last()), history.rows);

    // As a start does it: the tables from the snapshot, then the journal behind it.
    let store = Store::in_memory(&StoreSettings::default());
    let info = snapshots.newest().expect("restored");
    let rows = snapshots.rows(info.position).expect("whole");
    store.import(rows, (info.position, info.now), info.digest).expect("imported");
    assert_eq!(store.applied(), history.last());
    let settings = JournalSettings::new(restored.journal);
    let journal =
        FileJournal::open(directory.journal_disk(), settings, info.position, Box::new(|_| {}))
            .expect("journal");
    assert_eq!(journal.bounds().next, history.last().next());
    journal.close().expect("closed");
}

#[test]
fn a_directory_with_anything_in_it_is_refused_untouched() {
    let temp = tempfile::tempdir().expect("temp");
    let (old, new) = (temp.path().join("old"), temp.path().join("new"));
    let (_, manifest) = world(&old);
    for target in [&old, &new] {
        std::fs::create_dir_all(target).expect("made");
        std::fs::write(target.join("notes"), "mine").expect("written");
        let error = restore(&manifest, target).expect_err("refused");
        assert!(matches!(error, SnapshotError::NotEmpty { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(&new).expect("list").count(), 1);
}

#[test]
fn a_damaged_source_is_named_and_what_was_begun_is_no_data_directory() {
    let temp = tempfile::tempdir().expect("temp");
    let (old, new) = (temp.path().join("old"), temp.path().join("new"));
    let (_, manifest) = world(&old);
    let files = std::fs::read_dir(old.join("snapshots")).expect("list");
    let mut pages: Vec<PathBuf> = files
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rows"))
        .collect();
    pages.sort();
    let page = pages.last().expect("a page");
    let mut bytes = std::fs::read(page).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(page, bytes).expect("written");
    let error = restore(&manifest, &new).expect_err("damaged");
    assert!(
        error.is_damage() && error.to_string().contains(&page.display().to_string()),
        "{error}"
    );
    let refused = DataDirectory::open(&new).expect_err("half-made");
    assert!(matches!(refused, DirectoryError::NotOurs { .. }), "{refused}");

    std::fs::remove_file(page).expect("removed");
    let error = restore(&manifest, &temp.path().join("other")).expect_err("missing");
    assert!(matches!(&error, SnapshotError::Missing { file, .. } if file == page), "{error}");
    let error = restore(&old.join("snapshots/7.manifest"), &temp.path().join("third"));
    assert!(matches!(error, Err(SnapshotError::Io { doing: "read", .. })));
}
