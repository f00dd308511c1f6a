//! The touched tasks of all projects: unpacked while something happens to them, packed
//! while they wait.
//!
//! A task that was touched and waits again (answered by one of three, given back) may wait
//! for weeks, and takes a fifth of the room as bytes. One that has just begun to wait stays
//! unpacked: most often it is next. Whoever reads a packed task gets it unpacked for the moment,
//! whoever changes it takes it out.
//!
//! Invariant: a task is in one of both forms; what is packed waits (`Task::waits`), and
//! which form a task has decides nothing.
//!
//! Not here: when a task begins and ceases to wait (`edit.rs`, `apply/tick.rs`), its bytes
//! (`pages.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, RangeBounds};

use crate::engine::pages::{self, Page};
use crate::engine::rooms::Task;
use crate::planted::{self, Mistake};
use crate::{EngineTime, ProjectId, TaskId, TaskNumber};

/// Tasks by their ids.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    unpacked: BTreeMap<TaskId, Box<Task>>,
    /// Neighbours in number, by the first number of their page.
    packed: BTreeMap<TaskId, Page>,
    packed_tasks: usize,
    /// Who began to wait, the earliest first; some have ceased to, or begun anew since.
    waiting: VecDeque<TaskId>,
}

/// A task to look at.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// It stands there.
    Unpacked(&'a Task),
    /// A copy of it.
    Packed(Box<Task>),
}

impl Deref for Found<'_> {
    type Target = Task;

    fn deref(&self) -> &Task {
        match self {
            Found::Unpacked(task) => task,
            Found::Packed(task) => task,
        }
    }
}

impl Tasks {
    pub(crate) fn get(&self, id: &TaskId) -> Option<Found<'_>> {
        if let Some(task) = self.unpacked.get(id) {
            return Some(Found::Unpacked(task));
        }
        let (first, slot) = pages::place(*id);
        let task = self.packed.get(&first)?.get(slot)?;
        Some(Found::Packed(Box::new(task)))
    }

    pub(crate) fn contains(&self, id: &TaskId) -> bool {
        let (first, slot) = pages::place(*id);
        self.unpacked.contains_key(id)
            || self.packed.get(&first).is_some_and(|page| page.holds(slot))
    }

    /// Those of both forms.
    pub(crate) fn len(&self) -> usize {
        self.unpacked.len() + self.packed_tasks
    }

    /// Takes a task out, to change it or to be rid of it.
    pub(crate) fn take(&mut self, id: &TaskId) -> Option<Box<Task>> {
        if let Some(task) = self.unpacked.remove(id) {
            return Some(task);
        }
        let (first, slot) = pages::place(*id);
        let page = self.packed.get_mut(&first)?;
        let task = page.take(slot)?;
        if page.is_empty() {
            self.packed.remove(&first);
        }
        self.packed_tasks -= 1;
        Some(Box::new(task))
    }

    /// Puts a task in that is not there. If it begins to wait, the one that did so
    /// `unpacked_max` beginnings ago is packed, unless it waits no more.
    pub(crate) fn put(&mut self, task: Box<Task>, unpacked_max: usize, now: EngineTime) {
        let (id, waits) = (task.record.id, task.waits(now));
        self.unpacked.insert(id, task);
        if !waits {
            return;
        }
        self.waiting.push_back(id);
        if self.waiting.len() > unpacked_max
            && let Some(oldest) = self.waiting.pop_front()
            && self.unpacked.get(&oldest).is_some_and(|task| task.waits(now))
            && let Some(mut task) = self.unpacked.remove(&oldest)
        {
            if planted::is(Mistake::PackedForgets) {
                task.record.attempts.clear();
            }
            let (first, slot) = pages::place(oldest);
            self.packed.entry(first).or_default().put(slot, &task);
            self.packed_tasks += 1;
        }
    }

    /// The first task from this one on, whatever its project.
    pub(crate) fn next_from(&self, id: TaskId) -> Option<TaskId> {
        let unpacked = self.unpacked.range(id..).next().map(|(id, _)| *id);
        let pages = self.packed.range(pages::place(id).0..);
        let mut packed = pages.flat_map(|(first, page)| page.ids(*first)).skip_while(|at| *at < id);
        match (unpacked, packed.next()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// All of them, for the invariant check.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Found<'_>> {
        self.within(..)
    }

    /// Those of a project, for the invariant check.
    pub(crate) fn of(&self, project: ProjectId) -> impl Iterator<Item = Found<'_>> {
        let id = |number| TaskId { project, number: TaskNumber(number) };
        self.within(id(0)..=id(u32::MAX))
    }

    fn within(&self, ids: impl RangeBounds<TaskId> + Clone) -> impl Iterator<Item = Found<'_>> {
        let packed = self.packed.range(ids.clone()).flat_map(|(_, page)| page.tasks());
        let packed = packed.map(|task| Found::Packed(Box::new(task)));
        self.unpacked.range(ids).map(|(_, task)| Found::Unpacked(task)).chain(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::edit::untouched;
    use crate::lease::{Lease, LeaseState, ReturnReason};
    use crate::matching::order::{PlaceKey, Spot};
    use crate::task::TaskOrder;
    use crate::{LeaseId, Millis, Revision, WallTime, WorkerId};

    const NOW: EngineTime = EngineTime(5_000);

    fn id(project: u32, number: u32) -> TaskId {
        TaskId { project: ProjectId(project), number: TaskNumber(number) }
    }

    fn order() -> TaskOrder {
        let (ready_at, deadline) = (EngineTime(7), Some(WallTime(1 << 40)));
        let (size_class, duration_class) = (9, 0);
        TaskOrder {
            priority: -3,
            deadline,
            wanted: 3,
            most: 0,
            ready_at,
            size_class,
            duration_class,
        }
    }

    /// Leased once and given back.
    fn given_back(id: TaskId) -> Box<Task> {
        let mut task = untouched(id, order());
        task.record.last_lease = 1;
        task.record.attempts = vec![WorkerId(4)];
        task.spot = Spot::Ready(PlaceKey::new(id.number, &task.record.order, false));
        task.leases.push(Lease {
            id: LeaseId { task: id, number: 1 },
            worker: WorkerId(4),
            request: 8,
            revision: Revision(2),
            granted: EngineTime(1_000),
            granted_wall: WallTime(1 << 40),
            deadline: EngineTime(61_000),
            state: LeaseState::Returned { reason: ReturnReason::OutOfTime, at: EngineTime(2_000) },
            claim_by: None,
            draft: false,
        });
        task
    }

    #[test]
    fn the_newest_that_wait_stay_unpacked_and_the_others_are_the_same_when_read_or_taken() {
        let mut tasks = Tasks::default();
        for number in (1..=40).rev() {
            tasks.put(given_back(id(1, number)), 3, NOW);
        }
        assert_eq!((tasks.unpacked.len(), tasks.packed_tasks, tasks.packed.len()), (3, 37, 3));
        for number in 1..=40 {
            assert_eq!(tasks.get(&id(1, number)).as_deref(), Some(&*given_back(id(1, number))));
        }
        for number in (1..=40).step_by(2) {
            assert_eq!(tasks.take(&id(1, number)), Some(given_back(id(1, number))), "{number}");
            assert_eq!(tasks.take(&id(1, number)), None, "{number}");
        }
        assert_eq!(
            (tasks.len(), tasks.iter().count(), tasks.of(ProjectId(2)).count()),
            (20, 20, 0)
        );
        assert!(tasks.contains(&id(1, 38)) && !tasks.contains(&id(1, 39)));
        (1..=40).for_each(|number| _ = tasks.take(&id(1, number)));
        assert!(tasks.packed.is_empty() && tasks.len() == 0);
    }

    #[test]
    fn the_next_one_is_found_in_either_form_and_across_projects() {
        let mut tasks = Tasks::default();
        for task in [id(1, 17), id(1, 3), id(2, 5), id(1, 18)] {
            tasks.put(given_back(task), 1, NOW);
        }
        let mut walk = vec![];
        while let Some(next) =
            tasks.next_from(walk.last().map_or(id(0, 0), |at: &TaskId| TaskId {
                number: TaskNumber(at.number.0 + 1),
                ..*at
            }))
        {
            walk.push(next);
        }
        assert_eq!(walk, [id(1, 3), id(1, 17), id(1, 18), id(2, 5)]);
    }

    #[test]
    fn what_does_not_wait_is_never_packed() {
        let mut live = given_back(id(1, 1));
        live.leases[0].state = LeaseState::Live;
        let mut late = given_back(id(1, 2));
        let window_ends = NOW + Millis(1);
        late.leases[0].state =
            LeaseState::Expired { rests_until: NOW, window_ends, released: false };
        let mut resting = given_back(id(1, 3));
        let Spot::Ready(key) = resting.spot else { panic!("it is ready") };
        resting.spot = Spot::Resting(key);
        let mut drafted = given_back(id(1, 4));
        drafted.leases[0].draft = true;
        let mut tasks = Tasks::default();
        [live, late, resting, drafted].into_iter().for_each(|task| tasks.put(task, 0, NOW));
        assert_eq!((tasks.unpacked.len(), tasks.packed_tasks), (4, 0));
        // Its window is over.
        let late = tasks.take(&id(1, 2)).expect("it is there");
        tasks.put(late, 0, window_ends);
        assert_eq!((tasks.unpacked.len(), tasks.packed_tasks), (3, 1));
    }
}
