//! What every store of keys and values must do, run on each.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::key_value::{Batch, KeyValue, KeyValueError, Visit};
use super::memory::MemoryKeyValue;
use super::page_log::PageLog;
use super::sled::SledKeyValue;
use crate::journal::LyingDisk;

const CACHE_BYTES: u64 = 8 * 1024 * 1024;

fn on_each(check: impl Fn(&dyn KeyValue)) {
    check(&MemoryKeyValue::new());
    let directory = tempfile::tempdir().unwrap();
    check(&SledKeyValue::open(directory.path(), CACHE_BYTES).unwrap());
    let small = PageLog::with_files_of(10_000, MemoryKeyValue::new(), LyingDisk::new(1)).unwrap();
    check(&small);
    check(&Pages(small));
    let directory = tempfile::tempdir().unwrap();
    check(&Pages(PageLog::in_directory(directory.path(), CACHE_BYTES).unwrap()));
}

/// A store all of whose keys are those of pages.
struct Pages<K>(K);

fn page(key: &[u8]) -> Vec<u8> {
    [b"p", key].concat()
}

impl<K: KeyValue> KeyValue for Pages<K> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KeyValueError> {
        self.0.get(&page(key))
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<(Bytes, Bytes)>, KeyValueError> {
        let found = self.0.at_or_before(&page(key))?.filter(|(key, _)| key.starts_with(b"p"));
        Ok(found.map(|(key, value)| (key.slice(1..), value)))
    }

    fn next_key(&self, from: &[u8], below: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.0.next_key(&page(from), &page(below))?.map(|key| key[1..].to_vec()))
    }

    fn scan(&self, from: &[u8], below: &[u8], visit: Visit<'_>) -> Result<(), KeyValueError> {
        self.0.scan(&page(from), &page(below), &mut |key, value| visit(&key[1..], value))
    }

    fn apply_batch(&self, batch: &Batch) -> Result<(), KeyValueError> {
        let pairs = batch.iter().map(|(key, value)| (page(key), value.clone()));
        self.0.apply_batch(&pairs.collect())
    }

    fn flush(&self) -> Result<(), KeyValueError> {
        self.0.flush()
    }

    fn size_on_disk(&self) -> Result<u64, KeyValueError> {
        self.0.size_on_disk()
    }
}

fn put(kv: &dyn KeyValue, pairs: &[(&[u8], &[u8])]) {
    let batch = pairs.iter().map(|(key, value)| (key.to_vec(), Some(value.to_vec())));
    kv.apply_batch(&batch.collect()).unwrap();
}

fn keys(kv: &dyn KeyValue, from: &[u8], below: &[u8], max: usize) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    kv.scan(from, below, &mut |key, _| {
        keys.push(key.to_vec());
        if keys.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .unwrap();
    keys
}

#[test]
fn a_key_holds_what_was_put_last_until_it_is_gone() {
    on_each(|kv| {
        assert_eq!(kv.get(b"k").unwrap(), None);
        put(kv, &[(b"k", b"1"), (b"kk", b"")]);
        put(kv, &[(b"k", b"2")]);
        assert_eq!(kv.get(b"k").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(kv.get(b"kk").unwrap().as_deref(), Some(&b""[..]));
        kv.apply_batch(&vec![(b"k".to_vec(), None), (b"none".to_vec(), None)]).unwrap();
        assert_eq!(kv.get(b"k").unwrap(), None);
    });
}

#[test]
fn the_greatest_key_not_above_another_is_found() {
    on_each(|kv| {
        assert_eq!(kv.at_or_before(b"z").unwrap(), None);
        put(kv, &[(b"b", b"1"), (b"b\0", b"2"), (b"d", b"3")]);
        let found = |key: &[u8]| kv.at_or_before(key).unwrap().map(|(key, _)| key.to_vec());
        assert_eq!(found(b"a"), None);
        assert_eq!(found(b"b"), Some(b"b".to_vec()));
        assert_eq!(found(b"b\0\0"), Some(b"b\0".to_vec()));
        assert_eq!(found(b"c"), Some(b"b\0".to_vec()));
        assert_eq!(found(b"zz"), Some(b"d".to_vec()));
    });
}

#[test]
fn finding_agrees_with_a_plain_map_after_any_writes() {
    on_each(|kv| {
        let mut model = std::collections::BTreeMap::new();
        let mut state = 1_u32;
        let mut dice = || {
            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            (state >> 16) % 4_000
        };
        for round in 0..120_u32 {
            let mut batch = std::collections::BTreeMap::new();
            for _ in 0..60 {
                let key = dice().to_be_bytes().to_vec();
                // Shrinking after growing, so that leaves are merged too.
                let value = (dice() > round * 33).then(|| vec![7; 200]);
                batch.insert(key, value);
            }
            for (key, value) in &batch {
                match value {
                    Some(value) => model.insert(key.clone(), value.clone()),
                    None => model.remove(key),
                };
            }
            kv.apply_batch(&batch.into_iter().collect()).unwrap();
            for _ in 0..40 {
                let key = dice().to_be_bytes().to_vec();
                let expected = model.range(..=key.clone()).next_back().map(|(key, _)| key.clone());
                let found = kv.at_or_before(&key).unwrap().map(|(key, _)| key.to_vec());
                assert_eq!(found, expected);
            }
            let all: Vec<Vec<u8>> = model.keys().cloned().collect();
            assert_eq!(keys(kv, &[], &[255], usize::MAX), all);
        }
    });
}

#[test]
fn a_scan_goes_up_within_its_bounds_and_stops_when_told() {
    on_each(|kv| {
        let names: Vec<Vec<u8>> = (0..3000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        for chunk in names.chunks(700) {
            kv.apply_batch(&chunk.iter().map(|k| (k.clone(), Some(k.clone()))).collect()).unwrap();
        }
        assert_eq!(keys(kv, &[], &[255], usize::MAX), names);
        assert_eq!(keys(kv, &names[5], &names[2000], usize::MAX), names[5..2000]);
        assert_eq!(keys(kv, &names[5], &names[2000], 2), names[5..7]);
        assert_eq!(keys(kv, &names[5], &names[5], 9), Vec::<Vec<u8>>::new());
        assert_eq!(keys(kv, &names[6], &names[5], 9), Vec::<Vec<u8>>::new());
        let next = |from: &[u8], below: &[u8]| kv.next_key(from, below).unwrap();
        assert_eq!(next(&names[5], &names[6]), Some(names[5].clone()));
        assert_eq!(next(&[&names[5][..], &[0]].concat(), &names[7]), Some(names[6].clone()));
        assert_eq!(next(&[&names[5][..], &[0]].concat(), &names[6]), None);
    });
}

#[test]
fn a_scan_may_read_the_store() {
    on_each(|kv| {
        put(kv, &[(b"a", b"1"), (b"b", b"2")]);
        let mut read = Vec::new();
        kv.scan(b"", b"z", &mut |key, value| {
            read.push(kv.get(key).unwrap().as_deref() == Some(value));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(read, [true, true]);
    });
}

#[test]
fn what_was_flushed_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let large = vec![9; 300_000];
    {
        let kv = SledKeyValue::open(directory.path(), CACHE_BYTES).unwrap();
        put(&kv, &[(b"a", b"1"), (b"large", &large)]);
        kv.flush().unwrap();
        assert!(kv.size_on_disk().unwrap() > 0);
    }
    let kv = SledKeyValue::open(directory.path(), CACHE_BYTES).unwrap();
    assert_eq!(kv.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(kv.get(b"large").unwrap().as_deref(), Some(&large[..]));
}

#[test]
fn a_crash_of_the_one_in_memory_keeps_what_was_flushed_and_a_prefix() {
    let kv = MemoryKeyValue::new();
    put(&kv, &[(b"a", b"1")]);
    kv.flush().unwrap();
    put(&kv, &[(b"a", b"2")]);
    put(&kv, &[(b"a", b"3"), (b"b", b"3")]);
    kv.crash(1);
    assert_eq!(kv.get(b"a").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(kv.get(b"b").unwrap(), None);
}
