//! Tasks: what a requester wrote, and what became of it.

use piecework_core::image::SpecRow;
use piecework_core::task::{FailureCause, Said, TaskOrder, TaskRecord, TaskSpec, TaskState};
use piecework_core::{EngineTime, Fingerprint, Millis, Sequence, TaskId, WallTime, WorkerId};
use piecework_proto::storage::v1 as pb;

use super::super::together::TaskTitle;
use super::requester::{read_pairs, write_pairs};
use super::{Misread, client_id, halves, have, narrow, whole};

fn write_order(order: &TaskOrder) -> pb::TaskOrder {
    pb::TaskOrder {
        priority: order.priority.into(),
        deadline_wall_ms: order.deadline.map(|deadline| deadline.0),
        wanted: order.wanted.into(),
        most: order.most.into(),
        ready_at_engine_ms: order.ready_at.0,
        size_class: order.size_class.into(),
        duration_class: order.duration_class.into(),
    }
}

/// A spec's order is written without its classes: payload and duration say them.
fn write_spec_order(order: &TaskOrder) -> pb::TaskOrder {
    write_order(&TaskOrder { size_class: 0, duration_class: 0, ..*order })
}

fn read_order(message: Option<pb::TaskOrder>) -> Result<TaskOrder, Misread> {
    let message = have("order", message)?;
    Ok(TaskOrder {
        priority: narrow("order.priority", message.priority)?,
        deadline: message.deadline_wall_ms.map(WallTime),
        wanted: narrow("order.wanted", message.wanted)?,
        most: narrow("order.most", message.most)?,
        ready_at: EngineTime(message.ready_at_engine_ms),
        size_class: narrow("order.size_class", message.size_class)?,
        duration_class: narrow("order.duration_class", message.duration_class)?,
    })
}

fn read_spec_order(message: &mut pb::TaskSpec) -> Result<TaskOrder, Misread> {
    Ok(TaskOrder {
        size_class: TaskOrder::size_class(message.payload.len()),
        duration_class: TaskOrder::duration_class(message.expected_ms.map(Millis)),
        ..read_order(message.order.take())?
    })
}

pub(crate) fn write_spec(spec: &TaskSpec) -> pb::TaskSpec {
    let (content_low, content_high) = halves(spec.content);
    pb::TaskSpec {
        name: spec.name.as_ref().map(|name| name.as_str().to_owned()),
        payload: spec.payload.clone().into(),
        content_type: spec.content_type.clone(),
        labels: write_pairs(&spec.labels),
        expected_ms: spec.expected.map(|expected| expected.0),
        order: Some(write_spec_order(&spec.order)),
        content_low,
        content_high,
        created_wall_ms: spec.created.0,
    }
}

pub(crate) fn read_spec(id: TaskId, mut message: pb::TaskSpec) -> Result<TaskSpec, Misread> {
    let order = read_spec_order(&mut message)?;
    Ok(TaskSpec {
        id,
        name: message.name.map(|name| client_id("name", &name)).transpose()?,
        payload: message.payload.into(),
        content_type: message.content_type,
        labels: read_pairs(message.labels),
        expected: message.expected_ms.map(Millis),
        order,
        content: whole(message.content_low, message.content_high),
        created: WallTime(message.created_wall_ms),
    })
}

/// What the engine keeps of a spec: its name as the engine looks for it.
pub(crate) fn read_spec_row(id: TaskId, mut message: pb::TaskSpec) -> Result<SpecRow, Misread> {
    let order = read_spec_order(&mut message)?;
    let content = whole(message.content_low, message.content_high);
    let name = message.name.map(|name| (Fingerprint::of(&[name.as_bytes()]), content));
    Ok(SpecRow { task: id, order, name })
}

/// What a spec is called: a reader of results need not hold payloads.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Title {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(message, repeated, tag = "4")]
    labels: Vec<pb::TextPair>,
}

pub(crate) fn read_title(message: Title) -> Result<TaskTitle, Misread> {
    let name = message.name.map(|name| client_id("name", &name)).transpose()?;
    Ok(TaskTitle { name, labels: read_pairs(message.labels) })
}

/// Which result of a task is the newest.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct NewestResult {
    #[prost(uint32, tag = "10")]
    revision: u32,
}

pub(crate) fn read_newest_revision(message: NewestResult) -> u32 {
    message.revision
}

pub(crate) fn write_record(record: &TaskRecord) -> pb::TaskRecord {
    pb::TaskRecord {
        order: Some(write_order(&record.order)),
        state: Some(write_state(record.state)),
        last_lease: record.last_lease,
        last_answer: record.last_answer,
        expiries: record.expiries,
        lapsed: record.lapsed,
        attempts: record.attempts.iter().map(|worker| worker.0).collect(),
        broken: record.broken.iter().map(|worker| worker.0).collect(),
        result: record.result.map(|sequence| sequence.0),
        result_revision: record.result_revision,
        said: record.said.map(write_said),
        resolved: record.resolved,
    }
}

pub(crate) fn read_record(id: TaskId, message: pb::TaskRecord) -> Result<TaskRecord, Misread> {
    Ok(TaskRecord {
        id,
        order: read_order(message.order)?,
        state: read_state(message.state)?,
        last_lease: message.last_lease,
        last_answer: message.last_answer,
        expiries: message.expiries,
        lapsed: message.lapsed,
        attempts: message.attempts.into_iter().map(WorkerId).collect(),
        broken: message.broken.into_iter().map(WorkerId).collect(),
        result: message.result.map(Sequence),
        result_revision: message.result_revision,
        said: message.said.map(read_said),
        resolved: message.resolved,
    })
}

fn write_said(said: Said) -> pb::Said {
    let (answer_low, answer_high) = halves(said.answer);
    let Said { confidence_ppm, answers, .. } = said;
    pb::Said { answer_low, answer_high, confidence_ppm, answers }
}

fn read_said(message: pb::Said) -> Said {
    let answer = whole(message.answer_low, message.answer_high);
    Said { answer, confidence_ppm: message.confidence_ppm, answers: message.answers }
}

pub(super) fn write_state(state: TaskState) -> pb::TaskState {
    let (phase, incomplete, cause) = match state {
        TaskState::Open => (pb::TaskPhase::Open, false, pb::FailureCause::Unspecified),
        TaskState::Done { incomplete } => {
            (pb::TaskPhase::Done, incomplete, pb::FailureCause::Unspecified)
        }
        TaskState::Failed { cause } => (pb::TaskPhase::Failed, false, write_cause(cause)),
        TaskState::Cancelled => (pb::TaskPhase::Cancelled, false, pb::FailureCause::Unspecified),
    };
    pb::TaskState { phase: phase.into(), incomplete, cause: cause.into() }
}

pub(super) fn read_state(message: Option<pb::TaskState>) -> Result<TaskState, Misread> {
    let message = have("state", message)?;
    match message.phase() {
        pb::TaskPhase::Open => Ok(TaskState::Open),
        pb::TaskPhase::Done => Ok(TaskState::Done { incomplete: message.incomplete }),
        pb::TaskPhase::Failed => Ok(TaskState::Failed { cause: read_cause(message.cause())? }),
        pb::TaskPhase::Cancelled => Ok(TaskState::Cancelled),
        pb::TaskPhase::Unspecified => Err(Misread::Field { field: "state.phase" }),
    }
}

pub(super) fn write_cause(cause: FailureCause) -> pb::FailureCause {
    match cause {
        FailureCause::AttemptsExhausted => pb::FailureCause::AttemptsExhausted,
        FailureCause::BrokenTask => pb::FailureCause::BrokenTask,
        FailureCause::Deadline => pb::FailureCause::Deadline,
    }
}

pub(super) fn read_cause(cause: pb::FailureCause) -> Result<FailureCause, Misread> {
    match cause {
        pb::FailureCause::AttemptsExhausted => Ok(FailureCause::AttemptsExhausted),
        pb::FailureCause::BrokenTask => Ok(FailureCause::BrokenTask),
        pb::FailureCause::Deadline => Ok(FailureCause::Deadline),
        pb::FailureCause::Unspecified => Err(Misread::Field { field: "cause" }),
    }
}
