//! How a task ends and what that tells its log.
//!
//! Called by every transition that may have decided a task, inside its edit.
//!
//! Not here: counting votes (`quality`), what it does to ratings (`rate.rs`).

use crate::change::{Change, TenantRow};
use crate::engine::apply::rate;
use crate::engine::edit::Edit;
use crate::engine::{Changes, State};
use crate::event::{Event, Log, ResultState, TaskResult, Vote, What, WorkerEvent};
use crate::lease::{LeaseState, Revocation};
use crate::planted::{self, Mistake};
use crate::quality;
use crate::task::{FailureCause, TaskState};
use crate::{Money, ProjectId, TenantId, WorkerId};

/// `open → done | failed`, where the task has all its answers, or nobody left to try.
pub(super) fn conclude(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    let record = &edit.task.record;
    // What a flag on the project ended is cancelled by its sweep, not here.
    if !record.state.is_open() || state.project_room(record.id.project).is_cancelled() {
        return;
    }
    let counted = edit.task.counted();
    if counted >= record.order.wanted {
        done(state, changes, edit);
    } else if state.is_exhausted(&edit.task) && edit.task.live() == 0 {
        end_short(state, changes, edit, FailureCause::AttemptsExhausted);
    }
}

/// `open → done (incomplete)` with answers, `open → failed` without.
pub(super) fn end_short(
    state: &mut State,
    changes: &mut Changes,
    edit: &mut Edit,
    cause: FailureCause,
) {
    if edit.task.counted() > 0 {
        done(state, changes, edit);
    } else {
        fail(state, changes, edit, cause);
    }
}

/// `open → done`, with the result of the answers there are.
fn done(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    let incomplete = edit.task.counted() < edit.task.record.order.wanted;
    edit.task.record.state = TaskState::Done { incomplete };
    tell_result(state, changes, edit, ResultState::Final { incomplete });
    rate::rate(state, changes, edit);
    release_expired(edit);
}

/// `open → failed`, for good unless it is requeued.
pub(super) fn fail(state: &mut State, changes: &mut Changes, edit: &mut Edit, cause: FailureCause) {
    edit.task.record.state = TaskState::Failed { cause };
    tell_result(state, changes, edit, ResultState::Failed { cause });
    release_expired(edit);
}

/// `open → cancelled`. Live leases may finish, unless they are revoked.
pub(super) fn cancel(state: &mut State, changes: &mut Changes, edit: &mut Edit, revoke: bool) {
    edit.task.record.state = TaskState::Cancelled;
    let what = What::TaskEnded { task: edit.id(), state: TaskState::Cancelled };
    tell(state, changes, edit.id().project, what);
    if revoke {
        revoke_live(edit, None, Revocation::TaskCancelled);
    }
    release_expired(edit);
}

/// `live → revoked`, for all live leases or those of one worker.
pub(super) fn revoke_live(edit: &mut Edit, of: Option<WorkerId>, why: Revocation) {
    let live: Vec<u32> = edit
        .task
        .leases
        .iter()
        .filter(|l| l.is_live() && of.is_none_or(|worker| l.worker == worker))
        .map(|l| l.id.number)
        .collect();
    for number in live {
        edit.lease(number).state = LeaseState::Revoked { why };
    }
}

/// All places are taken or the task is over: expired leases hold nothing any more.
pub(super) fn release_expired(edit: &mut Edit) {
    let held: Vec<u32> = edit
        .task
        .leases
        .iter()
        .filter(|l| matches!(l.state, LeaseState::Expired { released: false, .. }))
        .map(|l| l.id.number)
        .collect();
    for number in held {
        if let LeaseState::Expired { released, .. } = &mut edit.lease(number).state {
            *released = true;
        }
    }
}

/// Adds a record to a project's log.
pub(super) fn tell(state: &mut State, changes: &mut Changes, project: ProjectId, what: What) {
    let room = state.project_room_mut(project);
    room.tally.last_sequence = room.tally.last_sequence.next();
    if planted::is(Mistake::SequenceGap) && !matches!(what, What::Submitted(_)) {
        room.tally.last_sequence = room.tally.last_sequence.next();
    }
    let event = Event {
        log: Log::Project(project),
        sequence: room.tally.last_sequence,
        at: changes.now.wall,
        what,
    };
    changes.project(project);
    changes.row(state, project, Change::Event(Box::new(event)));
}

/// Adds a record to the log of worker events.
pub(super) fn tell_worker(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    worker: WorkerId,
    what: WorkerEvent,
) {
    let room = state.tenant_mut(tenant);
    room.last_worker_event = room.last_worker_event.next();
    let last_worker_event = room.last_worker_event;
    let event = Event {
        log: Log::Workers(tenant),
        sequence: last_worker_event,
        at: changes.now.wall,
        what: What::Worker { worker, what },
    };
    changes.push(tenant, Change::Tenant(TenantRow { tenant, last_worker_event }));
    changes.push(tenant, Change::Event(Box::new(event)));
}

fn tell_result(state: &mut State, changes: &mut Changes, edit: &mut Edit, is: ResultState) {
    let id = edit.id();
    let room = state.project_room(id.project);
    let revisions = edit.task.leases.iter().filter(|l| l.counted().is_some()).map(|l| l.revision);
    let revision = revisions.max().unwrap_or(room.project.revision);
    let terms = room.terms(revision);
    let verdicts =
        quality::aggregate(&edit.task.leases, &terms.schema, revision, terms.aggregation);
    let answers = verdicts.counted.iter().filter_map(|id| edit.task.lease(id.number));
    let answers = answers
        .map(|l| {
            let kind = state.worker_room(l.worker).worker.spec.kind;
            Vote { lease: l.id, worker: l.worker, kind }
        })
        .collect();
    let micros = edit.task.leases.iter().filter_map(|l| l.counted()).map(|s| s.payable_micros);
    let failed = matches!(is, ResultState::Failed { .. });
    let result = TaskResult {
        task: id,
        revision: edit.task.record.result_revision + 1,
        state: is,
        answer: if failed { None } else { verdicts.answer },
        confidence_ppm: if failed { 0 } else { verdicts.confidence_ppm },
        votes: verdicts.votes,
        answers,
        cost: Money { micros: micros.sum(), currency: terms.reward.currency },
    };
    edit.task.record.result_revision += 1;
    tell(state, changes, id.project, What::Result(Box::new(result)));
    edit.task.record.result = Some(state.project_room(id.project).tally.last_sequence);
}
