//! A task: what the requester wrote (`TaskSpec`) and what became of it (`TaskRecord`).
//!
//! A task that nobody touched has a spec and no record; its places stand in a
//! run (`matching/order.rs`). Its leases are records of their own.

use crate::requester::Labels;
use crate::{ClientId, EngineTime, Fingerprint, Millis, Sequence, TaskId, WallTime, WorkerId};

/// What the requester wrote. Never changes; the engine does not keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Its number.
    pub id: TaskId,
    /// The requester's own id.
    pub name: Option<ClientId>,
    /// Opaque to us.
    pub payload: Vec<u8>,
    /// Media type of the payload.
    pub content_type: String,
    /// The client's own pairs.
    pub labels: Labels,
    /// How long one answer takes, where it differs from the project's.
    pub expected: Option<Millis>,
    /// What decides its place in the order, as first written.
    pub order: TaskOrder,
    /// Of everything above but the number: a retried create is seen to be one.
    pub content: Fingerprint,
    /// When it came.
    pub created: WallTime,
}

/// What decides a task's place in its project's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskOrder {
    /// −100 to 100; higher goes first.
    pub priority: i8,
    /// By then it is decided, with the answers there are.
    pub deadline: Option<WallTime>,
    /// Counted answers it is to have.
    pub wanted: u16,
    /// Ready since then.
    pub ready_at: EngineTime,
}

/// What became of a task that somebody touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRecord {
    /// Which task.
    pub id: TaskId,
    /// Its place in the order, as it is now.
    pub order: TaskOrder,
    /// What is true of it.
    pub state: TaskState,
    /// Number of its newest lease.
    pub last_lease: u32,
    /// Number of its newest counted answer.
    pub last_answer: u32,
    /// Leases that ran out.
    pub expiries: u32,
    /// Its place was the first to lapse: it goes before others.
    pub lapsed: bool,
    /// Distinct workers whose lease failed since the last counted answer.
    pub attempts: Vec<WorkerId>,
    /// Distinct workers who reported it broken.
    pub broken: Vec<WorkerId>,
    /// Its newest result, in the project's log.
    pub result: Option<Sequence>,
    /// Revision of that result.
    pub result_revision: u32,
}

/// What is true of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Wants answers.
    Open,
    /// Has its result.
    Done {
        /// With fewer answers than wanted.
        incomplete: bool,
    },
    /// Has none.
    Failed {
        /// Why.
        cause: FailureCause,
    },
    /// Nobody wants it any more.
    Cancelled,
}

impl TaskState {
    /// Whether the task wants answers.
    #[must_use]
    pub fn is_open(self) -> bool {
        self == TaskState::Open
    }
}

/// Why a task has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCause {
    /// Too many workers in a row let it go.
    AttemptsExhausted,
    /// Three workers said that it is broken.
    BrokenTask,
    /// Its deadline came first.
    Deadline,
}
