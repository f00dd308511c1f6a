//! A small, bounded memory of things that never change.
//!
//! When it is full it forgets everything: rare, cheap, and without an order to
//! keep. Only what can never change may be kept, so nothing is ever stale.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// From keys to values, of at most so much weight together.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    kept: Mutex<Kept<K, V>>,
    limit: usize,
    weigh: fn(&V) -> usize,
}

#[derive(Debug)]
struct Kept<K, V> {
    entries: HashMap<K, V>,
    weight: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// At most so many.
    pub(crate) fn new(limit: usize) -> Cache<K, V> {
        Cache::of_weight(limit, |_| 1)
    }

    /// At most so many that they weigh no more than `limit` together, but for a single one.
    pub(crate) fn of_weight(limit: usize, weigh: fn(&V) -> usize) -> Cache<K, V> {
        Cache { kept: Mutex::new(Kept { entries: HashMap::new(), weight: 0 }), limit, weigh }
    }

    /// What is kept under `key`, or what `fetch` finds, which is then kept.
    /// That there is nothing is not kept: it may come.
    pub(crate) fn get<E>(
        &self,
        key: K,
        fetch: impl FnOnce() -> Result<Option<V>, E>,
    ) -> Result<Option<V>, E> {
        let kept = self.lock(|kept| kept.entries.get(&key).cloned());
        if kept.is_some() {
            return Ok(kept);
        }
        // Not under the lock: it may read a disk. Two may fetch the same.
        let Some(value) = fetch()? else { return Ok(None) };
        let weight = (self.weigh)(&value);
        self.lock(|kept| {
            if kept.weight + weight > self.limit {
                kept.entries.clear();
                kept.weight = 0;
            }
            if kept.entries.insert(key, value.clone()).is_none() {
                kept.weight += weight;
            }
        });
        Ok(Some(value))
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Kept<K, V>) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
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
            assert!(cache.lock(|kept| kept.entries.len()) <= 2);
        }
        assert_eq!(cache.get("e", || Err("gone")), Err("gone"));
    }

    #[test]
    fn what_it_keeps_weighs_no_more_than_its_limit() {
        let cache = Cache::of_weight(10, |weight: &usize| *weight);
        let keeps = |key: u8, weight: usize| {
            cache.get(key, || Ok::<_, ()>(Some(weight))).unwrap();
            cache.lock(|kept| (kept.entries.len(), kept.weight))
        };
        assert_eq!([keeps(1, 4), keeps(2, 6), keeps(2, 6)], [(1, 4), (2, 10), (2, 10)]);
        assert_eq!([keeps(3, 1), keeps(4, 99), keeps(5, 1)], [(1, 1), (1, 99), (1, 1)]);
    }
}
