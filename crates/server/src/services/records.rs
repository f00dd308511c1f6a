//! A log's record written out with all that it refers to.
//!
//! Not here: where in a log to read (`log.rs`).

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use piecework_core::event::{Event, Fell, ResultAnswer, TaskResult, What};
use piecework_core::project::Terms;
use piecework_core::schema::Schema;
use piecework_core::{Sequence, WallTime};
use piecework_proto::v1;
use piecework_proto::v1::event::Payload;
use piecework_storage::GivenAnswer;

use crate::services::log::Record;
use crate::services::referred::Referred;
use crate::services::submission;
use crate::wire::failure::Failure;
use crate::wire::to_wire::result::ResultParts;
use crate::wire::to_wire::votes::{Texts, object, text_in};
use crate::wire::{names, to_wire};

/// An event; `None`: what it is about is gone.
pub(crate) fn event(referred: &Referred<'_>, record: Record) -> Result<Option<v1::Event>, Failure> {
    let Record { event, previous, token } = record;
    let Event { sequence, at, what, .. } = event;
    let Some(payload) = payload(referred, sequence, at, what)? else { return Ok(None) };
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
    referred: &Referred<'_>,
    result: &TaskResult,
    sequence: Sequence,
    at: WallTime,
) -> Result<Option<v1::Result>, Failure> {
    let Some(project) = referred.project_name(result.task.project)? else { return Ok(None) };
    let Some(title) = referred.title(result.task)? else { return Ok(None) };
    let given = match &result.answer {
        Some(ResultAnswer::Of(lease)) => match referred.answer(*lease)? {
            Some(given) => Some(given),
            None => return Ok(None),
        },
        Some(ResultAnswer::Values { .. } | ResultAnswer::Given { .. }) | None => None,
    };
    let Some(terms) = terms(referred, result, given.as_deref())? else { return Ok(None) };
    let schema = &terms.schema;
    let Some(texts) = &texts(referred, result, schema)? else { return Ok(None) };
    let said = match &result.answer {
        Some(ResultAnswer::Values { values, .. }) => Some(object(schema, values, texts)),
        Some(ResultAnswer::Given { bytes, content_type, .. }) => {
            Some((bytes.clone(), content_type.clone()))
        }
        Some(ResultAnswer::Of(_)) | None => given.map(|given| match given {
            Cow::Owned(given) => (given.bytes, given.content_type),
            Cow::Borrowed(given) => (given.bytes.clone(), given.content_type.clone()),
        }),
    };
    let workers = result.answers.iter().map(|vote| referred.worker(vote.worker));
    let workers = workers.collect::<Result<Vec<Rc<str>>, Failure>>()?;
    let title = &*title;
    let newest = referred.newest_revision(result.task)?;
    let superseded = newest.is_some_and(|newest| newest > result.revision);
    let parts =
        ResultParts { project, title, schema, said, superseded, texts, workers, sequence, at };
    Ok(Some(to_wire::result::result(result, parts)))
}

/// Terms whose schema names all fields of a result; `None`: the project is gone.
///
/// Those of the answer where it is one by itself; else the newest, since a schema only
/// grows at its end.
fn terms(
    referred: &Referred<'_>,
    result: &TaskResult,
    given: Option<&GivenAnswer>,
) -> Result<Option<Arc<Terms>>, Failure> {
    let project = result.task.project;
    let alone = given.filter(|_| result.answers.len() <= 1).map(|given| given.revision);
    match (&result.answer, alone) {
        (Some(ResultAnswer::Values { revision, .. }), _) => referred.terms(project, *revision),
        (Some(ResultAnswer::Given { revision, .. }), _) => referred.terms(project, *revision),
        (_, Some(revision)) => referred.terms(project, revision),
        (_, None) => referred.newest_terms(project),
    }
}

/// The texts that a result refers to; `None`: one of them is gone.
fn texts(
    referred: &Referred<'_>,
    result: &TaskResult,
    schema: &Schema,
) -> Result<Option<Texts>, Failure> {
    let mut texts = Texts::new();
    for votes in &result.votes {
        let Fell::Texts { texts: commonest, .. } = &votes.fell else { continue };
        let Some(field) = schema.fields.get(usize::from(votes.field)) else { continue };
        // The answer's own text is the first of them.
        for (lease, _) in commonest {
            let Some(given) = referred.answer(*lease)? else { return Ok(None) };
            texts.insert((votes.field, *lease), text_in(&given.bytes, &field.name));
        }
    }
    Ok(Some(texts))
}

fn payload(
    referred: &Referred<'_>,
    sequence: Sequence,
    at: WallTime,
    what: What,
) -> Result<Option<Payload>, Failure> {
    let reader = referred.reader();
    match what {
        What::Result(of) => Ok(result(referred, &of, sequence, at)?.map(Payload::Result)),
        What::Submitted(lease) => {
            let Some(found) = referred.submission(lease)? else { return Ok(None) };
            let Some(title) = referred.title(lease.task)? else { return Ok(None) };
            let own = title.name.as_ref();
            let formatted = submission::formatted(reader, found, own)?;
            Ok(formatted.map(Payload::Submission))
        }
        What::TaskEnded { task, state } => {
            let Some(project) = referred.project_name(task.project)? else { return Ok(None) };
            let Some(title) = referred.title(task)? else { return Ok(None) };
            let name = names::of_task(project, title.name.as_ref(), task.number);
            Ok(Some(Payload::TaskEnded(to_wire::event::task_ended(name, task, state))))
        }
        What::Worker { worker, what } => {
            let (name, _) = reader.worker_name(worker)?;
            Ok(Some(Payload::WorkerEvent(to_wire::event::worker_event(&name, what))))
        }
    }
}
