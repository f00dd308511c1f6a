//! Building the engine from its image, row by row, and warming cold tasks.
//!
//! Not here: reading rows from storage.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::edit::due;
use crate::engine::own_ids::OwnIds;
use crate::engine::rooms::{ProjectRoom, Tally, Task, WorkerRoom};
use crate::engine::state::State;
use crate::engine::timers::Timer;
use crate::forecast::Flow;
use crate::image::{ColdTask, ImageRow, SpecRow};
use crate::matching::order::{Order, Spot};
use crate::matching::rate::Paid;
use crate::planted::{self, Mistake};
use crate::project::{Project, ProjectState, ProjectTally};
use crate::worker::{Worker, WorkerRecord};
use crate::{EngineTime, Limits, Now, Position, ProjectId, TaskId};

/// Takes image rows in their order and becomes an engine.
#[derive(Debug)]
pub struct Restore {
    state: State,
    now: Now,
}

impl Restore {
    /// `now`: the last logged times.
    #[must_use]
    pub fn new(limits: Limits, now: Now) -> Restore {
        Restore { state: State { limits, ..State::default() }, now }
    }

    /// Takes one row.
    pub fn row(&mut self, row: ImageRow) {
        let state = &mut self.state;
        match row {
            ImageRow::Partition(row) => state.partition = row,
            ImageRow::Tenant(row) => {
                state.tenant_mut(row.tenant).last_worker_event = row.last_worker_event;
            }
            ImageRow::Requester(row) => {
                state.tenant_mut(row.tenant).requesters.insert(row.name.clone(), row.id);
                state.requesters.insert(row.id, *row);
            }
            ImageRow::Project(row) => project(state, *row, self.now.engine),
            ImageRow::Terms(row) => {
                let room = state.project_room_mut(row.project);
                room.terms.insert(row.revision, Arc::new(row.terms));
            }
            ImageRow::ProjectTally(row) => {
                let room = state.project_room_mut(row.project);
                room.tally = row;
                state.totals.replace(&ProjectTally::default(), &row);
            }
            ImageRow::Worker(row) => {
                state.tenant_mut(row.tenant).workers.insert(row.name.clone(), row.id);
                state.workers.insert(row.id, worker_room(*row));
            }
            ImageRow::WorkerRecord(row) => state.worker_room_mut(row.worker).record = row,
            ImageRow::SkillRating(row) => {
                state.worker_room_mut(row.worker).areas.insert(row.skill, row.rating);
            }
            ImageRow::LeaseRequest(_) if planted::is(Mistake::LeaseRequestsForgotten) => {}
            ImageRow::LeaseRequest(row) => {
                let room = state.worker_room_mut(row.worker);
                room.request_ids.insert(row.request_id.clone(), row.number);
                room.requests.insert(row.number, *row);
            }
            ImageRow::WorkTally(row) => {
                let tallies = &mut state.worker_room_mut(row.worker).tallies;
                tallies.insert(row.project, Tally::of(row));
            }
            ImageRow::CreateKey(_) if planted::is(Mistake::KeysForgotten) => {}
            ImageRow::CreateKey(row) => {
                let timer = Timer::CreateKey(Box::new(row.id.clone()));
                state.timers.set(row.until, timer);
                state.create_keys.insert(row.id.clone(), *row);
            }
            ImageRow::Sweep(row) => {
                state.sweeps.insert(row.project, row);
            }
            ImageRow::Spec(row) => spec(state, row),
            ImageRow::Task(cold) => {
                touch(state, cold.record.id);
                take_in(state, self.now, *cold);
            }
            ImageRow::Settled(_) if planted::is(Mistake::DoubleResult) => {}
            ImageRow::Settled(id) => touch(state, id),
            ImageRow::SettledName { task, name: (name, content) } => {
                state.project_room_mut(task.project).names.insert(name, task.number, content);
            }
        }
    }

    /// All rows are in.
    #[must_use]
    pub fn finish(mut self) -> Engine {
        for (id, requester) in &self.state.requesters {
            let tenant = self.state.tenants.get_mut(&requester.tenant);
            let tenant = tenant.unwrap_or_else(|| panic!("requester {id} of no tenant"));
            tenant.profiles.list(requester);
        }
        let projects: Vec<ProjectId> = self.state.projects.keys().collect();
        for id in projects {
            self.state.enroll(id);
            // It has waited since its row says.
            let room = self.state.project_room_mut(id);
            room.in_rota = room.wants_turn();
            self.state.await_relaxation(id, self.now.engine);
        }
        Engine { state: self.state }
    }
}

fn project(state: &mut State, row: Project, now: EngineTime) {
    // A project that is being deleted has lost its name already.
    if row.state != ProjectState::Deleting {
        state.tenant_mut(row.tenant).projects.insert(row.name.clone(), row.id);
    }
    state.projects.insert(row.id, project_room(row, now));
}

/// What the task's spec said has been overtaken by its record.
fn touch(state: &mut State, id: TaskId) {
    let room = state.project_room_mut(id.project);
    let order = room.order.touch(id.number);
    room.flow.places -= order.map_or(0, |order| u64::from(order.wanted));
    if let Some(at) = order.and_then(|order| order.deadline) {
        state.timers.clear_wall(at, id);
    }
}

fn spec(state: &mut State, row: SpecRow) {
    let room = state.project_room_mut(row.task.project);
    if let Some((name, content)) = row.name {
        room.names.insert(name, row.task.number, content);
    }
    room.order.push(row.task.number, row.order);
    room.flow.places += u64::from(row.order.wanted);
    if let Some(at) = row.order.deadline {
        state.timers.set_wall(at, row.task);
    }
}

/// Puts a touched task into memory with all its indexes, unless it is there, or
/// its project was deleted while it was fetched.
///
/// No project gets its turn here: a settled task has no places, and a start gives
/// all turns at its end.
pub(crate) fn warm(state: &mut State, now: Now, cold: ColdTask) {
    let id = cold.record.id;
    let project = state.projects.get(&id.project).map(|room| room.project.state);
    let gone = project.is_none_or(|state| state == ProjectState::Deleting);
    if !gone {
        take_in(state, now, cold);
    }
}

/// The same, whatever becomes of its project: while its rows are there, a deletion has
/// yet to take its drafts away.
fn take_in(state: &mut State, now: Now, cold: ColdTask) {
    let id = cold.record.id;
    if state.tasks.contains(&id) {
        return;
    }
    let ColdTask { record, mut leases } = cold;
    leases.shrink_to_fit();
    let mut task = Box::new(Task { record, leases, spot: Spot::Nowhere, changed: Position(0) });
    for lease in &task.leases {
        state.index(lease, now.engine);
    }
    if let Some(at) = due(&task.record) {
        state.timers.set_wall(at, id);
    }
    task.spot = state.spot(&task, now.engine);
    state.move_task(id, Spot::Nowhere, task.spot);
    state.project_room_mut(id.project).flow.places += task.places();
    state.put(task, now.engine);
}

/// A project without tasks. `now`: its forecast learns from then on.
pub(crate) fn project_room(project: Project, now: EngineTime) -> ProjectRoom {
    let terms = BTreeMap::from([(project.revision, Arc::new(project.spec.terms.clone()))]);
    let tally = ProjectTally { project: project.id, ..ProjectTally::default() };
    ProjectRoom {
        project,
        terms,
        tally,
        order: Order::default(),
        names: OwnIds::default(),
        tier: 0,
        in_rota: false,
        passes: 0,
        flow: Flow::since(now),
        paid: Paid::default(),
        throttled_until: None,
        relaxes: None,
        stamp: 0,
        absent_from: BTreeSet::new(),
        fits: BTreeSet::new(),
        crowds: BTreeMap::new(),
        refined_through: EngineTime(0),
    }
}

/// A worker without a past.
pub(crate) fn worker_room(worker: Worker) -> WorkerRoom {
    let record = WorkerRecord { worker: worker.id, ..WorkerRecord::default() };
    WorkerRoom {
        worker,
        record,
        requests: BTreeMap::new(),
        request_ids: BTreeMap::new(),
        live: BTreeSet::new(),
        lapsed: BTreeSet::new(),
        tallies: BTreeMap::<_, Tally>::new(),
        areas: BTreeMap::new(),
        lower_bound: OnceCell::new(),
        seen: None,
        present_since: EngineTime(0),
        standing: None,
        parked: false,
        asked: None,
        resume: None,
        late: None,
    }
}
