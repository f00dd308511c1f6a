//! `open → open` with another overlap, priority or deadline; a raised overlap is
//! the one way from `done` back to `open`.

use crate::command::UpdateTask;
use crate::engine::apply::finish;
use crate::engine::{Changes, State, Stop, text};
use crate::outcome::ChangedTask;
use crate::task::TaskState;
use crate::{Outcome, Refusal, TaskId, TenantId};

pub(super) fn update(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    updates: &[UpdateTask],
) -> Result<Outcome, Stop> {
    state.warm(updates.iter().filter_map(|u| state.find(tenant, &u.task).ok()))?;
    let items = updates.iter().map(|update| {
        let id = decide(state, tenant, update)?;
        Ok(change(state, changes, id, update))
    });
    Ok(Outcome::TasksChanged(items.collect()))
}

fn decide(state: &State, tenant: TenantId, update: &UpdateTask) -> Result<TaskId, Refusal> {
    let id = state.find(tenant, &update.task)?;
    let room = state.project_room(id.project);
    let (project, name) = (room.project.name.clone(), text(&update.task.task));
    if room.is_cancelled() {
        return Err(Refusal::ProjectCancelled { project });
    }
    let Some(task) = state.tasks.get(&id) else { return Ok(id) };
    let taken = task.counted() + task.live();
    match task.record.state {
        TaskState::Failed { .. } => return Err(Refusal::TaskFailed { project, task: name }),
        TaskState::Cancelled => return Err(Refusal::TaskCancelled { project, task: name }),
        TaskState::Done { .. } if update.overlap.is_none() => {
            return Err(Refusal::TaskDone { project, task: name });
        }
        TaskState::Open | TaskState::Done { .. } => {}
    }
    match update.overlap {
        Some(overlap) if overlap < taken => {
            Err(Refusal::OverlapTooLow { project, task: name, overlap, taken })
        }
        _ => Ok(id),
    }
}

/// Decided: nothing below can refuse.
fn change(
    state: &mut State,
    changes: &mut Changes,
    id: TaskId,
    update: &UpdateTask,
) -> ChangedTask {
    let mut edit = state.open(id);
    let record = &mut edit.task.record;
    record.order.priority = update.priority.unwrap_or(record.order.priority);
    record.order.deadline = update.deadline.unwrap_or(record.order.deadline);
    if let Some(overlap) = update.overlap {
        if matches!(record.state, TaskState::Done { .. }) && overlap > record.order.wanted {
            record.state = TaskState::Open;
            record.attempts.clear();
            record.order.ready_at = changes.now.engine;
            record.resolved = false;
        }
        record.order.wanted = overlap;
        // It wants as many as its requester says, sure or not.
        record.order.most = 0;
    }
    if edit.task.counted() + edit.task.live() >= edit.task.record.order.wanted {
        finish::release_expired(&mut edit);
    }
    finish::conclude(state, changes, &mut edit);
    let changed = ChangedTask { task: id, state: edit.task.record.state };
    state.close(edit, changes);
    changed
}
