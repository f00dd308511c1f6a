//! The file journal under the suite that every provider passes.

use std::time::{Duration, Instant};

use piecework_core::Position;

use crate::directory::DataDirectory;
use crate::journal::conformance::{Heard, Subject, check_all, group_at};
use crate::journal::{Journal, JournalId, MemoryJournal, MemoryStore, OnDurable};

use super::{Disk, FileJournal, JournalSettings, LyingDisk, RealDisk, SteppedJournal};

const OURS: JournalId = JournalId(7);

fn tiny(journal: JournalId) -> JournalSettings {
    JournalSettings {
        segment_bytes: 32 * 1024,
        queued_groups: 2,
        idle: Duration::from_millis(1),
        ..JournalSettings::new(journal)
    }
}

struct Stepped(LyingDisk);

impl Subject for Stepped {
    type Journal = SteppedJournal<LyingDisk>;

    fn open(&mut self, on_durable: OnDurable) -> Self::Journal {
        self.0.power_cut();
        SteppedJournal::open(self.0.clone(), tiny(OURS), Position(0), on_durable).expect("opened")
    }

    fn settle(&mut self, journal: &mut Self::Journal, _heard: &Heard) {
        while journal.step_sync(true) || journal.step_keeper() {}
    }
}

/// Real files and threads. Waiting for a thread needs a clock; it ends the
/// test when a completion never comes and decides nothing else.
struct Threaded(tempfile::TempDir);

impl Subject for Threaded {
    type Journal = FileJournal<RealDisk>;

    fn open(&mut self, on_durable: OnDurable) -> Self::Journal {
        let directory = DataDirectory::open(self.0.path()).expect("directory");
        let settings = tiny(directory.journal_id());
        FileJournal::open(directory.journal_disk(), settings, Position(0), on_durable)
            .expect("opened")
    }

    fn settle(&mut self, journal: &mut Self::Journal, heard: &Heard) {
        let wanted = Position(journal.bounds().next.0 - 1);
        let began = Instant::now();
        while heard.errors() == 0 && journal.bounds().synced < wanted || heard.last() < wanted {
            assert!(began.elapsed() < Duration::from_secs(60), "no completion of {wanted}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn the_stepped_file_journal_conforms() {
    check_all(|| Stepped(LyingDisk::new(1)));
}

#[test]
fn the_threaded_file_journal_conforms_on_real_files() {
    check_all(|| Threaded(tempfile::tempdir().expect("temp")));
}

#[test]
fn the_same_groups_give_the_same_head_in_memory_and_in_files() {
    let store = MemoryStore::new(OURS);
    let mut memory = MemoryJournal::open(&store, Heard::default().callback());
    let mut stepped = Stepped(LyingDisk::new(1));
    let mut files = stepped.open(Heard::default().callback());
    for bytes in [10, 5_000, 0] {
        let group = group_at(&memory.bounds(), 2, bytes);
        memory.append(group.clone()).expect("taken");
        files.append(group).expect("taken");
        // Markers come at their own times and leave no trace in the head.
        stepped.settle(&mut files, &Heard::default());
        assert_eq!(memory.bounds().head, files.bounds().head);
    }
}

#[test]
fn the_daemons_journal_opens_in_a_data_directory() {
    let temp = tempfile::tempdir().expect("temp");
    let heard = Heard::default();
    let directory = DataDirectory::open(temp.path()).expect("directory");
    let mut journal =
        FileJournal::open_in(&directory, Position(0), heard.callback()).expect("opened");
    journal.append(group_at(&journal.bounds(), 1, 100)).expect("taken");
    journal.close().expect("closed");
    assert_eq!(heard.last(), Position(1));
    let names = directory.journal_disk().list().expect("list");
    assert!(names.contains(&"claim".to_owned()), "{names:?}");
}
