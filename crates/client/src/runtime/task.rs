//! What a handler is given, what it makes of it, and how that ended.

use std::time::Duration;

use bytes::Bytes;
use piecework_proto::v1::{Lease, LeaseState, Receipt, ReturnReason};
use tokio::time::Instant;

use crate::error::Refused;

/// One task to be done.
#[derive(Debug, Clone)]
pub struct Task {
    /// The lease, with payload, instructions, schema and what was saved as a draft.
    pub lease: Lease,
    /// When the handler is cancelled and the lease goes back: its hard deadline.
    pub deadline: Instant,
}

impl Task {
    /// How long the handler still has.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// What a handler made of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Its answer, in the project's schema if it has one.
    Answer(Bytes),
    /// It gives the lease back.
    Return(ReturnReason),
}

/// A lease that the runtime holds no more.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The lease as it was received.
    pub lease: Lease,
    /// Whether a handler had begun with it.
    pub started: bool,
    /// How it ended.
    pub end: End,
}

/// How a lease ended. Each lease has exactly one end.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The answer is taken and durable; the receipt says what it is worth.
    Done(Receipt),
    /// The answer was refused for good.
    Refused(Box<Refused>),
    /// It was given back.
    Returned(ReturnReason),
    /// It ended before there was an answer.
    Ended(Ended),
    /// The runtime ended before the daemon had said what became of the answer.
    Unanswered,
}

/// What ended a lease that nobody here ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its time ran out.
    Expired,
    /// It was taken away; the daemon's words, perhaps none.
    Revoked(String),
    /// The worker answered or returned it over another connection.
    Elsewhere,
    /// It was gone when the connection came back.
    Away,
}

impl Ended {
    /// What the daemon says of a lease. `None`: it lives.
    pub(super) fn of(state: LeaseState, reason: &str) -> Option<Self> {
        match state {
            LeaseState::Live => None,
            LeaseState::Expired => Some(Self::Expired),
            LeaseState::Revoked => Some(Self::Revoked(reason.to_owned())),
            LeaseState::Submitted | LeaseState::Returned => Some(Self::Elsewhere),
            // A state of a later version.
            LeaseState::Unspecified => Some(Self::Away),
        }
    }
}
