//! A submission: one answer under one lease, with three independent facts.

use serde::{Deserialize, Serialize};

use crate::schema::Answer;
use crate::{LeaseId, Millis, Money, Revision, WallTime, WorkerId};

/// One worker's answer. `review`, `counted` and `payable` never imply each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The lease that made it, and its name.
    pub lease: LeaseId,
    /// Whose.
    pub worker: WorkerId,
    /// The terms it was given under.
    pub revision: Revision,
    /// Exactly what was sent.
    pub answer: Answer,
    /// What became of it.
    pub verdict: Verdict,
    /// Whether anyone looked at it.
    pub review: Review,
    /// Whether it is part of the result.
    pub counted: bool,
    /// What is owed for it.
    pub payable: Money,
    /// When the lease began.
    pub leased: WallTime,
    /// When it came.
    pub submitted: WallTime,
    /// From grant to answer, by engine time.
    pub took: Millis,
    /// The how-manieth answer of this worker, from 1: lists by worker go by it.
    pub nth: u32,
}

/// What became of an answer that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// In time; part of the result.
    Counted,
    /// After the deadline, and nobody had the place yet; part of the result.
    CountedLate,
    /// Paid, not part of the result.
    KeptPayable,
    /// Neither paid nor part of the result.
    KeptUnpaid,
}

impl Verdict {
    /// Whether the answer is part of the result.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Verdict::Counted | Verdict::CountedLate)
    }

    /// Whether the answer is paid.
    #[must_use]
    pub fn pays(self) -> bool {
        self != Verdict::KeptUnpaid
    }
}

/// Whether anyone looked at an answer. Reviewing comes with a later issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Review {
    /// Nobody is asked to.
    #[default]
    None,
    /// Somebody will.
    Pending,
    /// Taken.
    Accepted,
    /// Not taken.
    Rejected,
    /// Given back for another try.
    Revise,
}

/// What the worker gets to keep: the proof that an answer was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Under which lease.
    pub lease: LeaseId,
    /// What became of it.
    pub verdict: Verdict,
    /// What is owed for it.
    pub payable: Money,
    /// When it came.
    pub submitted: WallTime,
}
