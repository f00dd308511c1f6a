//! Results as their requester gets them.
//!
//! Not here: how the votes fell, and the answer that they make (`votes.rs`).

use std::rc::Rc;

use piecework_core::event::{Method, ResultState, TaskResult, Vote};
use piecework_core::schema::Schema;
use piecework_core::{ClientId, Sequence, WallTime};
use piecework_proto::v1;
use piecework_storage::TaskTitle;

use crate::wire::names;
use crate::wire::to_wire::task::cause;
use crate::wire::to_wire::votes::{Texts, field_votes};
use crate::wire::to_wire::{kind, money, timestamp};

/// An answer's bytes and what they are.
pub(crate) type Said = (Vec<u8>, String);

/// What a result is written from, besides itself.
#[derive(Debug)]
pub(crate) struct ResultParts<'a> {
    /// The project's name.
    pub(crate) project: &'a ClientId,
    /// What the task is called.
    pub(crate) title: &'a TaskTitle,
    /// The schema that names its fields and choices.
    pub(crate) schema: &'a Schema,
    /// What it says; `None`: nothing.
    pub(crate) said: Option<Said>,
    /// A later revision stands in its place.
    pub(crate) superseded: bool,
    /// Texts that its votes refer to.
    pub(crate) texts: &'a Texts,
    /// Names of the workers of its votes, in their order.
    pub(crate) workers: Vec<Rc<str>>,
    /// Its place in the project's log.
    pub(crate) sequence: Sequence,
    /// When it was made.
    pub(crate) at: WallTime,
}

/// A result.
pub(crate) fn result(result: &TaskResult, parts: ResultParts<'_>) -> v1::Result {
    let ResultParts { project, title, schema, said, superseded, texts, workers, sequence, at } =
        parts;
    let task = names::of_task(project, title.name.as_ref(), result.task.number);
    let (state, incomplete, failure_cause) = match result.state {
        ResultState::Provisional => {
            (v1::ResultState::Provisional, false, v1::FailureCause::Unspecified)
        }
        ResultState::Final { incomplete } => {
            (v1::ResultState::Final, incomplete, v1::FailureCause::Unspecified)
        }
        ResultState::Failed { cause: why } => (v1::ResultState::Failed, false, cause(why)),
    };
    let (answer, content_type) = said.unwrap_or_default();
    let state = if superseded { v1::ResultState::Superseded } else { state };
    v1::Result {
        name: names::of_result(&task),
        task,
        task_number: result.task.number.0.into(),
        task_id: title.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        task_labels: title.labels.clone(),
        revision: result.revision,
        state: state.into(),
        incomplete,
        failure_cause: failure_cause.into(),
        answer: answer.into(),
        content_type,
        confidence: f64::from(result.confidence_ppm) / 1_000_000.0,
        field_votes: result.votes.iter().filter_map(|v| field_votes(v, schema, texts)).collect(),
        votes: result.answers.iter().zip(&workers).map(|(v, worker)| vote(v, worker)).collect(),
        cost: money(result.cost),
        sequence: sequence.0,
        time: Some(timestamp(at)),
        method: method(result.method).into(),
    }
}

fn method(method: Method) -> v1::ResultMethod {
    match method {
        Method::First => v1::ResultMethod::First,
        Method::Majority => v1::ResultMethod::Majority,
        Method::Weighted => v1::ResultMethod::Weighted,
        Method::Online => v1::ResultMethod::Online,
        Method::Smoothed => v1::ResultMethod::Smoothed,
        Method::DawidSkene => v1::ResultMethod::DawidSkene,
        Method::Collected => v1::ResultMethod::Collected,
        Method::Requester => v1::ResultMethod::Requester,
    }
}

fn vote(vote: &Vote, worker: &str) -> v1::Vote {
    v1::Vote {
        submission: names::of_submission(vote.lease),
        worker: worker.to_owned(),
        worker_kind: kind(vote.kind).into(),
    }
}
