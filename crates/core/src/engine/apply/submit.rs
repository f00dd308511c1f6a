//! `live → submitted → counted`, or kept, or refused by the late rule.
//!
//! Looks at the lease, never at the clock: expiry is a command too, so their
//! order in the journal decides which came first. (The late window is the one
//! exception: it is a length of time after the expiry.)

use crate::change::Change;
use crate::command::{SubmitAnswers, SubmitItem};
use crate::engine::apply::tick::late_window;
use crate::engine::apply::{finish, rate};
use crate::engine::{Changes, State, Stop, Task};
use crate::event::What;
use crate::lease::{Lease, LeaseState, Revocation, Submitted};
use crate::pace;
use crate::planted::{self, Mistake};
use crate::project::LateExtra;
use crate::schema::Values;
use crate::submission::{Receipt, Review, Submission, Verdict};
use crate::task::TaskState;
use crate::worker::WorkerState;
use crate::{Money, Now, Outcome, Refusal, TenantId, WorkerId};

pub(super) fn submit(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &SubmitAnswers,
) -> Result<Outcome, Stop> {
    let worker = state.worker(tenant, &cmd.worker)?.worker.id;
    state.warm(cmd.items.iter().filter_map(|i| state.leased_task(tenant, i.lease)))?;
    let receipts = cmd.items.iter().map(|item| {
        let decision = decide(state, changes.now, tenant, cmd, item)?;
        Ok(match decision {
            Decision::Again(receipt) => receipt,
            Decision::Take(verdict, values) => take(state, changes, worker, item, verdict, values),
        })
    });
    Ok(Outcome::Submitted(receipts.collect()))
}

enum Decision {
    /// The same answer once more: the first receipt.
    Again(Receipt),
    /// A new answer.
    Take(Verdict, Values),
}

fn decide(
    state: &State,
    now: Now,
    tenant: TenantId,
    cmd: &SubmitAnswers,
    item: &SubmitItem,
) -> Result<Decision, Refusal> {
    let held = state.lease_of(tenant, &cmd.worker, item.lease)?;
    let (worker, task, lease) = (held.worker, &held.task, held.lease());
    let id = task.record.id;
    let room = state.project_room(id.project);
    let ended = |how| Err(Refusal::LeaseEnded { lease: lease.id, how });
    let cancelled = || Refusal::TaskCancelled {
        project: room.project.name.clone(),
        task: format!("~{}", id.number),
    };
    match &lease.state {
        LeaseState::Submitted(s) if s.answer == item.answer.fingerprint => {
            if planted::is(Mistake::SubmitRetryCounts) {
                return Ok(Decision::Take(s.verdict, s.values.clone()));
            }
            let terms = room.terms(lease.revision);
            return Ok(Decision::Again(receipt(lease, s, terms.reward)));
        }
        LeaseState::Submitted(_) => return Err(Refusal::LeaseUsed { lease: lease.id }),
        LeaseState::Returned { .. } if !planted::is(Mistake::AcceptEnded) => {
            return ended("returned");
        }
        LeaseState::Revoked { why: Revocation::TaskCancelled } => return Err(cancelled()),
        LeaseState::Live
        | LeaseState::Expired { .. }
        | LeaseState::Returned { .. }
        | LeaseState::Revoked { .. } => {}
    }
    if let WorkerState::Suspended { reason } = &worker.worker.state {
        let (worker, reason) = (cmd.worker.clone(), reason.clone());
        return Err(Refusal::WorkerSuspended { worker, reason });
    }
    if matches!(lease.state, LeaseState::Revoked { .. }) && !planted::is(Mistake::AcceptEnded) {
        return ended("revoked");
    }
    let misfit = |misfit| Refusal::AnswerInvalid {
        lease: lease.id,
        project: room.project.name.clone(),
        revision: lease.revision,
        misfit: Box::new(misfit),
    };
    let values = room.terms(lease.revision).schema.read(&item.answer).map_err(misfit)?;
    let revoking = crate::project::ProjectState::Cancelled { revoke_leases: true };
    let counts = task.record.state.is_open() || task.awaits_answers();
    let verdict = match lease.state {
        LeaseState::Live if room.project.state == revoking => return Err(cancelled()),
        LeaseState::Live if room.is_cancelled() || !counts => Verdict::KeptPayable,
        LeaseState::Live => Verdict::Counted,
        _ => late(room, task, lease, now)?,
    };
    Ok(Decision::Take(verdict, values))
}

/// The late rule, for an answer under an expired lease.
fn late(
    room: &crate::engine::ProjectRoom,
    task: &Task,
    lease: &Lease,
    now: Now,
) -> Result<Verdict, Refusal> {
    let LeaseState::Expired { window_ends, .. } = lease.state else {
        return Ok(Verdict::Counted);
    };
    let policy = room.terms(lease.revision).lease;
    if now.engine >= window_ends && !planted::is(Mistake::LateWindowIgnored) {
        let (ago, window) = (now.engine - lease.deadline, late_window(&policy));
        return Err(Refusal::LateWindowOver { lease: lease.id, ago, window });
    }
    let (project, name) = (room.project.name.clone(), format!("~{}", task.record.id.number));
    let full = match task.record.state {
        _ if room.is_cancelled() => return Err(Refusal::TaskCancelled { project, task: name }),
        TaskState::Cancelled => return Err(Refusal::TaskCancelled { project, task: name }),
        TaskState::Done { .. } => Refusal::TaskDone { project, task: name },
        TaskState::Failed { .. } => Refusal::TaskFailed { project, task: name },
        TaskState::Open
            if task.counted() + task.live() < task.record.order.wanted
                || planted::is(Mistake::LateOvershoot) =>
        {
            return Ok(Verdict::CountedLate);
        }
        TaskState::Open => {
            Refusal::LeaseSuperseded { lease: lease.id, wanted: task.record.order.wanted }
        }
    };
    match policy.late_extra {
        LateExtra::Refuse => Err(full),
        LateExtra::KeepPayable => Ok(Verdict::KeptPayable),
        LateExtra::KeepUnpaid => Ok(Verdict::KeptUnpaid),
    }
}

/// Decided: nothing below can refuse.
fn take(
    state: &mut State,
    changes: &mut Changes,
    worker: WorkerId,
    item: &SubmitItem,
    verdict: Verdict,
    values: Values,
) -> Receipt {
    let now = changes.now;
    let id = item.lease.task;
    let mut edit = state.open(id);
    if verdict.counts() {
        edit.task.record.last_answer += 1;
        edit.task.record.attempts.clear();
    }
    let order = edit.task.record.last_answer;
    let lease = edit.lease(item.lease.number);
    let reward = state.project_room(id.project).terms(lease.revision).reward;
    let submitted = Submitted {
        verdict,
        payable_micros: if verdict.pays() { reward.micros } else { 0 },
        answer: item.answer.fingerprint,
        meaning: item.answer.meaning,
        values,
        judged: None,
        at: now.wall,
        took: now.engine - lease.granted,
        order,
    };
    lease.state = LeaseState::Submitted(submitted.clone());
    let lease = lease.clone();

    let record = &mut state.worker_room_mut(worker).record;
    record.answers += 1;
    record.expiries_in_a_row = 0;
    record.declines_in_a_row = 0;
    let nth = record.answers;
    changes.worker(worker);
    learn_pace(state, changes, &lease, &submitted);

    let receipt = receipt(&lease, &submitted, reward);
    let submission = Submission {
        lease: lease.id,
        worker,
        revision: lease.revision,
        answer: item.answer.clone(),
        verdict,
        review: Review::None,
        counted: verdict.counts(),
        payable: receipt.payable,
        leased: lease.granted_wall,
        submitted: now.wall,
        took: submitted.took,
        nth,
    };
    changes.row(state, id.project, Change::Submission(Box::new(submission)));
    finish::tell(state, changes, id.project, What::Submitted(lease.id));
    finish::conclude(state, changes, &mut edit);
    if edit.task.counted() + edit.task.live() >= edit.task.record.order.wanted {
        finish::release_expired(&mut edit);
    }
    state.close(edit, changes);
    receipt
}

/// What the time of an answer teaches: how long the worker takes there, and everybody.
fn learn_pace(state: &mut State, changes: &mut Changes, lease: &Lease, submitted: &Submitted) {
    let (worker, project, took) = (lease.worker, lease.id.task.project, submitted.took);
    let tally = state.worker_room_mut(worker).tallies.entry(project).or_default();
    tally.answers += 1;
    tally.p75_ms = pace::learn(tally.p75_ms, took.0);
    changes.tally(worker, project);
    if submitted.verdict.counts() {
        rate::time(state, changes, worker, project, took);
    }
    let tally = &mut state.project_room_mut(project).tally;
    tally.p75_ms = pace::learn(tally.p75_ms, took.0);
    tally.p50_ms = pace::learn_median(tally.p50_ms, took.0, tally.counted + tally.kept);
    changes.project(project);
}

fn receipt(lease: &Lease, submitted: &Submitted, reward: Money) -> Receipt {
    Receipt {
        lease: lease.id,
        verdict: submitted.verdict,
        payable: Money { micros: submitted.payable_micros, ..reward },
        submitted: submitted.at,
    }
}
