//! Reads that only the engine can answer. They change nothing.

use crate::command::TaskRef;
use crate::engine::apply::lease::grant_view;
use crate::engine::{State, Stop};
use crate::outcome::{ProjectStats, WorkerView};
use crate::{ClientId, Now, Outcome, TenantId, WorkerId};

pub(super) fn project(
    state: &State,
    now: Now,
    tenant: TenantId,
    name: &ClientId,
) -> Result<Outcome, Stop> {
    let room = state.project(tenant, name)?;
    Ok(Outcome::ProjectStats(Box::new(ProjectStats {
        project: room.project.clone(),
        tally: room.tally,
        untouched: room.order.untouched_tasks(),
        ready_entries: room.order.ready_entries(),
        oldest_ready: room.order.oldest_ready().map(|since| now.engine - since),
        relaxation_step: room.step_in_force(now.engine),
    })))
}

pub(super) fn task(state: &State, tenant: TenantId, task: &TaskRef) -> Result<Outcome, Stop> {
    Ok(Outcome::Task(state.find(tenant, task)?))
}

pub(super) fn worker(
    state: &State,
    now: Now,
    tenant: TenantId,
    name: &ClientId,
) -> Result<Outcome, Stop> {
    let id = state.worker(tenant, name)?.worker.id;
    Ok(Outcome::Worker(Box::new(view(state, now, id))))
}

/// A worker with what the engine knows of it.
pub(super) fn view(state: &State, now: Now, id: WorkerId) -> WorkerView {
    let room = state.worker_room(id);
    let mut leases: Vec<_> = room
        .live
        .iter()
        .filter_map(|id| Some(grant_view(state, state.tasks.get(&id.task)?.lease(id.number)?, now)))
        .collect();
    leases.sort_by_key(|g| (g.lease.granted, g.lease.id));
    let requester = room.worker.spec.requester.and_then(|id| state.requesters.get(&id));
    WorkerView {
        worker: room.worker.clone(),
        record: room.record,
        leases,
        requester: requester.map(|r| r.name.clone()),
    }
}
