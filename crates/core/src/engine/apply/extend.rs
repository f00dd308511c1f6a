//! `live → live`, with a new deadline from now, within the project's longest hold.
//!
//! Never shortens a lease. A retry sets the deadline anew: harmless.

use crate::command::ExtendLeases;
use crate::engine::apply::lease::grant_view;
use crate::engine::{Changes, State, Stop};
use crate::lease::{Grant, LeaseState};
use crate::planted::{self, Mistake};
use crate::{EngineTime, LeaseId, Outcome, Refusal, TenantId};

pub(super) fn extend(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &ExtendLeases,
) -> Result<Outcome, Stop> {
    state.worker(tenant, &cmd.worker)?;
    state.warm(cmd.leases.iter().filter_map(|l| state.leased_task(tenant, *l)))?;
    let items = cmd.leases.iter().map(|lease| {
        let deadline = decide(state, changes, tenant, cmd, *lease)?;
        Ok(prolong(state, changes, *lease, deadline))
    });
    Ok(Outcome::Extended(items.collect()))
}

fn decide(
    state: &State,
    changes: &Changes,
    tenant: TenantId,
    cmd: &ExtendLeases,
    id: LeaseId,
) -> Result<EngineTime, Refusal> {
    let now = changes.now.engine;
    let (_, _, lease) = state.lease_of(tenant, &cmd.worker, id)?;
    let ended = |how| Err(Refusal::LeaseEnded { lease: id, how });
    match lease.state {
        LeaseState::Live => {}
        LeaseState::Expired { .. } if planted::is(Mistake::ExtendRevives) => {}
        LeaseState::Expired { .. } => return ended("expired"),
        LeaseState::Submitted(_) => return ended("answered"),
        LeaseState::Returned { .. } => return ended("returned"),
        LeaseState::Revoked { .. } => return ended("revoked"),
    }
    let policy = state.project_room(id.task.project).terms(lease.revision).lease;
    let last = lease.granted + policy.max_hold;
    if now >= last {
        return Err(Refusal::HoldExceeded { lease: id, max: policy.max_hold });
    }
    let wished = now + cmd.by.unwrap_or(policy.duration);
    Ok(wished.min(last).max(lease.deadline))
}

fn prolong(state: &mut State, changes: &mut Changes, id: LeaseId, deadline: EngineTime) -> Grant {
    let mut edit = state.open(id.task);
    let lease = edit.lease(id.number);
    lease.deadline = deadline;
    if planted::is(Mistake::ExtendRevives) {
        lease.state = LeaseState::Live;
    }
    let lease = lease.clone();
    state.close(edit, changes);
    grant_view(state, &lease, changes.now)
}
