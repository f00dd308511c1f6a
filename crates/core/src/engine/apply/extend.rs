//! `live → live`, with a new deadline from now, within the project's longest hold.
//!
//! Never shortens a lease. A retry sets the deadline anew: harmless. Signs of life
//! extend the leases that they name and those of the workers that they name, and
//! no others: one connection's life is not that of everybody behind it.

use crate::command::{ExtendLeases, LifeSigns};
use crate::engine::apply::lease::grant_view;
use crate::engine::{Changes, State, Stop};
use crate::lease::{Grant, Lease, LeaseState};
use crate::outcome::Alive;
use crate::planted::{self, Mistake};
use crate::{EngineTime, LeaseId, Millis, Outcome, Refusal, TenantId};

pub(super) fn extend(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &ExtendLeases,
) -> Result<Outcome, Stop> {
    state.worker(tenant, &cmd.worker)?;
    state.warm(cmd.leases.iter().filter_map(|l| state.leased_task(tenant, *l)))?;
    let items = cmd.leases.iter().map(|lease| {
        let held = state.lease_of(tenant, &cmd.worker, *lease)?;
        let deadline = decide(state, changes, held.lease(), cmd.by)?;
        Ok(prolong(state, changes, *lease, deadline, true))
    });
    Ok(Outcome::Extended(items.collect()))
}

/// The same for all that showed life. A lease at its longest hold stays as it is.
pub(super) fn show_life(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &LifeSigns,
) -> Result<Outcome, Stop> {
    let mut held = Vec::new();
    for worker in &cmd.workers {
        held.extend(state.worker(tenant, worker)?.live.iter().copied());
    }
    held.retain(|lease| !cmd.leases.contains(lease));
    state.warm(cmd.leases.iter().filter_map(|l| state.leased_task(tenant, *l)))?;
    let named = cmd.leases.iter().map(|id| {
        let found = holder(state, tenant, cmd, *id)?;
        revive(state, changes, found, true)
    });
    let named = named.collect();
    let held = held.into_iter().filter_map(|id| revive(state, changes, id, false).ok());
    let held = held.collect();
    Ok(Outcome::Alive(Alive { named, held }))
}

/// A lease of somebody for whom the caller speaks; any other does not exist for it.
fn holder(
    state: &State,
    tenant: TenantId,
    cmd: &LifeSigns,
    id: LeaseId,
) -> Result<LeaseId, Refusal> {
    let task = state.leased_task(tenant, id).and_then(|task| state.tasks.get(&task));
    let worker = task.and_then(|task| Some(task.lease(id.number)?.worker));
    let name = worker.map(|worker| &state.worker_room(worker).worker.name);
    match name.filter(|name| cmd.of.contains(*name)) {
        Some(_) => Ok(id),
        None => Err(Refusal::NoSuchLease { lease: id }),
    }
}

fn revive(
    state: &mut State,
    changes: &mut Changes,
    id: LeaseId,
    claims: bool,
) -> Result<Grant, Refusal> {
    let task = state.tasks.get(&id.task);
    let lease = task.as_ref().and_then(|task| task.lease(id.number));
    let lease = lease.ok_or(Refusal::NoSuchLease { lease: id })?;
    let deadline = match decide(state, changes, lease, None) {
        Err(Refusal::HoldExceeded { .. }) => lease.deadline,
        decided => decided?,
    };
    Ok(prolong(state, changes, id, deadline, claims))
}

fn decide(
    state: &State,
    changes: &Changes,
    lease: &Lease,
    by: Option<Millis>,
) -> Result<EngineTime, Refusal> {
    let now = changes.now.engine;
    if let Some(refusal) = ended(lease) {
        return Err(refusal);
    }
    let policy = state.project_room(lease.id.task.project).terms(lease.revision).lease;
    let last = lease.granted + policy.max_hold;
    if now >= last {
        return Err(Refusal::HoldExceeded { lease: lease.id, max: policy.max_hold });
    }
    let wished = now + by.unwrap_or(policy.duration);
    Ok(wished.min(last).max(lease.deadline))
}

/// How a lease ended, where only a live one will do.
pub(super) fn ended(lease: &Lease) -> Option<Refusal> {
    let how = match lease.state {
        LeaseState::Live => return None,
        LeaseState::Expired { .. } if planted::is(Mistake::ExtendRevives) => return None,
        LeaseState::Expired { .. } => "expired",
        LeaseState::Submitted(_) => "answered",
        LeaseState::Returned { .. } => "returned",
        LeaseState::Revoked { .. } => "revoked",
    };
    Some(Refusal::LeaseEnded { lease: lease.id, how })
}

/// `claims`: life was seen on the lease itself, so a push has arrived.
fn prolong(
    state: &mut State,
    changes: &mut Changes,
    id: LeaseId,
    deadline: EngineTime,
    claims: bool,
) -> Grant {
    let mut edit = state.open(id.task);
    let lease = edit.lease(id.number);
    lease.deadline = deadline;
    lease.claim_by = lease.claim_by.filter(|_| !claims);
    if planted::is(Mistake::ExtendRevives) {
        lease.state = LeaseState::Live;
    }
    let lease = lease.clone();
    state.close(edit, changes);
    grant_view(state, &lease, changes.now)
}
