//! A small, bounded memory of things that never change.
//!
//! When it is full it forgets everything: rare, cheap, and without an order to
//! keep. Only what can never change may be kept, so nothing is ever stale.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// From keys to values, at most so many.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: Mutex<HashMap<K, V>>,
    limit: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(limit: usize) -> Cache<K, V> {
        Cache { entries: Mutex::default(), limit }
    }

    /// What is kept under `key`, or what `fetch` finds, which is then kept.
    /// That there is nothing is not kept: it may come.
    pub(crate) fn get<E>(
        &self,
        key: K,
        fetch: impl FnOnce() -> Result<Option<V>, E>,
    ) -> Result<Option<V>, E> {
        let kept = self.lock(|entries| entries.get(&key).cloned());
        if kept.is_some() {
            return Ok(kept);
        }
        // Not under the lock: it may read a disk. Two may fetch the same.
        let Some(value) = fetch()? else { return Ok(None) };
        self.lock(|entries| {
            if entries.len() >= self.limit {
                entries.clear();
            }
            entries.insert(key, value.clone());
        });
        Ok(Some(value))
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<K, V>) -> T) -> T {
        work(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_it_fetched_and_never_more_than_its_limit() {
        let cache = Cache::new(2);
        let fetch = |value: u32| move || Ok::<Option<u32>, ()>(Some(value));
        assert_eq!(cache.get("a", || Ok::<_, ()>(None)), Ok(None));
        assert_eq!(cache.get("a", fetch(1)), Ok(Some(1)));
        assert_eq!(cache.get("a", fetch(2)), Ok(Some(1)));
        for key in ["b", "c", "d"] {
            assert_eq!(cache.get(key, fetch(3)), Ok(Some(3)));
            assert!(cache.lock(|entries| entries.len()) <= 2);
        }
        assert_eq!(cache.get("e", || Err("gone")), Err("gone"));
    }
}
