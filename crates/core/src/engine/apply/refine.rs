//! What the refiner found out: of a crowd, and of tasks whose result it would change.
//!
//! The refiner works on durable answers while new ones come. A task that has moved on
//! since is passed over; the next refinement sees it.

use crate::command::{Learn, Refine, RefinedTask};
use crate::engine::apply::{finish, weigh};
use crate::engine::{Changes, ProjectRoom, State, Stop};
use crate::planted::{self, Mistake};
use crate::quality::Crowd;
use crate::task::TaskState;
use crate::{Outcome, TaskId, TenantId};

pub(super) fn learn(state: &mut State, tenant: TenantId, cmd: &Learn) -> Result<Outcome, Stop> {
    let room = state.projects.get_mut(&cmd.project);
    if let Some(room) = room.filter(|room| room.project.tenant == tenant) {
        let classes = u16::try_from(cmd.evidence.classes()).unwrap_or(u16::MAX);
        let crowd = room.crowds.entry(cmd.field).or_insert_with(|| Crowd::new(classes));
        if crowd.classes() == cmd.evidence.classes() {
            crowd.adopt(&cmd.evidence);
            room.refined_through = cmd.through;
        }
    }
    Ok(Outcome::Refined { changed: 0 })
}

pub(super) fn refine(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &Refine,
) -> Result<Outcome, Stop> {
    let of = |task: &RefinedTask| TaskId { project: cmd.project, number: task.task };
    let room = state.projects.get(&cmd.project).filter(|room| room.project.tenant == tenant);
    if room.is_none_or(ProjectRoom::is_cancelled) {
        return Ok(Outcome::Refined { changed: 0 });
    }
    let last = state.project_room(cmd.project).tally.last_task;
    let known = cmd.tasks.iter().filter(|task| task.task <= last);
    state.warm(known.clone().map(of))?;
    let mut changed = 0;
    for task in known {
        changed += u32::from(one(state, changes, of(task), task));
    }
    Ok(Outcome::Refined { changed })
}

/// Whether the task's result is another one now.
fn one(state: &mut State, changes: &mut Changes, id: TaskId, says: &RefinedTask) -> bool {
    let Some(task) = state.tasks.get(&id) else { return false };
    let (record, counted) = (&task.record, task.counted());
    let moved_on = record.last_answer != says.answers || record.result_revision != says.revision;
    let passed_over = moved_on && !planted::is(Mistake::StaleRefined)
        || record.resolved && !planted::is(Mistake::ResolvedRefined);
    if passed_over || counted == 0 {
        return false;
    }
    let (was, order) = (record.result_revision, record.order);
    let overlap = weigh::overlap(state.project_room(id.project), &order);
    let mut edit = state.open(id);
    let weighed = weigh::weigh(state, &edit.task, &says.fields);
    match (edit.task.record.state, overlap) {
        (TaskState::Open, Some(overlap)) if counted >= overlap.min.max(1) => {
            finish::buy(state, changes, &mut edit, overlap, &weighed);
        }
        (TaskState::Done { .. }, overlap) => {
            finish::revise(state, changes, &mut edit, overlap, &weighed);
        }
        _ => {}
    }
    let changed = edit.task.record.result_revision != was;
    state.close(edit, changes);
    changed
}
