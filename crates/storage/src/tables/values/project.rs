//! Projects, their counts and sweeps.

use std::collections::BTreeMap;

use bytes::Bytes;
use piecework_core::limits::TIER_DEFAULT;
use piecework_core::project::{
    Assignment, DynamicOverlap, Newcomers, Project, ProjectSpec, ProjectState, ProjectTally,
    Requirements, Sweep,
};
use piecework_core::quality::Basis;
use piecework_core::relaxation::Relaxation;
use piecework_core::{
    EngineTime, Millis, ProjectId, RequesterId, Revision, Sequence, TaskNumber, TenantId, WallTime,
};
use piecework_proto::storage::v1 as pb;

use super::requester::{read_pairs, write_pairs};
use super::terms::{read_terms, write_terms};
use super::worker::{read_kind, write_kind};
use super::{Misread, client_id, have, narrow, parse};

pub(crate) fn write_project(project: &Project) -> pb::Project {
    let spec = &project.spec;
    let assignment = match spec.assignment {
        Assignment::ServerPicks => pb::Assignment::ServerPicks,
        Assignment::WorkerPicks => pb::Assignment::WorkerPicks,
    };
    let (state, revoke_leases) = match project.state {
        ProjectState::Active => (pb::ProjectState::Active, false),
        ProjectState::Paused => (pb::ProjectState::Paused, false),
        ProjectState::Closed => (pb::ProjectState::Closed, false),
        ProjectState::Cancelled { revoke_leases } => (pb::ProjectState::Cancelled, revoke_leases),
        ProjectState::Deleting => (pb::ProjectState::Deleting, false),
    };
    pb::Project {
        requester: project.requester.0,
        name: project.name.as_str().to_owned(),
        title: spec.title.clone(),
        terms: Some(write_terms(&spec.terms)),
        requirements: Some(write_requirements(&spec.requirements)),
        overlap: spec.overlap.into(),
        dynamic: spec.dynamic.map(|dynamic| pb::DynamicOverlap {
            max: dynamic.max.into(),
            target_ppm: dynamic.target_ppm,
        }),
        assignment: assignment.into(),
        payload_bytes_max: spec.payload_bytes_max,
        labels: write_pairs(&spec.labels),
        revision: project.revision.0,
        state: state.into(),
        revoke_leases,
        created_wall_ms: project.created.0,
        updated_wall_ms: project.updated.0,
        version: project.version,
        tier: (spec.tier != TIER_DEFAULT).then(|| spec.tier.into()),
        grants_per_minute: spec.grants_per_minute,
        relaxation: spec.relaxation.iter().map(write_relaxation).collect(),
    }
}

pub(crate) fn read_project(
    tenant: TenantId,
    id: ProjectId,
    message: pb::Project,
) -> Result<Project, Misread> {
    let assignment = match message.assignment() {
        pb::Assignment::ServerPicks => Some(Assignment::ServerPicks),
        pb::Assignment::WorkerPicks => Some(Assignment::WorkerPicks),
        pb::Assignment::Unspecified => None,
    };
    let revoke_leases = message.revoke_leases;
    let state = match message.state() {
        pb::ProjectState::Active => Some(ProjectState::Active),
        pb::ProjectState::Paused => Some(ProjectState::Paused),
        pb::ProjectState::Closed => Some(ProjectState::Closed),
        pb::ProjectState::Cancelled => Some(ProjectState::Cancelled { revoke_leases }),
        pb::ProjectState::Deleting => Some(ProjectState::Deleting),
        pb::ProjectState::Unspecified => None,
    };
    let relaxation = message.relaxation.into_iter().map(read_relaxation);
    Ok(Project {
        id,
        tenant,
        requester: RequesterId(message.requester),
        name: client_id("name", &message.name)?,
        spec: ProjectSpec {
            title: message.title,
            terms: read_terms(have("terms", message.terms)?)?,
            requirements: read_requirements(have("requirements", message.requirements)?)?,
            overlap: narrow("overlap", message.overlap)?,
            dynamic: message.dynamic.map(read_dynamic).transpose()?,
            assignment: have("assignment", assignment)?,
            payload_bytes_max: message.payload_bytes_max,
            tier: message.tier.map_or(Ok(TIER_DEFAULT), |tier| narrow("tier", tier))?,
            grants_per_minute: message.grants_per_minute,
            relaxation: relaxation.collect::<Result<_, _>>()?,
            labels: read_pairs(message.labels),
        },
        revision: Revision(message.revision),
        state: have("state", state)?,
        created: WallTime(message.created_wall_ms),
        updated: WallTime(message.updated_wall_ms),
        version: message.version,
    })
}

/// The name of a project: its derived row.
pub(crate) fn read_project_name(key: &[u8], value: &Bytes) -> Result<String, Misread> {
    let message: pb::Project = parse(key, value)?;
    Ok(message.name)
}

fn write_relaxation(step: &Relaxation) -> pb::Relaxation {
    let requirements = Some(write_requirements(&step.requirements));
    pb::Relaxation { after_ms: step.after.0, requirements }
}

fn read_relaxation(message: pb::Relaxation) -> Result<Relaxation, Misread> {
    let requirements = have("relaxation.requirements", message.requirements)?;
    let requirements = read_requirements(requirements)?;
    Ok(Relaxation { after: Millis(message.after_ms), requirements })
}

fn write_requirements(requirements: &Requirements) -> pb::Requirements {
    let skill = |(skill, &level): (&String, &u8)| pb::SkillLevel {
        skill: skill.clone(),
        level: level.into(),
    };
    let (newcomers, newcomer_leases) = match requirements.newcomers {
        Newcomers::Welcome => (pb::NewcomerRule::Welcome, 0),
        Newcomers::Limit(leases) => (pb::NewcomerRule::Limit, leases),
        Newcomers::Refuse => (pb::NewcomerRule::Refuse, 0),
    };
    pb::Requirements {
        skills: requirements.skills.iter().map(skill).collect(),
        min_rating: requirements.min_rating.into(),
        kinds: requirements.kinds.iter().map(|&kind| write_kind(kind).into()).collect(),
        regions: requirements.regions.clone(),
        quota_per_worker: requirements.quota_per_worker,
        newcomers: newcomers.into(),
        newcomer_leases,
        rating_lower_bound: requirements.rating_basis == Basis::LowerBound,
    }
}

fn read_requirements(message: pb::Requirements) -> Result<Requirements, Misread> {
    let newcomers = match message.newcomers() {
        pb::NewcomerRule::Welcome => Some(Newcomers::Welcome),
        pb::NewcomerRule::Limit => Some(Newcomers::Limit(message.newcomer_leases)),
        pb::NewcomerRule::Refuse => Some(Newcomers::Refuse),
        pb::NewcomerRule::Unspecified => None,
    };
    let kinds = message.kinds().map(|kind| read_kind("requirements.kinds", kind));
    let kinds = kinds.collect::<Result<_, _>>()?;
    let mut skills = BTreeMap::new();
    for pair in message.skills {
        skills.insert(pair.skill, narrow("requirements.skills", pair.level)?);
    }
    let rating_basis = match message.rating_lower_bound {
        true => Basis::LowerBound,
        false => Basis::Mean,
    };
    Ok(Requirements {
        skills,
        min_rating: narrow("requirements.min_rating", message.min_rating)?,
        rating_basis,
        kinds,
        regions: message.regions,
        quota_per_worker: message.quota_per_worker,
        newcomers: have("requirements.newcomers", newcomers)?,
    })
}

pub(crate) fn write_tally(tally: &ProjectTally) -> pb::ProjectTally {
    pb::ProjectTally {
        last_task: tally.last_task.0,
        last_sequence: tally.last_sequence.0,
        open: tally.open,
        done: tally.done,
        failed: tally.failed,
        cancelled: tally.cancelled,
        live: tally.live,
        granted: tally.granted,
        expired: tally.expired,
        returned: tally.returned,
        revoked: tally.revoked,
        counted: tally.counted,
        counted_late: tally.counted_late,
        kept: tally.kept,
        payable_micros: tally.payable_micros,
        virtual_time: tally.virtual_time,
        requester_time: tally.requester_time,
        waiting_since_engine_ms: tally.waiting_since.0,
        p75_ms: tally.p75_ms,
        p50_ms: tally.p50_ms,
        resolved: tally.resolved,
    }
}

pub(crate) fn read_tally(project: ProjectId, message: pb::ProjectTally) -> ProjectTally {
    ProjectTally {
        project,
        last_task: TaskNumber(message.last_task),
        last_sequence: Sequence(message.last_sequence),
        open: message.open,
        done: message.done,
        failed: message.failed,
        cancelled: message.cancelled,
        live: message.live,
        granted: message.granted,
        expired: message.expired,
        returned: message.returned,
        revoked: message.revoked,
        counted: message.counted,
        counted_late: message.counted_late,
        kept: message.kept,
        payable_micros: message.payable_micros,
        virtual_time: message.virtual_time,
        requester_time: message.requester_time,
        waiting_since: EngineTime(message.waiting_since_engine_ms),
        p75_ms: message.p75_ms,
        p50_ms: message.p50_ms,
        resolved: message.resolved,
    }
}

pub(crate) fn write_sweep(sweep: Sweep) -> pb::Sweep {
    pb::Sweep { next: sweep.next.0, since_engine_ms: sweep.since.0 }
}

pub(crate) fn read_sweep(project: ProjectId, message: pb::Sweep) -> Sweep {
    Sweep { project, next: TaskNumber(message.next), since: EngineTime(message.since_engine_ms) }
}

fn read_dynamic(message: pb::DynamicOverlap) -> Result<DynamicOverlap, Misread> {
    let max = narrow("dynamic.max", message.max)?;
    Ok(DynamicOverlap { max, target_ppm: message.target_ppm })
}
