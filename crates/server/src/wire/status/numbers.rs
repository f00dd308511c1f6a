//! What a program needs of a refusal: names as clients write them, and numbers.
//!
//! The keys are documented with the reason in `proto/piecework/v1/errors.proto`.

use std::time::Duration;

use piecework_core::{ClientId, Kind, Millis, Refusal};

use crate::wire::failure::Failure;
use crate::wire::names;

/// Adds them to the failure that `refusal` became.
pub(super) fn add(failure: Failure, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::RequesterNotFound { .. }
        | Refusal::ProjectNotFound { .. }
        | Refusal::TaskNotFound { .. }
        | Refusal::WorkerNotFound { .. }
        | Refusal::SkillNotFound { .. }
        | Refusal::LeaseNotFound { .. }
        | Refusal::NoSuchLease { .. } => missing_numbers(failure, refusal),
        Refusal::NameTaken { kind, name } => failure.with("name", object_name(*kind, name)),
        Refusal::RequestIdReused { request_id } => failure.with("request_id", request_id),
        Refusal::EtagMismatch { kind, name, sent: _, is } => {
            failure.with("name", object_name(*kind, name)).with("etag", is)
        }
        Refusal::ProjectPaused { .. }
        | Refusal::ProjectClosed { .. }
        | Refusal::ProjectCancelled { .. }
        | Refusal::SchemaChange { .. }
        | Refusal::ProjectNotDrained { .. }
        | Refusal::Throttled { .. }
        | Refusal::ServerPicks { .. } => project_numbers(failure, refusal),
        Refusal::TooManyProjects { .. }
        | Refusal::TooManyTasks { .. }
        | Refusal::TooManySkills { .. }
        | Refusal::TooManyCreateKeys { .. }
        | Refusal::PayloadTooLarge { .. } => limit_numbers(failure, refusal),
        Refusal::TaskDone { .. }
        | Refusal::TaskFailed { .. }
        | Refusal::TaskCancelled { .. }
        | Refusal::TaskNotFailed { .. }
        | Refusal::TaskFull { .. }
        | Refusal::OverlapTooLow { .. }
        | Refusal::ResultInvalid { .. } => task_numbers(failure, refusal),
        Refusal::LeaseEnded { .. }
        | Refusal::LeaseSuperseded { .. }
        | Refusal::LeaseUsed { .. }
        | Refusal::LateWindowOver { .. }
        | Refusal::HoldExceeded { .. }
        | Refusal::AnswerInvalid { .. } => lease_numbers(failure, refusal),
        Refusal::WorkerSuspended { .. }
        | Refusal::CapacityReached { .. }
        | Refusal::CoolingDown { .. }
        | Refusal::KindMismatch { .. }
        | Refusal::SkillMissing { .. }
        | Refusal::RatingTooLow { .. }
        | Refusal::NewcomerRefused { .. }
        | Refusal::RegionMismatch { .. }
        | Refusal::QuotaReached { .. }
        | Refusal::OwnRequester { .. }
        | Refusal::WorkerBlocked { .. }
        | Refusal::AlreadyThere { .. }
        | Refusal::Barred { .. } => worker_numbers(failure, refusal),
    }
}

fn missing_numbers(failure: Failure, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::RequesterNotFound { requester } => {
            failure.with("name", names::of_requester(requester))
        }
        Refusal::ProjectNotFound { project } => failure.with("name", names::of_project(project)),
        Refusal::TaskNotFound { project, task } => failure.with("name", task_name(project, task)),
        Refusal::WorkerNotFound { worker } => failure.with("name", names::of_worker(worker)),
        Refusal::SkillNotFound { worker, skill } => of_worker(failure, worker).with("skill", skill),
        Refusal::NoSuchLease { lease } => failure.with("name", names::of_lease(*lease)),
        Refusal::LeaseNotFound { worker, lease } => {
            of_worker(failure, worker).with("name", names::of_lease(*lease))
        }
        _ => failure,
    }
}

fn project_numbers(failure: Failure, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::ProjectPaused { project }
        | Refusal::ProjectClosed { project }
        | Refusal::ProjectCancelled { project }
        | Refusal::SchemaChange { project } => of_project(failure, project),
        Refusal::ProjectNotDrained { project, open, live } => {
            of_project(failure, project).with("open_tasks", open).with("live_leases", live)
        }
        Refusal::ServerPicks { project } => {
            of_project(failure, project).with("assignment", "SERVER_PICKS")
        }
        Refusal::Throttled { project, remaining } => {
            retry(of_project(failure, project), *remaining)
        }
        _ => failure,
    }
}

fn limit_numbers(failure: Failure, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::TooManyProjects { projects, limit } => {
            failure.with("kind", "project").with("count", projects).with("limit", limit)
        }
        Refusal::TooManyTasks { project: _, tasks, limit } => {
            failure.with("kind", "task").with("count", tasks).with("limit", limit)
        }
        Refusal::TooManySkills { worker, skills, limit } => of_worker(failure, worker)
            .with("kind", "skill")
            .with("count", skills)
            .with("limit", limit),
        Refusal::TooManyCreateKeys { keys, limit } => {
            failure.with("kind", "request id").with("count", keys).with("limit", limit)
        }
        Refusal::PayloadTooLarge { project, bytes, limit } => of_project(failure, project)
            .with("size", bytes)
            .with("limit", limit)
            .with("unit", "bytes"),
        _ => failure,
    }
}

fn task_numbers(failure: Failure, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::TaskDone { project, task }
        | Refusal::TaskFailed { project, task }
        | Refusal::TaskCancelled { project, task } => of_task(failure, project, task),
        Refusal::TaskNotFailed { project, task, state } => {
            of_task(failure, project, task).with("state", state)
        }
        Refusal::TaskFull { project, task, wanted } => {
            of_task(failure, project, task).with("overlap", wanted)
        }
        Refusal::ResultInvalid { project, task, revision, misfit } => {
            let failure = of_task(failure, project, &format!("~{task}"));
            failure.with("project_revision", revision).with("problem", misfit)
        }
        Refusal::OverlapTooLow { project, task, overlap, taken } => {
            of_task(failure, project, task).with("overlap", overlap).with("taken", taken)
        }
        _ => failure,
    }
}

fn lease_numbers(failure: Failure, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::LeaseEnded { lease, how } => {
            failure.with("lease", names::of_lease(*lease)).with("how", how)
        }
        Refusal::LeaseSuperseded { lease, wanted } => {
            failure.with("lease", names::of_lease(*lease)).with("overlap", wanted)
        }
        Refusal::LeaseUsed { lease } => failure
            .with("lease", names::of_lease(*lease))
            .with("submission", names::of_submission(*lease)),
        Refusal::LateWindowOver { lease, ago, window } => failure
            .with("lease", names::of_lease(*lease))
            .with("late_window_seconds", seconds(*window))
            .with("late_seconds", seconds(*ago)),
        Refusal::HoldExceeded { lease, max } => {
            failure.with("lease", names::of_lease(*lease)).with("max_hold_seconds", seconds(*max))
        }
        Refusal::AnswerInvalid { lease, project, revision, misfit } => of_project(failure, project)
            .with("lease", names::of_lease(*lease))
            .with("project_revision", revision)
            .with("problem", misfit),
        _ => failure,
    }
}

fn worker_numbers(failure: Failure, refusal: &Refusal) -> Failure {
    let of = |failure, worker, project| of_project(of_worker(failure, worker), project);
    match refusal {
        Refusal::WorkerSuspended { worker, reason } => {
            of_worker(failure, worker).with("suspend_reason", reason)
        }
        Refusal::CapacityReached { worker, holds, capacity, .. } => {
            of_worker(failure, worker).with("held", holds).with("capacity", capacity)
        }
        Refusal::CoolingDown { worker, declines, remaining } => {
            retry(of_worker(failure, worker).with("declines", declines), *remaining)
        }
        Refusal::KindMismatch { project, worker }
        | Refusal::OwnRequester { project, worker }
        | Refusal::WorkerBlocked { project, worker, .. } => of(failure, worker, project),
        Refusal::SkillMissing { project, worker, skill, needed, has } => {
            of(failure, worker, project)
                .with("skill", skill)
                .with("level", has)
                .with("min_level", needed)
        }
        Refusal::RatingTooLow { project, worker, needed, has } => {
            of(failure, worker, project).with("rating", has).with("min_rating", needed)
        }
        Refusal::NewcomerRefused { project, worker, judged, needed, holds, limit } => {
            of(failure, worker, project)
                .with("judged_answers", judged)
                .with("needed_answers", needed)
                .with("held", holds)
                .with("max_live", limit)
        }
        Refusal::RegionMismatch { project, worker, region } => {
            of(failure, worker, project).with("region", region)
        }
        Refusal::QuotaReached { project, worker, done, quota } => {
            of(failure, worker, project).with("done", done).with("quota", quota)
        }
        Refusal::AlreadyThere { project, worker, task, how } => {
            of_task(of_worker(failure, worker), project, task).with("how", how)
        }
        Refusal::Barred { project, worker, task, remaining } => {
            of_task(of_worker(failure, worker), project, task)
                .with("retry_after_seconds", seconds(*remaining))
        }
        _ => failure,
    }
}

fn retry(failure: Failure, remaining: Millis) -> Failure {
    let delay = Duration::from_millis(remaining.0);
    failure.with("retry_after_seconds", seconds(remaining)).retry_in(delay)
}

fn of_project(failure: Failure, project: &ClientId) -> Failure {
    failure.with("project", names::of_project(project))
}

fn of_worker(failure: Failure, worker: &ClientId) -> Failure {
    failure.with("worker", names::of_worker(worker))
}

fn of_task(failure: Failure, project: &ClientId, task: &str) -> Failure {
    failure.with("task", task_name(project, task))
}

fn task_name(project: &ClientId, task: &str) -> String {
    format!("projects/{project}/tasks/{task}")
}

fn object_name(kind: Kind, name: &ClientId) -> String {
    match kind {
        Kind::Requester => names::of_requester(name),
        Kind::Project => names::of_project(name),
        // The engine names a task without its project here.
        Kind::Task => format!("tasks/{name}"),
        Kind::Worker => names::of_worker(name),
    }
}

/// Whole seconds, rounded up: who waits so long has waited long enough.
fn seconds(time: Millis) -> u64 {
    time.0.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_whole_seconds_rounded_up() {
        assert_eq!((seconds(Millis(0)), seconds(Millis(1)), seconds(Millis(2_000))), (0, 1, 2));
    }
}
