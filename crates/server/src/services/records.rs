//! A log's record written out with all that it refers to.
//!
//! Not here: where in a log to read (`log.rs`).

use std::sync::Arc;

use piecework_core::event::{Event, Fell, ResultAnswer, TaskResult, What};
use piecework_core::project::Terms;
use piecework_core::schema::Schema;
use piecework_core::submission::Submission;
use piecework_core::{ClientId, Sequence, WallTime};
use piecework_proto::v1;
use piecework_proto::v1::event::Payload;

use crate::services::log::Record;
use crate::services::reader::Reader;
use crate::services::submission;
use crate::wire::failure::Failure;
use crate::wire::to_wire;
use crate::wire::to_wire::result::ResultParts;
use crate::wire::to_wire::votes::{Texts, object, text_in};

/// An event; `None`: what it is about is gone.
pub(crate) fn event(reader: &Reader, record: Record) -> Result<Option<v1::Event>, Failure> {
    let Record { event, previous, token } = record;
    let Event { sequence, at, what, .. } = event;
    let Some(payload) = payload(reader, sequence, at, what)? else { return Ok(None) };
    Ok(Some(v1::Event {
        sequence: sequence.0,
        previous_sequence: previous.0,
        resume_token: token,
        time: Some(to_wire::timestamp(at)),
        payload: Some(payload),
    }))
}

/// A result; `None`: its task is gone.
pub(crate) fn result(
    reader: &Reader,
    result: &TaskResult,
    sequence: Sequence,
    at: WallTime,
) -> Result<Option<v1::Result>, Failure> {
    let project = result.task.project;
    let Some(name) = reader.project_name(project)? else { return Ok(None) };
    let Some(spec) = reader.spec(result.task)? else { return Ok(None) };
    let given = match &result.answer {
        Some(ResultAnswer::Of(lease)) => match reader.submission(*lease)? {
            Some(given) => Some(given),
            None => return Ok(None),
        },
        Some(ResultAnswer::Values { .. } | ResultAnswer::Given { .. }) | None => None,
    };
    let Some(terms) = terms(reader, result, given.as_ref())? else { return Ok(None) };
    let schema = &terms.schema;
    let Some(texts) = &texts(reader, result, schema)? else { return Ok(None) };
    let said = match &result.answer {
        Some(ResultAnswer::Values { values, .. }) => Some(object(schema, values, texts)),
        Some(ResultAnswer::Given { bytes, content_type, .. }) => {
            Some((bytes.clone(), content_type.clone()))
        }
        Some(ResultAnswer::Of(_)) | None => {
            given.map(|given| (given.answer.bytes, given.answer.content_type))
        }
    };
    let worker = |vote: &piecework_core::event::Vote| Ok(reader.worker_name(vote.worker)?.0);
    let workers = result.answers.iter().map(worker).collect::<Result<Vec<ClientId>, Failure>>()?;
    let (project, spec) = (&name, &spec);
    let newest = reader.record(result.task)?.map(|record| record.result_revision);
    let superseded = newest.is_some_and(|newest| newest > result.revision);
    let parts =
        ResultParts { project, spec, schema, said, superseded, texts, workers, sequence, at };
    Ok(Some(to_wire::result::result(result, parts)))
}

/// Terms whose schema names all fields of a result; `None`: the project is gone.
///
/// Those of the answer where it is one by itself; else the newest, since a schema only
/// grows at its end.
fn terms(
    reader: &Reader,
    result: &TaskResult,
    given: Option<&Submission>,
) -> Result<Option<Arc<Terms>>, Failure> {
    let project = result.task.project;
    let alone = given.filter(|_| result.answers.len() <= 1).map(|given| given.revision);
    match (&result.answer, alone) {
        (Some(ResultAnswer::Values { revision, .. }), _) => reader.terms(project, *revision),
        (Some(ResultAnswer::Given { revision, .. }), _) => reader.terms(project, *revision),
        (_, Some(revision)) => reader.terms(project, revision),
        (_, None) => Ok(reader.project_of(project)?.map(|p| Arc::new(p.spec.terms))),
    }
}

/// The texts that a result refers to; `None`: one of them is gone.
fn texts(reader: &Reader, result: &TaskResult, schema: &Schema) -> Result<Option<Texts>, Failure> {
    let mut texts = Texts::new();
    for votes in &result.votes {
        let Fell::Texts { texts: commonest, .. } = &votes.fell else { continue };
        let Some(field) = schema.fields.get(usize::from(votes.field)) else { continue };
        // The answer's own text is the first of them.
        for (lease, _) in commonest {
            let Some(given) = reader.submission(*lease)? else { return Ok(None) };
            texts.insert((votes.field, *lease), text_in(&given.answer.bytes, &field.name));
        }
    }
    Ok(Some(texts))
}

fn payload(
    reader: &Reader,
    sequence: Sequence,
    at: WallTime,
    what: What,
) -> Result<Option<Payload>, Failure> {
    match what {
        What::Result(of) => Ok(result(reader, &of, sequence, at)?.map(Payload::Result)),
        What::Submitted(lease) => {
            let Some(found) = reader.submission(lease)? else { return Ok(None) };
            Ok(submission::formatted(reader, found)?.map(Payload::Submission))
        }
        What::TaskEnded { task, state } => {
            let Some(project) = reader.project_name(task.project)? else { return Ok(None) };
            let Some(spec) = reader.spec(task)? else { return Ok(None) };
            let ended = to_wire::event::task_ended(&project, &spec, state);
            Ok(Some(Payload::TaskEnded(ended)))
        }
        What::Worker { worker, what } => {
            let (name, _) = reader.worker_name(worker)?;
            Ok(Some(Payload::WorkerEvent(to_wire::event::worker_event(&name, what))))
        }
    }
}
