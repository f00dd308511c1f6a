//! `nothing → open`, item by item; one bad item never fails its neighbours.
//!
//! A task with an id of its own is found again by it; the others by the request
//! id of the call.

use std::sync::Arc;

use crate::change::{Change, Parent};
use crate::command::{CreateTasks, NewTask};
use crate::engine::apply::create_keys;
use crate::engine::{Changes, State, Stop};
use crate::outcome::CreatedTask;
use crate::project::ProjectState;
use crate::task::{TaskOrder, TaskSpec};
use crate::{Fingerprint, Kind, Outcome, ProjectId, Refusal, TaskId, TaskNumber, TenantId};

pub(super) fn create(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &CreateTasks,
) -> Result<Outcome, Stop> {
    let room = state.project(tenant, &cmd.project)?;
    let id = room.project.id;
    let unnamed = cmd.tasks.iter().any(|t| t.name.is_none());
    let key = cmd.key.as_ref().filter(|_| unnamed);
    let made = create_keys::made(state, tenant, Parent::Tasks(id), key)?;
    let open = check_state(state, cmd, id);
    // A retry of a create that went through before the project was closed or
    // cancelled finds its tasks; only what would be new is refused.
    if made.is_none() && !cmd.tasks.iter().any(|task| find(state, id, task).is_some()) {
        open.clone()?;
    }
    let mut specs = Vec::new();
    let mut numbers = Vec::new();
    let mut outcomes = Vec::new();
    for (index, task) in cmd.tasks.iter().enumerate() {
        let known = made.as_ref().and_then(|m| m.get(index)).filter(|n| **n > 0);
        let outcome = match (known, find(state, id, task)) {
            (Some(number), None) => Ok(created(id, TaskNumber(*number), task, true)),
            // An item that was refused before: a retry tries it again.
            (None, None) => open.clone().and_then(|()| add(state, changes, id, task, &mut specs)),
            (_, Some(found)) => found,
        };
        numbers.push(match &outcome {
            Ok(created) if task.name.is_none() => created.task.number.0,
            _ => 0,
        });
        outcomes.push(outcome);
    }
    if numbers.iter().any(|n| *n > 0) && made.as_ref() != Some(&numbers) {
        create_keys::remember(state, changes, tenant, Parent::Tasks(id), key, numbers);
    }
    if !specs.is_empty() {
        changes.push(tenant, Change::Specs(specs));
        changes.project(id);
        state.turn(id, changes);
        state.stir(id);
    }
    Ok(Outcome::TasksCreated(outcomes))
}

fn check_state(state: &State, cmd: &CreateTasks, id: ProjectId) -> Result<(), Refusal> {
    let project = cmd.project.clone();
    match state.project_room(id).project.state {
        ProjectState::Active | ProjectState::Paused => Ok(()),
        ProjectState::Closed => Err(Refusal::ProjectClosed { project }),
        ProjectState::Cancelled { .. } | ProjectState::Deleting => {
            Err(Refusal::ProjectCancelled { project })
        }
    }
}

/// The task of that own id, if there is one.
fn find(state: &State, id: ProjectId, task: &NewTask) -> Option<Result<CreatedTask, Refusal>> {
    let name = task.name.as_ref()?;
    let key = Fingerprint::of(&[name.as_str().as_bytes()]);
    let own = state.project_room(id).names.get(key)?;
    Some(if own.has(task.content) {
        Ok(created(id, own.number, task, true))
    } else {
        Err(Refusal::NameTaken { kind: Kind::Task, name: name.clone() })
    })
}

fn add(
    state: &mut State,
    changes: &Changes,
    id: ProjectId,
    task: &NewTask,
    specs: &mut Vec<Arc<TaskSpec>>,
) -> Result<CreatedTask, Refusal> {
    let room = state.project_room_mut(id);
    let project = || room.project.name.clone();
    let limit = room.project.spec.payload_bytes_max;
    if task.payload.len() > limit as usize {
        let bytes = task.payload.len();
        return Err(Refusal::PayloadTooLarge { project: project(), bytes, limit });
    }
    let Some(number) = room.tally.last_task.0.checked_add(1).map(TaskNumber) else {
        let tasks = room.tally.last_task.0;
        return Err(Refusal::TooManyTasks { project: project(), tasks, limit: u32::MAX });
    };
    let order = TaskOrder {
        priority: task.priority,
        deadline: task.deadline,
        wanted: task.overlap.unwrap_or(room.project.spec.overlap),
        most: match (task.overlap, room.project.spec.dynamic) {
            (None, Some(dynamic)) => dynamic.max,
            // A task that says how many answers it wants gets as many.
            _ => 0,
        },
        ready_at: changes.now.engine,
        size_class: TaskOrder::size_class(task.payload.len()),
        duration_class: TaskOrder::duration_class(task.expected),
    };
    room.tally.last_task = number;
    room.tally.open += 1;
    room.order.push(number, order);
    room.flow.places += u64::from(order.wanted);
    room.flow.note(changes.now.engine, order.wanted.into(), 0);
    if let Some(name) = &task.name {
        let key = Fingerprint::of(&[name.as_str().as_bytes()]);
        room.names.insert(key, number, task.content);
    }
    let task_id = TaskId { project: id, number };
    state.totals.open += 1;
    if let Some(at) = order.deadline {
        state.timers.set_wall(at, task_id);
    }
    specs.push(Arc::new(TaskSpec {
        id: task_id,
        name: task.name.clone(),
        payload: task.payload.clone(),
        content_type: task.content_type.clone(),
        labels: task.labels.clone(),
        expected: task.expected,
        order,
        content: task.content,
        created: changes.now.wall,
    }));
    Ok(created(id, number, task, false))
}

fn created(project: ProjectId, number: TaskNumber, task: &NewTask, existed: bool) -> CreatedTask {
    CreatedTask { task: TaskId { project, number }, name: task.name.clone(), existed }
}
