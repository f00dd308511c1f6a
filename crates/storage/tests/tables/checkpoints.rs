//! The checkpoint thread and what it does when the store fails.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use piecework_core::Position;
use piecework_core::change::Change;
use piecework_storage::{
    Batch, Checkpointer, FreeBytes, KeyValue, KeyValueError, MemoryKeyValue, Progress, Room, Store,
    StoreError, StoreSettings,
};

use crate::samples::{Dice, at, body};

const NEVER: Duration = Duration::from_secs(1_000_000);

/// Fails to sync once told to, and tells when it was synced.
struct Observed {
    kv: MemoryKeyValue,
    fails: Arc<AtomicBool>,
    synced: mpsc::SyncSender<()>,
}

impl KeyValue for Observed {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KeyValueError> {
        self.kv.get(key)
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<(Bytes, Bytes)>, KeyValueError> {
        self.kv.at_or_before(key)
    }

    fn scan(
        &self,
        from: &[u8],
        below: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), KeyValueError> {
        self.kv.scan(from, below, visit)
    }

    fn apply_batch(&self, batch: &Batch) -> Result<(), KeyValueError> {
        self.kv.apply_batch(batch)
    }

    fn flush(&self) -> Result<(), KeyValueError> {
        if self.fails.load(Ordering::Relaxed) {
            let source = std::io::Error::from_raw_os_error(5);
            return Err(KeyValueError::Io { doing: "sync", source });
        }
        let synced = self.kv.flush();
        self.synced.send(()).unwrap();
        synced
    }

    fn size_on_disk(&self) -> Result<u64, KeyValueError> {
        self.kv.size_on_disk()
    }
}

/// Tables in memory on a disk that has as much room as the number says.
fn on_a_disk(free: u64) -> (MemoryKeyValue, Store, Arc<AtomicU64>) {
    let kv = MemoryKeyValue::new();
    let room = Arc::new(AtomicU64::new(free));
    let left = Arc::clone(&room);
    let free: FreeBytes = Box::new(move || Ok(left.load(Ordering::Relaxed)));
    let settings =
        StoreSettings { overlay_bytes: 2_000, reserve_bytes: 100, ..StoreSettings::default() };
    let store = Store::with_space(Arc::new(kv.clone()), &settings, free).unwrap();
    (kv, store, room)
}

/// A thread that writes when it is rung for, and does not fail.
fn started(store: &Store) -> Checkpointer {
    Checkpointer::start(store.clone(), NEVER, |_| (), |e| panic!("{e}")).unwrap()
}

fn wait_until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

#[test]
fn on_a_disk_that_is_nearly_full_nothing_is_written_until_there_is_room_again() {
    let (kv, store, room) = on_a_disk(99);
    let checkpointer = started(&store);
    let mut position = 0;
    let mut rooms = vec![store.room()];
    while store.room() != Room::Full {
        position += 1;
        publish(&store, position);
        rooms.push(store.room());
    }
    rooms.dedup();
    assert_eq!(rooms, [Room::Free, Room::IntakeFull, Room::Full]);
    wait_until(|| store.space_low());
    assert_eq!(kv.keys(), Vec::<Vec<u8>>::new());
    room.store(100, Ordering::Relaxed);
    wait_until(|| store.applied() == Position(position));
    assert_eq!((store.room(), store.space_low()), (Room::Free, false));
    // What comes meanwhile is written at the end only if there is room.
    room.store(99, Ordering::Relaxed);
    publish(&store, position + 1);
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(position));
    let checkpointer = started(&store);
    room.store(100, Ordering::Relaxed);
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(position + 1));
}

#[test]
fn a_replay_makes_room_unless_the_disk_is_nearly_full() {
    for (free, expected) in [(100, Room::Free), (99, Room::Full)] {
        let (kv, store, _) = on_a_disk(free);
        (1..=60).for_each(|position| publish(&store, position));
        assert_eq!(store.room(), Room::Full);
        store.make_room().unwrap();
        assert_eq!(store.room(), expected);
        // A second overlay needs the first one written.
        (61..=120).for_each(|position| publish(&store, position));
        store.make_room().unwrap();
        assert_eq!(store.room(), expected);
        assert_eq!(kv.keys().is_empty(), expected == Room::Full);
    }
}

#[test]
fn a_checkpoint_stops_in_its_middle_when_the_disk_fills() {
    let (kv, store, room) = on_a_disk(100);
    publish(&store, 1);
    // It is frozen and partly written.
    store.checkpoint_step().unwrap();
    store.checkpoint_step().unwrap();
    room.store(0, Ordering::Relaxed);
    let checkpointer = started(&store);
    let keys = kv.keys();
    (2..=60).for_each(|position| publish(&store, position));
    checkpointer.finish().unwrap();
    assert_eq!((store.applied(), kv.keys()), (Position(0), keys));
    room.store(100, Ordering::Relaxed);
    let checkpointer = started(&store);
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(60));
}

fn observed(overlay_bytes: usize) -> (Store, Arc<AtomicBool>, mpsc::Receiver<()>) {
    let (synced, heard) = mpsc::sync_channel(1000);
    let fails = Arc::new(AtomicBool::new(false));
    let kv = Observed { kv: MemoryKeyValue::new(), fails: Arc::clone(&fails), synced };
    let settings = StoreSettings { overlay_bytes, ..StoreSettings::default() };
    (Store::with_key_value(Arc::new(kv), &settings).unwrap(), fails, heard)
}

fn publish(store: &Store, position: u64) {
    let change = Change::Worker(Box::new(Dice(position).worker()));
    store.publish(&body([change]), Position(position), at(position)).unwrap();
}

#[test]
fn a_half_full_overlay_wakes_the_thread() {
    let (store, _, synced) = observed(10);
    let checkpointer = started(&store);
    publish(&store, 1);
    synced.recv().unwrap();
    synced.recv().unwrap();
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(1));
}

#[test]
fn what_fills_the_overlay_during_a_checkpoint_is_written_next_though_nothing_more_comes() {
    let (_, store, _) = on_a_disk(100);
    let checkpointer = started(&store);
    let mut position = 0;
    for _ in 0..200 {
        while store.room() != Room::Full {
            position += 1;
            publish(&store, position);
        }
        wait_until(|| store.room() == Room::Free);
    }
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(position));
}

#[test]
fn time_wakes_the_thread_and_finishing_writes_the_rest() {
    let (store, _, synced) = observed(1 << 20);
    let often = Duration::from_millis(1);
    let (took, written) = mpsc::channel();
    let on_written = move |taken| took.send(taken).unwrap();
    let checkpointer =
        Checkpointer::start(store.clone(), often, on_written, |e| panic!("{e}")).unwrap();
    publish(&store, 1);
    synced.recv().unwrap();
    assert!(written.recv().unwrap() > Duration::ZERO, "it is told how long it took");
    publish(&store, 2);
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(2));
    assert_eq!(store.checkpoint_step().unwrap(), Progress::Idle);
}

#[test]
fn a_failed_sync_is_reported_once_and_nothing_is_written_after_it() {
    let (store, fails, _synced) = observed(10);
    let (failed, heard) = mpsc::channel();
    let on_error = move |error| failed.send(error).unwrap();
    let checkpointer = Checkpointer::start(store.clone(), NEVER, |_| (), on_error).unwrap();
    fails.store(true, Ordering::Relaxed);
    publish(&store, 1);
    assert!(matches!(heard.recv().unwrap(), StoreError::KeyValue(_)));
    fails.store(false, Ordering::Relaxed);
    assert!(matches!(checkpointer.finish(), Err(StoreError::Stopped)));
    assert_eq!(store.applied(), Position(0));
    // Readers still see what is published.
    publish(&store, 2);
    assert_eq!(store.published(), Position(2));
}

/// A checkpoint that a crash cut off leaves rows of later positions in the tables:
/// until one has caught up with them their digest is of no single position.
#[test]
fn the_applied_digest_is_unknown_until_a_checkpoint_reaches_the_rows_of_a_broken_one() {
    let kv = MemoryKeyValue::new();
    let open = || Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default()).unwrap();
    let alone = |to: u64| {
        let kv = Arc::new(MemoryKeyValue::new());
        let store = Store::with_key_value(kv, &StoreSettings::default()).unwrap();
        (1..=to).for_each(|position| publish(&store, position));
        store.checkpoint_now().unwrap();
        store.rows_digest()
    };
    let digest = |store: &Store| store.applied_digest().map(|(at, _, rows)| (at, rows));

    let store = open();
    publish(&store, 1);
    store.checkpoint_now().unwrap();
    (2..=6).for_each(|position| publish(&store, position));
    // Frozen, and its only batch written; the end is not.
    store.checkpoint_step().unwrap();
    store.checkpoint_step().unwrap();
    drop(store);
    kv.crash(usize::MAX);

    let store = open();
    assert_eq!(digest(&store), Some((Position(1), alone(1))));
    (2..=3).for_each(|position| publish(&store, position));
    store.checkpoint_now().unwrap();
    assert_eq!((store.applied(), digest(&store)), (Position(3), None));
    drop(store);
    let store = open();
    assert_eq!((store.applied(), digest(&store)), (Position(3), None));
    (4..=6).for_each(|position| publish(&store, position));
    store.checkpoint_now().unwrap();
    assert_eq!(digest(&store), Some((Position(6), alone(6))));
}
