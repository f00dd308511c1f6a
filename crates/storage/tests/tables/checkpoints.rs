//! The checkpoint thread and what it does when the store fails.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use piecework_core::Position;
use piecework_core::change::Change;
use piecework_storage::{
    Batch, Checkpointer, KeyValue, KeyValueError, MemoryKeyValue, Progress, Store, StoreError,
    StoreSettings,
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
    let checkpointer = Checkpointer::start(store.clone(), NEVER, |e| panic!("{e}")).unwrap();
    publish(&store, 1);
    synced.recv().unwrap();
    synced.recv().unwrap();
    checkpointer.finish().unwrap();
    assert_eq!(store.applied(), Position(1));
}

#[test]
fn time_wakes_the_thread_and_finishing_writes_the_rest() {
    let (store, _, synced) = observed(1 << 20);
    let often = Duration::from_millis(1);
    let checkpointer = Checkpointer::start(store.clone(), often, |e| panic!("{e}")).unwrap();
    publish(&store, 1);
    synced.recv().unwrap();
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
    let checkpointer = Checkpointer::start(store.clone(), NEVER, on_error).unwrap();
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
