//! The kinds of rows there are.
//!
//! Not here: the fields behind the kind (`keys.rs`).

/// The kind of a row: one byte of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tag {
    /// What the partition itself remembers.
    Partition = 1,
    /// From a requester's name to its number.
    RequesterName = 2,
    /// A requester.
    Requester = 3,
    /// From a project's name to its number.
    ProjectName = 4,
    /// A project.
    Project = 5,
    /// From a worker's name to its number.
    WorkerName = 6,
    /// A worker.
    Worker = 7,
    /// The terms of one revision.
    Terms = 8,
    /// A project's counts.
    ProjectTally = 9,
    /// A worker's behaviour.
    WorkerRecord = 10,
    /// A granting call.
    LeaseRequest = 11,
    /// A worker's count in a project.
    WorkTally = 12,
    /// A remembered create.
    CreateKey = 13,
    /// A sweep under way.
    Sweep = 14,
    /// What a requester wrote.
    Spec = 15,
    /// A touched task.
    Task = 16,
    /// A lease.
    Lease = 17,
    /// From a worker's nth answer to its lease.
    AnswerOfWorker = 18,
    /// An answer.
    Submission = 19,
    /// A record of a project's log.
    ProjectEvent = 20,
    /// A record of a tenant's log of worker events.
    WorkerEvent = 21,
    /// What a tenant as a whole remembers.
    Tenant = 22,
    /// An unfinished answer.
    Draft = 23,
    /// What a worker's answers are worth in one skill area.
    SkillRating = 24,
}

impl Tag {
    pub(super) const ALL: [Tag; 24] = [
        Tag::Partition,
        Tag::RequesterName,
        Tag::Requester,
        Tag::ProjectName,
        Tag::Project,
        Tag::WorkerName,
        Tag::Worker,
        Tag::Terms,
        Tag::ProjectTally,
        Tag::WorkerRecord,
        Tag::LeaseRequest,
        Tag::WorkTally,
        Tag::CreateKey,
        Tag::Sweep,
        Tag::Spec,
        Tag::Task,
        Tag::Lease,
        Tag::AnswerOfWorker,
        Tag::Submission,
        Tag::ProjectEvent,
        Tag::WorkerEvent,
        Tag::Tenant,
        Tag::Draft,
        Tag::SkillRating,
    ];

    pub(super) fn of(byte: u8) -> Option<Tag> {
        Tag::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// The kind's name, in errors and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tag::Partition => "partition",
            Tag::RequesterName => "requester name",
            Tag::Requester => "requester",
            Tag::ProjectName => "project name",
            Tag::Project => "project",
            Tag::WorkerName => "worker name",
            Tag::Worker => "worker",
            Tag::Terms => "terms",
            Tag::ProjectTally => "project tally",
            Tag::WorkerRecord => "worker record",
            Tag::LeaseRequest => "lease request",
            Tag::WorkTally => "work tally",
            Tag::CreateKey => "create key",
            Tag::Sweep => "sweep",
            Tag::Spec => "spec",
            Tag::Task => "task",
            Tag::Lease => "lease",
            Tag::AnswerOfWorker => "answer of worker",
            Tag::Submission => "submission",
            Tag::ProjectEvent => "project event",
            Tag::WorkerEvent => "worker event",
            Tag::Tenant => "tenant",
            Tag::Draft => "draft",
            Tag::SkillRating => "skill rating",
        }
    }
}
