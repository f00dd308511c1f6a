//! Each mistake that can be planted in this crate breaks a promise, and the check
//! that guards the promise sees it: not without the mistake, and with it.
//!
//! One test, because a mistake is planted in the whole process.

use std::sync::Arc;

use bytes::Bytes;
use piecework_core::change::{Change, Changed};
use piecework_core::planted::{Mistake, plant};
use piecework_core::project::Sweep;
use piecework_core::{EngineTime, Now, Position, ProjectId, TaskNumber, TenantId};
use piecework_storage::conformance::{Heard, group_at};
use piecework_storage::{
    CommandHeader, Journal, JournalError, JournalId, JournalSettings, LyingDisk, MemoryKeyValue,
    SteppedJournal, Store, StoreSettings, encode_command,
};

type Opened = Result<SteppedJournal<LyingDisk>, JournalError>;

fn open(disk: &LyingDisk, heard: &Heard) -> Opened {
    let settings = JournalSettings {
        segment_bytes: 64 * 1024,
        queued_groups: 3,
        ..JournalSettings::new(JournalId(9))
    };
    SteppedJournal::open(disk.clone(), settings, Position(0), heard.callback())
}

fn append(journal: &mut SteppedJournal<LyingDisk>, bytes: usize) {
    journal.append(group_at(&journal.bounds(), 1, bytes)).expect("taken");
}

/// Whether everything up to `position` can be read back as it was appended.
fn has(disk: &LyingDisk, position: Position) -> bool {
    let Ok(journal) = open(disk, &Heard::default()) else { return false };
    let mut bounds = journal.bounds();
    let groups: Vec<_> = journal.read(Position(1)).expect("kept").collect();
    let is_whole = groups.into_iter().all(|group| {
        let group = group.expect("read once already");
        bounds.next = group.first;
        group == group_at(&bounds, 1, group.body.len())
    });
    is_whole && journal.bounds().next > position
}

/// A group that was completed survives a power cut.
fn completed_groups_are_lost(seed: u64) -> bool {
    let (disk, heard) = (LyingDisk::new(seed), Heard::default());
    let mut journal = open(&disk, &heard).expect("opened");
    for _ in 0..5 {
        append(&mut journal, 5_000);
        journal.step_sync(false);
    }
    drop(journal);
    disk.power_cut();
    !has(&disk, heard.last())
}

/// Groups that were written together survive it, too.
fn joined_groups_are_lost(seed: u64) -> bool {
    let (disk, heard) = (LyingDisk::new(seed), Heard::default());
    let mut journal = open(&disk, &heard).expect("opened");
    for _ in 0..5 {
        (0..3).for_each(|_| append(&mut journal, 5_000));
        journal.step_sync(false);
    }
    drop(journal);
    disk.power_cut();
    !has(&disk, heard.last())
}

/// What a start has read, and so has told, survives a power cut after it.
fn recovered_groups_are_lost(seed: u64) -> bool {
    let disk = LyingDisk::new(seed);
    let mut journal = open(&disk, &Heard::default()).expect("opened");
    append(&mut journal, 5_000);
    // It is written; the process dies before the sync.
    disk.die_at(disk.operations() + 2);
    journal.step_sync(false);
    drop(journal);
    disk.restart();
    let journal = open(&disk, &Heard::default()).expect("opened");
    let told = Position(journal.bounds().next.0 - 1);
    assert_eq!(told, Position(1), "the cache has it");
    drop(journal);
    disk.power_cut();
    !has(&disk, told)
}

/// A torn group is not taken for a whole one.
fn torn_groups_are_served(seed: u64) -> bool {
    let disk = LyingDisk::new(seed);
    let mut journal = open(&disk, &Heard::default()).expect("opened");
    append(&mut journal, 20_000);
    disk.die_at(disk.operations() + 2);
    journal.step_sync(false);
    drop(journal);
    disk.power_cut();
    !has(&disk, Position(0))
}

fn publish(store: &Store, position: u64) {
    let project = ProjectId(u32::try_from(position).expect("small"));
    let sweep = Sweep { project, next: TaskNumber(9), since: EngineTime(300) };
    let changes = [Changed { tenant: TenantId::DEFAULT, change: Change::Sweep(sweep) }];
    let header = CommandHeader {
        tenant: TenantId::DEFAULT,
        kind: "test",
        actor: None,
        request_id: None,
        refusal: None,
    };
    let mut body = Vec::new();
    encode_command(&mut body, &header, &changes);
    store.publish(&Bytes::from(body), Position(position), Now::default()).expect("published");
}

/// Tables after a crash at some step of a checkpoint, replayed from where they
/// say they are, hold what was published.
fn tables_lose_rows(steps: u64) -> bool {
    let kv = MemoryKeyValue::new();
    let open = || Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default());
    let store = open().expect("opened");
    (1..=20).for_each(|position| publish(&store, position));
    let digest = store.digest().expect("whole");
    for _ in 0..steps {
        store.checkpoint_step().expect("written");
    }
    kv.crash(0);
    let store = open().expect("opened");
    (store.applied().0 + 1..=20).for_each(|position| publish(&store, position));
    store.digest().expect("whole") != digest
}

/// Whether a promise is broken with this seed.
type Broken = fn(u64) -> bool;

#[test]
fn every_mistake_of_this_crate_is_found_and_none_where_there_is_none() {
    let checks: [(Mistake, Broken); 6] = [
        (Mistake::SkipSync, completed_groups_are_lost),
        (Mistake::TrustLastWrite, joined_groups_are_lost),
        (Mistake::TrustPageCache, recovered_groups_are_lost),
        (Mistake::TornAccepted, torn_groups_are_served),
        (Mistake::OverlayLost, tables_lose_rows),
        (Mistake::AppliedTooEarly, tables_lose_rows),
    ];
    for (mistake, is_broken) in checks {
        assert!(!(0..40).any(is_broken), "{} without it", mistake.name());
        plant(Some(mistake));
        let found = (0..40).map(is_broken).filter(|broken| *broken).count();
        plant(None);
        assert!(found > 2, "{}: {found} of 40", mistake.name());
    }
}
