//! Changed, cut, swapped and missing bytes and files: named, or harmless.

use piecework_core::Position;

use crate::journal::conformance::{Heard, group_at};
use crate::journal::{Damage, Group, Journal, JournalError, JournalId};

use super::{JournalSettings, LyingDisk, SteppedJournal};

const BLOCK: usize = 4096;

fn settings() -> JournalSettings {
    JournalSettings { segment_bytes: 16 * 1024, ..JournalSettings::new(JournalId(9)) }
}

fn open(disk: &LyingDisk, trusted: u64) -> Result<SteppedJournal<LyingDisk>, JournalError> {
    let heard = Heard::default();
    SteppedJournal::open(disk.clone(), settings(), Position(trusted), heard.callback())
}

fn read_all(journal: &SteppedJournal<LyingDisk>) -> Vec<Group> {
    let oldest = journal.bounds().oldest;
    journal.read(oldest).expect("kept").collect::<Result<_, _>>().expect("whole")
}

/// A journal of several segments, recovered once in the middle and trimmed once.
fn grown(marker_at_end: bool) -> (LyingDisk, Vec<Group>) {
    let disk = LyingDisk::new(1);
    for life in 0..2 {
        let mut journal = open(&disk, 0).expect("opened");
        for bytes in [10, 5_000, 300, 9_000, 20, 30, 4_500] {
            journal.append(group_at(&journal.bounds(), 2, bytes)).expect("taken");
            journal.step_sync(false);
        }
        while journal.step_keeper() {}
        if life == 1 {
            journal.trim(Position(6)).expect("trimmed");
            while journal.step_keeper() {}
        }
        if life == 1 && marker_at_end {
            journal.close().expect("closed");
        }
    }
    let groups = read_all(&open(&disk.copy(), 0).expect("opened"));
    (disk, groups)
}

/// Every damage is told, or costs nothing but the last group that no marker follows.
fn check(disk: &LyingDisk, groups: &[Group], marker_at_end: bool, what: &str) {
    let least = groups.len() - usize::from(!marker_at_end);
    match open(disk, 0) {
        Err(error) => assert!(matches!(error, JournalError::Corrupt { .. }), "{what}: {error}"),
        Ok(journal) => {
            let left = read_all(&journal);
            assert!(left.len() >= least, "{what}: {} of {} groups", left.len(), groups.len());
            assert_eq!(left, groups[..left.len()], "{what}");
            drop(journal);
            open(disk, 0).unwrap_or_else(|error| panic!("{what}, opened again: {error}"));
        }
    }
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    for marker_at_end in [true, false] {
        let (disk, groups) = grown(marker_at_end);
        let mut told = 0;
        for name in disk.names() {
            let content = disk.content(&name);
            // All of a header, then a byte here and there.
            for at in (0..content.len()).filter(|at| at % BLOCK < 100 || at % 197 == 0) {
                let mut damaged = content.clone();
                damaged[at] ^= 0x10;
                let copy = disk.copy();
                copy.damage(&name, Some(damaged));
                told += usize::from(open(&copy.copy(), 0).is_err());
                check(&copy, &groups, marker_at_end, &format!("{name} byte {at}"));
            }
        }
        assert!(told > 1_000, "{told} damages were told");
    }
}

#[test]
fn no_cut_file_goes_unnoticed() {
    for marker_at_end in [true, false] {
        let (disk, groups) = grown(marker_at_end);
        for name in disk.names() {
            let content = disk.content(&name);
            for length in (0..content.len()).step_by(509) {
                let copy = disk.copy();
                copy.damage(&name, Some(content[..length].to_vec()));
                check(&copy, &groups, marker_at_end, &format!("{name} cut at {length}"));
            }
        }
    }
}

#[test]
fn no_missing_or_swapped_file_goes_unnoticed() {
    let (disk, groups) = grown(true);
    let names = disk.names();
    for one in &names {
        let copy = disk.copy();
        copy.damage(one, None);
        check(&copy, &groups, true, &format!("{one} missing"));
        for other in &names {
            let copy = disk.copy();
            let (left, right) = (disk.content(one), disk.content(other));
            copy.damage(one, Some(right));
            copy.damage(other, Some(left));
            check(&copy, &groups, true, &format!("{one} and {other} swapped"));
        }
    }
}

#[test]
fn a_synced_group_that_was_damaged_is_named_with_file_offset_and_position() {
    let disk = LyingDisk::new(1);
    let mut journal = open(&disk, 0).expect("opened");
    for _ in 0..3 {
        journal.append(group_at(&journal.bounds(), 5, 10)).expect("taken");
        journal.step_sync(false);
    }
    drop(journal);
    let name = "0000000001.segment";
    let mut content = disk.content(name);
    content[BLOCK + 96] ^= 1;
    disk.damage(name, Some(content));
    let before: Vec<_> = disk.names().iter().map(|name| disk.content(name)).collect();
    let error = open(&disk, 0).expect_err("the third frame proves the second");
    let after: Vec<_> = disk.names().iter().map(|name| disk.content(name)).collect();
    assert_eq!(before, after, "a refused start changes nothing");
    let JournalError::Corrupt { file, offset, position, what } = error else { panic!("{error}") };
    assert!(file.ends_with(name));
    assert_eq!((offset, position), (4096, Position(6)));
    assert!(matches!(what, Damage::Frame(_)), "{what}");
}

#[test]
fn the_last_group_is_cut_unless_something_proves_it() {
    let disk = LyingDisk::new(1);
    let mut journal = open(&disk, 0).expect("opened");
    for _ in 0..3 {
        journal.append(group_at(&journal.bounds(), 5, 10)).expect("taken");
        journal.step_sync(false);
    }
    let unmarked = disk.copy();
    journal.step_sync(true);
    let name = "0000000001.segment";
    for (copy, trusted, survives) in
        [(&unmarked, 10, true), (&unmarked, 15, false), (&disk, 0, false)]
    {
        let copy = copy.copy();
        let mut content = copy.content(name);
        content[2 * BLOCK + 96] ^= 1;
        copy.damage(name, Some(content));
        match open(&copy, trusted) {
            Ok(journal) => {
                assert!(survives, "trusted {trusted}");
                assert_eq!(journal.bounds().next, Position(11));
            }
            Err(JournalError::Corrupt { position, .. }) => {
                assert!(!survives, "trusted {trusted}");
                assert_eq!(position, Position(11));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn tables_ahead_of_the_journal_stop_the_start() {
    let (disk, groups) = grown(true);
    let last = groups.last().expect("some").last();
    assert!(open(&disk.copy(), last.0).is_ok());
    let error = open(&disk, last.0 + 1).expect_err("behind the tables");
    assert!(matches!(error, JournalError::Corrupt { position, .. } if position == last.next()));
}

#[test]
fn a_payload_that_looks_like_a_frame_proves_nothing() {
    let other = LyingDisk::new(2);
    let forged = JournalSettings { journal: JournalId(8), ..settings() };
    let heard = Heard::default();
    let mut theirs =
        SteppedJournal::open(other.clone(), forged, Position(0), heard.callback()).expect("opened");
    for _ in 0..2 {
        theirs.append(group_at(&theirs.bounds(), 1_000, 10)).expect("taken");
        theirs.step_sync(false);
    }
    let frame = other.content("0000000001.segment")[BLOCK..2 * BLOCK].to_vec();

    let disk = LyingDisk::new(1);
    let mut journal = open(&disk, 0).expect("opened");
    let mut group = group_at(&journal.bounds(), 1, BLOCK - 96);
    group.body = [&group.body[..], &frame].concat().into();
    journal.append(group).expect("taken");
    journal.step_sync(false);
    drop(journal);
    let mut content = disk.content("0000000001.segment");
    content[200] ^= 1;
    disk.damage("0000000001.segment", Some(content));
    let journal = open(&disk, 0).expect("the only group was the unproven last");
    assert_eq!(journal.bounds().next, Position(1));
}

#[test]
fn another_journals_files_are_refused() {
    let (disk, _) = grown(true);
    let other = JournalSettings { journal: JournalId(10), ..settings() };
    let heard = Heard::default();
    let error = SteppedJournal::open(disk, other, Position(0), heard.callback()).expect_err("no");
    assert!(matches!(error, JournalError::Corrupt { what: Damage::Foreign { .. }, .. }), "{error}");
}

/// Only the claim can tell: the marker that proved its groups went with the file.
#[test]
fn a_last_file_that_was_emptied_or_put_back_old_after_a_quiet_crash_is_noticed() {
    let last = "0000000002.segment";
    // With room behind the last group for a marker, and without.
    for bytes in [9_000, 16_384 - 96] {
        let disk = LyingDisk::new(1);
        let mut journal = open(&disk, 0).expect("opened");
        journal.append(group_at(&journal.bounds(), 1, 9_000)).expect("taken");
        while journal.step_sync(false) || journal.step_keeper() {}
        let old = disk.content(last);
        journal.append(group_at(&journal.bounds(), 1, bytes)).expect("taken");
        while journal.step_sync(true) || journal.step_keeper() {}
        drop(journal);
        disk.power_cut();
        assert_eq!(open(&disk.copy(), 0).expect("opened").bounds().next, Position(3));
        for content in [Vec::new(), old] {
            let copy = disk.copy();
            copy.damage(last, Some(content));
            let error = open(&copy, 0).expect_err("a group was lost");
            let is_named = matches!(error, JournalError::Corrupt { position: Position(2), .. });
            assert!(is_named, "{error}");
        }
    }
}

/// Its last group and the marker behind it lie in one file, alone.
#[test]
fn a_last_file_that_was_emptied_after_an_orderly_end_is_noticed() {
    let disk = LyingDisk::new(1);
    let mut journal = open(&disk, 0).expect("opened");
    for _ in 0..2 {
        journal.append(group_at(&journal.bounds(), 1, 9_000)).expect("taken");
        while journal.step_sync(false) || journal.step_keeper() {}
    }
    journal.close().expect("closed");
    disk.damage("0000000002.segment", Some(Vec::new()));
    let error = open(&disk, 0).expect_err("a group was lost");
    assert!(matches!(error, JournalError::Corrupt { position: Position(2), .. }), "{error}");
}
