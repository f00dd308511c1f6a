//! What a log tells its watchers: results, submissions, ends; and worker events.
//!
//! One log a project and one of worker events a tenant. A record's sequence is
//! dense in its log. Not here: streaming (server).

use crate::project::Aggregation;
use crate::schema::Finite;
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
    /// What it says; `None` without counted answers, and where they are collected.
    pub answer: Option<ResultAnswer>,
    /// How sure it is by its method, in millionths; of the least sure field. Zero where
    /// answers are collected: none is computed.
    pub confidence_ppm: u32,
    /// Per field of the schema that is compared; counted answers only.
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
    /// Per field what most say.
    Majority,
    /// Vote, weighted by accuracy.
    Weighted,
    /// The online posterior.
    Online,
    /// Smoothed Dawid–Skene over all answers of the project.
    Smoothed,
    /// Plain Dawid–Skene over all answers of the project.
    DawidSkene,
    /// None: the answers are listed.
    Collected,
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
            Aggregation::Collect => Method::Collected,
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
    /// These values, by the schema of the newest terms among the answers.
    Values {
        /// The project's revision whose schema names them.
        revision: crate::Revision,
        /// What was agreed on, per schema field; `None` where nobody said anything
        /// that is compared.
        values: Vec<Option<ResultValue>>,
    },
}

/// What a result says in one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultValue {
    /// The index of the choice.
    Choice(u16),
    /// The indexes of the chosen options, ascending.
    Set(Vec<u16>),
    /// `true` or `false`.
    Boolean(bool),
    /// A number that need not be anybody's: the median of an even count lies between two.
    Number(Finite),
    /// The text in this submission.
    Text(LeaseId),
}

impl ResultValue {
    /// Its class, where the field has classes: the choice; 0 for `false`, 1 for `true`.
    #[must_use]
    pub fn class(&self) -> Option<u16> {
        match self {
            ResultValue::Choice(choice) => Some(*choice),
            ResultValue::Boolean(yes) => Some(u16::from(*yes)),
            ResultValue::Set(_) | ResultValue::Number(_) | ResultValue::Text(_) => None,
        }
    }
}

/// How the votes on one field fell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldVotes {
    /// Index of the field in the schema.
    pub field: u16,
    /// How they fell.
    pub fell: Fell,
}

/// How votes fell, by kind of field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fell {
    /// (index of the class, votes), ascending by index, zeros left out. Classes are the
    /// choices, or 0 for `false` and 1 for `true`.
    Classes(Vec<(u16, u32)>),
    /// On options of a multi-choice.
    Options {
        /// Answers that have the field.
        answers: u32,
        /// (index of the option, answers that chose it), ascending, zeros left out.
        chosen: Vec<(u16, u32)>,
    },
    /// On numbers.
    Numbers(NumberVotes),
    /// On texts.
    Texts {
        /// Answers that have the field.
        answers: u32,
        /// Texts that differ when compared.
        distinct: u32,
        /// The commonest of them, at most `TEXTS_TOLD_MAX`: (the first submission with
        /// it, votes), most votes first, of equals the one given first.
        texts: Vec<(LeaseId, u32)>,
    },
}

/// How the votes on a number lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberVotes {
    /// Answers that have the field.
    pub answers: u32,
    /// Of these, within the field's tolerance of the median.
    pub agree: u32,
    /// The median.
    pub median: Finite,
    /// The median distance from it.
    pub spread: Finite,
    /// The smallest.
    pub least: Finite,
    /// The greatest.
    pub most: Finite,
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
