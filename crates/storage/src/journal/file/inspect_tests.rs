//! A look finds what an open finds and leaves no trace; a founded journal
//! begins where it was told to.

use piecework_core::Position;

use crate::directory::DataDirectory;
use crate::journal::conformance::{Heard, group_at};
use crate::journal::{Bounds, Epoch, FrameHash, Group, Journal, JournalError, JournalId};

use super::{FileJournal, Inspection, JournalSettings, LyingDisk, SteppedJournal, inspect};

fn settings() -> JournalSettings {
    JournalSettings { segment_bytes: 16 * 1024, ..JournalSettings::new(JournalId(9)) }
}

type Opened = Result<SteppedJournal<LyingDisk>, JournalError>;

fn open(disk: &LyingDisk, trusted: u64) -> Opened {
    let heard = Heard::default();
    SteppedJournal::open(disk.clone(), settings(), Position(trusted), heard.callback())
}

fn look(disk: &LyingDisk) -> Result<Inspection, JournalError> {
    inspect(disk, &settings(), Position(0))
}

fn append(journal: &mut SteppedJournal<LyingDisk>, bytes: usize) {
    let group = group_at(&journal.bounds(), 2, bytes);
    journal.append(group).expect("taken");
    journal.step_sync(false);
}

/// A journal of several segments, trimmed once, whose last group no marker follows.
fn grown(seed: u64) -> LyingDisk {
    let disk = LyingDisk::new(seed);
    let mut journal = open(&disk, 0).expect("opened");
    for bytes in [10, 5_000, 300, 9_000, 20, 30, 4_500, 7_000, 100] {
        append(&mut journal, bytes);
        while journal.step_keeper() {}
    }
    journal.trim(Position(6)).expect("trimmed");
    while journal.step_keeper() {}
    disk
}

fn files(disk: &LyingDisk) -> Vec<(String, Vec<u8>)> {
    disk.names().into_iter().map(|name| (name.clone(), disk.content(&name))).collect()
}

/// A look says what an open of a copy says. Returns whether both found a journal.
fn compare(disk: &LyingDisk, what: &str) -> bool {
    let (before, operations) = (files(disk), disk.operations());
    let looked = look(disk);
    let copy = disk.copy();
    let found = match (looked, open(&copy, 0)) {
        (Ok(looked), Ok(opened)) => {
            let Inspection { bounds, cut, groups } = looked;
            let expected = opened.bounds();
            let place = |b: &Bounds| (b.oldest, b.next, b.head);
            assert_eq!(place(&bounds), place(&expected), "{what}");
            assert_eq!(Epoch(bounds.epoch.0 + 1), expected.epoch, "{what}");
            assert!(bounds.synced <= expected.synced, "{what}");
            let groups: Result<Vec<Group>, _> = groups.collect();
            let read: Result<Vec<Group>, _> = opened.read(expected.oldest).expect("kept").collect();
            assert_eq!(groups.expect("whole"), read.expect("whole"), "{what}");
            // What was opened once has nothing left to cut.
            drop(opened);
            assert_eq!(look(&copy).expect("opened before").cut, None, "{what}, cut was {cut:?}");
            true
        }
        (Err(looked), Err(opened)) => {
            assert_eq!(looked.to_string(), opened.to_string(), "{what}");
            false
        }
        (looked, opened) => panic!("{what}: a look says {looked:?}, an open {opened:?}"),
    };
    assert_eq!(disk.operations(), operations, "{what}: nothing was written");
    assert!(files(disk) == before, "{what}: nothing has changed");
    found
}

#[test]
fn a_look_finds_what_an_open_finds_whatever_was_damaged() {
    let whole = grown(1);
    assert!(compare(&whole, "undamaged"));
    let (mut found, mut refused) = (0, 0);
    for name in whole.names() {
        let content = whole.content(&name);
        for at in (0..content.len()).step_by(509) {
            let disk = whole.copy();
            let mut changed = content.clone();
            changed[at] ^= 0x41;
            disk.damage(&name, Some(changed));
            *(if compare(&disk, &format!("{name} changed at {at}")) {
                &mut found
            } else {
                &mut refused
            }) += 1;
        }
        let disk = whole.copy();
        disk.damage(&name, None);
        compare(&disk, &format!("without {name}"));
    }
    assert!(found > 10 && refused > 10, "{found} found, {refused} refused");
}

#[test]
fn a_look_after_a_power_cut_names_the_tail_that_an_open_would_cut() {
    let mut cuts = 0;
    for seed in 0..60 {
        let disk = grown(seed);
        let mut journal = open(&disk, 0).expect("opened");
        append(&mut journal, 200);
        // Written, and the process dies in the sync.
        disk.die_at(disk.operations() + 2);
        let group = group_at(&journal.bounds(), 1, 9_000);
        let taken = journal.append(group);
        journal.step_sync(false);
        drop(journal);
        disk.power_cut();
        assert!(compare(&disk, &format!("seed {seed}")), "seed {seed}, append was {taken:?}");
        let Inspection { cut, bounds, .. } = look(&disk).expect("readable");
        if let Some(cut) = cut {
            assert!(cut.file.to_string_lossy().ends_with(".segment"), "{cut:?}");
            assert_eq!(cut.offset % 4096, 0);
            // The last whole one is proven by the header of the torn one, if that is left.
            assert!(bounds.synced >= Position(bounds.next.0 - 3), "{bounds:?}");
            cuts += 1;
        }
    }
    assert!(cuts > 5, "{cuts} of 60 power cuts tore the tail");
}

#[test]
fn a_look_at_a_directory_that_may_only_be_read_finds_the_journal() {
    let temp = tempfile::tempdir().expect("temp");
    let directory = DataDirectory::open(temp.path()).expect("made");
    let settings = JournalSettings {
        segment_bytes: 16 * 1024,
        ..JournalSettings::new(directory.journal_id())
    };
    let on_durable = Heard::default().callback();
    let disk = directory.journal_disk();
    let mut journal =
        FileJournal::open(disk, settings.clone(), Position(0), on_durable).expect("new");
    for _ in 0..6 {
        journal.append(group_at(&journal.bounds(), 2, 6_000)).expect("taken");
    }
    journal.close().expect("closed");
    drop(directory);
    let directory = DataDirectory::inspect(temp.path()).expect("looked at");
    let looked = inspect(&directory.journal_disk(), &settings, Position(12)).expect("whole");
    assert_eq!((looked.bounds.next, looked.bounds.synced), (Position(13), Position(12)));
    assert_eq!(looked.groups.map(|group| group.expect("whole").body.len()).sum::<usize>(), 36_000);
    let error = inspect(&directory.journal_disk(), &settings, Position(13)).expect_err("one lost");
    assert!(matches!(error, JournalError::Corrupt { position: Position(13), .. }), "{error}");
    // Its disk refuses what an open would have to write.
    let on_durable = Heard::default().callback();
    let refused = FileJournal::open(directory.journal_disk(), settings, Position(0), on_durable);
    assert!(matches!(refused, Err(JournalError::Unavailable { .. })));
}

#[test]
fn a_look_at_nothing_finds_an_empty_journal() {
    let disk = LyingDisk::new(1);
    let looked = look(&disk).expect("nothing wrong");
    assert_eq!((looked.bounds.oldest, looked.bounds.next), (Position(1), Position(1)));
    assert_eq!(looked.groups.count(), 0);
    assert_eq!(disk.operations(), 0);
}

#[test]
fn a_founded_journal_begins_where_it_was_told_to() {
    let disk = LyingDisk::new(1);
    FileJournal::found(&disk, JournalId(9), Position(1_000)).expect("founded");
    disk.power_cut();
    assert!(compare(&disk, "founded"));
    let unknown = open(&disk.copy(), 1_000).expect_err("more is trusted than is there");
    assert!(matches!(unknown, JournalError::Corrupt { position: Position(1_000), .. }));
    let mut journal = open(&disk, 999).expect("opened");
    let Bounds { oldest, next, head, .. } = journal.bounds();
    assert_eq!((oldest, next), (Position(1_000), Position(1_000)));
    assert_eq!(head, FrameHash::default());
    for bytes in [10, 9_000, 9_000] {
        append(&mut journal, bytes);
    }
    journal.close().expect("closed");
    let journal = open(&disk, 999).expect("opened again");
    assert_eq!(
        (journal.bounds().oldest, journal.bounds().next),
        (Position(1_000), Position(1_006))
    );
    let groups: Vec<Group> =
        journal.read(Position(1_000)).expect("kept").collect::<Result<_, _>>().expect("whole");
    assert_eq!(groups.iter().map(|g| g.first.0).collect::<Vec<_>>(), [1_000, 1_002, 1_004]);
}

#[test]
fn a_journal_is_founded_whole_or_not_at_all_and_never_twice() {
    for operation in 1.. {
        let disk = LyingDisk::new(operation);
        disk.die_at(operation);
        let founded = FileJournal::found(&disk, JournalId(9), Position(7));
        let is_founded = founded.is_ok();
        disk.power_cut();
        if FileJournal::found(&disk, JournalId(9), Position(7)).is_err() {
            let again = FileJournal::found(&disk, JournalId(9), Position(8)).expect_err("twice");
            assert!(matches!(again, JournalError::NotEmpty { .. }), "{again}");
        }
        assert_eq!(open(&disk, 6).expect("opened").bounds().next, Position(7));
        if is_founded {
            assert!(operation > 4, "it writes, syncs, renames and syncs");
            return;
        }
    }
}
