//! Opening on disk: what was durable is there, doubtful tables are set aside.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use piecework_core::change::Change;
use piecework_core::{Position, ProjectId, TaskId, TaskNumber};
use piecework_storage::{RowsDigest, Store, StoreSettings};

use crate::samples::{Dice, TENANT, at, body};

fn settings() -> StoreSettings {
    StoreSettings { cache_bytes: 8 * 1024 * 1024, ..StoreSettings::default() }
}

fn open(directory: &Path) -> Store {
    Store::open(directory, &settings()).unwrap()
}

fn fill(store: &Store) -> RowsDigest {
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
fn readers_miss_nothing_while_checkpoints_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for seed in 0..2 {
            let (store, is_over) = (&store, &is_over);
            threads.spawn(move || {
                let (view, mut dice) = (store.view(TENANT), Dice(seed));
                while !is_over.load(Ordering::Relaxed) {
                    let published = u32::try_from(store.published().0).unwrap();
                    let Some(last) = (published * SPECS).checked_sub(1) else { continue };
                    // Published, wherever they are by now: all of them, once, in order.
                    let after = TaskNumber(dice.below(last + 1));
                    let specs = view.specs(ProjectId(1), after, 300).unwrap();
                    let wanted = 300.min(published * SPECS - after.0);
                    assert!(specs.len() >= wanted as usize, "{} of {wanted}", specs.len());
                    let mut numbers = specs.iter().map(|spec| spec.id.number.0);
                    assert!(numbers.all(|number| number > after.0));
                    assert!(specs.is_sorted_by(|a, b| a.id.number.0 + 1 == b.id.number.0));
                    let task = task(1 + dice.below(last + 1));
                    assert!(view.spec(task).unwrap().is_some(), "{task}");
                }
            });
        }
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                store.checkpoint_step().unwrap();
            }
        });
        let mut dice = Dice(9);
        for position in 1..=400_u32 {
            let numbers = (1..=SPECS).map(|n| (position - 1) * SPECS + n);
            let mut specs = Vec::new();
            for number in numbers {
                let mut spec = dice.spec(task(number));
                spec.payload.truncate(100);
                specs.push(Arc::new(spec));
            }
            // Rewriting an old one makes pages be cut where others read.
            let old = task(1 + dice.below(position * SPECS));
            let again = Arc::new(dice.spec(old));
            let changes = [Change::Specs(specs), Change::Specs(vec![again])];
            let last = Position(position.into());
            store.publish(&body(changes), last, at(position.into())).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

const SPECS: u32 = 25;

fn task(number: u32) -> TaskId {
    TaskId { project: ProjectId(1), number: TaskNumber(number) }
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
