//! `live → live`, or `expired → expired`: an unfinished answer is kept with its
//! lease, in place of the one before.
//!
//! It goes when the lease ends for good (`edit.rs` sees to that): answered, returned,
//! revoked, or its late window over. Whoever gets the task next never sees it.

use crate::change::Change;
use crate::command::SaveDraft;
use crate::engine::apply::extend::ended;
use crate::engine::{Changes, State, Stop};
use crate::lease::{Draft, LeaseState};
use crate::planted::{self, Mistake};
use crate::{LeaseId, Outcome, Refusal, TenantId};

pub(super) fn save(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &SaveDraft,
) -> Result<Outcome, Stop> {
    state.worker(tenant, &cmd.worker)?;
    state.warm(state.leased_task(tenant, cmd.lease).into_iter())?;
    decide(state, changes, tenant, cmd)?;
    // Decided. Nothing below can refuse.
    let id = cmd.lease;
    let mut edit = state.open(id.task);
    let lease = edit.lease(id.number);
    lease.claim_by = None;
    lease.draft = !cmd.bytes.is_empty();
    if lease.draft {
        let leaks = planted::is(Mistake::DraftLeaks);
        let number = if leaks { edit.task.record.last_lease } else { id.number };
        let draft = Draft { lease: LeaseId { number, ..id }, bytes: cmd.bytes.clone() };
        changes.row(state, id.task.project, Change::Draft(Box::new(draft)));
    }
    state.close(edit, changes);
    Ok(Outcome::DraftSaved(id))
}

/// While an answer may come that nothing stands in the way of: an expired lease
/// that was given up or replaced keeps the draft it has, and takes no other.
fn decide(
    state: &State,
    changes: &Changes,
    tenant: TenantId,
    cmd: &SaveDraft,
) -> Result<(), Refusal> {
    let held = state.lease_of(tenant, &cmd.worker, cmd.lease)?;
    let lease = held.lease();
    let open = match lease.state {
        LeaseState::Expired { released, .. } => {
            !released && lease.awaits_answer(changes.now.engine)
        }
        _ => false,
    };
    if open { Ok(()) } else { ended(lease).map_or(Ok(()), Err) }
}
