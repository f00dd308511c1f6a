//! Rows that a store loses without a word are missed.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use piecework_core::change::Change;
use piecework_core::{Position, ProjectId, TaskId, TaskNumber};
use piecework_storage::{
    Checkpointer, KeyValue, MemoryKeyValue, Scrubbed, SledKeyValue, Store, StoreError,
    StoreSettings,
};

use crate::samples::{Dice, at, body};

const CACHE_BYTES: u64 = 8 * 1024 * 1024;
const NEVER: Duration = Duration::from_secs(1_000_000);

fn publish(store: &Store, position: u64) {
    let mut dice = Dice(position);
    let number = u32::try_from(position).unwrap() * 7_919 % 5_000;
    let task = TaskId { project: ProjectId(1), number: TaskNumber(number) };
    let changes = [
        Change::Specs(vec![Arc::new(dice.spec(task))]),
        Change::Task(Box::new(dice.record(task))),
        Change::Worker(Box::new(dice.worker())),
    ];
    store.publish(&body(changes), Position(position), at(position)).unwrap();
}

fn fill(store: &Store) {
    (1..=200).for_each(|position| publish(store, position));
    store.checkpoint_now().unwrap();
}

fn tables() -> (MemoryKeyValue, Store) {
    let kv = MemoryKeyValue::new();
    let store = open(&kv);
    fill(&store);
    (kv, store)
}

fn copy(kv: &MemoryKeyValue) -> MemoryKeyValue {
    let copy = MemoryKeyValue::new();
    let pair = |key: Vec<u8>| {
        let value = kv.get(&key).unwrap().unwrap().to_vec();
        (key, Some(value))
    };
    copy.apply_batch(&kv.keys().into_iter().map(pair).collect()).unwrap();
    copy
}

fn open(kv: &MemoryKeyValue) -> Store {
    Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default()).unwrap()
}

/// Goes on from position 201 while it scrubs. Returns what the scrub ended with.
fn scrub(store: &Store) -> Result<(), StoreError> {
    let mut position = 201;
    while store.scrub_step(3_000)? == Scrubbed::Working {
        publish(store, position);
        position += 1;
        store.checkpoint_now().unwrap();
    }
    assert!(position > 203, "it took several steps");
    Ok(())
}

#[test]
fn a_key_that_went_missing_is_missed_at_once_and_in_pieces() {
    let (kv, store) = tables();
    store.check_pages().unwrap();
    let digest = store.rows_digest();
    let keys: Vec<_> =
        kv.keys().into_iter().filter(|key| key[0] == b'p' || key[0] == b'x').collect();
    assert!(keys.len() > 30, "{} keys", keys.len());
    for key in keys {
        let kv = copy(&kv);
        let store = open(&kv);
        kv.apply_batch(&vec![(key.clone(), None)]).unwrap();
        let error = store.check_pages().unwrap_err();
        assert!(error.is_damage(), "{error:?}");
        if let StoreError::DigestDiffers { found, expected } = error {
            assert_eq!(expected, digest);
            assert!(error.to_string().contains(&found.to_string()), "{error}");
        } else {
            assert_eq!(key[0], b'x', "{error:?}");
        }
        let error = scrub(&store).unwrap_err();
        assert!(error.is_damage(), "{error:?}");
    }
}

#[test]
fn a_scrub_among_checkpoints_finds_all_rows_of_whole_tables() {
    let (kv, store) = tables();
    for _ in 0..3 {
        scrub(&store).unwrap();
    }
    let whole = store.check_pages().unwrap();
    let pages = kv.keys().iter().filter(|key| key[0] == b'p').count();
    assert_eq!(whole.pages, pages as u64);
    assert!(whole.rows > 400 && whole.bytes > whole.rows * 20, "{whole:?}");
}

#[test]
fn a_page_of_an_older_moment_is_missed() {
    let (kv, store) = tables();
    let key = kv.keys().into_iter().find(|key| key[0] == b'p' && key[5] == 15).unwrap();
    let old = kv.get(&key).unwrap().unwrap();
    let mut position = 201;
    while kv.get(&key).unwrap().unwrap() == old {
        publish(&store, position);
        store.checkpoint_now().unwrap();
        position += 1;
    }
    kv.apply_batch(&vec![(key, Some(old.to_vec()))]).unwrap();
    assert!(matches!(store.check_pages(), Err(StoreError::DigestDiffers { .. })));
}

#[test]
fn a_digest_of_an_older_moment_is_missed() {
    let (kv, store) = tables();
    let old = kv.get(b"d").unwrap().unwrap();
    publish(&store, 201);
    store.checkpoint_now().unwrap();
    kv.apply_batch(&vec![(b"d".to_vec(), Some(old.to_vec()))]).unwrap();
    assert!(matches!(store.check_pages(), Err(StoreError::DigestDiffers { .. })));
    assert!(matches!(open(&kv).check_pages(), Err(StoreError::DigestDiffers { .. })));
}

fn settings(check_at_open_bytes: u64) -> StoreSettings {
    StoreSettings { cache_bytes: CACHE_BYTES, check_at_open_bytes, ..StoreSettings::default() }
}

/// Tables on disk, complete and closed in good order, of which a page is lost.
fn robbed(directory: &Path) {
    let store = Store::open(directory, &settings(0)).unwrap();
    fill(&store);
    store.opened().unwrap();
    drop(store);
    let kv = SledKeyValue::open(&directory.join("pages"), CACHE_BYTES).unwrap();
    let (key, _) = kv.at_or_before(b"q").unwrap().unwrap();
    assert_eq!(key[0], b'p');
    kv.apply_batch(&vec![(key.to_vec(), None)]).unwrap();
    kv.flush().unwrap();
}

#[test]
fn small_tables_that_lost_a_page_are_set_aside_at_the_open() {
    let directory = tempfile::tempdir().unwrap();
    robbed(directory.path());
    let store = Store::open(directory.path(), &settings(u64::MAX)).unwrap();
    assert_eq!(store.applied(), Position(0));
    assert!(directory.path().join("aside-1").exists());
    assert!(!store.is_scrub_due());
}

#[test]
fn large_tables_that_lost_a_page_are_condemned_while_they_are_used() {
    let directory = tempfile::tempdir().unwrap();
    robbed(directory.path());
    let store = Store::open(directory.path(), &settings(0)).unwrap();
    store.opened().unwrap();
    assert_eq!(store.applied(), Position(200));
    assert!(store.is_scrub_due());
    let (failed, heard) = mpsc::channel();
    let on_error = move |error| failed.send(error).unwrap();
    let checkpointer = Checkpointer::start(store.clone(), NEVER, |_| (), on_error).unwrap();
    let error = heard.recv().unwrap();
    assert!(matches!(error, StoreError::DigestDiffers { .. }), "{error:?}");
    drop((checkpointer, store));
    let store = Store::open(directory.path(), &settings(0)).unwrap();
    assert_eq!(store.applied(), Position(0));
    assert!(directory.path().join("aside-1").exists());
}

#[test]
fn large_tables_that_are_whole_are_got_through() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), &settings(0)).unwrap();
    fill(&store);
    store.opened().unwrap();
    drop(store);
    let store = Store::open(directory.path(), &settings(0)).unwrap();
    store.opened().unwrap();
    assert!(store.is_scrub_due());
    let checkpointer =
        Checkpointer::start(store.clone(), NEVER, |_| (), |e| panic!("{e}")).unwrap();
    while store.is_scrub_due() {
        std::thread::yield_now();
    }
    checkpointer.finish().unwrap();
}
