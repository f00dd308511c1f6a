//! Results as their requester gets them.
//!
//! An answer that was voted together field by field is written as a JSON object
//! by the schema of its revision: its choice fields, in the schema's order.

use piecework_core::event::{FieldVotes, Method, ResultState, TaskResult, Vote};
use piecework_core::schema::{Choices, FieldKind, Schema};
use piecework_core::task::TaskSpec;
use piecework_core::{ClientId, Sequence, WallTime};
use piecework_proto::v1;
use serde_json::{Map, Value};

use crate::wire::names;
use crate::wire::to_wire::task::cause;
use crate::wire::to_wire::{kind, money, timestamp};

/// An answer's bytes and what they are.
pub(crate) type Said = (Vec<u8>, String);

/// What a result is written from, besides itself.
#[derive(Debug)]
pub(crate) struct ResultParts<'a> {
    /// The project's name.
    pub(crate) project: &'a ClientId,
    /// The task's spec.
    pub(crate) spec: &'a TaskSpec,
    /// The schema that names its fields and choices.
    pub(crate) schema: &'a Schema,
    /// What it says; `None`: nothing.
    pub(crate) said: Option<Said>,
    /// A later revision stands in its place.
    pub(crate) superseded: bool,
    /// Names of the workers of its votes, in their order.
    pub(crate) workers: Vec<ClientId>,
    /// Its place in the project's log.
    pub(crate) sequence: Sequence,
    /// When it was made.
    pub(crate) at: WallTime,
}

/// A result.
pub(crate) fn result(result: &TaskResult, parts: ResultParts<'_>) -> v1::Result {
    let ResultParts { project, spec, schema, said, superseded, workers, sequence, at } = parts;
    let task = names::of_task(project, spec.name.as_ref(), spec.id.number);
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
        name: format!("{task}/result"),
        task,
        task_number: spec.id.number.0.into(),
        task_id: spec.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        task_labels: spec.labels.clone(),
        revision: result.revision,
        state: state.into(),
        incomplete,
        failure_cause: failure_cause.into(),
        answer: answer.into(),
        content_type,
        confidence: f64::from(result.confidence_ppm) / 1_000_000.0,
        field_votes: result.votes.iter().filter_map(|votes| field_votes(votes, schema)).collect(),
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
        Method::Requester => v1::ResultMethod::Requester,
    }
}

/// The JSON object that these choices make.
pub(crate) fn object(schema: &Schema, choices: &Choices) -> Said {
    let member = |(field, choice): (&piecework_core::schema::Field, &Option<u16>)| {
        let text = choice_text(&field.kind, (*choice)?)?;
        Some((field.name.clone(), Value::String(text.to_owned())))
    };
    let members: Map<String, Value> =
        schema.fields.iter().zip(choices).filter_map(member).collect();
    (Value::Object(members).to_string().into_bytes(), "application/json".to_owned())
}

/// `None`: the schema is not the one that the votes were counted by.
fn field_votes(votes: &FieldVotes, schema: &Schema) -> Option<v1::FieldVotes> {
    let field = schema.fields.get(usize::from(votes.field))?;
    let choice = |(choice, votes): &(u16, u32)| {
        let choice = choice_text(&field.kind, *choice)?.to_owned();
        Some(v1::ChoiceVotes { choice, votes: *votes })
    };
    let choices = votes.votes.iter().filter_map(choice).collect();
    Some(v1::FieldVotes { field: field.name.clone(), choices })
}

fn choice_text(kind: &FieldKind, choice: u16) -> Option<&str> {
    match kind {
        FieldKind::Choice(choices) => choices.get(usize::from(choice)).map(String::as_str),
        FieldKind::Other => None,
    }
}

fn vote(vote: &Vote, worker: &ClientId) -> v1::Vote {
    v1::Vote {
        submission: names::of_submission(vote.lease),
        worker: names::of_worker(worker),
        worker_kind: kind(vote.kind).into(),
    }
}

#[cfg(test)]
mod tests {
    use piecework_core::schema::Field;

    use super::*;

    fn schema() -> Schema {
        let field = |name: &str, kind| Field { name: name.to_owned(), kind, required: false };
        let choices = ["manx", "\"other\""].map(str::to_owned).to_vec();
        Schema {
            fields: vec![
                field("breed", FieldKind::Choice(choices)),
                field("note", FieldKind::Other),
                field("tail", FieldKind::Choice(vec!["no".to_owned()])),
            ],
        }
    }

    #[test]
    fn choices_become_an_object_in_the_order_of_the_schema() {
        let (bytes, content_type) = object(&schema(), &vec![Some(1), None, Some(0)]);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, r#"{"breed":"\"other\"","tail":"no"}"#);
        assert_eq!(content_type, "application/json");
        // Given before the schema grew.
        assert_eq!(object(&schema(), &vec![None]).0, b"{}");
    }

    #[test]
    fn votes_are_told_by_name() {
        let votes = field_votes(&FieldVotes { field: 0, votes: vec![(0, 2), (1, 1)] }, &schema());
        let votes = votes.unwrap();
        assert_eq!(votes.field, "breed");
        assert_eq!(votes.choices[0], v1::ChoiceVotes { choice: "manx".to_owned(), votes: 2 });
    }
}
