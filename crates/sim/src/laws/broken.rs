//! The laws, as they are broken.

use piecework_core::event::Log;
use piecework_core::task::TaskState;
use piecework_core::{LeaseId, Sequence, TaskId, WorkerId};

/// A law that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// A log's numbers are dense.
    #[error("{log:?} goes from {last:?} to {found:?}")]
    Gap {
        /// Which log.
        log: Log,
        /// Its newest record.
        last: Sequence,
        /// The next one.
        found: Sequence,
    },
    /// A record stands in the log of its own project.
    #[error("{log:?} tells of {task}, which is not its own")]
    Foreign {
        /// Which log.
        log: Log,
        /// Of which task.
        task: TaskId,
    },
    /// Revisions of a task are dense, from 1: each replaces the one before.
    #[error("{task} goes from revision {last} to {found}")]
    Revision {
        /// Which task.
        task: TaskId,
        /// Its newest revision; zero: none.
        last: u32,
        /// The next one.
        found: u32,
    },
    /// What is final is not provisional again.
    #[error("revision {found} of {task} is provisional, after a final one")]
    Provisional {
        /// Which task.
        task: TaskId,
        /// The revision that may not be.
        found: u32,
    },
    /// A cancelled task has no results and ends but once.
    #[error("{task} was cancelled, and more is told of it at {at:?}")]
    AfterEnd {
        /// Which task.
        task: TaskId,
        /// Where.
        at: Sequence,
    },
    /// Nobody changes what the requester said but the requester.
    #[error("revision {revision} of {task} replaces what its requester said")]
    Overruled {
        /// Which task.
        task: TaskId,
        /// The revision that may not be.
        revision: u32,
    },
    /// A task's record names the newest result of the log.
    #[error("{task} keeps revision {kept}, the log's newest is {newest}")]
    Untold {
        /// Which task.
        task: TaskId,
        /// What the log says; zero: nothing.
        newest: u32,
        /// What the record says.
        kept: u32,
    },
    /// A final result says the same until another revision is told.
    #[error("{task} says something else under the same revision {revision}")]
    Rewritten {
        /// Which task.
        task: TaskId,
        /// Which revision.
        revision: u32,
    },
    /// Terminal states change only by the arrows.
    #[error("{task} went from {from:?} to {to:?}")]
    Arrow {
        /// Which task.
        task: TaskId,
        /// What it was.
        from: TaskState,
        /// What it is.
        to: TaskState,
    },
    /// What was answered stays answered, with the same answer.
    #[error("{lease} was answered and does not keep its answer")]
    Unanswered {
        /// Which.
        lease: LeaseId,
    },
    /// One lease has one answer, which is told once.
    #[error("{lease} was answered a second time")]
    AnsweredTwice {
        /// Under which lease.
        lease: LeaseId,
    },
    /// An answer counts for the lease as it does for the requester.
    #[error("the answer under {lease} does not say what its lease says")]
    Disagrees {
        /// Under which lease.
        lease: LeaseId,
    },
    /// A worker has one counted answer on a task, and one vote in a result.
    #[error("worker {worker} counts twice on {task}")]
    WorkerTwice {
        /// Which task.
        task: TaskId,
        /// Who.
        worker: WorkerId,
    },
    /// An answer votes once.
    #[error("the answer under {lease} votes twice in a result")]
    VotesTwice {
        /// Under which lease.
        lease: LeaseId,
    },
    /// Who votes has answered.
    #[error("{lease} votes and has no answer in the log")]
    VotesUnheard {
        /// Under which lease.
        lease: LeaseId,
    },
    /// A result's votes are the task's counted answers, first one first.
    #[error("revision {revision} of {task} has other votes than the task has counted answers")]
    OtherVotes {
        /// Which task.
        task: TaskId,
        /// Which revision.
        revision: u32,
    },
    /// No field has more votes than there are answers.
    #[error("field {field} of {task} has {votes} votes of {answers} answers")]
    FieldOverfull {
        /// Which task.
        task: TaskId,
        /// Which field.
        field: u16,
        /// Its votes.
        votes: u64,
        /// Answers that count.
        answers: usize,
    },
    /// A result costs what its counted answers cost.
    #[error("revision {revision} of {task} costs {told} micros, its answers {owed}")]
    Cost {
        /// Which task.
        task: TaskId,
        /// Which revision.
        revision: u32,
        /// What it says.
        told: i64,
        /// What is owed.
        owed: i64,
    },
    /// A task has as many answers as its counted leases.
    #[error("{task} keeps {kept} answers, {counted} of its leases count")]
    Miscounted {
        /// Which task.
        task: TaskId,
        /// Leases whose answer counts.
        counted: usize,
        /// What its record says.
        kept: u32,
    },
    /// A task that buys while it is unsure ends when it is sure, or has its most.
    #[error("{task} is done with {answers} answers at {confidence} ppm, its target is {target}")]
    Unsure {
        /// Which task.
        task: TaskId,
        /// Answers that count.
        answers: usize,
        /// How sure it is, in millionths.
        confidence: u32,
        /// How sure it was to be.
        target: u32,
    },
    /// A task that is sure is done.
    #[error("revision {revision} of {task} is provisional at {confidence} of {target} ppm")]
    SureAndOpen {
        /// Which task.
        task: TaskId,
        /// Which revision.
        revision: u32,
        /// How sure it is, in millionths.
        confidence: u32,
        /// How sure it was to be.
        target: u32,
    },
    /// A task that became sure asks for no more than it has and what is out.
    #[error("{task} is sure, has {taken} answers and leases, and wants {wanted}")]
    BuysOn {
        /// Which task.
        task: TaskId,
        /// Counted answers and live leases.
        taken: usize,
        /// What it wants.
        wanted: usize,
    },
    /// An open task that nobody is at has a place.
    #[error("{task} is open with {counted} answers, wants {wanted}, and nobody is at it")]
    Stuck {
        /// Which task.
        task: TaskId,
        /// Counted answers.
        counted: usize,
        /// What it wants.
        wanted: usize,
    },
}
