//! Leases and their names.

use piecework_core::lease::{
    Draft, Judged, Lease, LeaseState, ReturnReason, Revocation, Submitted,
};
use piecework_core::quality::Weighed;
use piecework_core::{
    EngineTime, LeaseId, Millis, ProjectId, Revision, TaskId, TaskNumber, WallTime, WorkerId,
};
use piecework_proto::storage::v1 as pb;
use piecework_proto::storage::v1::lease::State;

use super::schema::{read_print, read_values, write_print, write_values};
use super::submission::{read_verdict, write_verdict};
use super::{Misread, halves, have, narrow, whole};

pub(crate) fn write_lease_name(id: LeaseId) -> pb::LeaseName {
    pb::LeaseName { project: id.task.project.0, task: id.task.number.0, number: id.number }
}

pub(crate) fn read_lease_name(message: pb::LeaseName) -> LeaseId {
    let task = TaskId { project: ProjectId(message.project), number: TaskNumber(message.task) };
    LeaseId { task, number: message.number }
}

pub(crate) fn write_lease(lease: &Lease) -> pb::Lease {
    let state = match &lease.state {
        LeaseState::Live => State::Live(pb::LeaseLive {}),
        &LeaseState::Expired { rests_until, window_ends, released } => {
            State::Expired(pb::LeaseExpired {
                rests_until_engine_ms: rests_until.0,
                window_ends_engine_ms: window_ends.0,
                released,
            })
        }
        LeaseState::Submitted(submitted) => State::Submitted(write_submitted(submitted)),
        LeaseState::Returned { reason, at } => State::Returned(pb::LeaseReturned {
            reason: write_reason(*reason).into(),
            at_engine_ms: at.0,
        }),
        LeaseState::Revoked { why } => State::Revoked(write_revocation(*why).into()),
    };
    pb::Lease {
        worker: lease.worker.0,
        request: lease.request,
        revision: lease.revision.0,
        granted_engine_ms: lease.granted.0,
        granted_wall_ms: lease.granted_wall.0,
        deadline_engine_ms: lease.deadline.0,
        state: Some(state),
        claim_by_engine_ms: lease.claim_by.map(|at| at.0),
        draft: lease.draft,
    }
}

pub(crate) fn read_lease(id: LeaseId, message: pb::Lease) -> Result<Lease, Misread> {
    let state = match have("state", message.state)? {
        State::Live(pb::LeaseLive {}) => LeaseState::Live,
        State::Expired(expired) => LeaseState::Expired {
            rests_until: EngineTime(expired.rests_until_engine_ms),
            window_ends: EngineTime(expired.window_ends_engine_ms),
            released: expired.released,
        },
        State::Submitted(submitted) => LeaseState::Submitted(read_submitted(&submitted)?),
        State::Returned(returned) => LeaseState::Returned {
            reason: read_reason(returned.reason())?,
            at: EngineTime(returned.at_engine_ms),
        },
        State::Revoked(why) => LeaseState::Revoked { why: read_revocation(why)? },
    };
    Ok(Lease {
        id,
        worker: WorkerId(message.worker),
        request: message.request,
        revision: Revision(message.revision),
        granted: EngineTime(message.granted_engine_ms),
        granted_wall: WallTime(message.granted_wall_ms),
        deadline: EngineTime(message.deadline_engine_ms),
        state,
        claim_by: message.claim_by_engine_ms.map(EngineTime),
        draft: message.draft,
    })
}

pub(crate) fn write_draft(draft: &Draft) -> pb::Draft {
    pb::Draft { draft: draft.bytes.clone().into() }
}

pub(crate) fn read_draft(lease: LeaseId, message: pb::Draft) -> Draft {
    Draft { lease, bytes: message.draft.into() }
}

fn write_submitted(submitted: &Submitted) -> pb::LeaseSubmitted {
    let (answer_low, answer_high) = halves(submitted.answer);
    let (choices, values) = write_values(&submitted.values);
    let reworded = submitted.meaning != submitted.answer;
    let certain = submitted.judged.as_ref().and_then(certain);
    pb::LeaseSubmitted {
        verdict: write_verdict(submitted.verdict).into(),
        payable_micros: submitted.payable_micros,
        answer_low,
        answer_high,
        choices,
        judged: certain,
        judged_partly: submitted.judged.as_ref().filter(|_| certain.is_none()).map(write_judged),
        at_wall_ms: submitted.at.0,
        took_ms: submitted.took.0,
        order: submitted.order,
        values,
        meaning: reworded.then(|| write_print(submitted.meaning)),
    }
}

fn read_submitted(message: &pb::LeaseSubmitted) -> Result<Submitted, Misread> {
    let answer = whole(message.answer_low, message.answer_high);
    Ok(Submitted {
        verdict: read_verdict("submitted.verdict", message.verdict())?,
        payable_micros: message.payable_micros,
        answer,
        meaning: message.meaning.map_or(answer, read_print),
        values: read_values(&message.choices, &message.values)?,
        judged: read_judged(message)?,
        at: WallTime(message.at_wall_ms),
        took: Millis(message.took_ms),
        order: message.order,
    })
}

/// Right or wrong for certain and in no area: as earlier releases wrote it.
fn certain(judged: &Judged) -> Option<bool> {
    match judged.says {
        Weighed { right: 1_000, weight: 1_000 } if judged.areas.is_empty() => Some(true),
        Weighed { right: 0, weight: 1_000 } if judged.areas.is_empty() => Some(false),
        Weighed { .. } => None,
    }
}

fn write_judged(judged: &Judged) -> pb::Judged {
    pb::Judged {
        right_milli: judged.says.right.into(),
        weight_milli: judged.says.weight.into(),
        areas: judged.areas.clone(),
    }
}

fn read_judged(message: &pb::LeaseSubmitted) -> Result<Option<Judged>, Misread> {
    if let Some(partly) = &message.judged_partly {
        let right = i16::try_from(partly.right_milli);
        let right = right.map_err(|_| Misread::Field { field: "judged.right_milli" })?;
        let weight = narrow("judged.weight_milli", partly.weight_milli)?;
        let says = Weighed { right, weight };
        return Ok(Some(Judged { says, areas: partly.areas.clone() }));
    }
    let whole = |right| Weighed { right: if right { 1_000 } else { 0 }, weight: 1_000 };
    Ok(message.judged.map(|right| Judged { says: whole(right), areas: Vec::new() }))
}

fn write_reason(reason: ReturnReason) -> pb::ReturnReason {
    match reason {
        ReturnReason::Declined => pb::ReturnReason::Declined,
        ReturnReason::NotForMe => pb::ReturnReason::NotForMe,
        ReturnReason::OutOfTime => pb::ReturnReason::OutOfTime,
        ReturnReason::Unstarted => pb::ReturnReason::Unstarted,
        ReturnReason::BrokenTask => pb::ReturnReason::BrokenTask,
    }
}

fn read_reason(reason: pb::ReturnReason) -> Result<ReturnReason, Misread> {
    match reason {
        pb::ReturnReason::Declined => Ok(ReturnReason::Declined),
        pb::ReturnReason::NotForMe => Ok(ReturnReason::NotForMe),
        pb::ReturnReason::OutOfTime => Ok(ReturnReason::OutOfTime),
        pb::ReturnReason::Unstarted => Ok(ReturnReason::Unstarted),
        pb::ReturnReason::BrokenTask => Ok(ReturnReason::BrokenTask),
        pb::ReturnReason::Unspecified => Err(Misread::Field { field: "returned.reason" }),
    }
}

fn write_revocation(why: Revocation) -> pb::Revocation {
    match why {
        Revocation::WorkerSuspended => pb::Revocation::WorkerSuspended,
        Revocation::TaskCancelled => pb::Revocation::TaskCancelled,
    }
}

fn read_revocation(why: i32) -> Result<Revocation, Misread> {
    match pb::Revocation::try_from(why) {
        Ok(pb::Revocation::WorkerSuspended) => Ok(Revocation::WorkerSuspended),
        Ok(pb::Revocation::TaskCancelled) => Ok(Revocation::TaskCancelled),
        Ok(pb::Revocation::Unspecified) | Err(_) => Err(Misread::Field { field: "revoked" }),
    }
}
