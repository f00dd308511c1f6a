//! The language down: what a command changed, as absolute rows.
//!
//! Each change says "this row is now that" or "these rows are gone", so applying
//! a suffix of the journal twice is harmless. Not here: keys and bytes (storage).

use std::sync::Arc;

use crate::event::{Event, Log};
use crate::lease::{Draft, Lease};
use crate::project::{Project, ProjectTally, Sweep, Terms};
use crate::requester::Requester;
use crate::submission::Submission;
use crate::task::{TaskRecord, TaskSpec};
use crate::worker::{LeaseRequest, SkillRating, WorkTally, Worker, WorkerRecord};
use crate::{
    ClientId, EngineTime, Fingerprint, LeaseId, ProjectId, Revision, Sequence, TaskNumber,
    TenantId, WorkerId,
};

/// A change and the platform whose rows it is about: the tenant leads every key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Whose rows.
    pub tenant: TenantId,
    /// What they are now.
    pub change: Change,
}

/// One row as it is now, or rows that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A requester.
    Requester(Box<Requester>),
    /// A project.
    Project(Box<Project>),
    /// The terms of one revision.
    Terms(Box<PinnedTerms>),
    /// A project's counts.
    ProjectTally(ProjectTally),
    /// New tasks of one project, ascending and dense. Never changed again.
    Specs(Vec<Arc<TaskSpec>>),
    /// A touched task.
    Task(Box<TaskRecord>),
    /// A lease.
    Lease(Box<Lease>),
    /// An unfinished answer.
    Draft(Box<Draft>),
    /// An unfinished answer that nobody needs any more.
    DraftGone(LeaseId),
    /// An answer.
    Submission(Box<Submission>),
    /// A record of a log.
    Event(Box<Event>),
    /// A worker.
    Worker(Box<Worker>),
    /// A worker's behaviour.
    WorkerRecord(WorkerRecord),
    /// What a worker's answers are worth in one skill area.
    SkillRating(Box<SkillRating>),
    /// A granting call.
    LeaseRequest(Box<LeaseRequest>),
    /// A granting call that is forgotten.
    LeaseRequestGone {
        /// Whose.
        worker: WorkerId,
        /// Which.
        number: u32,
    },
    /// A worker's count in a project.
    WorkTally(WorkTally),
    /// A create that a retry will find again.
    CreateKey(Box<CreateKeyRow>),
    /// A create that is forgotten.
    CreateKeyGone(CreateKeyId),
    /// A sweep under way.
    Sweep(Sweep),
    /// A sweep that is finished.
    SweepGone(ProjectId),
    /// What the partition itself remembers; of tenant zero.
    Partition(PartitionRow),
    /// What a tenant as a whole remembers.
    Tenant(TenantRow),
    /// Specs, records, leases and submissions of these tasks are gone; drafts before them.
    TasksGone {
        /// Of which project.
        project: ProjectId,
        /// First of them.
        first: TaskNumber,
        /// Last of them.
        last: TaskNumber,
    },
    /// A log's records up to this one are gone.
    EventsGone {
        /// Which log.
        log: Log,
        /// The newest that is gone.
        through: Sequence,
    },
    /// The project, its terms, tally and work tallies are gone.
    ProjectGone(ProjectId),
}

/// The terms of one revision of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedTerms {
    /// Which project.
    pub project: ProjectId,
    /// Which revision.
    pub revision: Revision,
    /// What it says.
    pub terms: Terms,
}

/// What names a create: its parent and the client's request id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreateKeyId {
    /// Of which platform.
    pub tenant: TenantId,
    /// Under what.
    pub parent: Parent,
    /// The client's request id.
    pub request_id: ClientId,
}

/// Under what something was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parent {
    /// Requesters of the tenant.
    Requesters,
    /// Projects of the tenant.
    Projects,
    /// Workers of the tenant.
    Workers,
    /// Tasks of a project.
    Tasks(ProjectId),
}

/// What a create made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateKeyRow {
    /// Its name.
    pub id: CreateKeyId,
    /// Of what was asked.
    pub content: Fingerprint,
    /// When it is forgotten.
    pub until: EngineTime,
    /// Numbers of what was made, item by item; zero where an item was refused
    /// or had an id of its own.
    pub made: Vec<u32>,
}

/// What the partition itself remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartitionRow {
    /// Nothing expires before this.
    pub grace_until: EngineTime,
    /// Number of the newest requester.
    pub last_requester: u32,
    /// Number of the newest project.
    pub last_project: u32,
    /// Number of the newest worker.
    pub last_worker: u32,
}

/// What a tenant as a whole remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantRow {
    /// Which.
    pub tenant: TenantId,
    /// Newest sequence of its log of worker events.
    pub last_worker_event: Sequence,
}
