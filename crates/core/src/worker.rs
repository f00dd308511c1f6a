//! A worker, its skills, its record.
//!
//! Not here: what a record means for matching (`matching/eligibility.rs`) and
//! how answers are judged (`quality`).

use std::collections::BTreeMap;

use crate::quality::Rating;
use crate::requester::Labels;
use crate::{
    ClientId, EngineTime, Fingerprint, LeaseId, ProjectId, RequesterId, TenantId, WallTime,
    WorkerId,
};

/// A person or an AI model, under a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its number.
    pub id: WorkerId,
    /// Its platform.
    pub tenant: TenantId,
    /// `workers/{name}`.
    pub name: ClientId,
    /// What the platform sets.
    pub spec: WorkerSpec,
    /// By name of the skill.
    pub skills: BTreeMap<String, Skill>,
    /// Whether it may work.
    pub state: WorkerState,
    /// When it came.
    pub created: WallTime,
    /// Grows with every change of spec, skills or state; the etag.
    pub version: u32,
}

/// What the platform sets of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSpec {
    /// A person or a model.
    pub kind: WorkerKind,
    /// Where it is, as the platform writes regions; empty: unknown.
    pub region: String,
    /// What it works on; empty: unknown.
    pub device: String,
    /// Leases it may hold; `None`: the daemon's defaults.
    pub capacity: Option<u32>,
    /// Accounts of one person share this; empty: none.
    pub identity_cluster: String,
    /// Its own requester account, whose tasks it never gets.
    pub requester: Option<RequesterId>,
    /// The client's own pairs.
    pub labels: Labels,
}

/// A person or a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkerKind {
    /// A person.
    Human,
    /// An AI model.
    Ai,
}

/// Whether a worker may work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    /// It may.
    Active,
    /// It may not.
    Suspended {
        /// What the platform said.
        reason: String,
    },
}

/// A named ability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// 0 to 100.
    pub level: u8,
    /// Where it came from.
    pub source: SkillSource,
    /// From then on it does not count.
    pub expires: Option<WallTime>,
}

/// Where a skill came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkillSource {
    /// The platform said so.
    Granted,
    /// A qualification test was passed.
    Test,
    /// The engine computed it.
    Computed,
}

/// What the engine remembers of a worker's behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerRecord {
    /// Whose.
    pub worker: WorkerId,
    /// What its answers are worth, in all skill areas together.
    pub rating: Rating,
    /// Leases that ran out since the last answer.
    pub expiries_in_a_row: u32,
    /// DECLINED returns since the last answer.
    pub declines_in_a_row: u32,
    /// Gets nothing before this.
    pub cool_until: EngineTime,
    /// Idle since then: restarts at grant, return and expiry.
    pub idle_since: EngineTime,
    /// Number of the newest `Lease` request that granted something.
    pub last_request: u32,
    /// Answers taken, counted or kept.
    pub answers: u32,
}

/// What a worker's answers are worth in one skill area: the projects that ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillRating {
    /// Whose.
    pub worker: WorkerId,
    /// Name of the skill.
    pub skill: String,
    /// The same as for all areas together.
    pub rating: Rating,
}

/// A `Lease` call that granted something: its retry gets the same leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Whose.
    pub worker: WorkerId,
    /// The how-manieth granting call of this worker, from 1.
    pub number: u32,
    /// As the worker named it.
    pub request_id: ClientId,
    /// Of what it asked for; another content under the same id is refused.
    pub content: Fingerprint,
    /// What it got.
    pub leases: Vec<LeaseId>,
}

/// How much a worker has done in a project: for quotas and newcomer limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkTally {
    /// Whose.
    pub worker: WorkerId,
    /// In which project.
    pub project: ProjectId,
    /// Answers taken, counted or kept.
    pub answers: u32,
    /// Three answers in four took at most so many milliseconds; zero: not yet known.
    pub p75_ms: u64,
}
