//! Everything the engine keeps in memory, row by row: what a start loads.
//!
//! Finished tasks are not in it; when a command needs one the engine says so
//! (`Step::NeedCold`) and gets a [`ColdTask`].

use crate::change::{CreateKeyRow, PartitionRow, PinnedTerms, TenantRow};
use crate::lease::Lease;
use crate::project::{Project, ProjectTally, Sweep};
use crate::requester::Requester;
use crate::task::{TaskOrder, TaskRecord};
use crate::worker::{LeaseRequest, SkillRating, WorkTally, Worker, WorkerRecord};
use crate::{Fingerprint, TaskId};

/// One row of the image. Loaded in the order of the variants, save that tasks come
/// ascending by project and number, each `Spec` directly followed by the `Task`
/// or `Settled` of the same task, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageRow {
    /// The partition's own.
    Partition(PartitionRow),
    /// A tenant's own.
    Tenant(TenantRow),
    /// A requester.
    Requester(Box<Requester>),
    /// A project.
    Project(Box<Project>),
    /// The terms of one revision.
    Terms(Box<PinnedTerms>),
    /// A project's counts.
    ProjectTally(ProjectTally),
    /// A worker.
    Worker(Box<Worker>),
    /// A worker's behaviour.
    WorkerRecord(WorkerRecord),
    /// What a worker's answers are worth in one skill area.
    SkillRating(Box<SkillRating>),
    /// A granting call.
    LeaseRequest(Box<LeaseRequest>),
    /// A worker's count in a project.
    WorkTally(WorkTally),
    /// A remembered create.
    CreateKey(Box<CreateKeyRow>),
    /// A sweep under way.
    Sweep(Sweep),
    /// A task's spec, without what the engine does not keep; ascending.
    Spec(SpecRow),
    /// A touched task with its leases, open or not yet settled.
    Task(Box<ColdTask>),
    /// A touched task that is settled: final, no live lease, no open window, no draft.
    Settled(TaskId),
    /// The own id of a settled task of which nothing else is loaded: neither `Spec` nor
    /// `Settled`. Settled tasks without an own id may be left out altogether.
    SettledName {
        /// Which task.
        task: TaskId,
        /// Fingerprints of its own id and its content.
        name: (Fingerprint, Fingerprint),
    },
}

/// Of a task's spec, what decisions need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecRow {
    /// Which task.
    pub task: TaskId,
    /// Its place in the order, as first written.
    pub order: TaskOrder,
    /// Fingerprints of its own id and its content, where it has an own id.
    pub name: Option<(Fingerprint, Fingerprint)>,
}

/// A touched task as storage has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdTask {
    /// Its record.
    pub record: TaskRecord,
    /// All its leases, ascending by number.
    pub leases: Vec<Lease>,
}
