//! Changing one task: rows and indexes in one step.
//!
//! A transition opens an edit after it has decided, changes record and leases,
//! and closes it. Closing compares before and after and brings everything that
//! is derived into line: order, rota, timers, worker's holdings, counts.
//!
//! Invariant: outside an edit all indexes agree with the rows (`invariants.rs`).

use crate::change::Change;
use crate::engine::changes::Changes;
use crate::engine::rooms::Task;
use crate::engine::state::State;
use crate::engine::timers::Timer;
use crate::lease::{Lease, LeaseState, Submitted};
use crate::matching::order::{PlaceKey, Spot};
use crate::planted::{self, Mistake};
use crate::project::ProjectTally;
use crate::submission::Verdict;
use crate::task::{TaskOrder, TaskRecord, TaskState};
use crate::{EngineTime, LeaseId, Position, ProjectId, TaskId, WallTime};

/// One task taken out of the state to be changed.
pub(crate) struct Edit {
    pub(crate) task: Box<Task>,
    before: Option<TaskRecord>,
    places_before: u64,
    due_before: Option<WallTime>,
    touched: Vec<(u32, Option<Lease>)>,
}

impl Edit {
    pub(crate) fn id(&self) -> TaskId {
        self.task.record.id
    }

    /// A lease to change; it must exist.
    pub(crate) fn lease(&mut self, number: u32) -> &mut Lease {
        let at = number as usize - 1;
        if !self.touched.iter().any(|(n, _)| *n == number) {
            self.touched.push((number, Some(self.task.leases[at].clone())));
        }
        &mut self.task.leases[at]
    }

    /// Adds a lease with the next number.
    pub(crate) fn add(&mut self, lease: Lease) {
        let number = lease.id.number;
        assert_eq!(number as usize, self.task.leases.len() + 1, "lease numbers are dense");
        self.touched.push((number, None));
        // Most tasks have one or two: room for four would be most of what a task takes.
        self.task.leases.reserve_exact(1);
        self.task.leases.push(lease);
    }

    /// The number that the next lease gets.
    pub(crate) fn next_lease(&mut self) -> LeaseId {
        let returned = |l: &Lease| matches!(l.state, LeaseState::Returned { .. });
        if planted::is(Mistake::NameReused) && self.task.leases.last().is_some_and(returned) {
            self.task.leases.pop();
        } else {
            self.task.record.last_lease += 1;
        }
        LeaseId { task: self.id(), number: self.task.record.last_lease }
    }
}

impl State {
    /// Takes a task out to change it; an untouched one leaves its run.
    ///
    /// The task must be in memory or untouched.
    pub(crate) fn open(&mut self, id: TaskId) -> Edit {
        if let Some(task) = self.tasks.take(&id) {
            let before = Some(task.record.clone());
            let due_before = due(&task.record);
            let places_before = task.places();
            return Edit { task, before, places_before, due_before, touched: Vec::new() };
        }
        let order = self.project_room_mut(id.project).order.touch(id.number);
        let order = order.unwrap_or_else(|| panic!("{id} was not made warm"));
        let task = untouched(id, order);
        let (before, due_before, places_before) = (None, order.deadline, task.places());
        Edit { task, before, places_before, due_before, touched: Vec::new() }
    }

    /// Puts the task back, with its indexes, and records what changed.
    pub(crate) fn close(&mut self, edit: Edit, changes: &mut Changes) {
        let now = changes.now.engine;
        let Edit { mut task, before, places_before, due_before, touched } = edit;
        let id = task.record.id;
        let mut tally = self.project_room(id.project).tally;
        for (number, old) in touched {
            let new = &mut task.leases[number as usize - 1];
            let had_draft = new.draft || old.as_ref().is_some_and(|old| old.draft);
            // Nothing is left to claim, or to finish.
            new.claim_by = new.claim_by.filter(|_| new.is_live());
            new.draft &= new.awaits_answer(now);
            let new = &*new;
            if had_draft && !new.draft {
                changes.row(self, id.project, Change::DraftGone(new.id));
            }
            if old.as_ref() == Some(new) {
                continue;
            }
            if let Some(old) = &old {
                self.unindex(old);
            }
            self.index(new, now);
            if was_left(old.as_ref(), new) {
                self.stir(id.project);
            }
            count_lease(&mut tally, old.as_ref(), new);
            changes.row(self, id.project, Change::Lease(Box::new(new.clone())));
        }
        let was = before.as_ref().map_or(TaskState::Open, |r| r.state);
        count_state(&mut tally, was, task.record.state);
        let was_resolved = u64::from(before.as_ref().is_some_and(|r| r.resolved));
        let resolved = tally.resolved + u64::from(task.record.resolved);
        // Those of an earlier release were never counted.
        tally.resolved = resolved.saturating_sub(was_resolved);
        self.index_deadline(id, due_before, due(&task.record));
        let old = self.project_room(id.project).tally;
        let flow = &mut self.project_room_mut(id.project).flow;
        let places = task.places();
        flow.places = flow.places + places - places_before;
        let counted = tally.counted.saturating_sub(old.counted);
        flow.note(now, places.saturating_sub(places_before), counted);
        if old != tally {
            self.totals.replace(&old, &tally);
            self.project_room_mut(id.project).tally = tally;
            changes.project(id.project);
        }
        if before.as_ref() != Some(&task.record) {
            changes.row(self, id.project, Change::Task(Box::new(task.record.clone())));
        }
        let spot = self.spot(&task, now);
        self.move_task(id, task.spot, spot);
        task.spot = spot;
        task.changed = changes.position;
        if task.is_settled(now) {
            self.settled.push_back((changes.position, id));
        }
        self.put(task, now);
        self.turn(id.project, changes);
    }

    /// Where a task belongs in its project's order now.
    pub(crate) fn spot(&self, task: &Task, now: EngineTime) -> Spot {
        let record = &task.record;
        let taken = task.counted() + task.live();
        if !record.state.is_open() || taken >= record.order.wanted || self.is_exhausted(task) {
            return Spot::Nowhere;
        }
        let free = usize::from(record.order.wanted - taken);
        let resting = task.leases.iter().filter(|l| rests(l, now)).count();
        let key = PlaceKey::new(record.id.number, &record.order, record.lapsed);
        if resting < free { Spot::Ready(key) } else { Spot::Resting(key) }
    }

    /// Whether as many distinct workers in a row let it go as the terms of its
    /// newest lease allow. Pinned terms, so that another spec of the project moves no
    /// place of a task that nobody looks at.
    pub(crate) fn is_exhausted(&self, task: &Task) -> bool {
        let room = self.project_room(task.record.id.project);
        let Some(newest) = task.leases.last() else { return false };
        let most = room.terms(newest.revision).lease.max_attempts;
        task.record.attempts.len() >= most as usize
    }

    pub(crate) fn move_task(&mut self, id: TaskId, from: Spot, to: Spot) {
        if from == to {
            return;
        }
        self.project_room_mut(id.project).order.move_spot(from, to);
        if to != Spot::Nowhere {
            self.stir(id.project);
        }
    }

    /// Brings the rota into line with a project's places and state.
    pub(crate) fn turn(&mut self, id: ProjectId, changes: &mut Changes) {
        self.await_relaxation(id, changes.now.engine);
        let Some(room) = self.projects.get_mut(&id) else { return };
        let wants = room.wants_turn();
        if room.in_rota == wants {
            return;
        }
        room.in_rota = wants;
        if wants {
            room.tally.waiting_since = changes.now.engine;
            changes.project(id);
            self.enter_profiles(id);
        } else {
            room.passes = 0;
        }
    }

    /// Brings the timer of a project's next relaxation into line with its places.
    pub(crate) fn await_relaxation(&mut self, id: ProjectId, now: EngineTime) {
        let Some(room) = self.projects.get_mut(&id) else { return };
        if room.project.spec.relaxation.is_empty() && room.relaxes.is_none() {
            return;
        }
        let next = room.next_relaxed(now);
        let was = std::mem::replace(&mut room.relaxes, next);
        if was != next {
            was.into_iter().for_each(|at| self.timers.clear(at, Timer::Relaxed(id)));
            next.into_iter().for_each(|at| self.timers.set(at, Timer::Relaxed(id)));
        }
    }

    /// Adds what a lease means to timers and to its worker.
    pub(crate) fn index(&mut self, lease: &Lease, now: EngineTime) {
        match lease.state {
            LeaseState::Live => {
                self.timers.set(rings(lease), Timer::Deadline(lease.id));
                if let Some(at) = lease.claim_by {
                    self.timers.set(at, Timer::Claim(lease.id));
                }
                self.live_leases += 1;
                let worker = self.worker_room_mut(lease.worker);
                worker.live.insert(lease.id);
                worker.tallies.entry(lease.id.task.project).or_default().live += 1;
            }
            LeaseState::Expired { rests_until, window_ends, released } => {
                if !released && rests_until > now {
                    self.timers.set(rests_until, Timer::Rested(lease.id));
                }
                let open = !released && window_ends > now;
                if open || lease.draft {
                    self.timers.set(window_ends, Timer::WindowEnds(lease.id));
                }
                if open {
                    self.worker_room_mut(lease.worker).lapsed.insert((window_ends, lease.id));
                }
            }
            LeaseState::Submitted(_) | LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {
            }
        }
    }

    /// Takes back what `index` added.
    fn unindex(&mut self, lease: &Lease) {
        match lease.state {
            LeaseState::Live => {
                if !planted::is(Mistake::ExpireFinished) {
                    self.timers.clear(rings(lease), Timer::Deadline(lease.id));
                }
                if let Some(at) = lease.claim_by {
                    self.timers.clear(at, Timer::Claim(lease.id));
                }
                self.live_leases -= 1;
                let worker = self.worker_room_mut(lease.worker);
                worker.live.remove(&lease.id);
                worker.tallies.entry(lease.id.task.project).or_default().live -= 1;
                self.wake(lease.worker);
            }
            LeaseState::Expired { rests_until, window_ends, .. } => {
                self.timers.clear(rests_until, Timer::Rested(lease.id));
                self.timers.clear(window_ends, Timer::WindowEnds(lease.id));
                self.worker_room_mut(lease.worker).lapsed.remove(&(window_ends, lease.id));
                self.wake(lease.worker);
            }
            LeaseState::Submitted(_) | LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {
            }
        }
    }

    /// A task of a project that is being deleted. Nothing waits for its leases any more:
    /// a draft, for one, had a timer until its window ends.
    pub(crate) fn drop_task(&mut self, id: TaskId) -> Option<Box<Task>> {
        let task = self.tasks.take(&id)?;
        task.leases.iter().for_each(|lease| self.unindex(lease));
        Some(task)
    }

    /// Puts a task where it is found, whose indexes agree with it.
    pub(crate) fn put(&mut self, task: Box<Task>, now: EngineTime) {
        self.tasks.put(task, self.limits.unpacked_max, now);
    }

    fn index_deadline(&mut self, id: TaskId, was: Option<WallTime>, is: Option<WallTime>) {
        if was == is {
            return;
        }
        if let Some(at) = was {
            self.timers.clear_wall(at, id);
        }
        if let Some(at) = is {
            self.timers.set_wall(at, id);
        }
    }
}

/// When a live lease expires.
pub(crate) fn rings(lease: &Lease) -> EngineTime {
    EngineTime(lease.deadline.0 - u64::from(planted::is(Mistake::ExpireEarly)))
}

/// When the wall clock decides an open task.
pub(crate) fn due(record: &TaskRecord) -> Option<WallTime> {
    if record.state.is_open() { record.order.deadline } else { None }
}

/// The record that an untouched task begins with.
pub(crate) fn untouched(id: TaskId, order: TaskOrder) -> Box<Task> {
    let record = TaskRecord {
        id,
        order,
        state: TaskState::Open,
        last_lease: 0,
        last_answer: 0,
        expiries: 0,
        lapsed: false,
        attempts: Vec::new(),
        broken: Vec::new(),
        result: None,
        result_revision: 0,
        said: None,
        resolved: false,
    };
    Box::new(Task { record, leases: Vec::new(), spot: Spot::Nowhere, changed: Position(0) })
}

/// Whether the place of an expired lease is kept from others for now.
fn rests(lease: &Lease, now: EngineTime) -> bool {
    match lease.state {
        LeaseState::Expired { rests_until, released, .. } => !released && rests_until > now,
        _ => false,
    }
}

/// Whether a live lease ended without an answer: its worker, or another account of the
/// same person, may have the place anew, which is perhaps where it was.
fn was_left(old: Option<&Lease>, new: &Lease) -> bool {
    let answered = matches!(new.state, LeaseState::Submitted(_));
    old.is_some_and(Lease::is_live) && !new.is_live() && !answered
}

fn count_lease(tally: &mut ProjectTally, old: Option<&Lease>, new: &Lease) {
    if let Some(old) = old {
        match &old.state {
            LeaseState::Live => tally.live -= 1,
            LeaseState::Submitted(s) => {
                count_answer(tally, s, u64::wrapping_sub, -s.payable_micros);
            }
            // What happened stays counted, whatever follows.
            LeaseState::Expired { .. }
            | LeaseState::Returned { .. }
            | LeaseState::Revoked { .. } => {}
        }
    } else {
        tally.granted += 1;
    }
    let was = |state: fn(&LeaseState) -> bool| old.is_some_and(|l| state(&l.state));
    match &new.state {
        LeaseState::Live => tally.live += 1,
        LeaseState::Submitted(s) => count_answer(tally, s, u64::wrapping_add, s.payable_micros),
        LeaseState::Expired { .. } => {
            tally.expired += u64::from(!was(|s| matches!(s, LeaseState::Expired { .. })));
        }
        LeaseState::Returned { .. } => tally.returned += 1,
        LeaseState::Revoked { .. } => tally.revoked += 1,
    }
}

fn count_answer(tally: &mut ProjectTally, s: &Submitted, step: fn(u64, u64) -> u64, micros: i64) {
    let counter = if s.verdict.counts() { &mut tally.counted } else { &mut tally.kept };
    *counter = step(*counter, 1);
    if s.verdict == Verdict::CountedLate {
        tally.counted_late = step(tally.counted_late, 1);
    }
    tally.payable_micros += micros;
}

fn count_state(tally: &mut ProjectTally, was: TaskState, is: TaskState) {
    if was == is {
        return;
    }
    for (state, add) in [(was, false), (is, true)] {
        let counter = match state {
            TaskState::Open => &mut tally.open,
            TaskState::Done { .. } => &mut tally.done,
            TaskState::Failed { .. } => &mut tally.failed,
            TaskState::Cancelled => &mut tally.cancelled,
        };
        *counter = if add { *counter + 1 } else { *counter - 1 };
    }
}
