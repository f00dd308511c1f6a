//! Projects as clients see them, and their counts.

use piecework_core::outcome::ProjectStats;
use piecework_core::project::{
    Aggregation, Assignment, Late, LateExtra, LeasePolicy, Newcomers, Project, ProjectState,
    ProjectTally, Requirements,
};
use piecework_core::relaxation::Relaxation;
use piecework_core::schema::{FieldKind, Finite, Schema};
use piecework_core::{ClientId, Money};
use piecework_proto::v1;

use crate::refiner::Refined;
use crate::wire::names;
use crate::wire::to_wire::{duration, kind, money, rating, timestamp};

/// A project as it is now. `requester`: its owner's name.
pub(crate) fn project(project: Project, requester: &ClientId) -> v1::Project {
    let spec = project.spec;
    let terms = spec.terms;
    v1::Project {
        name: names::of_project(&project.name),
        requester: names::of_requester(requester),
        title: spec.title,
        instructions: terms.instructions,
        schema: schema(&terms.schema),
        newcomers: Some(newcomers(spec.requirements.newcomers)),
        requirements: Some(requirements(spec.requirements)),
        overlap: spec.overlap.into(),
        aggregation: aggregation(terms.aggregation).into(),
        lease_policy: Some(lease_policy(terms.lease)),
        assignment: assignment(spec.assignment).into(),
        reward: money(terms.reward),
        payload_bytes_max: spec.payload_bytes_max,
        expected_duration: terms.expected.map(duration),
        labels: spec.labels,
        state: state(project.state).into(),
        revision: project.revision.0,
        create_time: Some(timestamp(project.created)),
        update_time: Some(timestamp(project.updated)),
        etag: project.version.to_string(),
        tier: Some(spec.tier.into()),
        grants_per_minute: spec.grants_per_minute,
        relaxation: spec.relaxation.into_iter().map(relaxation).collect(),
        dynamic_overlap: spec.dynamic.map(|dynamic| v1::DynamicOverlap {
            max: dynamic.max.into(),
            target_confidence: Some(f64::from(dynamic.target_ppm) / 1e6),
        }),
    }
}

/// A project's counts.
pub(crate) fn stats(stats: &ProjectStats, refined: Option<Refined>) -> v1::ProjectStats {
    let tally = &stats.tally;
    let currency = stats.project.spec.terms.reward.currency;
    v1::ProjectStats {
        project: names::of_project(&stats.project.name),
        tasks: Some(counts(tally)),
        untouched: stats.untouched,
        live_leases: tally.live,
        counted: tally.counted,
        counted_late: tally.counted_late,
        kept: tally.kept,
        expiries: tally.expired,
        returns: tally.returned,
        oldest_ready_age: stats.oldest_ready.map(duration),
        payable: money(Money { micros: tally.payable_micros, currency }),
        forecast: None,
        relaxation_step: stats.relaxation_step.into(),
        refinement: refined.map(|refined| v1::Refinement {
            answers: refined.answers,
            pending_answers: tally.counted.saturating_sub(refined.answers),
            rounds: refined.rounds,
            took: prost_types::Duration::try_from(refined.took).ok(),
        }),
    }
}

/// `None`: any bytes are an answer.
pub(crate) fn schema(schema: &Schema) -> Option<v1::AnswerSchema> {
    let fields = schema.fields.iter().map(|field| {
        let mut message = v1::AnswerField {
            name: field.name.clone(),
            choices: field.kind.choices().to_vec(),
            required: field.required,
            ..v1::AnswerField::default()
        };
        let kind = match &field.kind {
            FieldKind::Choice(_) => v1::AnswerFieldKind::Choice,
            FieldKind::MultiChoice(_) => v1::AnswerFieldKind::MultiChoice,
            FieldKind::Boolean => v1::AnswerFieldKind::Boolean,
            FieldKind::Number { tolerance, least, most } => {
                message.tolerance = tolerance.get();
                message.least = least.map(Finite::get);
                message.most = most.map(Finite::get);
                v1::AnswerFieldKind::Number
            }
            FieldKind::Text => v1::AnswerFieldKind::Text,
            FieldKind::Free => v1::AnswerFieldKind::Free,
        };
        message.kind = kind.into();
        message
    });
    (!schema.fields.is_empty()).then(|| v1::AnswerSchema { fields: fields.collect() })
}

/// Whether a project grants.
pub(crate) fn state(state: ProjectState) -> v1::ProjectState {
    match state {
        ProjectState::Active => v1::ProjectState::Active,
        ProjectState::Paused => v1::ProjectState::Paused,
        ProjectState::Closed => v1::ProjectState::Closed,
        ProjectState::Cancelled { .. } => v1::ProjectState::Cancelled,
        ProjectState::Deleting => v1::ProjectState::Deleting,
    }
}

fn counts(tally: &ProjectTally) -> v1::TaskCounts {
    v1::TaskCounts {
        open: tally.open,
        done: tally.done,
        failed: tally.failed,
        cancelled: tally.cancelled,
    }
}

fn requirements(requirements: Requirements) -> v1::Requirements {
    let skill =
        |(skill, level): (String, u8)| v1::SkillRequirement { skill, min_level: level.into() };
    v1::Requirements {
        skills: requirements.skills.into_iter().map(skill).collect(),
        min_rating: requirements.min_rating.into(),
        regions: requirements.regions,
        kinds: requirements.kinds.into_iter().map(|k| kind(k).into()).collect(),
        quota_per_worker: requirements.quota_per_worker,
        rating_basis: rating::basis(requirements.rating_basis).into(),
    }
}

fn relaxation(step: Relaxation) -> v1::Relaxation {
    let requirements = Some(requirements(step.requirements));
    v1::Relaxation { after: Some(duration(step.after)), requirements }
}

fn newcomers(newcomers: Newcomers) -> v1::Newcomers {
    let (mode, max_live) = match newcomers {
        Newcomers::Welcome => (v1::NewcomerMode::Welcome, 0),
        Newcomers::Limit(max_live) => (v1::NewcomerMode::Limit, max_live),
        Newcomers::Refuse => (v1::NewcomerMode::Refuse, 0),
    };
    v1::Newcomers { mode: mode.into(), max_live }
}

fn aggregation(aggregation: Aggregation) -> v1::Aggregation {
    match aggregation {
        Aggregation::First => v1::Aggregation::First,
        Aggregation::Majority => v1::Aggregation::Majority,
        Aggregation::Weighted => v1::Aggregation::Weighted,
        Aggregation::Online => v1::Aggregation::Online,
        Aggregation::Refined => v1::Aggregation::Refined,
        Aggregation::DawidSkene => v1::Aggregation::DawidSkene,
        Aggregation::Collect => v1::Aggregation::Collect,
    }
}

/// Who chooses the task.
pub(crate) fn assignment(assignment: Assignment) -> v1::Assignment {
    match assignment {
        Assignment::ServerPicks => v1::Assignment::ServerPicks,
        Assignment::WorkerPicks => v1::Assignment::WorkerPicks,
    }
}

fn lease_policy(policy: LeasePolicy) -> v1::LeasePolicy {
    let late = match policy.late {
        Late::UntilReplaced => v1::LatePolicy::UntilReplaced,
        Late::Refuse => v1::LatePolicy::Refuse,
    };
    let late_extra = match policy.late_extra {
        LateExtra::Refuse => v1::LateExtra::Refuse,
        LateExtra::KeepPayable => v1::LateExtra::KeepPayable,
        LateExtra::KeepUnpaid => v1::LateExtra::KeepUnpaid,
    };
    v1::LeasePolicy {
        duration: Some(duration(policy.duration)),
        max_hold: Some(duration(policy.max_hold)),
        max_attempts: policy.max_attempts,
        late: late.into(),
        late_window: Some(duration(policy.late_window)),
        late_extra: late_extra.into(),
        late_grace: Some(duration(policy.late_grace)),
    }
}
