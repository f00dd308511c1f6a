//! Full disks, prepared and recycled segments, groups larger than a segment.

use piecework_core::Position;

use crate::journal::conformance::{Heard, group_at};
use crate::journal::{Journal, JournalError, JournalId};

use super::{JournalSettings, LyingDisk, SteppedJournal};

const SEGMENT: u64 = 16 * 1024;

fn open(disk: &LyingDisk, heard: &Heard) -> SteppedJournal<LyingDisk> {
    let settings = JournalSettings { segment_bytes: SEGMENT, ..JournalSettings::new(JournalId(9)) };
    SteppedJournal::open(disk.clone(), settings, Position(0), heard.callback()).expect("opened")
}

fn settle(journal: &mut SteppedJournal<LyingDisk>) {
    while journal.step_sync(false) || journal.step_keeper() {}
}

#[test]
fn a_full_disk_is_told_early_and_leaves_the_reserve_for_submits() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    settle(&mut journal);
    assert!(!journal.bounds().space_low);
    assert_eq!(journal.bounds().bytes, 3 * SEGMENT);
    // What is there now and a claim's few bytes, but no fourth segment.
    disk.set_bytes_max(3 * SEGMENT + 2 * 4096);
    let mut taken = 0;
    let mut taken_when_low = 0;
    let error = loop {
        match journal.append(group_at(&journal.bounds(), 1, 1_000)) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        settle(&mut journal);
        taken_when_low += u64::from(journal.bounds().space_low);
        journal.retry_space();
    };
    assert!(matches!(error, JournalError::Full { bytes: 4096, .. }), "{error}");
    // The current segment and both prepared ones were filled to the last block.
    assert_eq!(taken, 12);
    assert!(taken_when_low >= 7, "{taken_when_low} groups after the warning");
    assert_eq!((heard.durable().len(), heard.errors()), (12, 0));

    // Space comes back: so does the journal, without a restart.
    assert!(journal.bounds().space_low);
    disk.set_bytes_max(u64::MAX);
    journal.append(group_at(&journal.bounds(), 1, 1_000)).expect("taken again");
    settle(&mut journal);
    assert!(!journal.bounds().space_low);
    assert_eq!(heard.last(), Position(13));
}

#[test]
fn what_is_written_is_counted_once_it_is_on_disk() {
    let (disk, heard) = (LyingDisk::new(1), Heard::default());
    let mut journal = open(&disk, &heard);
    settle(&mut journal);
    let before = journal.bounds().written;
    journal.append(group_at(&journal.bounds(), 1, 5_000)).expect("taken");
    assert_eq!(journal.bounds().written, before, "nothing is on disk yet");
    for (idle, bytes, syncs) in [(false, 8_192, 1), (true, 8_192 + 4_096, 2)] {
        // The group, then the marker behind it.
        assert!(journal.step_sync(idle));
        let written = journal.bounds().written;
        let since = (written.bytes - before.bytes, written.syncs - before.syncs);
        assert_eq!(since, (bytes, syncs));
    }
}

#[test]
fn a_trim_gives_a_full_disk_its_space_back() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    settle(&mut journal);
    disk.set_bytes_max(3 * SEGMENT + 2 * 4096);
    while journal.append(group_at(&journal.bounds(), 1, 1_000)).is_ok() {
        settle(&mut journal);
    }
    assert_eq!(journal.trim(Position(9)).expect("trimmed"), Position(9));
    journal.append(group_at(&journal.bounds(), 1, 1_000)).expect("in a recycled segment");
    settle(&mut journal);
    let groups = journal.read(Position(9)).expect("kept").count();
    assert_eq!(groups, 5);
    assert_eq!(journal.bounds().bytes, 3 * SEGMENT);
}

#[test]
fn a_look_for_space_while_trimmed_segments_wait_finds_nothing_missing() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    settle(&mut journal);
    // Into the second segment, so that the first can be given up.
    for _ in 0..6 {
        journal.append(group_at(&journal.bounds(), 1, 1_000)).expect("taken");
        settle(&mut journal);
    }
    assert_eq!(journal.trim(heard.last()).expect("trimmed"), Position(5));
    journal.retry_space();
    assert!(!journal.bounds().space_low, "all that is to be prepared is");
    // Releasing it would be the only job, and would end nothing.
    assert!(journal.step_keeper());
    assert!(!journal.step_keeper());
    assert!(!journal.bounds().space_low);
}

#[test]
fn a_full_disk_can_be_opened_and_keeps_unproven_groups() {
    let disk = LyingDisk::new(1);
    let mut journal = open(&disk, &Heard::default());
    while journal.step_keeper() {}
    journal.append(group_at(&journal.bounds(), 1, 1_000)).expect("taken");
    journal.step_sync(false);
    drop(journal);
    disk.set_bytes_max(3 * SEGMENT + 2 * 4096);
    let journal = open(&disk, &Heard::default());
    assert_eq!(journal.bounds().synced, Position(1));
    assert_eq!(journal.bounds().bytes, 3 * SEGMENT);
    drop(journal);
    disk.power_cut();
    assert_eq!(open(&disk, &Heard::default()).bounds().synced, Position(1));
}

#[test]
fn a_disk_filled_to_the_last_group_can_be_opened_and_goes_on_once_there_is_space() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    settle(&mut journal);
    disk.set_bytes_max(3 * SEGMENT + 3 * 4096);
    while journal.append(group_at(&journal.bounds(), 1, 1_000)).is_ok() {
        settle(&mut journal);
    }
    drop(journal);
    disk.restart();
    let mut journal = open(&disk, &heard);
    assert_eq!(journal.bounds().synced, heard.last());
    let error = journal.append(group_at(&journal.bounds(), 1, 1_000)).expect_err("full");
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    disk.set_bytes_max(u64::MAX);
    journal.append(group_at(&journal.bounds(), 1, 1_000)).expect("taken");
    settle(&mut journal);
    drop(journal);
    disk.power_cut();
    let journal = open(&disk, &heard);
    assert_eq!(journal.read(Position(1)).expect("kept").count(), 13);
}

#[test]
fn a_group_larger_than_a_segment_gets_one_of_its_size() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    for bytes in [100, 100_000, 100, 30_000, 40_000, 100] {
        journal.append(group_at(&journal.bounds(), 1, bytes)).expect("taken");
        settle(&mut journal);
    }
    drop(journal);
    disk.power_cut();
    let journal = open(&disk, &Heard::default());
    let bodies = journal.read(Position(1)).expect("kept").map(|g| g.expect("whole").body.len());
    assert_eq!(bodies.collect::<Vec<_>>(), [100, 100_000, 100, 30_000, 40_000, 100]);
}

#[test]
fn a_group_too_large_for_the_disk_is_refused_and_the_next_is_taken() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    settle(&mut journal);
    disk.set_bytes_max(5 * SEGMENT);
    let error = journal.append(group_at(&journal.bounds(), 1, 100_000)).expect_err("too large");
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    journal.append(group_at(&journal.bounds(), 1, 100)).expect("small enough");
    journal.retry_space();
    settle(&mut journal);
    assert!(!journal.bounds().space_low, "what is prepared suffices");
    assert_eq!(heard.last(), Position(1));
}

#[test]
fn recycled_segments_keep_nothing_of_their_earlier_life() {
    let disk = LyingDisk::new(1);
    let heard = Heard::default();
    let mut journal = open(&disk, &heard);
    for round in 0..60 {
        journal.append(group_at(&journal.bounds(), 1, 3_000)).expect("taken");
        settle(&mut journal);
        if round % 4 == 3 {
            journal.trim(heard.last()).expect("trimmed");
            settle(&mut journal);
        }
        let copy = disk.copy();
        let reopened = open(&copy, &Heard::default());
        assert_eq!(reopened.bounds().next, journal.bounds().next);
    }
    // Trimmed files came back into use instead of new ones.
    assert!(disk.names().len() <= 6, "{:?}", disk.names());
}
