//! Filling tables from rows in order: all of them and usable, or not at all.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use piecework_core::Position;
use piecework_core::change::Change;
use piecework_storage::{
    ImportError, Key, KeyValue as _, MemoryKeyValue, Row, RowsDigest, Store, StoreError,
    StoreSettings, decode_group,
};

use crate::samples::{Dice, TENANT, at, body};

const LAST: Position = Position(77);

type Rows = BTreeMap<Key, Bytes>;

/// Rows of most kinds and every size.
fn rows() -> (Rows, RowsDigest) {
    let mut dice = Dice(12);
    let mut rows = Rows::new();
    for _ in 0..2_000 {
        for row in decode_group(&body([dice.change()])).unwrap().remove(0).rows {
            if let Row::Put { key, value } = row {
                rows.insert(key, value);
            }
        }
    }
    let mut digest = RowsDigest::default();
    rows.iter().for_each(|(key, value)| digest.add(key.as_bytes(), value));
    (rows, digest)
}

fn open(kv: &MemoryKeyValue) -> Store {
    Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default()).unwrap()
}

fn import(
    store: &Store,
    rows: impl IntoIterator<Item = (Key, Bytes)>,
    expected: RowsDigest,
) -> Result<(), ImportError<Infallible>> {
    store.import(rows.into_iter().map(Ok), (LAST, at(5)), expected)
}

#[test]
fn imported_tables_are_where_the_rows_were_and_go_on_from_there() {
    let (rows, digest) = rows();
    let kv = MemoryKeyValue::new();
    let store = open(&kv);
    import(&store, rows, digest).unwrap();
    assert_eq!((store.applied(), store.published(), store.applied_now()), (LAST, LAST, at(5)));
    assert_eq!(store.applied_digest(), Some((LAST, at(5), digest)));
    assert_eq!((store.rows_digest(), store.digest().unwrap()), (digest, digest));
    assert_eq!(store.checkpoint_now().unwrap(), LAST);
    // Durable: a power cut takes nothing.
    kv.crash(0);
    let store = open(&kv);
    assert_eq!(store.applied_digest(), Some((LAST, at(5), digest)));
    assert_eq!(store.digest().unwrap(), digest);
    let requester = Dice(1).requester();
    let change = Change::Requester(Box::new(requester.clone()));
    store.publish(&body([change]), Position(78), at(6)).unwrap();
    assert_eq!(store.view(TENANT).requester(requester.id).unwrap(), Some(requester));
    assert_eq!(store.checkpoint_now().unwrap(), Position(78));
    assert_eq!(store.rows_digest(), store.digest().unwrap());
}

#[test]
fn the_pages_of_an_import_are_full() {
    let (rows, digest) = rows();
    let kv = MemoryKeyValue::new();
    let bytes: usize = rows.iter().map(|(key, value)| key.as_bytes().len() + value.len()).sum();
    import(&open(&kv), rows, digest).unwrap();
    let pages = kv.keys().iter().filter(|key| key[0] == b'p').count();
    let parts = kv.keys().iter().filter(|key| key[0] == b'x').count();
    assert!(parts > 10 && bytes > 1 << 20, "several batches: {bytes} bytes, {parts} parts");
    // About one page for 4 KiB, and one for each row over 1 KiB.
    let stored: usize = kv.keys().iter().map(|key| kv.get(key).unwrap().unwrap().len()).sum();
    assert!(stored < bytes * 11 / 10, "{stored} bytes in {pages} pages for {bytes}");
}

#[test]
fn rows_that_do_not_add_up_leave_tables_that_nobody_can_use() {
    let (rows, digest) = rows();
    let (_, value) = rows.first_key_value().unwrap();
    let mut other = rows.clone();
    let middle = rows.keys().nth(700).unwrap();
    other.remove(middle);
    for rows in [other, Rows::from([(middle.clone(), value.clone())]), Rows::new()] {
        let kv = MemoryKeyValue::new();
        let store = open(&kv);
        let error = import(&store, rows, digest).unwrap_err();
        let ImportError::Store(error) = error else { panic!("{error:?}") };
        assert!(matches!(error, StoreError::DigestDiffers { expected, .. } if expected == digest));
        assert!(error.is_damage());
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
        assert_eq!((store.applied(), open(&kv).applied()), (Position(0), Position(0)));
        assert!(matches!(store.checkpoint_step(), Err(StoreError::Stopped)));
    }
}

#[test]
fn a_crash_anywhere_in_an_import_leaves_tables_that_are_nowhere() {
    let (rows, digest) = rows();
    for taken in [0, 1, 700, rows.len()] {
        let kv = MemoryKeyValue::new();
        let source = rows.clone().into_iter().take(taken).map(Ok);
        let broken = std::iter::once(Err("the file ends"));
        let error = open(&kv).import(source.chain(broken), (LAST, at(5)), digest).unwrap_err();
        assert!(matches!(error, ImportError::Rows("the file ends")), "{error:?}");
        for kept in [9, 3, 1, 0] {
            kv.crash(kept);
            let store = open(&kv);
            assert_eq!(store.applied(), Position(0));
            assert_eq!(store.digest().unwrap(), store.rows_digest());
        }
    }
}

#[test]
fn only_empty_tables_are_filled_and_only_in_order() {
    let (rows, digest) = rows();
    let kv = MemoryKeyValue::new();
    let store = open(&kv);
    let backwards = rows.clone().into_iter().rev();
    let error = import(&store, backwards, digest).unwrap_err();
    assert!(matches!(error, ImportError::Unordered { .. }), "{error:?}");

    let kv = MemoryKeyValue::new();
    let store = open(&kv);
    import(&store, rows.clone(), digest).unwrap();
    for store in [store, open(&kv)] {
        let error = import(&store, rows.clone(), digest).unwrap_err();
        assert!(matches!(error, ImportError::Store(StoreError::NotEmpty)), "{error:?}");
        // It was left alone.
        assert_eq!(store.checkpoint_now().unwrap(), LAST);
    }
    let store = open(&MemoryKeyValue::new());
    let change = Change::Requester(Box::new(Dice(1).requester()));
    store.publish(&body([change]), Position(1), at(1)).unwrap();
    let error = import(&store, rows, digest).unwrap_err();
    assert!(matches!(error, ImportError::Store(StoreError::NotEmpty)), "{error:?}");
    assert_eq!(store.checkpoint_now().unwrap(), Position(1));
}
