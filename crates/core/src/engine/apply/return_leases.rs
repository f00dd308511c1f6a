//! `live → open`, or an expired lease given up.
//!
//! DECLINED soon after the grant and without a draft is free; otherwise it is
//! OUT_OF_TIME. UNSTARTED is
//! neither an attempt nor a bar. Three distinct reports of BROKEN_TASK end the
//! task. A retried return of a returned lease is answered as the first was.

use crate::command::{ReturnItem, ReturnLeases};
use crate::engine::apply::finish;
use crate::engine::edit::Edit;
use crate::engine::{Changes, State, Stop};
use crate::lease::{LeaseState, ReturnReason};
use crate::limits;
use crate::task::FailureCause;
use crate::{Outcome, Refusal, TenantId, WorkerId};

pub(super) fn give_back(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &ReturnLeases,
) -> Result<Outcome, Stop> {
    let worker = state.worker(tenant, &cmd.worker)?.worker.id;
    state.warm(cmd.items.iter().filter_map(|i| state.leased_task(tenant, i.lease)))?;
    let items = cmd.items.iter().map(|item| {
        if decide(state, tenant, cmd, item)? {
            take_back(state, changes, worker, item);
        }
        Ok(item.lease)
    });
    Ok(Outcome::Returned(items.collect()))
}

/// `Ok(false)`: it was returned before.
fn decide(
    state: &State,
    tenant: TenantId,
    cmd: &ReturnLeases,
    item: &ReturnItem,
) -> Result<bool, Refusal> {
    let held = state.lease_of(tenant, &cmd.worker, item.lease)?;
    let lease = held.lease();
    let ended = |how| Err(Refusal::LeaseEnded { lease: lease.id, how });
    match lease.state {
        LeaseState::Live | LeaseState::Expired { released: false, .. } => Ok(true),
        LeaseState::Expired { released: true, .. } | LeaseState::Returned { .. } => Ok(false),
        LeaseState::Submitted(_) => ended("answered"),
        LeaseState::Revoked { .. } => ended("revoked"),
    }
}

/// Decided: nothing below can refuse.
pub(super) fn take_back(
    state: &mut State,
    changes: &mut Changes,
    worker: WorkerId,
    item: &ReturnItem,
) {
    let now = changes.now.engine;
    let mut edit = state.open(item.lease.task);
    let lease = edit.lease(item.lease.number);
    if let LeaseState::Expired { released, .. } = &mut lease.state {
        *released = true;
        lease.draft = false;
        return state.close(edit, changes);
    }
    let soon = now - lease.granted <= state.limits.decline_within;
    let reason = match item.reason {
        ReturnReason::Declined if !soon || lease.draft => ReturnReason::OutOfTime,
        reason => reason,
    };
    lease.state = LeaseState::Returned { reason, at: now };
    note(state, changes, worker, reason);
    attempt(&mut edit, worker, reason);
    if edit.task.record.broken.len() >= limits::BROKEN_REPORTS && edit.task.record.state.is_open() {
        finish::fail(state, changes, &mut edit, FailureCause::BrokenTask);
    }
    finish::conclude(state, changes, &mut edit);
    state.close(edit, changes);
}

fn note(state: &mut State, changes: &mut Changes, worker: WorkerId, reason: ReturnReason) {
    let now = changes.now.engine;
    let limits = state.limits.clone();
    let record = &mut state.worker_room_mut(worker).record;
    record.idle_since = now;
    if reason == ReturnReason::Declined {
        if record.declines_in_a_row >= limits.declines_in_a_row {
            // That cool-down is over; counting starts anew.
            record.declines_in_a_row = 0;
        }
        record.declines_in_a_row += 1;
        if record.declines_in_a_row >= limits.declines_in_a_row {
            record.cool_until = now + limits.decline_cooldown;
        }
    }
    changes.worker(worker);
    state.refile(worker);
}

fn attempt(edit: &mut Edit, worker: WorkerId, reason: ReturnReason) {
    let record = &mut edit.task.record;
    match reason {
        ReturnReason::Declined | ReturnReason::Unstarted => return,
        ReturnReason::NotForMe | ReturnReason::OutOfTime => {}
        ReturnReason::BrokenTask => add_once(&mut record.broken, worker),
    }
    add_once(&mut record.attempts, worker);
}

/// Adds a worker to a list of distinct workers.
pub(super) fn add_once(workers: &mut Vec<WorkerId>, worker: WorkerId) {
    if !workers.contains(&worker) {
        workers.push(worker);
    }
}
