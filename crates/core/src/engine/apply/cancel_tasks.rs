//! `open → cancelled`, task by task. Live leases may still finish, payable and
//! not counted, unless the cancel revokes them.

use crate::command::{CancelTasks, TaskRef};
use crate::engine::apply::finish;
use crate::engine::{Changes, State, Stop, text};
use crate::outcome::ChangedTask;
use crate::task::TaskState;
use crate::{Outcome, Refusal, TaskId, TenantId};

pub(super) fn cancel(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &CancelTasks,
) -> Result<Outcome, Stop> {
    state.warm(cmd.tasks.iter().filter_map(|t| state.find(tenant, t).ok()))?;
    let items = cmd.tasks.iter().map(|task| {
        let (id, open) = decide(state, tenant, task)?;
        if open {
            let mut edit = state.open(id);
            finish::cancel(state, changes, &mut edit, cmd.revoke_leases);
            state.close(edit, changes);
        }
        Ok(ChangedTask { task: id, state: TaskState::Cancelled })
    });
    Ok(Outcome::TasksChanged(items.collect()))
}

/// `(task, false)`: it is cancelled already.
fn decide(state: &State, tenant: TenantId, task: &TaskRef) -> Result<(TaskId, bool), Refusal> {
    let id = state.find(tenant, task)?;
    let Some(found) = state.tasks.get(&id) else { return Ok((id, true)) };
    let project = task.project.clone();
    match found.record.state {
        TaskState::Open => Ok((id, true)),
        TaskState::Cancelled => Ok((id, false)),
        TaskState::Done { .. } => Err(Refusal::TaskDone { project, task: text(&task.task) }),
        TaskState::Failed { .. } => Err(Refusal::TaskFailed { project, task: text(&task.task) }),
    }
}
