//! Damage to the files of snapshots is found, with the name of the file.

use std::error::Error;

use piecework_core::Position;

use crate::journal::{Disk as _, JournalId, LyingDisk};

use super::history::{History, page_files, settings};
use super::{SnapshotError, SnapshotSettings, Snapshots};

/// Two snapshots that share pages.
fn world() -> (LyingDisk, History, [Position; 2]) {
    let disk = LyingDisk::new(1);
    let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
    let mut history = History::random(8, 4);
    let first = history.snapshot(&snapshots).expect("snapshot").position;
    history.go_on(9, 1);
    let second = history.snapshot(&snapshots).expect("snapshot").position;
    (disk, history, [first, second])
}

/// The error and its sources in one line.
fn chain(error: &SnapshotError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// What a reading of all snapshots finds.
fn found(disk: &LyingDisk, positions: [Position; 2]) -> Vec<SnapshotError> {
    let snapshots = Snapshots::open_read_only(disk.clone(), settings()).expect("open");
    positions.iter().filter_map(|at| snapshots.verify(*at).err()).collect()
}

#[track_caller]
fn assert_named(disk: &LyingDisk, positions: [Position; 2], file: &str, what: &str) {
    let found = found(disk, positions);
    let path = disk.path(file).display().to_string();
    assert!(
        found.iter().any(|error| error.is_damage() && chain(error).contains(&path)),
        "{what} of {file}: {found:?}"
    );
}

#[test]
fn every_flipped_byte_is_found_with_the_name_of_its_file() {
    let (disk, _, positions) = world();
    assert!(found(&disk, positions).is_empty());
    let mut bytes = 0;
    for file in disk.names() {
        let good = disk.content(&file);
        // Every byte of what is small, some of what is large.
        let step = 1 + good.len() / 4_000;
        for at in (0..good.len()).step_by(step) {
            let mut damaged = good.clone();
            damaged[at] ^= 1 << (at % 8);
            disk.damage(&file, Some(damaged));
            assert_named(&disk, positions, &file, &format!("byte {at}"));
            bytes += 1;
        }
        disk.damage(&file, Some(good));
    }
    assert!(bytes > 2_000, "{bytes} bytes");
}

#[test]
fn truncated_lengthened_removed_and_swapped_files_are_found() {
    let (disk, _, positions) = world();
    let files = disk.names();
    for (number, file) in files.iter().enumerate() {
        let good = disk.content(file);
        for end in [0, 1, good.len() / 2, good.len() - 1] {
            disk.damage(file, Some(good[..end].to_vec()));
            assert_named(&disk, positions, file, "a cut");
        }
        let mut longer = good.clone();
        longer.push(0);
        disk.damage(file, Some(longer));
        assert_named(&disk, positions, file, "a byte more");
        let other = disk.content(&files[(number + 1) % files.len()]);
        disk.damage(file, Some(other));
        assert_named(&disk, positions, file, "another file's content");
        disk.damage(file, Some(good));
    }
    for page in page_files(&disk) {
        let copy = disk.copy();
        copy.damage(&page, None);
        assert_named(&copy, positions, &page, "the absence");
        // Names alone tell already.
        let snapshots = Snapshots::open(copy, settings()).expect("open");
        assert!(snapshots.list().len() < 2 && !snapshots.damaged().is_empty());
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_reported_and_keeps_its_pages_until_it_goes() {
    let (disk, history, [first, second]) = world();
    let manifest = super::manifest::file_of(second);
    let pages = page_files(&disk);
    let mut damaged = disk.content(&manifest);
    damaged[20] ^= 1;
    disk.damage(&manifest, Some(damaged));
    let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
    let [error] = snapshots.damaged() else { panic!("{:?}", snapshots.damaged()) };
    assert!(error.to_string().contains(&manifest), "{error}");
    assert_eq!((snapshots.covered(), snapshots.list().len()), (first, 1));
    assert_eq!(snapshots.doubtful(), [second]);
    assert_eq!(page_files(&disk), pages);
    snapshots.remove(second).expect("remove");
    assert!(page_files(&disk).len() < pages.len());
    // Made again of the older one, as long as the journal is there.
    assert_eq!(history.snapshot(&snapshots).expect("snapshot").digest, history.digest());
}

#[test]
fn an_old_copy_under_a_newer_name_and_another_journals_snapshot_are_refused() {
    let (disk, _, [first, second]) = world();
    let older = disk.content(&super::manifest::file_of(first));
    disk.damage(&super::manifest::file_of(second), Some(older));
    let [error] = &found(&disk, [first, second])[..] else { panic!("found") };
    assert!(chain(error).ends_with(&format!("that of position {first}, its name says {second}")));

    let other = SnapshotSettings { journal: JournalId(7), ..settings() };
    let snapshots = Snapshots::open_read_only(disk, other).expect("open");
    assert_eq!((snapshots.damaged().len(), snapshots.covered()), (2, Position(0)));
}

#[test]
fn a_damaged_page_is_not_merged_on_and_the_next_attempt_begins_before_it() {
    let (disk, mut history, [first, second]) = world();
    let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
    let newest = snapshots.manifest(Some(second)).expect("whole");
    let older = snapshots.manifest(Some(first)).expect("whole");
    let own = newest.pages.iter().find(|page| !older.pages.contains(page)).expect("one changed");
    let name = own.hash.file();
    let mut damaged = disk.content(&name);
    damaged[40] ^= 1;
    disk.damage(&name, Some(damaged));
    // Everything changes, so every page is read.
    history.go_on(10, 40);
    let error = history.snapshot(&snapshots).expect_err("damaged");
    assert!(error.is_damage() && error.to_string().contains(&name), "{error}");
    assert_eq!(snapshots.covered(), first);
    assert!(history.snapshot(&snapshots).is_ok_and(|info| info.digest == history.digest()));
}
