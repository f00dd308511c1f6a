//! Crashes while a snapshot is made: the old one stays whole, the next attempt succeeds.

use crate::journal::LyingDisk;

use super::history::{History, page_files, rows_of, settings};
use super::{SnapshotSettings, Snapshots};

/// Some snapshots, and a history that has gone on since.
fn world(settings: SnapshotSettings, seed: u64) -> (LyingDisk, History, History) {
    let disk = LyingDisk::new(seed);
    let snapshots = Snapshots::open(disk.clone(), settings).expect("open");
    let mut history = History::default();
    for round in 0..2 {
        history.go_on(seed * 10 + round, 6);
        history.snapshot(&snapshots).expect("snapshot");
    }
    let mut longer = History::default();
    for round in 0..2 {
        longer.go_on(seed * 10 + round, 6);
    }
    longer.go_on(seed * 10 + 2, 6);
    (disk, history, longer)
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_snapshot_or_the_new_one_whole() {
    for (seed, delta_bytes, is_killed) in
        [(1, usize::MAX, false), (2, 4_000, false), (3, usize::MAX, false), (4, usize::MAX, true)]
    {
        let settings = SnapshotSettings { delta_bytes, file_bytes: 4096, ..settings() };
        let (disk, old, new) = world(settings, seed);
        let (mut finished, mut kept_old, mut got_new) = (false, 0, 0);
        let mut operation = 0;
        while !finished {
            operation += 1;
            let disk = disk.copy();
            let snapshots = Snapshots::open(disk.clone(), settings).expect("open");
            disk.die_at(disk.operations() + operation);
            finished = new.snapshot(&snapshots).is_ok();
            drop(snapshots);
            if is_killed {
                disk.restart();
            } else {
                disk.power_cut();
            }

            let snapshots = Snapshots::open(disk.clone(), settings).expect("open");
            assert!(snapshots.damaged().is_empty(), "operation {operation}");
            let newest = snapshots.newest().expect("one stays");
            let expected = if newest.position == old.last() { &old } else { &new };
            kept_old += u32::from(newest.position == old.last());
            got_new += u32::from(newest.position == new.last());
            assert_eq!(newest.position, expected.last());
            for info in snapshots.list() {
                snapshots.verify(info.position).expect("whole");
            }
            assert_eq!(rows_of(&snapshots, newest.position), expected.rows);

            let info = new.snapshot(&snapshots).expect("the next attempt succeeds");
            assert_eq!(rows_of(&snapshots, info.position), new.rows);
            let needed: u64 = snapshots.list().iter().map(|info| info.own_bytes).sum();
            let stored: usize = page_files(&disk).iter().map(|page| disk.content(page).len()).sum();
            assert_eq!(stored as u64, needed, "operation {operation}");
        }
        // The disk was hit on both sides of the moment that counts.
        assert!(kept_old > 10 && got_new > 1, "{kept_old} and {got_new} of {operation}");
    }
}

#[test]
fn a_failed_sync_or_a_full_disk_publishes_nothing_and_the_next_attempt_succeeds() {
    let settings = SnapshotSettings { file_bytes: 4096, ..settings() };
    let (disk, old, new) = world(settings, 4);
    let full: usize = disk.names().iter().map(|name| disk.content(name).len()).sum();
    for is_full in [true, false] {
        let disk = disk.copy();
        let snapshots = Snapshots::open(disk.clone(), settings).expect("open");
        if is_full {
            disk.set_bytes_max(full as u64 + 5_000);
        } else {
            disk.fail_next_sync();
        }
        let error = new.snapshot(&snapshots).expect_err("refused");
        assert!(!error.is_damage(), "{error}");
        assert_eq!(snapshots.covered(), old.last());
        let left: usize = disk.names().iter().map(|name| disk.content(name).len()).sum();
        assert_eq!(left, full, "the space was given back");
        disk.set_bytes_max(u64::MAX);
        new.snapshot(&snapshots).expect("the next attempt succeeds");
        assert_eq!(rows_of(&snapshots, new.last()), new.rows);
    }
}
