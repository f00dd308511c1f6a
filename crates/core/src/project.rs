//! A project: what is asked, of whom, and on which terms.
//!
//! `Terms` are pinned by a lease through their revision; `Requirements` affect
//! new grants only and have no revision.

use std::collections::BTreeMap;

use crate::limits;
use crate::quality::Basis;
use crate::relaxation::Relaxation;
use crate::requester::Labels;
use crate::schema::Schema;
use crate::worker::WorkerKind;
use crate::{
    ClientId, EngineTime, Millis, Money, ProjectId, RequesterId, Revision, Sequence, TaskNumber,
    TenantId, WallTime,
};

/// What a requester asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// Its platform.
    pub tenant: TenantId,
    /// Who pays; never changes.
    pub requester: RequesterId,
    /// `projects/{name}`.
    pub name: ClientId,
    /// What the requester may change, as it is now.
    pub spec: ProjectSpec,
    /// The revision that new leases pin.
    pub revision: Revision,
    /// Whether it grants.
    pub state: ProjectState,
    /// When it came.
    pub created: WallTime,
    /// When it last changed.
    pub updated: WallTime,
    /// Grows with every change of spec or state; the etag.
    pub version: u32,
}

/// Everything a requester sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSpec {
    /// For people.
    pub title: String,
    /// What a lease is granted under.
    pub terms: Terms,
    /// Who may answer.
    pub requirements: Requirements,
    /// Places of a task that names none; with `dynamic`, those it has in any case.
    pub overlap: u16,
    /// More places for such a task while its result is unsure.
    pub dynamic: Option<DynamicOverlap>,
    /// Who chooses the task.
    pub assignment: Assignment,
    /// Payloads larger than this are refused.
    pub payload_bytes_max: u32,
    /// 0 to `TIER_MAX`, 0 goes first; in effect never better than its requester's ceiling.
    pub tier: u8,
    /// Grants a minute; zero: no limit of its own.
    pub grants_per_minute: u32,
    /// How the requirements loosen for tasks that stay; `relaxation::check` holds.
    pub relaxation: Vec<Relaxation>,
    /// The client's own pairs.
    pub labels: Labels,
}

/// Pinned by a lease: what the worker was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// By language tag.
    pub instructions: BTreeMap<String, String>,
    /// What an answer looks like.
    pub schema: Schema,
    /// How answers become a result.
    pub aggregation: Aggregation,
    /// For one counted answer.
    pub reward: Money,
    /// How long a worker may hold a place.
    pub lease: LeasePolicy,
    /// How long one answer takes, as the requester declares.
    pub expected: Option<Millis>,
}

/// How answers become a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// The first counted answer.
    First,
    /// Per field of the schema what most say: the majority of choices, booleans and
    /// texts, of equals the one given first; of options those that more than half
    /// chose; of numbers the median.
    Majority,
    /// Vote per choice field, weighted by how often each worker is known to be right.
    Weighted,
    /// Posterior per choice field under what the finished tasks have taught of its
    /// workers and choices.
    Online,
    /// As `Online` at once; and revised, when all answers of the project together say
    /// otherwise, by smoothed Dawid–Skene.
    Refined,
    /// As `Majority` at once; and revised by plain Dawid–Skene.
    DawidSkene,
    /// None: the result lists the answers and says nothing of its own.
    Collect,
}

impl Aggregation {
    /// Whether what finished tasks teach of the crowd is used for the next one.
    #[must_use]
    pub fn learns(self) -> bool {
        matches!(self, Aggregation::Online | Aggregation::Refined)
    }

    /// Whether results are revised by what all answers of the project say.
    #[must_use]
    pub fn is_refined(self) -> bool {
        matches!(self, Aggregation::Refined | Aggregation::DawidSkene)
    }
}

/// Answers that are bought while a result is unsure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DynamicOverlap {
    /// Answers that are never exceeded; at least the project's overlap.
    pub max: u16,
    /// The confidence at which a task stops buying, in millionths: 1 to 1,000,000.
    pub target_ppm: u32,
}

/// Who chooses the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// The daemon, by its order.
    ServerPicks,
    /// The worker names the task.
    WorkerPicks,
}

/// Whether a project grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectState {
    /// Grants.
    Active,
    /// No grants; live leases go on.
    Paused,
    /// No new tasks; the rest drains.
    Closed,
    /// No grants; a sweep cancels every open task.
    Cancelled {
        /// Live leases end with it.
        revoke_leases: bool,
    },
    /// Gone for its users; a sweep removes its rows.
    Deleting,
}

/// How long a worker may hold a place, and what happens after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasePolicy {
    /// From grant to deadline.
    pub duration: Millis,
    /// From grant to the last deadline that extending can reach.
    pub max_hold: Millis,
    /// Distinct workers who may fail a task in a row.
    pub max_attempts: u32,
    /// What becomes of an answer after the deadline.
    pub late: Late,
    /// What becomes of a late answer that finds the task full.
    pub late_extra: LateExtra,
    /// How long an expired place rests before others get it. Within the domain's cap.
    pub late_grace: Millis,
    /// How long after the deadline an answer is looked at.
    pub late_window: Millis,
}

impl LeasePolicy {
    /// The domain's rules for a lease of this length: hold at least one lease,
    /// grace the smaller of 60 s and 10 %, window one lease and at most 24 h.
    #[must_use]
    pub fn of(duration: Millis) -> LeasePolicy {
        let share = Millis(duration.0 * limits::LATE_GRACE_PERCENT / 100);
        LeasePolicy {
            duration,
            max_hold: limits::HOLD_DEFAULT.max(duration),
            max_attempts: limits::ATTEMPTS_DEFAULT,
            late: Late::UntilReplaced,
            late_extra: LateExtra::Refuse,
            late_grace: limits::LATE_GRACE_MAX.min(share),
            late_window: limits::LATE_WINDOW_MAX.min(duration),
        }
    }
}

/// What becomes of an answer after the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// It counts until somebody else holds the place.
    UntilReplaced,
    /// It is refused: the window is zero.
    Refuse,
}

/// What becomes of a late answer that finds the task full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateExtra {
    /// Refused.
    Refuse,
    /// Kept and paid, not counted.
    KeepPayable,
    /// Kept, neither paid nor counted.
    KeepUnpaid,
}

/// Who may answer. Checked at the grant, never later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements {
    /// Every one of these, at least at this level.
    pub skills: BTreeMap<String, u8>,
    /// Accuracy in all skill areas together at least this many points, 0 to 100;
    /// newcomers follow their own rule.
    pub min_rating: u8,
    /// Which accuracy that is.
    pub rating_basis: Basis,
    /// Empty: all kinds.
    pub kinds: Vec<WorkerKind>,
    /// Empty: everywhere.
    pub regions: Vec<String>,
    /// Answers and live leases of one worker; zero: no quota.
    pub quota_per_worker: u32,
    /// For workers with fewer than ten judged answers.
    pub newcomers: Newcomers,
}

/// What a project with a minimum rating does with newcomers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newcomers {
    /// They work like others; the minimum rating waits for evidence.
    #[default]
    Welcome,
    /// They hold at most this many leases of the project.
    Limit(u32),
    /// They get nothing.
    Refuse,
}

/// A project's maintained counts and counters: never scanned, always exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProjectTally {
    /// Which project.
    pub project: ProjectId,
    /// Number of the newest task.
    pub last_task: TaskNumber,
    /// Newest sequence of its log.
    pub last_sequence: Sequence,
    /// Tasks in state OPEN.
    pub open: u64,
    /// Tasks in state DONE.
    pub done: u64,
    /// Tasks in state FAILED.
    pub failed: u64,
    /// Tasks in state CANCELLED.
    pub cancelled: u64,
    /// Tasks whose result the requester gave. Such tables of an earlier release count
    /// from zero.
    pub resolved: u64,
    /// Live leases.
    pub live: u64,
    /// Leases ever granted.
    pub granted: u64,
    /// Leases that ran out.
    pub expired: u64,
    /// Leases given back, for whatever reason.
    pub returned: u64,
    /// Leases revoked.
    pub revoked: u64,
    /// Answers that count.
    pub counted: u64,
    /// Of these, given after the deadline.
    pub counted_late: u64,
    /// Answers kept and not counted.
    pub kept: u64,
    /// Micro-units of the reward's currency owed for answers.
    pub payable_micros: i64,
    /// Grows with every grant; among a requester's projects of a tier the smallest
    /// goes first.
    pub virtual_time: u64,
    /// Its requester's virtual time in the project's tier after its last grant. The
    /// requester's is the largest of its projects'.
    pub requester_time: u64,
    /// Since when it has waited for a grant: its last one, or when it got places.
    pub waiting_since: EngineTime,
    /// Three answers in four took at most so many milliseconds; zero: not yet known.
    pub p75_ms: u64,
    /// Half of the answers took at most so many milliseconds; zero: not yet known.
    pub p50_ms: u64,
}

/// A sweep that a flag started: bounded steps, durable progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Of which project.
    pub project: ProjectId,
    /// The next task it looks at.
    pub next: TaskNumber,
    /// When the flag was set.
    pub since: EngineTime,
}
