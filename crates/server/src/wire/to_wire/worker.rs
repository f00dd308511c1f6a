//! Workers as the platform sees them, and their ratings.

use piecework_core::limits::NEWCOMER_JUDGED;
use piecework_core::quality::rating_milli;
use piecework_core::worker::{Skill, SkillSource, Worker, WorkerRecord, WorkerState};
use piecework_core::{ClientId, WallTime};
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::{kind, timestamp};

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
        rating: Some(rating(record)),
        live_leases: u32::try_from(live).unwrap_or(u32::MAX),
        create_time: Some(timestamp(worker.created)),
        // Not remembered yet.
        update_time: None,
        etag: worker.version.to_string(),
    }
}

/// What the daemon makes of a worker's record, as last published: told after
/// each answer, it would tell which were right.
pub(crate) fn rating(record: &WorkerRecord) -> v1::Rating {
    let WorkerRecord { published, published_agreed, .. } = *record;
    rating_of(rating_milli(published, published_agreed), published, published_agreed)
}

/// `milli`: thousandths of a point.
pub(crate) fn rating_of(milli: u32, judged: u32, agreed: u32) -> v1::Rating {
    v1::Rating {
        overall: f64::from(milli) / 1000.0,
        judged_answers: judged,
        agreed_answers: agreed,
        newcomer: judged < NEWCOMER_JUDGED,
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
