//! How votes fell field by field, and the answer that they make.
//!
//! An answer that was agreed on field by field is written as a JSON object by the schema
//! of its revision, in the schema's order. A text is somebody's: it is looked up in the
//! submission that it was first given in.
//!
//! Not here: reading submissions (`services/records.rs`).

use std::collections::BTreeMap;

use piecework_core::LeaseId;
use piecework_core::event::{Fell, FieldVotes, NumberVotes, ResultValue};
use piecework_core::schema::{Field, FieldKind, Finite, Schema};
use piecework_proto::v1;
use serde_json::{Map, Value};

use crate::wire::names;
use crate::wire::to_wire::result::Said;

/// Whole numbers up to here are exact in a 64-bit float.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Characters of a text that are told with its votes.
const TEXT_CHARS_MAX: usize = 256;

/// Texts by field and the submission that they are in.
pub(crate) type Texts = BTreeMap<(u16, LeaseId), String>;

/// A text in an answer's bytes; empty where it is not there.
pub(crate) fn text_in(answer: &[u8], field: &str) -> String {
    let members: Result<Map<String, Value>, _> = serde_json::from_slice(answer);
    match members.ok().and_then(|mut members| members.remove(field)) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// The JSON object that these values make.
pub(crate) fn object(schema: &Schema, values: &[Option<ResultValue>], texts: &Texts) -> Said {
    let member = |((at, field), value): ((u16, &Field), &Option<ResultValue>)| {
        Some((field.name.clone(), json(at, &field.kind, value.as_ref()?, texts)?))
    };
    let members: Map<String, Value> =
        (0u16..).zip(&schema.fields).zip(values).filter_map(member).collect();
    (Value::Object(members).to_string().into_bytes(), "application/json".to_owned())
}

/// `None`: the schema is not the one that the votes were counted by.
pub(crate) fn field_votes(
    votes: &FieldVotes,
    schema: &Schema,
    texts: &Texts,
) -> Option<v1::FieldVotes> {
    let field = schema.fields.get(usize::from(votes.field))?;
    let mut message = v1::FieldVotes { field: field.name.clone(), ..v1::FieldVotes::default() };
    match &votes.fell {
        Fell::Classes(classes) => {
            message.answers = classes.iter().map(|(_, votes)| votes).sum();
            if field.kind == FieldKind::Boolean {
                let of = |class: u16| classes.iter().find(|(c, _)| *c == class);
                let of = |class| of(class).map_or(0, |(_, votes)| *votes);
                message.booleans = Some(v1::BooleanVotes { no: of(0), yes: of(1) });
            } else {
                message.choices = choice_votes(&field.kind, classes);
            }
        }
        Fell::Options { answers, chosen } => {
            message.answers = *answers;
            message.choices = choice_votes(&field.kind, chosen);
        }
        Fell::Numbers(numbers) => {
            message.answers = numbers.answers;
            message.numbers = (numbers.answers > 0).then(|| number_votes(numbers));
        }
        Fell::Texts { answers, distinct, texts: commonest } => {
            message.answers = *answers;
            let vote = |(lease, times): &(LeaseId, u32)| v1::TextVote {
                text: texts
                    .get(&(votes.field, *lease))
                    .map(|text| text.chars().take(TEXT_CHARS_MAX).collect())
                    .unwrap_or_default(),
                submission: names::of_submission(*lease),
                votes: *times,
            };
            let commonest = commonest.iter().map(vote).collect();
            message.texts = Some(v1::TextVotes { distinct: *distinct, commonest });
        }
    }
    Some(message)
}

fn choice_votes(kind: &FieldKind, votes: &[(u16, u32)]) -> Vec<v1::ChoiceVotes> {
    let choice = |(choice, votes): &(u16, u32)| {
        let choice = kind.choices().get(usize::from(*choice))?.clone();
        Some(v1::ChoiceVotes { choice, votes: *votes })
    };
    votes.iter().filter_map(choice).collect()
}

fn number_votes(numbers: &NumberVotes) -> v1::NumberVotes {
    v1::NumberVotes {
        median: numbers.median.get(),
        spread: numbers.spread.get(),
        least: numbers.least.get(),
        most: numbers.most.get(),
        agree: numbers.agree,
    }
}

fn json(at: u16, kind: &FieldKind, value: &ResultValue, texts: &Texts) -> Option<Value> {
    let choice = |choice: &u16| kind.choices().get(usize::from(*choice)).cloned().map(Value::from);
    match value {
        ResultValue::Choice(index) => choice(index),
        ResultValue::Set(options) => {
            Some(Value::Array(options.iter().filter_map(choice).collect()))
        }
        ResultValue::Boolean(said) => Some(Value::from(*said)),
        ResultValue::Number(number) => Some(number_json(*number)),
        ResultValue::Text(lease) => texts.get(&(at, *lease)).cloned().map(Value::from),
    }
}

/// A whole number without a fraction.
fn number_json(number: Finite) -> Value {
    let number = number.get();
    match number.trunc() == number && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        true => Value::from(number as i64),
        false => Value::from(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let field = |name: &str, kind| Field { name: name.to_owned(), kind, required: false };
        let choices = || ["manx", "\"other\""].map(str::to_owned).to_vec();
        let (tolerance, least, most) = (Finite::ZERO, None, None);
        Schema {
            fields: vec![
                field("breed", FieldKind::Choice(choices())),
                field("note", FieldKind::Free),
                field("also", FieldKind::MultiChoice(choices())),
                field("age", FieldKind::Number { tolerance, least, most }),
                field("tail", FieldKind::Boolean),
                field("name", FieldKind::Text),
            ],
        }
    }

    fn finite(number: f64) -> Finite {
        Finite::new(number).unwrap()
    }

    fn texts() -> Texts {
        Texts::from([((5, LeaseId::default()), "Tom \u{1f431}".repeat(100))])
    }

    #[test]
    fn values_become_an_object_in_the_order_of_the_schema() {
        let texts = Texts::from([((5, LeaseId::default()), "Tom".to_owned())]);
        let said = |values: Vec<Option<ResultValue>>| {
            let (bytes, content_type) = object(&schema(), &values, &texts);
            assert_eq!(content_type, "application/json");
            String::from_utf8(bytes).unwrap()
        };
        let all = vec![
            Some(ResultValue::Choice(1)),
            None,
            Some(ResultValue::Set(vec![0, 1])),
            Some(ResultValue::Number(finite(7.0))),
            Some(ResultValue::Boolean(false)),
            Some(ResultValue::Text(LeaseId::default())),
        ];
        let expected = r#"{"breed":"\"other\"","also":["manx","\"other\""],"age":7,"tail":false,"name":"Tom"}"#;
        assert_eq!(said(all), expected);
        let half = vec![None, None, None, Some(ResultValue::Number(finite(7.5)))];
        assert_eq!(said(half), r#"{"age":7.5}"#);
        // Given before the schema grew.
        assert_eq!(said(vec![None]), "{}");
    }

    #[test]
    fn votes_are_told_by_name() {
        let told =
            |field, fell| field_votes(&FieldVotes { field, fell }, &schema(), &texts()).unwrap();
        let votes = told(0, Fell::Classes(vec![(0, 2), (1, 1)]));
        assert_eq!((votes.field.as_str(), votes.answers), ("breed", 3));
        assert_eq!(votes.choices[0], v1::ChoiceVotes { choice: "manx".to_owned(), votes: 2 });
        let votes = told(2, Fell::Options { answers: 4, chosen: vec![(1, 1)] });
        assert_eq!((votes.answers, votes.choices[0].votes), (4, 1));
        assert_eq!(votes.choices[0].choice, "\"other\"");
        let votes = told(4, Fell::Classes(vec![(1, 2)]));
        assert_eq!(votes.booleans, Some(v1::BooleanVotes { no: 0, yes: 2 }));
        assert!(votes.choices.is_empty());
        let numbers = NumberVotes {
            answers: 3,
            agree: 2,
            median: finite(7.0),
            spread: finite(0.5),
            least: finite(1.0),
            most: finite(8.0),
        };
        let votes = told(3, Fell::Numbers(numbers)).numbers.unwrap();
        assert_eq!((votes.median, votes.spread, votes.least, votes.most), (7.0, 0.5, 1.0, 8.0));
        assert_eq!(votes.agree, 2);
        let none = Fell::Numbers(NumberVotes { answers: 0, ..numbers });
        assert_eq!(told(3, none).numbers, None);
    }

    #[test]
    fn a_long_text_is_told_by_its_beginning_and_its_submission() {
        let lease = LeaseId::default();
        let fell = Fell::Texts { answers: 3, distinct: 2, texts: vec![(lease, 2)] };
        let votes = field_votes(&FieldVotes { field: 5, fell }, &schema(), &texts()).unwrap();
        let texts = votes.texts.unwrap();
        assert_eq!((votes.answers, texts.distinct), (3, 2));
        assert_eq!(texts.commonest[0].text.chars().count(), 256);
        assert_eq!(texts.commonest[0].submission, names::of_submission(lease));
    }

    #[test]
    fn a_text_is_found_in_its_answer() {
        assert_eq!(text_in(br#"{"a": "x", "b": 1}"#, "a"), "x");
        assert_eq!(text_in(br#"{"a": "x", "b": 1}"#, "b"), "");
        assert_eq!(text_in(b"no", "a"), "");
    }
}
