//! Walking a project's places in their order, over the shelves of several classes.
//!
//! A merge of sorted sets. Each set is one lane with its own memory of how far
//! everything was excluded for the worker: that is where its cursor may go.
//!
//! Not here: what excludes (`eligibility.rs`), the sets themselves (`order.rs`).

use std::collections::{BTreeSet, btree_set};
use std::ops::Bound;

use crate::matching::cursor::SKIPS_BEFORE_CURSOR;
use crate::matching::order::PlaceKey;

/// Places of several classes, best first.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// Most projects have one class only.
    first: Option<Lane<'a>>,
    others: Vec<Lane<'a>>,
}

/// One class.
#[derive(Debug)]
struct Lane<'a> {
    set: &'a BTreeSet<PlaceKey>,
    rest: btree_set::Range<'a, PlaceKey>,
    head: Option<PlaceKey>,
    skips: usize,
    /// Everything so far is excluded for good.
    excluded: bool,
    /// Everything before this is excluded for good.
    cursor: Option<PlaceKey>,
}

impl<'a> Places<'a> {
    /// Of these sets, each from a key on.
    pub(crate) fn of(
        sets: impl Iterator<Item = (&'a BTreeSet<PlaceKey>, Option<PlaceKey>)>,
    ) -> Places<'a> {
        let mut lanes = sets.filter_map(|(set, from)| {
            // A worker that has seen everything stands behind the last.
            if from > set.last().copied() {
                return None;
            }
            let mut rest = match from {
                Some(key) => set.range(key..),
                None => set.range(..),
            };
            let head = rest.next().copied();
            Some(Lane { set, rest, head, skips: 0, excluded: true, cursor: None })
        });
        Places { first: lanes.next(), others: lanes.collect() }
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane<'a>> {
        self.first.iter().chain(&self.others)
    }

    /// Those that have a head.
    fn heads(&mut self) -> impl Iterator<Item = &mut Lane<'a>> {
        self.first.iter_mut().chain(&mut self.others).filter(|lane| lane.head.is_some())
    }

    /// The best place that was not passed yet.
    pub(crate) fn head(&self) -> Option<PlaceKey> {
        self.lanes().filter_map(|lane| lane.head).min()
    }

    /// Passes the head. `for_good`: it is excluded for ever.
    pub(crate) fn pass(&mut self, for_good: bool) {
        let Some(lane) = self.heads().min_by_key(|lane| lane.head) else { return };
        if for_good {
            lane.skips += 1;
            if lane.excluded {
                lane.cursor = lane.head.map(PlaceKey::next_of_class);
            }
        } else {
            // A lease or a bar ends: the cursor must not pass it.
            lane.excluded = false;
        }
        lane.head = lane.rest.next().copied();
    }

    /// Passes the head and all that goes before younger places of its group: same
    /// priority, same deadline. They may be passed for now, not for good.
    pub(crate) fn pass_group(&mut self) {
        let Some(lane) = self.heads().min_by_key(|lane| lane.head) else { return };
        if let Some(head) = lane.head {
            lane.go_after(head.end_of_group());
        }
    }

    /// Goes on after this place, up to which everything was looked at before.
    pub(crate) fn go_after(&mut self, key: PlaceKey) {
        let behind = self.heads().filter(|lane| lane.head.is_some_and(|head| head <= key));
        behind.for_each(|lane| lane.go_after(key));
    }

    /// Where the worker's cursors may go, after enough skips.
    pub(crate) fn cursors(&self) -> impl Iterator<Item = PlaceKey> + '_ {
        let worth = self.lanes().filter(|lane| lane.skips > SKIPS_BEFORE_CURSOR);
        worth.filter_map(|lane| if lane.excluded { lane.head.or(lane.cursor) } else { lane.cursor })
    }
}

impl Lane<'_> {
    fn go_after(&mut self, key: PlaceKey) {
        self.excluded = false;
        self.rest = self.set.range((Bound::Excluded(key), Bound::Unbounded));
        self.head = self.rest.next().copied();
    }
}
