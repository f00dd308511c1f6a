//! Every refusal as a code, a reason and its numbers: one exhaustive match.
//!
//! Several refusals share a reason where a client would do the same about them:
//! NAME_TAKEN of any kind is `ID_TAKEN`; what there is too much of is
//! `TOO_MANY_OBJECTS`, told apart by `kind`; a lease that the worker named, or none of a
//! stream's workers, has is `LEASE_NOT_FOUND`; the rest have one each. The reasons
//! and their keys are documented in `proto/piecework/v1/errors.proto`.
//!
//! Not here: the numbers of a refusal (`status/numbers.rs`), findings of the
//! edge (`invalid.rs`).

mod numbers;

use std::time::Duration;

use piecework_core::{ClientId, Refusal};
use piecework_proto::v1::ErrorReason;
use tonic::Code;

use crate::wire::failure::Failure;
use crate::wire::names;
use crate::writer::{NoSnapshot, Unanswered};

/// When to come back to a daemon whose lane is full.
const OVERLOADED_RETRY: Duration = Duration::from_millis(250);
/// When to come back to a daemon without disk space.
const STORAGE_RETRY: Duration = Duration::from_secs(5);
/// When to come back to a daemon that is ending, or to its successor.
const ENDING_RETRY: Duration = Duration::from_secs(1);
/// When to come back with a position that has not been reached.
const POSITION_RETRY: Duration = Duration::from_secs(1);

/// A refusal of the engine. `item`: the path of the item it is about, such as
/// `tasks[3]`; empty where the call has one object.
pub(crate) fn refused(refusal: &Refusal, item: &str) -> Failure {
    let (code, reason) = class(refusal);
    let failure = Failure::new(code, reason, refusal.to_string());
    let failure = numbers::add(failure, refusal);
    match blamed(refusal, item) {
        Some(field) => failure.at(field),
        None => failure,
    }
}

/// The writer gave no answer.
pub(crate) fn unanswered(why: Unanswered) -> Failure {
    let (code, reason, retry) = match why {
        Unanswered::Overloaded { .. } => {
            (Code::ResourceExhausted, ErrorReason::Overloaded, OVERLOADED_RETRY)
        }
        Unanswered::StorageFull => {
            (Code::ResourceExhausted, ErrorReason::StorageFull, STORAGE_RETRY)
        }
        Unanswered::Draining | Unanswered::SentAway => {
            (Code::Unavailable, ErrorReason::Draining, ENDING_RETRY)
        }
        Unanswered::Stopped => (Code::Unavailable, ErrorReason::Stopped, ENDING_RETRY),
    };
    let failure = Failure::new(code, reason, why.to_string()).retry_in(retry);
    match why {
        Unanswered::Overloaded { waiting, limit } => {
            failure.with("waiting", waiting).with("limit", limit)
        }
        Unanswered::StorageFull
        | Unanswered::Draining
        | Unanswered::SentAway
        | Unanswered::Stopped => failure,
    }
}

/// An operation of a stream is for a worker that its `Hello` did not name.
pub(crate) fn worker_not_named(worker: &ClientId) -> Failure {
    let message = format!("the stream's hello did not name worker {worker}; open one that does");
    Failure::new(Code::FailedPrecondition, ErrorReason::WorkerNotNamed, message)
        .with("worker", names::of_worker(worker))
}

/// An operation on the capacity of a worker for whom a newer stream speaks.
pub(crate) fn worker_taken_over(worker: &ClientId) -> Failure {
    let message = format!("a newer stream speaks for worker {worker}; leave it to that one");
    Failure::new(Code::FailedPrecondition, ErrorReason::WorkerTakenOver, message)
        .with("worker", names::of_worker(worker))
}

/// A stream's client does not read.
pub(crate) fn reader_behind(limit: Duration) -> Failure {
    let message = format!("the stream's reader is {} s behind; read faster", limit.as_secs());
    Failure::new(Code::ResourceExhausted, ErrorReason::ReaderBehind, message)
        .with("limit_seconds", limit.as_secs())
        .retry_in(ENDING_RETRY)
}

/// A stream's client has not been heard of, though it was asked.
pub(crate) fn stream_silent(limit: Duration) -> Failure {
    let seconds = limit.as_secs_f64();
    let message = format!("no pong came for {seconds} s; open another stream, leases live on");
    Failure::new(Code::Unavailable, ErrorReason::StreamSilent, message)
        .with("limit_seconds", seconds)
        .retry_in(ENDING_RETRY)
}

/// A mistake of ours. The log says more; the caller gets no details.
pub(crate) fn internal() -> Failure {
    let message = "the daemon made a mistake; its log says more";
    Failure::new(Code::Internal, ErrorReason::Internal, message)
}

/// There is no snapshot for whoever asked for one.
pub(crate) fn no_snapshot(why: &NoSnapshot) -> Failure {
    match why {
        NoSnapshot::Failed(error) => {
            let message = format!("{why}: {error}; the daemon's log says more");
            Failure::new(Code::Internal, ErrorReason::SnapshotFailed, message)
        }
        NoSnapshot::SpaceLow => {
            Failure::new(Code::ResourceExhausted, ErrorReason::StorageFull, why.to_string())
                .retry_in(STORAGE_RETRY)
        }
        NoSnapshot::Ending => unanswered(Unanswered::Draining),
    }
}

/// State as new as `min_position` did not come within the time we wait.
/// `durable`: the newest position there is.
pub(crate) fn position_not_reached(durable: &str) -> Failure {
    let message = "min_position is newer than all this daemon has; try again, or after a restore \
                   from a backup leave it out";
    Failure::new(Code::Unavailable, ErrorReason::PositionNotReached, message)
        .at("min_position")
        .with("durable_position", durable)
        .retry_in(POSITION_RETRY)
}

/// The events after a cursor are no longer kept.
pub(crate) fn cursor_pruned(parent: &str, earliest: u64, token: &str) -> Failure {
    let message = format!("{parent} keeps its events from {earliest} on; resume there");
    Failure::new(Code::OutOfRange, ErrorReason::CursorPruned, message)
        .with("parent", parent)
        .with("earliest_sequence", earliest)
        .with("earliest_resume_token", token)
}

/// The task has no result yet. `name`: of the result.
pub(crate) fn result_not_found(name: &str) -> Failure {
    let message = format!("{name} does not exist yet; wait for it with WatchResults");
    Failure::new(Code::NotFound, ErrorReason::ResultNotFound, message).with("name", name)
}

/// There is no such submission. `name`: of the submission.
pub(crate) fn submission_not_found(name: &str) -> Failure {
    let message = format!("{name} not found; check the name");
    Failure::new(Code::NotFound, ErrorReason::SubmissionNotFound, message).with("name", name)
}

fn class(refusal: &Refusal) -> (Code, ErrorReason) {
    use ErrorReason as Reason;
    let precondition = |reason| (Code::FailedPrecondition, reason);
    match refusal {
        Refusal::RequesterNotFound { .. } => (Code::NotFound, Reason::RequesterNotFound),
        Refusal::ProjectNotFound { .. } => (Code::NotFound, Reason::ProjectNotFound),
        Refusal::TaskNotFound { .. } => (Code::NotFound, Reason::TaskNotFound),
        Refusal::WorkerNotFound { .. } => (Code::NotFound, Reason::WorkerNotFound),
        Refusal::SkillNotFound { .. } => (Code::NotFound, Reason::SkillNotFound),
        Refusal::LeaseNotFound { .. } | Refusal::NoSuchLease { .. } => {
            (Code::NotFound, Reason::LeaseNotFound)
        }
        Refusal::NameTaken { .. } => (Code::AlreadyExists, Reason::IdTaken),
        Refusal::RequestIdReused { .. } => (Code::AlreadyExists, Reason::RequestIdReused),
        Refusal::EtagMismatch { .. } => (Code::Aborted, Reason::EtagMismatch),
        Refusal::ProjectPaused { .. } => precondition(Reason::ProjectPaused),
        Refusal::ProjectClosed { .. } => precondition(Reason::ProjectClosed),
        Refusal::ProjectCancelled { .. } => precondition(Reason::ProjectCancelled),
        Refusal::ProjectNotDrained { .. } => precondition(Reason::ProjectNotDrained),
        Refusal::SchemaChange { .. } => precondition(Reason::SchemaChange),
        Refusal::TooManyProjects { .. }
        | Refusal::TooManyTasks { .. }
        | Refusal::TooManySkills { .. }
        | Refusal::TooManyCreateKeys { .. } => (Code::ResourceExhausted, Reason::TooManyObjects),
        Refusal::PayloadTooLarge { .. } => (Code::InvalidArgument, Reason::LimitExceeded),
        Refusal::TaskDone { .. } => precondition(Reason::TaskDone),
        Refusal::TaskFailed { .. } => precondition(Reason::TaskFailed),
        Refusal::TaskCancelled { .. } => precondition(Reason::TaskCancelled),
        Refusal::TaskNotFailed { .. } => precondition(Reason::TaskNotFailed),
        Refusal::TaskFull { .. } => precondition(Reason::TaskFull),
        Refusal::OverlapTooLow { .. } => precondition(Reason::OverlapTooLow),
        Refusal::ServerPicks { .. } => precondition(Reason::AssignmentMismatch),
        Refusal::LeaseEnded { .. } => precondition(Reason::LeaseEnded),
        Refusal::LeaseSuperseded { .. } => precondition(Reason::LeaseSuperseded),
        Refusal::LeaseUsed { .. } => precondition(Reason::LeaseUsed),
        Refusal::LateWindowOver { .. } => precondition(Reason::LateWindowOver),
        Refusal::HoldExceeded { .. } => precondition(Reason::HoldExceeded),
        Refusal::AnswerInvalid { .. } | Refusal::ResultInvalid { .. } => {
            (Code::InvalidArgument, Reason::AnswerInvalid)
        }
        Refusal::WorkerSuspended { .. } => precondition(Reason::WorkerSuspended),
        Refusal::CapacityReached { .. } => precondition(Reason::CapacityReached),
        Refusal::CoolingDown { .. } => precondition(Reason::CoolingDown),
        Refusal::KindMismatch { .. } => precondition(Reason::KindMismatch),
        Refusal::SkillMissing { .. } => precondition(Reason::SkillMissing),
        Refusal::RatingTooLow { .. } => precondition(Reason::RatingTooLow),
        Refusal::NewcomerRefused { .. } => precondition(Reason::NewcomerRefused),
        Refusal::RegionMismatch { .. } => precondition(Reason::RegionMismatch),
        Refusal::QuotaReached { .. } => precondition(Reason::QuotaReached),
        Refusal::OwnRequester { .. } => precondition(Reason::OwnRequester),
        Refusal::WorkerBlocked { .. } => precondition(Reason::WorkerBlocked),
        Refusal::Throttled { .. } => (Code::ResourceExhausted, Reason::RateLimited),
        Refusal::AlreadyThere { .. } => precondition(Reason::AlreadyAnswered),
        Refusal::Barred { .. } => precondition(Reason::Barred),
    }
}

/// The field to blame, for those that a client mends by another value.
fn blamed(refusal: &Refusal, item: &str) -> Option<String> {
    let below = |field: &str| match (item, field) {
        ("", field) => field.to_owned(),
        (item, "") => item.to_owned(),
        (item, field) => format!("{item}.{field}"),
    };
    match refusal {
        Refusal::PayloadTooLarge { .. } => Some(below("payload")),
        Refusal::AnswerInvalid { misfit, .. } | Refusal::ResultInvalid { misfit, .. } => {
            Some(below(&misfit.path()))
        }
        Refusal::OverlapTooLow { .. } => Some(below("overlap")),
        Refusal::SchemaChange { .. } => Some(below("project.schema")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
