//! One bounded step of what a flag on a project means for its tasks.
//!
//! Cancelled: `open → cancelled`, task by task. Deleting: rows go, then the
//! project itself.

use crate::change::Change;
use crate::engine::apply::finish;
use crate::engine::{Changes, State, Stop};
use crate::event::Log;
use crate::lease::Revocation;
use crate::limits::TIMERS_PER_TURN_MAX;
use crate::project::{ProjectState, Sweep};
use crate::{Outcome, ProjectId, TaskId, TaskNumber};

pub(super) fn sweep(
    state: &mut State,
    changes: &mut Changes,
    id: ProjectId,
) -> Result<Outcome, Stop> {
    let Some(sweep) = state.sweeps.get(&id).copied() else {
        return Ok(Outcome::Swept { finished: true });
    };
    let tenant = state.project_room(id).project.tenant;
    let next = match state.project_room(id).project.state {
        ProjectState::Cancelled { revoke_leases } => cancel(state, changes, sweep, revoke_leases),
        ProjectState::Deleting => delete(state, changes, sweep),
        ProjectState::Active | ProjectState::Paused | ProjectState::Closed => None,
    };
    if let Some(next) = next {
        let sweep = Sweep { next, ..sweep };
        state.sweeps.insert(id, sweep);
        changes.push(tenant, Change::Sweep(sweep));
    } else {
        state.sweeps.remove(&id);
        changes.push(tenant, Change::SweepGone(id));
    }
    Ok(Outcome::Swept { finished: next.is_none() })
}

/// Cancels up to a thousand tasks; returns where to go on.
fn cancel(
    state: &mut State,
    changes: &mut Changes,
    sweep: Sweep,
    revoke: bool,
) -> Option<TaskNumber> {
    let mut at = TaskId { project: sweep.project, number: sweep.next };
    for _ in 0..TIMERS_PER_TURN_MAX {
        let touched = state.tasks.next_from(at);
        let touched = touched.filter(|id| id.project == sweep.project).map(|id| id.number);
        let untouched = state.project_room(sweep.project).order.untouched_from(at.number);
        let number = match (touched, untouched) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        at.number = number;
        let open = state.tasks.get(&at).is_none_or(|t| t.record.state.is_open());
        let live = state.tasks.get(&at).is_some_and(|t| t.live() > 0);
        if open || (live && revoke) {
            let mut edit = state.open(at);
            if open {
                finish::cancel(state, changes, &mut edit, revoke);
            } else {
                finish::revoke_live(&mut edit, None, Revocation::TaskCancelled);
            }
            state.close(edit, changes);
        }
        at.number = TaskNumber(number.0 + 1);
    }
    Some(at.number)
}

/// Drops the rows of up to a thousand tasks; at last the project's own.
fn delete(state: &mut State, changes: &mut Changes, sweep: Sweep) -> Option<TaskNumber> {
    let id = sweep.project;
    let room = state.project_room(id);
    let tenant = room.project.tenant;
    let last_task = room.tally.last_task;
    if sweep.next <= last_task {
        let step = u32::try_from(TIMERS_PER_TURN_MAX).unwrap_or(u32::MAX);
        let last = TaskNumber(sweep.next.0.saturating_add(step - 1)).min(last_task);
        for number in sweep.next.0..=last.0 {
            let task = TaskId { project: id, number: TaskNumber(number) };
            let dropped = state.drop_task(task);
            let leases = dropped.iter().flat_map(|task| &task.leases);
            for lease in leases.filter(|lease| lease.draft) {
                changes.push(tenant, Change::DraftGone(lease.id));
            }
        }
        changes.push(tenant, Change::TasksGone { project: id, first: sweep.next, last });
        return Some(TaskNumber(last.0 + 1));
    }
    let through = room.tally.last_sequence;
    changes.push(tenant, Change::EventsGone { log: Log::Project(id), through });
    changes.push(tenant, Change::ProjectGone(id));
    for worker in state.workers.values_mut() {
        worker.tallies.remove(&id);
    }
    state.drop_project(id);
    None
}
