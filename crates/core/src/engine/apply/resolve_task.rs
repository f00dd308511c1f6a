//! `open | done → done`: the requester, or its own aggregator, says what the result is.
//!
//! The same answer once more changes nothing, so a retry is safe.

use crate::command::ResolveTask;
use crate::engine::apply::finish;
use crate::engine::{Changes, State, Stop, text};
use crate::outcome::ChangedTask;
use crate::schema::Misfit;
use crate::task::TaskState;
use crate::{Outcome, Refusal, TaskId, TenantId};

pub(super) fn resolve(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &ResolveTask,
) -> Result<Outcome, Stop> {
    state.warm(state.find(tenant, &cmd.task).ok().into_iter())?;
    let id = decide(state, tenant, cmd)?;
    let done = ChangedTask { task: id, state: TaskState::Done { incomplete: false } };
    let says_so = state.tasks.get(&id).is_some_and(|task| {
        let said = task.record.said.map(|said| said.answer);
        task.record.resolved && said == Some(cmd.answer.meaning)
    });
    if !says_so {
        let mut edit = state.open(id);
        finish::resolve(state, changes, &mut edit, &cmd.answer);
        state.close(edit, changes);
    }
    Ok(Outcome::TasksChanged(vec![Ok(done)]))
}

fn decide(state: &State, tenant: TenantId, cmd: &ResolveTask) -> Result<TaskId, Refusal> {
    let id = state.find(tenant, &cmd.task)?;
    let room = state.project_room(id.project);
    let (project, task) = (room.project.name.clone(), text(&cmd.task.task));
    if room.is_cancelled() {
        return Err(Refusal::ProjectCancelled { project });
    }
    match state.tasks.get(&id).map_or(TaskState::Open, |task| task.record.state) {
        TaskState::Failed { .. } => return Err(Refusal::TaskFailed { project, task }),
        TaskState::Cancelled => return Err(Refusal::TaskCancelled { project, task }),
        TaskState::Open | TaskState::Done { .. } => {}
    }
    let spec = &room.project.spec;
    let misfit = |misfit: Misfit| Refusal::ResultInvalid {
        project: room.project.name.clone(),
        task: id.number,
        revision: room.project.revision,
        misfit: Box::new(misfit),
    };
    spec.terms.schema.read(&cmd.answer).map_err(misfit)?;
    Ok(id)
}
