//! A log's record written out with all that it refers to.
//!
//! Not here: where in a log to read (`log.rs`).

use std::sync::Arc;

use piecework_core::event::{Event, ResultAnswer, TaskResult, What};
use piecework_core::project::Terms;
use piecework_core::schema::Schema;
use piecework_core::{ClientId, Sequence, WallTime};
use piecework_proto::v1;
use piecework_proto::v1::event::Payload;

use crate::services::log::Record;
use crate::services::reader::Reader;
use crate::services::submission;
use crate::wire::failure::Failure;
use crate::wire::to_wire;
use crate::wire::to_wire::result::{ResultParts, Said, object};

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
    let (terms, said) = match &result.answer {
        Some(answer) => match said(reader, result, answer)? {
            Some((terms, said)) => (Some(terms), Some(said)),
            None => return Ok(None),
        },
        None => (None, None),
    };
    let none = Schema::default();
    let schema = terms.as_deref().map_or(&none, |terms| &terms.schema);
    let worker = |vote: &piecework_core::event::Vote| Ok(reader.worker_name(vote.worker)?.0);
    let workers = result.answers.iter().map(worker).collect::<Result<Vec<ClientId>, Failure>>()?;
    let (project, spec) = (&name, &spec);
    let newest = reader.record(result.task)?.map(|record| record.result_revision);
    let superseded = newest.is_some_and(|newest| newest > result.revision);
    let parts = ResultParts { project, spec, schema, said, superseded, workers, sequence, at };
    Ok(Some(to_wire::result::result(result, parts)))
}

/// What a result says, and the terms by which it is read; `None`: gone.
fn said(
    reader: &Reader,
    result: &TaskResult,
    answer: &ResultAnswer,
) -> Result<Option<(Arc<Terms>, Said)>, Failure> {
    let project = result.task.project;
    match answer {
        ResultAnswer::Of(lease) => {
            let Some(given) = reader.submission(*lease)? else { return Ok(None) };
            let terms = reader.terms(project, given.revision)?;
            let said = (given.answer.bytes, given.answer.content_type);
            Ok(terms.map(|terms| (terms, said)))
        }
        ResultAnswer::Given { bytes, content_type, revision } => {
            let terms = reader.terms(project, *revision)?;
            Ok(terms.map(|terms| (terms, (bytes.clone(), content_type.clone()))))
        }
        ResultAnswer::Choices { revision, choices } => {
            let terms = reader.terms(project, *revision)?;
            Ok(terms.map(|terms| {
                let said = object(&terms.schema, choices);
                (terms, said)
            }))
        }
    }
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
