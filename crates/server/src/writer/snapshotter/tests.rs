//! When a snapshot is begun for somebody who asked.

use std::sync::Arc;

use bytes::Bytes;
use piecework_core::change::{Change, Changed, PartitionRow};
use piecework_core::{Now, TenantId};
use piecework_storage::{
    CommandHeader, DataDirectory, FileJournal, JournalSettings, MemoryKeyValue, SnapshotSettings,
    StoreSettings, encode_command,
};
use tokio::sync::mpsc;

use super::super::inbox::LaneLimits;
use super::*;

fn publish(store: &Store, position: u32) {
    let row = PartitionRow { last_worker: position, ..PartitionRow::default() };
    let changes = [Changed { tenant: TenantId(0), change: Change::Partition(row) }];
    let header = CommandHeader {
        tenant: TenantId(0),
        kind: "test",
        actor: None,
        request_id: None,
        refusal: None,
    };
    let mut body = Vec::new();
    encode_command(&mut body, &header, &changes);
    store
        .publish(&Bytes::from(body), Position(position.into()), Now::default())
        .expect("published");
}

/// Tables that reached position 3 after a checkpoint of position 6 was cut off.
fn cut_off() -> Store {
    let kv = MemoryKeyValue::new();
    let open =
        || Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default()).expect("opened");
    let store = open();
    (1..=6).for_each(|position| publish(&store, position));
    for _ in 0..2 {
        store.checkpoint_step().expect("a piece");
    }
    drop(store);
    kv.crash(usize::MAX);
    let store = open();
    (1..=3).for_each(|position| publish(&store, position));
    store.checkpoint_now().expect("a checkpoint");
    store
}

fn work(directory: &DataDirectory, store: &Store) -> Work {
    let id = directory.journal_id();
    let settings = SnapshotSettings::new(id);
    let snapshots = Snapshots::open(directory.snapshots_disk(), settings).expect("opened");
    let journal = FileJournal::open(
        directory.journal_disk(),
        JournalSettings { segment_bytes: 64 * 1024, ..JournalSettings::new(id) },
        Position(0),
        Box::new(|_| {}),
    );
    let journal = journal.expect("opened").reader();
    let inbox = Inbox::new(LaneLimits { requests: 1, bytes: 1 });
    let releases = Releases::new(store.clone(), inbox.clone(), mpsc::unbounded_channel().0);
    let maker = Maker::new(snapshots.clone(), store.clone());
    Work {
        means: Means { maker, snapshots, store: store.clone(), journal, inbox, releases },
        schedule: Schedule { journal_bytes: 0, segment_bytes: 64 * 1024 },
        asked: Vec::new(),
        due: Instant::now(),
        retry: RETRY[0],
        not_before: Instant::now(),
    }
}

/// Beginning one would do nothing, at once and again and again.
#[test]
fn whoever_asks_while_the_digest_is_unknown_waits_for_the_next_checkpoint() {
    let temp = tempfile::tempdir().expect("a directory");
    let directory = DataDirectory::open(&temp.path().join("data")).expect("opened");
    let store = cut_off();
    assert_eq!((store.applied(), store.applied_digest()), (Position(3), None));
    let mut work = work(&directory, &store);
    let (asker, _answer) = oneshot::channel();
    work.asked.push(Asked { position: Position(3), asker });
    let before = work.due;
    assert_eq!(work.look(), Next::Go);
    assert!(!work.means.maker.is_making());
    assert!(work.due >= before + CHECKPOINT_LOOK_EVERY, "it looks again without a rest");

    (4..=6).for_each(|position| publish(&store, position));
    store.checkpoint_now().expect("a checkpoint");
    assert_eq!(work.look(), Next::Go);
    assert!(work.means.maker.is_making());
}
