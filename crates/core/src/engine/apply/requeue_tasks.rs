//! `failed → open`: the requester has mended what was wrong.
//!
//! Attempts and reports begin anew; a deadline that has passed is taken off.

use crate::command::TaskRef;
use crate::engine::{Changes, State, Stop, text};
use crate::outcome::ChangedTask;
use crate::task::TaskState;
use crate::{Outcome, Refusal, TaskId, TenantId};

pub(super) fn requeue(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    tasks: &[TaskRef],
) -> Result<Outcome, Stop> {
    state.warm(tasks.iter().filter_map(|t| state.find(tenant, t).ok()))?;
    let items = tasks.iter().map(|task| {
        let id = decide(state, tenant, task)?;
        let mut edit = state.open(id);
        let record = &mut edit.task.record;
        record.state = TaskState::Open;
        record.attempts.clear();
        record.broken.clear();
        record.expiries = 0;
        record.lapsed = false;
        record.order.ready_at = changes.now.engine;
        record.order.deadline = record.order.deadline.filter(|at| *at > changes.now.wall);
        state.close(edit, changes);
        Ok(ChangedTask { task: id, state: TaskState::Open })
    });
    Ok(Outcome::TasksChanged(items.collect()))
}

fn decide(state: &State, tenant: TenantId, task: &TaskRef) -> Result<TaskId, Refusal> {
    let id = state.find(tenant, task)?;
    let room = state.project_room(id.project);
    let project = task.project.clone();
    if room.is_cancelled() {
        return Err(Refusal::ProjectCancelled { project });
    }
    let not_failed = |state| Err(Refusal::TaskNotFailed { project, task: text(&task.task), state });
    match state.tasks.get(&id).map_or(TaskState::Open, |t| t.record.state) {
        TaskState::Failed { .. } => Ok(id),
        TaskState::Open => not_failed("open"),
        TaskState::Done { .. } => not_failed("done"),
        TaskState::Cancelled => not_failed("cancelled"),
    }
}
