//! A task: what the requester wrote (`TaskSpec`) and what became of it (`TaskRecord`).
//!
//! A task that nobody touched has a spec and no record; its places stand in a
//! run (`matching/order.rs`). Its leases are records of their own.

use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskOrder {
    /// −100 to 100; higher goes first.
    pub priority: i8,
    /// By then it is decided, with the answers there are.
    pub deadline: Option<WallTime>,
    /// Counted answers it is to have, as far as is known now.
    pub wanted: u16,
    /// Counted answers it may have while its result is unsure; zero: as many as `wanted`.
    pub most: u16,
    /// Ready since then.
    pub ready_at: EngineTime,
    /// Bits of its payload's length in bytes; a wish chooses among classes.
    pub size_class: u8,
    /// Bits of its own expected duration in milliseconds; 0: it declares none.
    pub duration_class: u8,
}

impl TaskOrder {
    /// The class of a payload of so many bytes: the bits of the number.
    #[must_use]
    pub fn size_class(bytes: usize) -> u8 {
        bits(bytes as u64)
    }

    /// The class of a task's own expected duration; 0 where it declares none.
    #[must_use]
    pub fn duration_class(expected: Option<Millis>) -> u8 {
        expected.map_or(0, |expected| bits(expected.0))
    }

    /// The largest number of a class: 2^class − 1.
    #[must_use]
    pub fn class_most(class: u8) -> u64 {
        1_u64.checked_shl(class.into()).map_or(u64::MAX, |above| above - 1)
    }
}

fn bits(number: u64) -> u8 {
    u8::try_from(u64::BITS - number.leading_zeros()).expect("a u64 has 64 bits")
}

/// What became of a task that somebody touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What that result says; `None`: nothing, or it was told before this was kept.
    pub said: Option<Said>,
    /// Its requester has set the result: answers change it no more.
    pub resolved: bool,
}

/// What a task's newest result says, as far as it takes to see that another says
/// something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Of the answer.
    pub answer: Fingerprint,
    /// In millionths.
    pub confidence_ppm: u32,
    /// Number of the newest counted answer that it has seen.
    pub answers: u32,
}

/// What is true of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureCause {
    /// Too many workers in a row let it go.
    AttemptsExhausted,
    /// Three workers said that it is broken.
    BrokenTask,
    /// Its deadline came first.
    Deadline,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_has_as_many_bits() {
        for (value, class) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (20_000, 15)] {
            assert_eq!(bits(value), class, "{value}");
            assert!(value <= TaskOrder::class_most(class), "{value}");
        }
        let most = [0, 15, 64].map(TaskOrder::class_most);
        assert_eq!(most, [0, 32_767, u64::MAX]);
    }
}
