//! Why the engine said no. Changes nothing; a normal answer.
//!
//! Every refusal names the object and both numbers. The server turns it into a
//! gRPC status in one exhaustive match.

use crate::schema::Misfit;
use crate::{ClientId, LeaseId, Millis, Revision, TaskNumber};

/// Why the engine said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "every field is named in its variant's message")]
pub enum Refusal {
    #[error("requester {requester} not found")]
    RequesterNotFound { requester: ClientId },
    #[error("project {project} not found")]
    ProjectNotFound { project: ClientId },
    #[error("task {task} not found in project {project}")]
    TaskNotFound { project: ClientId, task: String },
    #[error("worker {worker} not found")]
    WorkerNotFound { worker: ClientId },
    #[error("worker {worker} has no skill {skill:?}")]
    SkillNotFound { worker: ClientId, skill: String },
    #[error("worker {worker} has no {lease}")]
    LeaseNotFound { worker: ClientId, lease: LeaseId },
    #[error("none of the workers on this connection has {lease}")]
    NoSuchLease { lease: LeaseId },

    #[error("{kind} {name} exists already with other content")]
    NameTaken { kind: Kind, name: ClientId },
    #[error("request id {request_id} was used already for another request")]
    RequestIdReused { request_id: ClientId },
    #[error("{kind} {name} has changed: its etag is {is}, the request was made for {sent}")]
    EtagMismatch { kind: Kind, name: ClientId, sent: u32, is: u32 },

    #[error("project {project} is paused; resume it first")]
    ProjectPaused { project: ClientId },
    #[error("project {project} is closed and takes no new tasks")]
    ProjectClosed { project: ClientId },
    #[error("project {project} is cancelled")]
    ProjectCancelled { project: ClientId },
    #[error(
        "project {project} still has {open} open tasks and {live} live leases; close or cancel it and let it drain"
    )]
    ProjectNotDrained { project: ClientId, open: u64, live: u64 },
    #[error(
        "project {project} would change its answer schema by more than optional fields at the end"
    )]
    SchemaChange { project: ClientId },
    #[error("the partition holds {projects} projects, limit {limit}")]
    TooManyProjects { projects: usize, limit: usize },
    #[error("project {project} holds {tasks} tasks, limit {limit}")]
    TooManyTasks { project: ClientId, tasks: u32, limit: u32 },
    #[error("payload of {bytes} bytes is over the limit of {limit} of project {project}")]
    PayloadTooLarge { project: ClientId, bytes: usize, limit: u32 },
    #[error("worker {worker} has {skills} skills, limit {limit}; revoke one first")]
    TooManySkills { worker: ClientId, skills: usize, limit: usize },
    #[error(
        "{keys} creates without ids of their own are remembered, limit {limit}; give each task its own id or wait"
    )]
    TooManyCreateKeys { keys: usize, limit: usize },

    #[error("task {task} of project {project} is done")]
    TaskDone { project: ClientId, task: String },
    #[error("task {task} of project {project} has failed")]
    TaskFailed { project: ClientId, task: String },
    #[error("task {task} of project {project} is cancelled")]
    TaskCancelled { project: ClientId, task: String },
    #[error("task {task} of project {project} is {state}, only a failed task can be requeued")]
    TaskNotFailed { project: ClientId, task: String, state: &'static str },
    #[error("all {wanted} places of task {task} of project {project} are taken")]
    TaskFull { project: ClientId, task: String, wanted: u16 },
    #[error(
        "overlap {overlap} of task {task} of project {project} is below the {taken} answers and leases it has"
    )]
    OverlapTooLow { project: ClientId, task: String, overlap: u16, taken: u16 },
    #[error("project {project} picks tasks for its workers; leave the task out of the request")]
    ServerPicks { project: ClientId },

    #[error("{lease} has ended: {how}")]
    LeaseEnded { lease: LeaseId, how: &'static str },
    #[error("{lease} has ended and all {wanted} places of its task are taken")]
    LeaseSuperseded { lease: LeaseId, wanted: u16 },
    #[error("{lease} was answered already, with another answer")]
    LeaseUsed { lease: LeaseId },
    #[error("{lease} ended {ago} ago and answers were taken for {window}")]
    LateWindowOver { lease: LeaseId, ago: Millis, window: Millis },
    #[error("{lease} may be held for {max} in all, which has come")]
    HoldExceeded { lease: LeaseId, max: Millis },
    #[error("answer under {lease} {misfit} (revision {revision} of project {project})")]
    AnswerInvalid { lease: LeaseId, project: ClientId, revision: Revision, misfit: Box<Misfit> },
    #[error(
        "the result given for task ~{task} {misfit} (revision {revision} of project {project})"
    )]
    ResultInvalid { project: ClientId, task: TaskNumber, revision: Revision, misfit: Box<Misfit> },

    #[error("worker {worker} is suspended: {reason}")]
    WorkerSuspended { worker: ClientId, reason: String },
    #[error("worker {worker} holds {holds} leases, its capacity is {capacity}{}", until(*lowered))]
    CapacityReached { worker: ClientId, holds: u32, capacity: u32, lowered: bool },
    #[error(
        "worker {worker} declined {declines} leases in a row; it gets work again in {remaining}"
    )]
    CoolingDown { worker: ClientId, declines: u32, remaining: Millis },
    #[error("project {project} is not for workers of the kind of {worker}")]
    KindMismatch { project: ClientId, worker: ClientId },
    #[error(
        "project {project} asks for skill {skill:?} at level {needed}, worker {worker} has {has}"
    )]
    SkillMissing { project: ClientId, worker: ClientId, skill: String, needed: u8, has: u8 },
    #[error("project {project} asks for a rating of {needed}, worker {worker} has {has}")]
    RatingTooLow { project: ClientId, worker: ClientId, needed: u8, has: u8 },
    #[error(
        "project {project} grants {limit} leases at a time to a worker with fewer than {needed} judged answers, worker {worker} has {judged} and holds {holds}"
    )]
    NewcomerRefused {
        project: ClientId,
        worker: ClientId,
        judged: u32,
        needed: u32,
        holds: u32,
        limit: u32,
    },
    #[error("project {project} is not for region {region:?} of worker {worker}")]
    RegionMismatch { project: ClientId, worker: ClientId, region: String },
    #[error(
        "worker {worker} has {done} answers and leases in project {project}, its quota is {quota}"
    )]
    QuotaReached { project: ClientId, worker: ClientId, done: u32, quota: u32 },
    #[error("project {project} belongs to the requester account of worker {worker}")]
    OwnRequester { project: ClientId, worker: ClientId },
    #[error(
        "worker {worker} is kept away from project {project}: its requester {requester} {}",
        if *blocked { "blocks it" } else { "allows only others" }
    )]
    WorkerBlocked { project: ClientId, worker: ClientId, requester: ClientId, blocked: bool },
    #[error("project {project} has had its grants of this minute; it grants again in {remaining}")]
    Throttled { project: ClientId, remaining: Millis },
    #[error(
        "worker {worker}, or an account of the same person, has been at task {task} of project {project}: {how}"
    )]
    AlreadyThere { project: ClientId, worker: ClientId, task: String, how: &'static str },
    #[error(
        "worker {worker} let its lease on task {task} of project {project} expire; it gets the task again in {remaining}"
    )]
    Barred { project: ClientId, worker: ClientId, task: String, remaining: Millis },
}

/// Why a capacity may be lower than the worker's record says.
fn until(lowered: bool) -> &'static str {
    if lowered { " until it submits, since two leases in a row expired" } else { "" }
}

/// What kind of object a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `requesters/…`
    Requester,
    /// `projects/…`
    Project,
    /// `projects/…/tasks/…`
    Task,
    /// `workers/…`
    Worker,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Requester => "requester",
            Kind::Project => "project",
            Kind::Task => "task",
            Kind::Worker => "worker",
        })
    }
}
