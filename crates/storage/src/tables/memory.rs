//! Keys and values in memory: a `KeyValue` that forgets at the end, and that can
//! forget on demand what was not flushed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::key_value::{Batch, KeyValue, KeyValueError, Visit};

/// An ordered map behind a lock. Clones share it, so it outlives a store.
#[derive(Debug, Clone, Default)]
pub struct MemoryKeyValue {
    state: Arc<RwLock<State>>,
}

#[derive(Debug, Default)]
struct State {
    pairs: BTreeMap<Vec<u8>, Bytes>,
    /// Per batch since the last flush, what its keys held before.
    undo: Vec<Vec<(Vec<u8>, Option<Bytes>)>>,
}

impl MemoryKeyValue {
    /// An empty one.
    #[must_use]
    pub fn new() -> MemoryKeyValue {
        MemoryKeyValue::default()
    }

    /// What a power cut does: of the batches since the last flush only the first
    /// `kept` remain.
    pub fn crash(&self, kept: usize) {
        let mut state = self.write();
        while state.undo.len() > kept {
            for (key, before) in state.undo.pop().into_iter().flatten().rev() {
                match before {
                    Some(value) => state.pairs.insert(key, value),
                    None => state.pairs.remove(&key),
                };
            }
        }
        state.undo.clear();
    }

    /// How many batches a power cut could take back.
    #[must_use]
    pub fn unflushed(&self) -> usize {
        self.read().undo.len()
    }

    /// Changes a stored value in place, as a failing disk does.
    pub fn damage(&self, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(value) = self.write().pairs.get_mut(key) {
            let mut bytes = value.to_vec();
            change(&mut bytes);
            *value = bytes.into();
        }
    }

    /// Every key there is.
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.read().pairs.keys().cloned().collect()
    }

    // A panic elsewhere cannot leave the map half changed.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn first_in(&self, from: Bound<&[u8]>, below: &[u8]) -> Option<(Vec<u8>, Bytes)> {
        if let Bound::Included(from) | Bound::Excluded(from) = from
            && from >= below
        {
            return None;
        }
        let state = self.read();
        let mut range = state.pairs.range::<[u8], _>((from, Bound::Excluded(below)));
        range.next().map(|(key, value)| (key.clone(), value.clone()))
    }
}

impl KeyValue for MemoryKeyValue {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KeyValueError> {
        Ok(self.read().pairs.get(key).cloned())
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<(Bytes, Bytes)>, KeyValueError> {
        let state = self.read();
        let mut range = state.pairs.range::<[u8], _>((Bound::Unbounded, Bound::Included(key)));
        let found = range.next_back();
        Ok(found.map(|(key, value)| (Bytes::copy_from_slice(key), value.clone())))
    }

    fn scan(&self, from: &[u8], below: &[u8], visit: Visit<'_>) -> Result<(), KeyValueError> {
        // The lock is not held while `visit` runs: it may read this store.
        let mut next = self.first_in(Bound::Included(from), below);
        while let Some((key, value)) = next {
            if visit(&key, &value).is_break() {
                break;
            }
            next = self.first_in(Bound::Excluded(&key), below);
        }
        Ok(())
    }

    fn apply_batch(&self, batch: &Batch) -> Result<(), KeyValueError> {
        let mut state = self.write();
        let mut undo = Vec::with_capacity(batch.len());
        for (key, value) in batch {
            let before = match value {
                Some(value) => state.pairs.insert(key.clone(), Bytes::copy_from_slice(value)),
                None => state.pairs.remove(key),
            };
            undo.push((key.clone(), before));
        }
        state.undo.push(undo);
        Ok(())
    }

    fn flush(&self) -> Result<(), KeyValueError> {
        self.write().undo.clear();
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, KeyValueError> {
        Ok(0)
    }
}
