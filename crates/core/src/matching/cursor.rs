//! Where a worker last stood in a project's order.
//!
//! A worker that has been at the first thousand tasks must not pass them again
//! at every pick: after some skips it remembers how far everything is excluded
//! for good. A place that appears before a cursor moves it back.
//!
//! Not here: what excludes (`eligibility.rs`). Time-limited bars and leases that
//! live never move a cursor.

use std::collections::{BTreeMap, BTreeSet};

use crate::WorkerId;
use crate::matching::order::PlaceKey;

/// Skips before a cursor is worth its memory.
pub(crate) const SKIPS_BEFORE_CURSOR: usize = 16;

/// Cursors of the workers of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursors {
    of: BTreeMap<WorkerId, PlaceKey>,
    by_key: BTreeSet<(PlaceKey, WorkerId)>,
}

impl Cursors {
    pub(crate) fn of(&self, worker: WorkerId) -> Option<PlaceKey> {
        self.of.get(&worker).copied()
    }

    /// Everything before `key` is excluded for `worker`, for good.
    pub(crate) fn set(&mut self, worker: WorkerId, key: PlaceKey) {
        if let Some(old) = self.of.insert(worker, key) {
            self.by_key.remove(&(old, worker));
        }
        self.by_key.insert((key, worker));
    }

    /// What excludes has changed for somebody: everybody looks from the start.
    pub(crate) fn clear(&mut self) {
        *self = Cursors::default();
    }

    /// A place has appeared at `key`. Cost: one step per cursor beyond it.
    pub(crate) fn rewind(&mut self, key: PlaceKey) {
        while let Some(&(last, worker)) = self.by_key.last() {
            if last <= key {
                break;
            }
            // Cursors at the new key sort below it, so each moves once.
            self.set(worker, key);
        }
    }
}
