//! What workers ask, or platforms for them: leases, and what becomes of them.
//!
//! Not here: what the engine says to it (`outcome.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::command::TaskRef;
use crate::lease::ReturnReason;
use crate::schema::Answer;
use crate::wishes::Wishes;
use crate::{ClientId, Fingerprint, LeaseId, Millis};

/// Work, please.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseTasks {
    /// For whom.
    pub worker: ClientId,
    /// At most so many, at least one.
    pub count: u32,
    /// What it asks of them.
    pub wishes: Wishes,
    /// Exactly this one, in a project where workers pick.
    pub task: Option<TaskRef>,
    /// What is granted goes back unless it is claimed in time: it is pushed.
    pub claim: bool,
    /// Makes a retry safe.
    pub request_id: Option<ClientId>,
    /// Of everything above but the request id.
    pub content: Fingerprint,
}

/// More time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendLeases {
    /// Whose.
    pub worker: ClientId,
    /// Which.
    pub leases: Vec<LeaseId>,
    /// From now; `None`: the project's lease duration.
    pub by: Option<Millis>,
}

/// Answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitAnswers {
    /// Whose.
    pub worker: ClientId,
    /// One per lease.
    pub items: Vec<SubmitItem>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitItem {
    /// Under which lease.
    pub lease: LeaseId,
    /// What it says.
    pub answer: Answer,
}

/// Back with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnLeases {
    /// Whose.
    pub worker: ClientId,
    /// One per lease.
    pub items: Vec<ReturnItem>,
}

/// One lease given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnItem {
    /// Which.
    pub lease: LeaseId,
    /// Why.
    pub reason: ReturnReason,
}

/// Pushed leases have arrived at their worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLeases {
    /// Whose.
    pub worker: ClientId,
    /// Which.
    pub leases: Vec<LeaseId>,
}

/// Signs of life, as one connection gathered them: every lease named, and every
/// live lease of the workers named, gets its project's lease duration from now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeSigns {
    /// Who showed life.
    pub workers: Vec<ClientId>,
    /// On which leases life was seen.
    pub leases: Vec<LeaseId>,
    /// For whom the caller speaks: leases of anybody else do not exist for it.
    pub of: Arc<BTreeSet<ClientId>>,
}

/// An unfinished answer, to be kept with its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveDraft {
    /// Whose.
    pub worker: ClientId,
    /// Under which lease.
    pub lease: LeaseId,
    /// At most `DRAFT_BYTES_MAX`; empty: no draft any more.
    pub bytes: Vec<u8>,
}

impl LeaseTasks {
    /// Any one task for this worker, without a request id.
    #[must_use]
    pub fn any(worker: ClientId) -> LeaseTasks {
        LeaseTasks {
            worker,
            count: 1,
            wishes: Wishes::default(),
            task: None,
            claim: false,
            request_id: None,
            content: Fingerprint::default(),
        }
    }
}
