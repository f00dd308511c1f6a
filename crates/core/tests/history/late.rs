//! What becomes of an answer, once more and naively: the late rule and its order of
//! reasons, from the rows alone. No code is shared with the engine.

use piecework_core::command::SubmitItem;
use piecework_core::lease::{LeaseState, Revocation};
use piecework_core::project::{LateExtra, ProjectState};
use piecework_core::submission::{Receipt, Verdict};
use piecework_core::task::TaskState;
use piecework_core::worker::WorkerState;
use piecework_core::{Now, Refusal, WorkerId};

use crate::world::Rows;

/// A verdict, or the reason why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Taken(Verdict),
    NotFound,
    Used,
    Ended,
    Suspended,
    Invalid,
    WindowOver,
    Superseded,
    Done,
    Failed,
    Cancelled,
}

/// What must become of one answer of `worker`.
pub(super) fn fate(rows: &Rows, worker: WorkerId, item: &SubmitItem, now: Now) -> Fate {
    let project = rows.projects.get(&item.lease.task.project);
    let project = project.filter(|p| p.state != ProjectState::Deleting);
    let lease = rows.leases.get(&item.lease).filter(|l| l.worker == worker);
    let (Some(project), Some(lease)) = (project, lease) else { return Fate::NotFound };
    match &lease.state {
        LeaseState::Submitted(s) if s.answer == item.answer.fingerprint => {
            return Fate::Taken(s.verdict);
        }
        LeaseState::Submitted(_) => return Fate::Used,
        LeaseState::Returned { .. } => return Fate::Ended,
        LeaseState::Revoked { why: Revocation::TaskCancelled } => return Fate::Cancelled,
        _ if rows.workers[&worker].state != WorkerState::Active => return Fate::Suspended,
        LeaseState::Revoked { .. } => return Fate::Ended,
        LeaseState::Live | LeaseState::Expired { .. } => {}
    }
    let schema = &rows.terms[&(project.id, lease.revision)].schema;
    if schema.read(&item.answer).is_err() {
        return Fate::Invalid;
    }
    let cancelled = matches!(project.state, ProjectState::Cancelled { .. });
    let state = rows.tasks[&item.lease.task].state;
    let LeaseState::Expired { window_ends, .. } = lease.state else {
        return match (project.state, state) {
            (ProjectState::Cancelled { revoke_leases: true }, _) => Fate::Cancelled,
            (_, TaskState::Open) if !cancelled => Fate::Taken(Verdict::Counted),
            _ => Fate::Taken(Verdict::KeptPayable),
        };
    };
    if now.engine >= window_ends {
        return Fate::WindowOver;
    }
    let (counted, live) = rows.taken(item.lease.task);
    let wanted = usize::from(rows.tasks[&item.lease.task].order.wanted);
    let full = match state {
        TaskState::Cancelled => return Fate::Cancelled,
        _ if cancelled => return Fate::Cancelled,
        TaskState::Open if counted + live < wanted => return Fate::Taken(Verdict::CountedLate),
        TaskState::Open => Fate::Superseded,
        TaskState::Done { .. } => Fate::Done,
        TaskState::Failed { .. } => Fate::Failed,
    };
    match rows.terms[&(project.id, lease.revision)].lease.late_extra {
        LateExtra::Refuse => full,
        LateExtra::KeepPayable => Fate::Taken(Verdict::KeptPayable),
        LateExtra::KeepUnpaid => Fate::Taken(Verdict::KeptUnpaid),
    }
}

/// What did become of it.
pub(super) fn came(receipt: &Result<Receipt, Refusal>) -> Fate {
    match receipt {
        Ok(receipt) => Fate::Taken(receipt.verdict),
        Err(Refusal::LeaseNotFound { .. }) => Fate::NotFound,
        Err(Refusal::LeaseUsed { .. }) => Fate::Used,
        Err(Refusal::LeaseEnded { .. }) => Fate::Ended,
        Err(Refusal::WorkerSuspended { .. }) => Fate::Suspended,
        Err(Refusal::AnswerInvalid { .. }) => Fate::Invalid,
        Err(Refusal::LateWindowOver { .. }) => Fate::WindowOver,
        Err(Refusal::LeaseSuperseded { .. }) => Fate::Superseded,
        Err(Refusal::TaskDone { .. }) => Fate::Done,
        Err(Refusal::TaskFailed { .. }) => Fate::Failed,
        Err(Refusal::TaskCancelled { .. }) => Fate::Cancelled,
        Err(other) => panic!("no reason for an answer: {other}"),
    }
}
