//! `live (pushed) → live`: the worker has it. Nothing else moves.
//!
//! A retry changes nothing. Not here: what becomes of a push that nobody claims
//! (`tick.rs`).

use crate::command::ClaimLeases;
use crate::engine::apply::extend::ended;
use crate::engine::{Changes, State, Stop};
use crate::{LeaseId, Outcome, Refusal, TenantId};

pub(super) fn claim(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &ClaimLeases,
) -> Result<Outcome, Stop> {
    state.worker(tenant, &cmd.worker)?;
    state.warm(cmd.leases.iter().filter_map(|l| state.leased_task(tenant, *l)))?;
    let items = cmd.leases.iter().map(|id| {
        decide(state, tenant, cmd, *id)?;
        let mut edit = state.open(id.task);
        edit.lease(id.number).claim_by = None;
        state.close(edit, changes);
        Ok(*id)
    });
    Ok(Outcome::Claimed(items.collect()))
}

fn decide(state: &State, tenant: TenantId, cmd: &ClaimLeases, id: LeaseId) -> Result<(), Refusal> {
    let held = state.lease_of(tenant, &cmd.worker, id)?;
    ended(held.lease()).map_or(Ok(()), Err)
}
