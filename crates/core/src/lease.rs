//! A lease: one worker's hold on one place of one task, from grant to its end.
//!
//! All that ever happened to it stays in one record; its state says what is
//! true now. Not here: who may have it (`matching`), what time does to it
//! (`engine/apply`).

use serde::{Deserialize, Serialize};

use crate::quality::Weighed;
use crate::schema::Values;
use crate::submission::Verdict;
use crate::{EngineTime, Fingerprint, LeaseId, Millis, Revision, WallTime, WorkerId};

/// One worker's hold on one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// Whose.
    pub worker: WorkerId,
    /// Which of the worker's granting calls it came from; zero: unnamed.
    pub request: u32,
    /// The terms it was granted under.
    pub revision: Revision,
    /// When it began.
    pub granted: EngineTime,
    /// The same for people.
    pub granted_wall: WallTime,
    /// When it runs out, or ran out.
    pub deadline: EngineTime,
    /// What is true of it now.
    pub state: LeaseState,
    /// A live lease that was pushed goes back then, without blame, unless its worker
    /// has shown that it arrived; `None`: nothing is left to show.
    pub claim_by: Option<EngineTime>,
    /// Whether an unfinished answer is kept with it.
    pub draft: bool,
}

/// An unfinished answer, kept with its lease until that ends for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Under which lease.
    pub lease: LeaseId,
    /// As the worker wrote it; never empty.
    pub bytes: Vec<u8>,
}

/// What is true of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseState {
    /// The worker holds the place.
    Live,
    /// Its time ran out. Until `window_ends` an answer may still come.
    Expired {
        /// Others get the place from then on.
        rests_until: EngineTime,
        /// From then on an answer is refused.
        window_ends: EngineTime,
        /// Takes no capacity any more: the worker gave it up, or all places of
        /// its task are taken by others.
        released: bool,
    },
    /// The worker answered.
    Submitted(Submitted),
    /// The worker gave it back.
    Returned {
        /// Why.
        reason: ReturnReason,
        /// When.
        at: EngineTime,
    },
    /// It was taken away.
    Revoked {
        /// Why.
        why: Revocation,
    },
}

/// The facts of an answer that decisions need; its bytes are in the submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// What became of it.
    pub verdict: Verdict,
    /// What is owed for it, in micro-units.
    pub payable_micros: i64,
    /// Of what was sent: a retry has the same.
    pub answer: Fingerprint,
    /// Of what it means: another spelling of the same JSON object has the same.
    pub meaning: Fingerprint,
    /// What it says, field by field.
    pub values: Values,
    /// What the others' answers say of it and is in the worker's rating, if anything.
    pub judged: Option<Judged>,
    /// When it came.
    pub at: WallTime,
    /// From grant to answer, by engine time.
    pub took: Millis,
    /// Orders the counted answers of a task: first come, first counted.
    pub order: u32,
}

/// What the others' answers say of one, as it went into its worker's rating.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// How right it is, and of what weight.
    pub says: Weighed,
    /// Skills in whose area it counts, besides all areas together; ascending.
    pub areas: Vec<String>,
}

/// Why a worker gave a lease back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnReason {
    /// Soon after the grant, without a draft: free.
    Declined,
    /// Never again this task.
    NotForMe,
    /// Could not finish.
    OutOfTime,
    /// Was never shown to the worker: neither barred nor an attempt.
    Unstarted,
    /// The task itself is broken.
    BrokenTask,
}

/// Why a lease was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revocation {
    /// The worker was suspended.
    WorkerSuspended,
    /// The task or its project was cancelled with `revoke_leases`.
    TaskCancelled,
}

impl Lease {
    /// Whether the worker holds the place now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == LeaseState::Live
    }

    /// The answer's facts, if it counts.
    #[must_use]
    pub fn counted(&self) -> Option<&Submitted> {
        match &self.state {
            LeaseState::Submitted(s) if s.verdict.counts() => Some(s),
            _ => None,
        }
    }

    /// Whether an answer may still come under it: the draft stays as long.
    #[must_use]
    pub fn awaits_answer(&self, now: EngineTime) -> bool {
        match self.state {
            LeaseState::Live => true,
            LeaseState::Expired { window_ends, .. } => now < window_ends,
            LeaseState::Submitted(_) | LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {
                false
            }
        }
    }

    /// Whether it takes one of its worker's capacity: live, or expired and
    /// neither given up nor past its window (no hoarding).
    #[must_use]
    pub fn takes_capacity(&self, now: EngineTime) -> bool {
        match self.state {
            LeaseState::Live => true,
            LeaseState::Expired { window_ends, released, .. } => !released && now < window_ends,
            LeaseState::Submitted(_) | LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {
                false
            }
        }
    }

    /// Whether its task is not settled for it, though it may be final: an answer can
    /// come yet, or a draft lies there.
    #[must_use]
    pub fn keeps_task(&self, now: EngineTime) -> bool {
        self.takes_capacity(now) || self.draft
    }
}

/// A lease as its worker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its record.
    pub lease: Lease,
    /// Time left; zero once it has ended.
    pub remaining: Millis,
    /// Time left until the last deadline that extending can reach.
    pub hold_remaining: Millis,
    /// Its worker may know which task it is: where workers pick.
    pub shows_task: bool,
}
