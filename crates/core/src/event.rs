//! What a log tells its watchers: results, submissions, ends; and worker events.
//!
//! One log a project and one of worker events a tenant. A record's sequence is
//! dense in its log. Not here: streaming (server).

use crate::project::Aggregation;
use crate::schema::Choices;
use crate::task::{FailureCause, TaskState};
use crate::worker::WorkerKind;
use crate::{LeaseId, Money, ProjectId, Sequence, TaskId, TenantId, WallTime, WorkerId};

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// A project's.
    Project(ProjectId),
    /// A tenant's, of worker events.
    Workers(TenantId),
}

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which log.
    pub log: Log,
    /// Its dense number there.
    pub sequence: Sequence,
    /// When it happened.
    pub at: WallTime,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An answer was taken.
    Submitted(LeaseId),
    /// A task has a result, or has none for good.
    Result(Box<TaskResult>),
    /// A task ended without a result.
    TaskEnded {
        /// Which.
        task: TaskId,
        /// How.
        state: TaskState,
    },
    /// Something befell a worker.
    Worker {
        /// Whom.
        worker: WorkerId,
        /// What.
        what: WorkerEvent,
    },
}

/// A task's answer as the requester gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskResult {
    /// Of which task.
    pub task: TaskId,
    /// From 1; a later one replaces it.
    pub revision: u32,
    /// What it is.
    pub state: ResultState,
    /// What it says; `None` without counted answers.
    pub answer: Option<ResultAnswer>,
    /// How sure it is by its method, in millionths; of the least sure field.
    pub confidence_ppm: u32,
    /// Per choice field of the schema: votes per choice index, counted answers only.
    pub votes: Vec<FieldVotes>,
    /// The counted answers, first one first.
    pub answers: Vec<Vote>,
    /// What the counted answers cost.
    pub cost: Money,
    /// How it was made.
    pub method: Method,
}

/// How a result was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The first counted answer.
    First,
    /// Majority.
    Majority,
    /// Vote, weighted by accuracy.
    Weighted,
    /// The online posterior.
    Online,
    /// Smoothed Dawid–Skene over all answers of the project.
    Smoothed,
    /// Plain Dawid–Skene over all answers of the project.
    DawidSkene,
    /// The requester said so.
    Requester,
}

impl Method {
    /// Of a project's aggregation, before or after a refinement.
    #[must_use]
    pub fn of(aggregation: Aggregation, refined: bool) -> Method {
        match aggregation {
            Aggregation::First => Method::First,
            Aggregation::Majority => Method::Majority,
            Aggregation::Weighted => Method::Weighted,
            Aggregation::Online => Method::Online,
            Aggregation::Refined if refined => Method::Smoothed,
            Aggregation::Refined => Method::Online,
            Aggregation::DawidSkene if refined => Method::DawidSkene,
            Aggregation::DawidSkene => Method::Majority,
        }
    }
}

/// What a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultState {
    /// Answers are in, and more are asked for until it is sure.
    Provisional,
    /// Decided.
    Final {
        /// With fewer answers than wanted.
        incomplete: bool,
    },
    /// There will be none.
    Failed {
        /// Why.
        cause: FailureCause,
    },
}

/// What a result says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultAnswer {
    /// Exactly this submission's answer.
    Of(LeaseId),
    /// What the requester says.
    Given {
        /// Exactly that.
        bytes: Vec<u8>,
        /// Its media type.
        content_type: String,
        /// The project's revision whose schema it fits.
        revision: crate::Revision,
    },
    /// These choices, by the schema of the newest terms among the answers.
    Choices {
        /// The project's revision whose schema names them.
        revision: crate::Revision,
        /// Index of the winning choice per schema field.
        choices: Choices,
    },
}

/// How the votes on one field fell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldVotes {
    /// Index of the field in the schema.
    pub field: u16,
    /// (index of the choice, votes), ascending by index, zeros left out.
    pub votes: Vec<(u16, u32)>,
}

/// One counted answer's provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// The submission.
    pub lease: LeaseId,
    /// Who.
    pub worker: WorkerId,
    /// A person or a model.
    pub kind: WorkerKind,
}

/// What befell a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEvent {
    /// It may not work any more.
    Suspended {
        /// What the platform said.
        reason: String,
    },
    /// It may work again.
    Reinstated,
    /// It has a skill.
    SkillGranted {
        /// Which.
        skill: String,
        /// At which level.
        level: u8,
    },
    /// It lost a skill.
    SkillRevoked {
        /// Which.
        skill: String,
    },
    /// Its rating, after at least twenty more judged answers.
    RatingPublished {
        /// Thousandths of a point, 0 to 100 000.
        rating_milli: u32,
        /// Judged answers behind it.
        judged: u32,
    },
}

impl Event {
    /// The event's log and number: its identity.
    #[must_use]
    pub fn key(&self) -> (Log, Sequence) {
        (self.log, self.sequence)
    }
}
