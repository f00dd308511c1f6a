//! Opening on disk: what was durable is there, doubtful tables are set aside.

use std::fs;
use std::path::Path;

use piecework_core::Position;
use piecework_core::change::Change;
use piecework_storage::{Store, StoreSettings};

use crate::samples::{Dice, at, body};

fn settings() -> StoreSettings {
    StoreSettings { cache_bytes: 8 * 1024 * 1024, ..StoreSettings::default() }
}

fn open(directory: &Path) -> Store {
    Store::open(directory, &settings()).unwrap()
}

fn fill(store: &Store) -> [u8; 32] {
    for position in 1..=20 {
        let mut dice = Dice(position);
        let changes: Vec<Change> = (0..20).map(|_| dice.change()).collect();
        store.publish(&body(changes), Position(position), at(position)).unwrap();
    }
    assert_eq!(store.checkpoint_now().unwrap(), Position(20));
    store.digest().unwrap()
}

fn asides(directory: &Path) -> usize {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("aside-")).count()
}

#[test]
fn what_a_checkpoint_wrote_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!(store.applied(), Position(0));
    store.opened().unwrap();
    let digest = fill(&store);
    assert!(store.size_on_disk().unwrap() > 0);
    drop(store);

    let store = open(directory.path());
    assert_eq!(store.applied(), Position(20));
    assert_eq!(store.applied_now(), at(20));
    assert_eq!(store.digest().unwrap(), digest);
    assert_eq!(asides(directory.path()), 0);
}

#[test]
fn an_opening_that_never_ended_sets_the_tables_aside() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store);
    // Not `opened`: as if the process had been ended while it loaded.
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.applied(), Position(0));
    assert_eq!(asides(directory.path()), 1);
    // The journal fills them again, to the same rows.
    let digest = fill(&store);
    store.opened().unwrap();
    drop(store);
    assert_eq!(open(directory.path()).digest().unwrap(), digest);
}

#[test]
fn condemned_tables_are_set_aside_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.opened().unwrap();
    fill(&store);
    store.condemn().unwrap();
    drop(store);
    assert_eq!(open(directory.path()).applied(), Position(0));
    assert_eq!(asides(directory.path()), 1);
}

#[test]
fn a_file_that_is_no_store_is_set_aside_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.opened().unwrap();
    fill(&store);
    drop(store);
    let conf = directory.path().join("pages").join("conf");
    fs::write(&conf, b"not what was written").unwrap();
    let store = open(directory.path());
    assert_eq!(store.applied(), Position(0));
    assert_eq!(asides(directory.path()), 1);
}
