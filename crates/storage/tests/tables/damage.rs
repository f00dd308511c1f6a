//! Changed bytes are reported with the row or the page, never shown.

use std::sync::Arc;

use piecework_core::change::Change;
use piecework_core::{EngineTime, Position, ProjectId, TaskId, TaskNumber};
use piecework_storage::{
    KeyValue as _, MemoryKeyValue, RowsDigest, Store, StoreError, StoreSettings,
};

use crate::samples::{Dice, TENANT, at, body};

fn reopen(kv: &MemoryKeyValue) -> Result<Store, StoreError> {
    Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default())
}

/// Tables of some rows of every kind, checkpointed.
fn tables() -> MemoryKeyValue {
    let kv = MemoryKeyValue::new();
    let store = reopen(&kv).unwrap();
    let mut dice = Dice(3);
    let mut changes =
        vec![Change::Project(Box::new(dice.project())), Change::Worker(Box::new(dice.worker()))];
    for number in 1..=30 {
        let task = TaskId { project: ProjectId(1), number: TaskNumber(number) };
        changes.push(Change::Specs(vec![Arc::new(dice.spec(task))]));
        changes.push(Change::Task(Box::new(dice.record(task))));
    }
    store.publish(&body(changes), Position(1), at(1)).unwrap();
    store.checkpoint_now().unwrap();
    kv
}

#[test]
fn a_changed_byte_anywhere_in_a_page_is_seen_by_digest() {
    let kv = tables();
    let digest = reopen(&kv).unwrap().digest().unwrap();
    let mut seen = 0;
    // Notes are no rows, and damaged ones are not believed (`settled.rs`).
    for key in kv.keys().into_iter().filter(|key| key[0] != b's') {
        for place in 0..64_usize {
            let mut undo = None;
            kv.damage(&key, |value| {
                let at = place * 37 % value.len();
                undo = Some((at, value[at]));
                value[at] ^= 0x10;
            });
            let after = reopen(&kv).and_then(|store| store.digest());
            let error = after.expect_err(&format!("damage at {place} of {key:?}"));
            assert!(error.is_damage(), "{error:?}");
            seen += 1;
            let (at, byte) = undo.unwrap();
            kv.damage(&key, |value| value[at] = byte);
        }
    }
    assert!(seen > 500);
    assert_eq!(reopen(&kv).unwrap().digest().unwrap(), digest);
}

#[test]
fn a_damaged_page_is_named_by_its_kind() {
    let kv = tables();
    let task = TaskId { project: ProjectId(1), number: TaskNumber(9) };
    for key in kv.keys().into_iter().filter(|key| key[0] == b'p') {
        kv.damage(&key, |value| value[20] ^= 1);
    }
    let store = reopen(&kv).unwrap();
    let error = store.view(TENANT).task(task).unwrap_err();
    assert!(error.is_damage());
    assert!(
        error.to_string().starts_with("the page that starts at the task row 00000001"),
        "{error}"
    );
    let error = store.load(EngineTime(0), &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("the page that starts at the"), "{error}");
}

#[test]
fn how_far_tables_are_is_never_guessed() {
    let kv = tables();
    kv.damage(b"a", |value| value[2] ^= 1);
    assert!(matches!(reopen(&kv), Err(StoreError::Applied(_))));
    kv.damage(b"a", Vec::clear);
    assert!(matches!(reopen(&kv), Err(StoreError::Applied(_))));
}

#[test]
fn rows_without_a_digest_are_damage() {
    let kv = tables();
    kv.apply_batch(&vec![(b"d".to_vec(), None)]).unwrap();
    let error = reopen(&kv).unwrap_err();
    assert!(matches!(error, StoreError::NoDigest), "{error:?}");
    assert!(error.is_damage());
    // Rows alone, as a crash in the first checkpoint leaves them, are rows too.
    kv.apply_batch(&vec![(b"a".to_vec(), None)]).unwrap();
    assert!(matches!(reopen(&kv), Err(StoreError::NoDigest)));
    for key in kv.keys() {
        kv.apply_batch(&vec![(key, None)]).unwrap();
    }
    assert_eq!(reopen(&kv).unwrap().rows_digest(), RowsDigest::default());
}

#[test]
fn a_digest_that_cannot_be_read_is_damage() {
    let kv = tables();
    kv.damage(b"d", |value| value[3] ^= 1);
    let error = reopen(&kv).unwrap_err();
    assert!(matches!(error, StoreError::Digest(_)), "{error:?}");
    assert!(error.is_damage());
}

#[test]
fn a_missing_part_of_a_large_value_is_seen() {
    let kv = MemoryKeyValue::new();
    let store = reopen(&kv).unwrap();
    let task = TaskId { project: ProjectId(1), number: TaskNumber(1) };
    let mut spec = Dice(1).spec(task);
    spec.payload = vec![7; 100_000];
    store.publish(&body([Change::Specs(vec![Arc::new(spec)])]), Position(1), at(1)).unwrap();
    store.checkpoint_now().unwrap();
    let parts: Vec<Vec<u8>> = kv.keys().into_iter().filter(|key| key[0] == b'x').collect();
    assert_eq!(parts.len(), 7);
    kv.damage(&parts[3], |part| part.truncate(100));
    let error = reopen(&kv).unwrap().view(TENANT).spec(task).unwrap_err();
    assert!(error.to_string().starts_with("the spec row 000000010f"), "{error}");
    assert!(error.is_damage());
    kv.damage(&parts[3], |part| part.resize(16 * 1024, 7));
    assert!(reopen(&kv).unwrap().view(TENANT).spec(task).unwrap().is_some());
    kv.damage(&parts[3], |part| part[0] = 8);
    let error = reopen(&kv).unwrap().view(TENANT).spec(task).unwrap_err();
    assert!(error.to_string().starts_with("the spec row 000000010f"), "{error}");
}

#[test]
fn a_row_of_an_unknown_kind_stops_the_load() {
    // What a later release would leave: a kind that this one does not know.
    let kv = tables();
    let keys = kv.keys();
    let page = keys.iter().find(|key| key[0] == b'p').unwrap();
    let store = reopen(&kv).unwrap();
    assert!(store.load(EngineTime(0), &mut |_| {}).is_ok());
    let mut unknown = page.clone();
    unknown[5] = 200;
    copy_page(&kv, page, &unknown);
    let error = reopen(&kv).unwrap().load(EngineTime(0), &mut |_| {}).unwrap_err();
    assert!(error.is_damage(), "{error:?}");
}

/// Puts a page under another key with a checksum that matches there, and with
/// its rows renamed to that kind.
fn copy_page(kv: &MemoryKeyValue, from: &[u8], to: &[u8]) {
    let mut page = kv.get(from).unwrap().unwrap().to_vec();
    // version, as of, rows, length of the shared prefix, four bytes of tenant
    page[1 + 8 + 4 + 1 + 4] = to[5];
    let end = page.len() - 4;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&to[1..]), &page[..end]);
    page[end..].copy_from_slice(&sum.to_le_bytes());
    kv.apply_batch(&vec![(to.to_vec(), Some(page))]).unwrap();
}
