//! Durable rows that are not yet in the store of keys and values.
//!
//! An active map takes every published group; a frozen one is being written by
//! the checkpointer. Values are slices of the groups' bodies.
//!
//! Invariant: a row leaves the frozen map only after it is durable in the store.
//! Therefore who looks here first and there second misses nothing: a row not
//! here was there already, and what came there since is only newer.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use piecework_core::{Now, Position};

use super::keys::{Key, after};

/// A row's value; `None`: the row is gone.
pub(crate) type Slot = Option<Bytes>;

/// What a row takes in a map besides its value.
const ROW_BYTES: usize = 96;
/// Rows that are gone past rather than looking a key up.
const PASSED_MAX: usize = 8;

/// How much may still come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Everything.
    Free,
    /// No new tasks.
    IntakeFull,
    /// No grants either; submits and extends only.
    Full,
}

/// Rows by key, and up to where they are complete.
#[derive(Debug, Default)]
pub(super) struct Map {
    pub(super) rows: BTreeMap<Key, Slot>,
    bytes: usize,
    pub(super) last: Position,
    pub(super) now: Now,
}

#[derive(Debug, Default)]
struct Maps {
    active: Map,
    frozen: Option<Arc<Map>>,
}

/// The two maps.
#[derive(Debug)]
pub(super) struct Overlay {
    maps: RwLock<Maps>,
    /// Of the active map. Rows that were replaced count too: the body that holds
    /// them stays in memory as long as one of its rows does.
    active_bytes: AtomicUsize,
    is_frozen: AtomicBool,
    capacity_bytes: usize,
}

impl Overlay {
    pub(super) fn new(capacity_bytes: usize, applied: Position, now: Now) -> Overlay {
        let active = Map { last: applied, now, ..Map::default() };
        Overlay {
            maps: RwLock::new(Maps { active, frozen: None }),
            active_bytes: AtomicUsize::new(0),
            is_frozen: AtomicBool::new(false),
            capacity_bytes,
        }
    }

    /// Everything up to `last` has come into the store without passing through here.
    pub(super) fn begin_at(&self, last: Position, now: Now) {
        let mut maps = self.write();
        assert!(maps.active.rows.is_empty(), "nothing was published before");
        maps.active = Map { last, now, ..Map::default() };
    }

    /// Takes the rows of one group, whole.
    pub(super) fn publish(&self, rows: Vec<(Key, Slot)>, last: Position, now: Now) {
        let bytes = rows.iter().map(|(_, slot)| ROW_BYTES + slot.as_ref().map_or(0, Bytes::len));
        let bytes = bytes.sum::<usize>();
        let mut maps = self.write();
        let active = &mut maps.active;
        active.rows.extend(rows);
        active.bytes += bytes;
        active.last = last;
        active.now = now;
        self.active_bytes.store(active.bytes, Ordering::Relaxed);
    }

    /// Bytes in the active map.
    pub(super) fn bytes(&self) -> usize {
        self.active_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn room(&self) -> Room {
        let active = self.active_bytes.load(Ordering::Relaxed);
        if active >= self.capacity_bytes.saturating_mul(3) / 2 {
            return Room::Full;
        }
        if active >= self.capacity_bytes { Room::IntakeFull } else { Room::Free }
    }

    /// Whether it is time to freeze the active map.
    pub(super) fn is_half_full(&self) -> bool {
        self.active_bytes.load(Ordering::Relaxed) >= self.capacity_bytes / 2
            && !self.is_frozen.load(Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Slot> {
        let maps = self.read();
        let frozen = || maps.frozen.as_ref().and_then(|map| map.rows.get(key));
        maps.active.rows.get(key).or_else(frozen).cloned()
    }

    /// What [`Overlay::get`] gives for each of these keys, ascending: all of one moment.
    pub(super) fn get_all(&self, keys: &[Key]) -> Vec<Option<Slot>> {
        let mut found = vec![None; keys.len()];
        let maps = self.read();
        if let Some(frozen) = &maps.frozen {
            find_all(&frozen.rows, keys, &mut found);
        }
        find_all(&maps.active.rows, keys, &mut found);
        found
    }

    /// At most `max` rows from `from` on, below `below`, and, when that cut them
    /// short, below which key they are complete.
    pub(super) fn collect(
        &self,
        from: &[u8],
        below: &[u8],
        max: usize,
    ) -> (Vec<(Key, Slot)>, Option<Vec<u8>>) {
        let mut rows: Vec<(Key, Slot)> = Vec::new();
        if from >= below {
            return (rows, None);
        }
        let bounds = (Bound::Included(from), Bound::Excluded(below));
        let maps = self.read();
        let mut active = maps.active.rows.range::<[u8], _>(bounds).peekable();
        let frozen = maps.frozen.iter().flat_map(|map| map.rows.range::<[u8], _>(bounds));
        let mut frozen = frozen.peekable();
        while let Some((key, slot)) = next_of_both(&mut active, &mut frozen) {
            if rows.len() == max {
                let complete = rows.last().map(|(key, _)| after(key.as_bytes()));
                return (rows, complete);
            }
            rows.push((key.clone(), slot.clone()));
        }
        (rows, None)
    }

    /// Makes the active map the frozen one, if something came since `applied`.
    pub(super) fn freeze(&self, applied: Position) -> Option<Arc<Map>> {
        let mut maps = self.write();
        assert!(maps.frozen.is_none(), "one checkpoint at a time");
        if maps.active.last <= applied {
            return None;
        }
        let next = Map { last: maps.active.last, now: maps.active.now, ..Map::default() };
        let frozen = Arc::new(std::mem::replace(&mut maps.active, next));
        maps.frozen = Some(Arc::clone(&frozen));
        self.active_bytes.store(0, Ordering::Relaxed);
        self.is_frozen.store(true, Ordering::Relaxed);
        Some(frozen)
    }

    /// Forgets the frozen map: its rows are durable in the store.
    pub(super) fn thaw(&self) {
        let frozen = self.write().frozen.take();
        self.is_frozen.store(false, Ordering::Relaxed);
        // A million rows take a while to free: not under the lock.
        drop(frozen);
    }

    // Maps change by whole rows only: a panic elsewhere leaves them usable.
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds neighbours by going on, what lies farther away by looking it up.
fn find_all(rows: &BTreeMap<Key, Slot>, keys: &[Key], found: &mut [Option<Slot>]) {
    let mut keys = keys.iter().zip(found).peekable();
    while let Some((key, _)) = keys.peek() {
        let mut passed = 0;
        for (row, slot) in rows.range::<Key, _>(*key..) {
            while keys.next_if(|(key, _)| *key < row).is_some() {}
            match keys.next_if(|(key, _)| *key == row) {
                Some((_, found)) => *found = Some(slot.clone()),
                None => passed += 1,
            }
            if keys.peek().is_none() || passed > PASSED_MAX {
                break;
            }
        }
        if passed <= PASSED_MAX {
            return;
        }
    }
}

/// The next row of two maps in key order; where both have it, the newer one's.
fn next_of_both<'a>(
    newer: &mut Peekable<impl Iterator<Item = (&'a Key, &'a Slot)>>,
    older: &mut Peekable<impl Iterator<Item = (&'a Key, &'a Slot)>>,
) -> Option<(&'a Key, &'a Slot)> {
    match (newer.peek(), older.peek()) {
        (Some((new, _)), Some((old, _))) if old < new => older.next(),
        (Some((new, _)), Some((old, _))) => {
            if old == new {
                older.next();
            }
            newer.next()
        }
        (Some(_), None) => newer.next(),
        (None, _) => older.next(),
    }
}
