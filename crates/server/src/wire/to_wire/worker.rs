//! Workers as the platform sees them.
//!
//! Not here: their ratings (`rating.rs`).

use piecework_core::worker::{Skill, SkillSource, Worker, WorkerRecord, WorkerState};
use piecework_core::{ClientId, WallTime};
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::{kind, rating, timestamp};

/// A worker as it is now. `requester`: name of its own account. `live`: leases.
pub(crate) fn worker(
    worker: Worker,
    record: &WorkerRecord,
    requester: Option<&ClientId>,
    live: usize,
) -> v1::Worker {
    let spec = worker.spec;
    let (state, suspend_reason) = match worker.state {
        WorkerState::Active => (v1::WorkerState::Active, String::new()),
        WorkerState::Suspended { reason } => (v1::WorkerState::Suspended, reason),
    };
    v1::Worker {
        name: names::of_worker(&worker.name),
        kind: kind(spec.kind).into(),
        skills: worker.skills.iter().map(|(name, of)| skill(name, of)).collect(),
        region: spec.region,
        capacity: spec.capacity.unwrap_or(0),
        identity_cluster: spec.identity_cluster,
        requester: requester.map(names::of_requester).unwrap_or_default(),
        labels: spec.labels,
        state: state.into(),
        suspend_reason,
        rating: Some(rating::published(&record.rating.published)),
        live_leases: u32::try_from(live).unwrap_or(u32::MAX),
        create_time: Some(timestamp(worker.created)),
        // Not remembered yet.
        update_time: None,
        etag: worker.version.to_string(),
    }
}

/// A skill with its level, source and end.
pub(crate) fn skill(name: &str, skill: &Skill) -> v1::Skill {
    let source = match skill.source {
        SkillSource::Granted => v1::SkillSource::Granted,
        SkillSource::Test => v1::SkillSource::Test,
        SkillSource::Computed => v1::SkillSource::Computed,
    };
    granted(name, skill.level, source, skill.expires)
}

/// A skill from its parts.
pub(crate) fn granted(
    name: &str,
    level: u8,
    source: v1::SkillSource,
    expires: Option<WallTime>,
) -> v1::Skill {
    v1::Skill {
        skill: name.to_owned(),
        level: level.into(),
        source: source.into(),
        expire_time: expires.map(timestamp),
    }
}
