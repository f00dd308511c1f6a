//! How a task ends and what that tells its log.
//!
//! Called by every transition that may have decided a task, inside its edit.
//!
//! Not here: counting votes (`quality`), what it does to ratings (`rate.rs`).

use crate::change::{Change, TenantRow};
use crate::engine::apply::rate;
use crate::engine::apply::weigh::{self, Weighed};
use crate::engine::edit::Edit;
use crate::engine::{Changes, State};
use crate::event::{
    Event, Log, Method, ResultAnswer, ResultState, TaskResult, Vote, What, WorkerEvent,
};
use crate::lease::{LeaseState, Revocation};
use crate::planted::{self, Mistake};
use crate::quality::Overlap;
use crate::schema::Answer;
use crate::task::{FailureCause, Said, TaskState};
use crate::{Money, ProjectId, TenantId, WorkerId};

/// What the requester says is certain.
const CERTAIN_PPM: u32 = 1_000_000;

/// `open → done | failed`, where the task has all the answers that it takes, or nobody
/// left to try; and what a late answer means for a task that was sure without it.
pub(super) fn conclude(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    match edit.task.record.state {
        // What a flag on the project ended is cancelled by its sweep, not here.
        TaskState::Open if state.project_room(edit.id().project).is_cancelled() => {}
        TaskState::Open => settle(state, changes, edit),
        TaskState::Done { incomplete: false } => follow_up(state, changes, edit),
        TaskState::Done { incomplete: true } | TaskState::Failed { .. } | TaskState::Cancelled => {}
    }
}

fn settle(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    let order = edit.task.record.order;
    let counted = edit.task.counted();
    match weigh::overlap(state.project_room(edit.id().project), &order) {
        Some(overlap) if counted >= overlap.min.max(1) => {
            let weighed = weigh::weigh(state, &edit.task, &[]);
            buy(state, changes, edit, overlap, &weighed);
        }
        Some(_) => {}
        None if counted >= order.wanted => done(state, changes, edit),
        None => {}
    }
    let nobody_left = state.is_exhausted(&edit.task) && edit.task.live() == 0;
    if edit.task.record.state.is_open() && nobody_left {
        end_short(state, changes, edit, FailureCause::AttemptsExhausted);
    }
}

/// One more place while the task is unsure, `open → done` once it is sure.
pub(super) fn buy(
    state: &mut State,
    changes: &mut Changes,
    edit: &mut Edit,
    overlap: Overlap,
    weighed: &Weighed,
) {
    let (counted, live) = (edit.task.counted(), edit.task.live());
    let confidence = match weighed.verdicts.confidence_ppm {
        _ if planted::is(Mistake::SureBuys) => 0,
        _ if planted::is(Mistake::UnsureStops) => CERTAIN_PPM,
        confidence => confidence,
    };
    edit.task.record.order.wanted = overlap.wanted(confidence, counted, live);
    if overlap.is_sure(confidence, counted) {
        done_with(state, changes, edit, weighed, false);
    } else if says_otherwise(edit, weighed) {
        tell_result(state, changes, edit, ResultState::Provisional, weighed);
    }
}

/// A task that was sure takes the answers that were still out, and no place beyond them.
fn follow_up(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    let record = &edit.task.record;
    let Some(overlap) = weigh::overlap(state.project_room(record.id.project), &record.order) else {
        return;
    };
    if record.resolved {
        return;
    }
    let answers = record.last_answer;
    edit.task.record.order.wanted = edit.task.counted() + edit.task.live();
    if edit.task.record.said.is_some_and(|said| said.answers == answers) {
        return;
    }
    let weighed = weigh::weigh(state, &edit.task, &[]);
    revise(state, changes, edit, Some(overlap), &weighed);
}

/// A new revision of a result that stands, where it says something else now: another
/// answer, or a confidence on the other side of the target.
pub(super) fn revise(
    state: &mut State,
    changes: &mut Changes,
    edit: &mut Edit,
    overlap: Option<Overlap>,
    weighed: &Weighed,
) {
    let TaskState::Done { incomplete } = edit.task.record.state else { return };
    let is_sure = |ppm: u32| overlap.is_some_and(|overlap| ppm >= overlap.target_ppm);
    let was_sure = edit.task.record.said.is_some_and(|said| is_sure(said.confidence_ppm));
    if says_otherwise(edit, weighed) || was_sure != is_sure(weighed.verdicts.confidence_ppm) {
        tell_result(state, changes, edit, ResultState::Final { incomplete }, weighed);
    } else if let Some(said) = &mut edit.task.record.said {
        said.answers = edit.task.record.last_answer;
    }
    rate::rate(state, changes, edit);
}

fn says_otherwise(edit: &Edit, weighed: &Weighed) -> bool {
    let said = edit.task.record.said.map(|said| said.answer);
    said != Some(weighed.verdicts.content)
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
    let weighed = weigh::weigh(state, &edit.task, &[]);
    done_with(state, changes, edit, &weighed, incomplete);
}

fn done_with(
    state: &mut State,
    changes: &mut Changes,
    edit: &mut Edit,
    weighed: &Weighed,
    incomplete: bool,
) {
    edit.task.record.state = TaskState::Done { incomplete };
    tell_result(state, changes, edit, ResultState::Final { incomplete }, weighed);
    weigh::learn(state, &edit.task, weighed);
    rate::rate(state, changes, edit);
    release_expired(edit);
}

/// `open → failed`, for good unless it is requeued.
pub(super) fn fail(state: &mut State, changes: &mut Changes, edit: &mut Edit, cause: FailureCause) {
    edit.task.record.state = TaskState::Failed { cause };
    let weighed = weigh::weigh(state, &edit.task, &[]);
    tell_result(state, changes, edit, ResultState::Failed { cause }, &weighed);
    release_expired(edit);
}

/// `open | done → done`: the requester says what the result is. Live leases may finish,
/// payable and not counted.
pub(super) fn resolve(state: &mut State, changes: &mut Changes, edit: &mut Edit, answer: &Answer) {
    edit.task.record.state = TaskState::Done { incomplete: false };
    edit.task.record.resolved = true;
    let revision = state.project_room(edit.id().project).project.revision;
    let mut weighed = weigh::weigh(state, &edit.task, &[]);
    weighed.method = Method::Requester;
    weighed.verdicts.confidence_ppm = CERTAIN_PPM;
    weighed.verdicts.content = answer.meaning;
    let (bytes, content_type) = (answer.bytes.clone(), answer.content_type.clone());
    weighed.verdicts.answer = Some(ResultAnswer::Given { bytes, content_type, revision });
    tell_result(state, changes, edit, ResultState::Final { incomplete: false }, &weighed);
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

fn tell_result(
    state: &mut State,
    changes: &mut Changes,
    edit: &mut Edit,
    is: ResultState,
    weighed: &Weighed,
) {
    let id = edit.id();
    let Weighed { verdicts, revision, method, .. } = weighed;
    let answers = verdicts.counted.iter().filter_map(|id| edit.task.lease(id.number));
    let answers = answers
        .map(|l| {
            let kind = state.worker_room(l.worker).worker.spec.kind;
            Vote { lease: l.id, worker: l.worker, kind }
        })
        .collect();
    let micros = edit.task.leases.iter().filter_map(|l| l.counted()).map(|s| s.payable_micros);
    let currency = state.project_room(id.project).terms(*revision).reward.currency;
    let failed = matches!(is, ResultState::Failed { .. });
    let last = edit.task.record.result_revision;
    let number = last + u32::from(last == 0 || !planted::is(Mistake::RevisionReused));
    let result = TaskResult {
        task: id,
        revision: number,
        state: is,
        answer: if failed { None } else { verdicts.answer.clone() },
        confidence_ppm: if failed { 0 } else { verdicts.confidence_ppm },
        votes: verdicts.votes.clone(),
        answers,
        cost: Money { micros: micros.sum(), currency },
        method: *method,
    };
    let record = &mut edit.task.record;
    record.result_revision = number;
    record.said = (!failed).then_some(Said {
        answer: verdicts.content,
        confidence_ppm: verdicts.confidence_ppm,
        answers: record.last_answer,
    });
    tell(state, changes, id.project, What::Result(Box::new(result)));
    edit.task.record.result = Some(state.project_room(id.project).tally.last_sequence);
}
