//! Workers, their skills, records, granting calls and counts.

use std::collections::BTreeMap;

use piecework_core::worker::{
    LeaseRequest, Skill, SkillSource, WorkTally, Worker, WorkerKind, WorkerRecord, WorkerSpec,
    WorkerState,
};
use piecework_core::{EngineTime, ProjectId, RequesterId, TenantId, WallTime, WorkerId};
use piecework_proto::storage::v1 as pb;

use super::lease::{read_lease_name, write_lease_name};
use super::rating::{counts_alone, of_counts, read_rating, write_rating};
use super::requester::{read_pairs, write_pairs};
use super::{Misread, client_id, halves, have, narrow, whole};

pub(super) fn write_kind(kind: WorkerKind) -> pb::WorkerKind {
    match kind {
        WorkerKind::Human => pb::WorkerKind::Human,
        WorkerKind::Ai => pb::WorkerKind::Ai,
    }
}

pub(super) fn read_kind(field: &'static str, kind: pb::WorkerKind) -> Result<WorkerKind, Misread> {
    match kind {
        pb::WorkerKind::Human => Ok(WorkerKind::Human),
        pb::WorkerKind::Ai => Ok(WorkerKind::Ai),
        pb::WorkerKind::Unspecified => Err(Misread::Field { field }),
    }
}

pub(crate) fn write_worker(worker: &Worker) -> pb::Worker {
    let spec = &worker.spec;
    let suspended = match &worker.state {
        WorkerState::Active => None,
        WorkerState::Suspended { reason } => Some(reason.clone()),
    };
    pb::Worker {
        name: worker.name.as_str().to_owned(),
        kind: write_kind(spec.kind).into(),
        region: spec.region.clone(),
        device: spec.device.clone(),
        capacity: spec.capacity,
        identity_cluster: spec.identity_cluster.clone(),
        requester: spec.requester.map(|requester| requester.0),
        labels: write_pairs(&spec.labels),
        skills: worker.skills.iter().map(write_skill).collect(),
        suspended,
        created_wall_ms: worker.created.0,
        version: worker.version,
    }
}

pub(crate) fn read_worker(
    tenant: TenantId,
    id: WorkerId,
    message: pb::Worker,
) -> Result<Worker, Misread> {
    let kind = read_kind("kind", message.kind())?;
    let mut skills = BTreeMap::new();
    for skill in message.skills {
        let read = read_skill(&skill)?;
        skills.insert(skill.name, read);
    }
    let state = match message.suspended {
        None => WorkerState::Active,
        Some(reason) => WorkerState::Suspended { reason },
    };
    Ok(Worker {
        id,
        tenant,
        name: client_id("name", &message.name)?,
        spec: WorkerSpec {
            kind,
            region: message.region,
            device: message.device,
            capacity: message.capacity,
            identity_cluster: message.identity_cluster,
            requester: message.requester.map(RequesterId),
            labels: read_pairs(message.labels),
        },
        skills,
        state,
        created: WallTime(message.created_wall_ms),
        version: message.version,
    })
}

fn write_skill((name, skill): (&String, &Skill)) -> pb::Skill {
    let source = match skill.source {
        SkillSource::Granted => pb::SkillSource::Granted,
        SkillSource::Test => pb::SkillSource::Test,
        SkillSource::Computed => pb::SkillSource::Computed,
    };
    pb::Skill {
        name: name.clone(),
        level: skill.level.into(),
        source: source.into(),
        expires_wall_ms: skill.expires.map(|expires| expires.0),
    }
}

fn read_skill(message: &pb::Skill) -> Result<Skill, Misread> {
    let source = match message.source() {
        pb::SkillSource::Granted => Some(SkillSource::Granted),
        pb::SkillSource::Test => Some(SkillSource::Test),
        pb::SkillSource::Computed => Some(SkillSource::Computed),
        pb::SkillSource::Unspecified => None,
    };
    Ok(Skill {
        level: narrow("skills.level", message.level)?,
        source: have("skills.source", source)?,
        expires: message.expires_wall_ms.map(WallTime),
    })
}

pub(crate) fn write_worker_record(record: &WorkerRecord) -> pb::WorkerRecord {
    let (counts, rating) = match counts_alone(record) {
        Some(counts) => (counts, None),
        None => (Default::default(), Some(write_rating(&record.rating))),
    };
    pb::WorkerRecord {
        judged: counts.0,
        agreed: counts.1,
        published: counts.2,
        published_agreed: counts.3,
        expiries_in_a_row: record.expiries_in_a_row,
        declines_in_a_row: record.declines_in_a_row,
        cool_until_engine_ms: record.cool_until.0,
        idle_since_engine_ms: record.idle_since.0,
        last_request: record.last_request,
        answers: record.answers,
        rating,
    }
}

pub(crate) fn read_worker_record(worker: WorkerId, message: pb::WorkerRecord) -> WorkerRecord {
    let idle_since = EngineTime(message.idle_since_engine_ms);
    let counts = (message.judged, message.agreed);
    let published = (message.published, message.published_agreed);
    let rating =
        message.rating.map_or_else(|| of_counts(counts, published, idle_since), read_rating);
    WorkerRecord {
        worker,
        rating,
        expiries_in_a_row: message.expiries_in_a_row,
        declines_in_a_row: message.declines_in_a_row,
        cool_until: EngineTime(message.cool_until_engine_ms),
        idle_since,
        last_request: message.last_request,
        answers: message.answers,
    }
}

pub(crate) fn write_lease_request(request: &LeaseRequest) -> pb::LeaseRequest {
    let (content_low, content_high) = halves(request.content);
    pb::LeaseRequest {
        request_id: request.request_id.as_str().to_owned(),
        content_low,
        content_high,
        leases: request.leases.iter().map(|&lease| write_lease_name(lease)).collect(),
    }
}

pub(crate) fn read_lease_request(
    worker: WorkerId,
    number: u32,
    message: pb::LeaseRequest,
) -> Result<LeaseRequest, Misread> {
    Ok(LeaseRequest {
        worker,
        number,
        request_id: client_id("request_id", &message.request_id)?,
        content: whole(message.content_low, message.content_high),
        leases: message.leases.into_iter().map(read_lease_name).collect(),
    })
}

pub(crate) fn write_work_tally(tally: WorkTally) -> pb::WorkTally {
    pb::WorkTally { answers: tally.answers, p75_ms: tally.p75_ms }
}

pub(crate) fn read_work_tally(
    project: ProjectId,
    worker: WorkerId,
    message: pb::WorkTally,
) -> WorkTally {
    WorkTally { worker, project, answers: message.answers, p75_ms: message.p75_ms }
}
