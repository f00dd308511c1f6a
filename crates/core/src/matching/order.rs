//! The order of one project's places: who is next, without looking at a task twice.
//!
//! Untouched tasks stand in runs (a thousand imported tasks are one entry),
//! touched ones by themselves. Both have a [`PlaceKey`]; the smallest key goes
//! first. A place whose lease just ran out *rests* in a set of its own, for
//! workers whom nothing else fits. Places stand on one shelf per class of payload
//! size and duration, so that a wish chooses among shelves.
//!
//! Invariant: the shelves' `ready` hold exactly the first task of every run and every
//! touched task with a free place that does not rest; no shelf is empty.
//!
//! Not here: whether a worker may have a task (`eligibility.rs`), walking the shelves
//! (`places.rs`), which project is next (`fairness.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::matching::cursor::Cursors;
use crate::matching::places::Places;
use crate::task::TaskOrder;
use crate::{EngineTime, Millis, TaskNumber, WallTime, WorkerId};

/// Milliseconds of one deadline bucket, as a power of two: about 65 s.
const DEADLINE_BUCKET_BITS: u32 = 16;

/// Where a task stands in its project's order. The field order is the formula
/// of the domain: lapsed first, −priority, deadline bucket, ready-at, number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlaceKey {
    not_lapsed: bool,
    descent: i16,
    deadline_bucket: u32,
    ready_at: EngineTime,
    pub(crate) task: TaskNumber,
    pub(crate) class: Class,
}

/// What a wish can ask of a task: bits of its payload's length and of its expected
/// duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Class {
    pub(crate) size: u8,
    pub(crate) duration: u8,
}

impl Class {
    pub(crate) fn of(order: &TaskOrder) -> Class {
        Class { size: order.size_class, duration: order.duration_class }
    }
}

impl PlaceKey {
    pub(crate) fn new(task: TaskNumber, order: &TaskOrder, lapsed: bool) -> PlaceKey {
        PlaceKey {
            not_lapsed: !lapsed,
            descent: -i16::from(order.priority),
            deadline_bucket: order.deadline.map_or(u32::MAX, bucket),
            ready_at: order.ready_at,
            task,
            class: Class::of(order),
        }
    }

    /// After every place with its priority and deadline, before all others.
    pub(crate) fn end_of_group(self) -> PlaceKey {
        let class = Class { size: u8::MAX, duration: u8::MAX };
        let (ready_at, task) = (EngineTime(u64::MAX), TaskNumber(u32::MAX));
        PlaceKey { ready_at, task, class, ..self }
    }

    /// Right after this place, among those of its class.
    pub(crate) fn next_of_class(self) -> PlaceKey {
        PlaceKey { task: TaskNumber(self.task.0.saturating_add(1)), ..self }
    }

    pub(crate) fn ready_at(&self) -> EngineTime {
        self.ready_at
    }
}

fn bucket(deadline: WallTime) -> u32 {
    // Enough for the next eight thousand years.
    u32::try_from(deadline.0 >> DEADLINE_BUCKET_BITS).unwrap_or(u32::MAX)
}

/// Neighbouring untouched tasks with the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) last: TaskNumber,
    pub(crate) order: TaskOrder,
}

/// Where a touched task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Spot {
    /// Has no free place, or is final.
    #[default]
    Nowhere,
    /// Has a free place.
    Ready(PlaceKey),
    /// Has a free place that rests after an expiry.
    Resting(PlaceKey),
}

/// The places of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) ready: BTreeSet<PlaceKey>,
    pub(crate) resting: BTreeSet<PlaceKey>,
    pub(crate) cursors: Cursors,
}

/// One project's places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Order {
    untouched: BTreeMap<TaskNumber, Run>,
    untouched_tasks: u64,
    shelves: BTreeMap<Class, Shelf>,
    /// Ready entries by age: when requirements relax for the next of them.
    ages: BTreeMap<EngineTime, u32>,
}

impl Order {
    /// Whether anyone may find something here.
    pub(crate) fn has_places(&self) -> bool {
        !self.shelves.is_empty()
    }

    /// Classes of which something waits, ready or resting.
    pub(crate) fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        self.shelves.keys().copied()
    }

    /// Whether places rest here.
    pub(crate) fn has_resting(&self) -> bool {
        self.shelves.values().any(|shelf| !shelf.resting.is_empty())
    }

    pub(crate) fn untouched_tasks(&self) -> u64 {
        self.untouched_tasks
    }

    pub(crate) fn ready_entries(&self) -> u64 {
        self.shelves.values().map(|shelf| shelf.ready.len() as u64).sum()
    }

    /// When the next ready entry reaches one of these ages.
    pub(crate) fn next_of_age(
        &self,
        ages: impl Iterator<Item = Millis>,
        now: EngineTime,
    ) -> Option<EngineTime> {
        let reaches = |age: Millis| {
            // Whatever was ready then or before has that age already.
            let young = match now.0.checked_sub(age.0) {
                Some(at) => {
                    self.ages.range((Bound::Excluded(EngineTime(at)), Bound::Unbounded)).next()
                }
                None => self.ages.first_key_value(),
            };
            young.map(|(ready_at, _)| *ready_at + age)
        };
        ages.filter_map(reaches).min()
    }

    /// Since when the longest waiting ready entry has been ready.
    pub(crate) fn oldest_ready(&self) -> Option<EngineTime> {
        self.ages.keys().next().copied()
    }

    /// Tasks with a ready place. Cost: one look per shelf.
    pub(crate) fn waiting(&self) -> u64 {
        self.untouched_tasks + self.ready_entries() - self.untouched.len() as u64
    }

    /// Tasks with a ready place of the classes that `admits`; of untouched ones those
    /// of the first `runs_max` runs.
    pub(crate) fn waiting_of(&self, admits: impl Fn(Class) -> bool, runs_max: usize) -> u64 {
        let shelves = self.shelves.iter().filter(|(class, _)| admits(**class));
        let entries: u64 = shelves.map(|(_, shelf)| shelf.ready.len() as u64).sum();
        let runs = self.untouched.iter().take(runs_max);
        let ours = runs.filter(|(_, run)| admits(Class::of(&run.order)));
        // A run is one entry already.
        entries + ours.map(|(first, run)| u64::from(run.last.0 - first.0)).sum::<u64>()
    }

    /// Where an untouched task stands.
    pub(crate) fn spot_of_untouched(&self, number: TaskNumber) -> Spot {
        let order = self.untouched(number);
        order.map_or(Spot::Nowhere, |order| Spot::Ready(PlaceKey::new(number, &order, false)))
    }

    /// How many ready entries go before a place, looking at no more than `most`, and
    /// whether there may be more.
    pub(crate) fn ahead_of(&self, key: PlaceKey, most: usize) -> (usize, bool) {
        let before = self.shelves.values().flat_map(|shelf| shelf.ready.range(..key));
        let ahead = before.take(most).count();
        (ahead, ahead == most)
    }

    /// Adds an untouched task; `number` is larger than any before.
    pub(crate) fn push(&mut self, number: TaskNumber, order: TaskOrder) {
        self.untouched_tasks += 1;
        if let Some((_, run)) = self.untouched.last_entry().map(|e| (*e.key(), e.into_mut()))
            && run.order == order
            && run.last.0 + 1 == number.0
        {
            run.last = number;
            return;
        }
        self.add_run(number, Run { last: number, order });
    }

    /// The order of an untouched task; `None` when it is touched or unknown.
    pub(crate) fn untouched(&self, number: TaskNumber) -> Option<TaskOrder> {
        self.run_of(number).map(|(_, run)| run.order)
    }

    /// Every untouched task that has a deadline, for the invariant check.
    pub(crate) fn untouched_deadlines(&self) -> impl Iterator<Item = (TaskNumber, WallTime)> + '_ {
        let runs = self.untouched.iter();
        let due = runs.filter_map(|(first, run)| Some((first.0..=run.last.0, run.order.deadline?)));
        due.flat_map(|(tasks, at)| tasks.map(move |number| (TaskNumber(number), at)))
    }

    /// Places of all untouched tasks, for the invariant check.
    pub(crate) fn untouched_places(&self) -> u64 {
        let runs = self.untouched.iter();
        runs.map(|(first, run)| u64::from(run.last.0 - first.0 + 1) * u64::from(run.order.wanted))
            .sum()
    }

    /// The first untouched task from `number` on.
    pub(crate) fn untouched_from(&self, number: TaskNumber) -> Option<TaskNumber> {
        if self.untouched(number).is_some() {
            return Some(number);
        }
        self.untouched.range(number..).next().map(|(first, _)| *first)
    }

    /// Takes an untouched task out of its run.
    pub(crate) fn touch(&mut self, number: TaskNumber) -> Option<TaskOrder> {
        let (first, run) = self.run_of(number)?;
        // What is left first: most often it takes the place of what goes.
        if number < run.last {
            self.add_run(TaskNumber(number.0 + 1), run);
        }
        if first < number {
            self.untouched.insert(first, Run { last: TaskNumber(number.0 - 1), ..run });
        } else {
            self.untouched.remove(&first);
            self.take(PlaceKey::new(first, &run.order, false));
        }
        self.untouched_tasks -= 1;
        Some(run.order)
    }

    /// Moves a touched task.
    pub(crate) fn move_spot(&mut self, from: Spot, to: Spot) {
        if from == to {
            return;
        }
        match to {
            Spot::Nowhere => {}
            Spot::Ready(key) => self.put(key),
            Spot::Resting(key) => _ = self.shelf(key.class).resting.insert(key),
        }
        match from {
            Spot::Nowhere => {}
            Spot::Ready(key) => self.take(key),
            Spot::Resting(key) => self.take_resting(key),
        }
    }

    /// Ready places of the classes that `admits`, for this worker, best first, from
    /// where it last stood.
    pub(crate) fn ready_for(&self, worker: WorkerId, admits: impl Fn(Class) -> bool) -> Places<'_> {
        let shelves = self.shelves.iter().filter(|(class, _)| admits(**class));
        Places::of(shelves.map(|(_, shelf)| (&shelf.ready, shelf.cursors.of(worker))))
    }

    /// Resting places of the classes that `admits`, best first.
    pub(crate) fn resting(&self, admits: impl Fn(Class) -> bool) -> Places<'_> {
        let shelves = self.shelves.iter().filter(|(class, _)| admits(**class));
        Places::of(shelves.map(|(_, shelf)| (&shelf.resting, None)))
    }

    /// Everything of its class before `key` is excluded for `worker`, for good.
    pub(crate) fn stands(&mut self, worker: WorkerId, key: PlaceKey) {
        if let Some(shelf) = self.shelves.get_mut(&key.class) {
            shelf.cursors.set(worker, key);
        }
    }

    /// What excludes has changed for somebody: everybody looks from the start.
    pub(crate) fn forget_cursors(&mut self) {
        self.shelves.values_mut().for_each(|shelf| shelf.cursors.clear());
    }

    fn shelf(&mut self, class: Class) -> &mut Shelf {
        self.shelves.entry(class).or_default()
    }

    fn put(&mut self, key: PlaceKey) {
        let shelf = self.shelf(key.class);
        let new = shelf.ready.insert(key);
        shelf.cursors.rewind(key);
        *self.ages.entry(key.ready_at).or_default() += u32::from(new);
    }

    fn take(&mut self, key: PlaceKey) {
        let was = self.shelf(key.class).ready.remove(&key);
        self.clear_away(key.class);
        if let Some(count) = self.ages.get_mut(&key.ready_at).filter(|_| was) {
            *count -= 1;
            if *count == 0 {
                self.ages.remove(&key.ready_at);
            }
        }
    }

    fn take_resting(&mut self, key: PlaceKey) {
        self.shelf(key.class).resting.remove(&key);
        self.clear_away(key.class);
    }

    /// An empty shelf goes, and with it the cursors: whatever comes is new.
    fn clear_away(&mut self, class: Class) {
        let shelf = self.shelves.get(&class);
        if shelf.is_some_and(|shelf| shelf.ready.is_empty() && shelf.resting.is_empty()) {
            self.shelves.remove(&class);
        }
    }

    fn run_of(&self, number: TaskNumber) -> Option<(TaskNumber, Run)> {
        let (first, run) = self.untouched.range(..=number).next_back()?;
        (number <= run.last).then_some((*first, *run))
    }

    fn add_run(&mut self, first: TaskNumber, run: Run) {
        let key = PlaceKey::new(first, &run.order, false);
        self.untouched.insert(first, run);
        self.put(key);
    }

    /// Rebuilds the sets from runs and spots, for the invariant check.
    pub(crate) fn rebuilt(&self, spots: impl Iterator<Item = Spot>) -> Order {
        let mut order = Order::default();
        for (first, run) in &self.untouched {
            order.untouched.insert(*first, *run);
            order.untouched_tasks += u64::from(run.last.0 - first.0 + 1);
            order.put(PlaceKey::new(*first, &run.order, false));
        }
        for spot in spots {
            order.move_spot(Spot::Nowhere, spot);
        }
        // Where workers stand is no matter of rows.
        for (class, shelf) in &mut order.shelves {
            shelf.cursors = self.shelves.get(class).map(|s| s.cursors.clone()).unwrap_or_default();
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(priority: i8, ready_at: u64) -> TaskOrder {
        let ready_at = EngineTime(ready_at);
        let (size_class, duration_class) = (0, 0);
        TaskOrder {
            priority,
            deadline: None,
            wanted: 1,
            most: 0,
            ready_at,
            size_class,
            duration_class,
        }
    }

    #[test]
    fn a_thousand_imported_tasks_are_one_entry_until_one_in_the_middle_is_taken() {
        let mut project = Order::default();
        for n in 1..=1000 {
            project.push(TaskNumber(n), order(0, 5));
        }
        assert_eq!(project.ready_entries(), 1);
        assert_eq!(project.touch(TaskNumber(500)), Some(order(0, 5)));
        assert_eq!((project.ready_entries(), project.untouched_tasks()), (2, 999));
        assert_eq!(project.touch(TaskNumber(500)), None);
        assert_eq!(project.untouched_from(TaskNumber(500)), Some(TaskNumber(501)));
    }

    #[test]
    fn lapsed_places_precede_priority_and_priority_precedes_age() {
        let old = PlaceKey::new(TaskNumber(1), &order(0, 1), false);
        let urgent = PlaceKey::new(TaskNumber(2), &order(9, 7), false);
        let lapsed = PlaceKey::new(TaskNumber(3), &order(-9, 9), true);
        let mut keys = [old, urgent, lapsed];
        keys.sort();
        assert_eq!(keys, [lapsed, urgent, old]);
    }
}
