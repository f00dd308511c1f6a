//! `active ⇄ suspended`. A suspension revokes live leases at its own position.

use crate::engine::apply::{finish, worker};
use crate::engine::{Changes, State, Stop};
use crate::event::WorkerEvent;
use crate::lease::Revocation;
use crate::planted::{self, Mistake};
use crate::worker::WorkerState;
use crate::{ClientId, LeaseId, Outcome, TenantId};

pub(super) fn suspend(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    name: &ClientId,
    reason: &str,
) -> Result<Outcome, Stop> {
    let room = state.worker(tenant, name)?;
    let id = room.worker.id;
    if matches!(room.worker.state, WorkerState::Suspended { .. }) {
        return Ok(worker::seen(state, changes, id));
    }
    let mut suspended = room.worker.clone();
    suspended.state = WorkerState::Suspended { reason: reason.to_owned() };
    let kept = planted::is(Mistake::SuspendKeepsLeases);
    let live: Vec<LeaseId> = room.live.iter().copied().filter(|_| !kept).collect();
    worker::put(state, changes, suspended);
    for lease in live {
        let mut edit = state.open(lease.task);
        finish::revoke_live(&mut edit, Some(id), Revocation::WorkerSuspended);
        finish::conclude(state, changes, &mut edit);
        state.close(edit, changes);
    }
    let what = WorkerEvent::Suspended { reason: reason.to_owned() };
    finish::tell_worker(state, changes, tenant, id, what);
    Ok(worker::seen(state, changes, id))
}

pub(super) fn reinstate(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    name: &ClientId,
) -> Result<Outcome, Stop> {
    let room = state.worker(tenant, name)?;
    let id = room.worker.id;
    if room.worker.state != WorkerState::Active {
        let mut active = room.worker.clone();
        active.state = WorkerState::Active;
        worker::put(state, changes, active);
        finish::tell_worker(state, changes, tenant, id, WorkerEvent::Reinstated);
    }
    Ok(worker::seen(state, changes, id))
}
