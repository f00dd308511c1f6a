//! Answers: their bytes, what they are, and the members of a JSON object.
//!
//! Without a content type, bytes that are a JSON object are taken for one: this
//! depends on the answer alone, so a retry reads as the first time.
//!
//! Not here: whether it fits the schema (`core/schema.rs`).

use std::collections::BTreeMap;

use piecework_core::command::SubmitItem;
use piecework_core::schema::Answer;
use piecework_core::{Fingerprint, limits};
use piecework_proto::v1;
use serde_json::Value;

use crate::wire::bulk::Sifted;
use crate::wire::failure::Failure;
use crate::wire::{field, names};

const JSON: &str = "application/json";
const ANY_BYTES: &str = "application/octet-stream";

/// Members of an object: strings as they are, anything else as `None`.
type Members = BTreeMap<String, Option<String>>;

/// The answers of a `SubmitAnswers`, each checked by itself.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn answers(messages: Vec<v1::Answer>) -> Result<Sifted<SubmitItem>, Failure> {
    field::items("answers", messages.len())?;
    let read = |(index, message)| item(&format!("answers[{index}]"), message);
    Ok(Sifted::new(messages.into_iter().enumerate().map(read)))
}

/// One answer. `path`: the field that holds it.
pub(crate) fn item(path: &str, message: v1::Answer) -> Result<SubmitItem, Failure> {
    let at = |name: &str| format!("{path}.{name}");
    let lease = names::lease(&at("lease"), &message.lease)?;
    let paths = [&*at("answer"), &*at("content_type")];
    Ok(SubmitItem { lease, answer: answer(paths, message.answer.to_vec(), message.content_type)? })
}

/// What an answer says. `paths`: the fields that hold it and its content type.
pub(crate) fn answer(
    paths: [&str; 2],
    bytes: Vec<u8>,
    content_type: String,
) -> Result<Answer, Failure> {
    field::count(paths[0], bytes.len(), limits::ANSWER_BYTES_MAX, "bytes")?;
    let said = field::content_type(paths[1], content_type, "")?;
    let members = if said.is_empty() || is_json(&said) { members_of(&bytes) } else { None };
    let content_type = match said.as_str() {
        "" if members.is_some() => JSON.to_owned(),
        "" => ANY_BYTES.to_owned(),
        _ => said,
    };
    let fingerprint = Fingerprint::of(&[content_type.as_bytes(), &bytes]);
    Ok(Answer { bytes, content_type, fields: members, fingerprint })
}

/// Also with parameters, such as `; charset=utf-8`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON)
}

/// `None`: no JSON object. serde_json itself limits the depth.
fn members_of(bytes: &[u8]) -> Option<Members> {
    let members: BTreeMap<String, Value> = serde_json::from_slice(bytes).ok()?;
    let text = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    Some(members.into_iter().map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str, content_type: &str) -> Answer {
        let message = v1::Answer {
            lease: "leases/1-2-3".to_owned(),
            answer: answer.as_bytes().to_vec().into(),
            content_type: content_type.to_owned(),
        };
        item("answers[0]", message).unwrap().answer
    }

    #[test]
    fn an_object_is_taken_apart_at_its_top() {
        let answer = read(r#"{"breed": "manx", "age": 3, "tail": {"x": "y"}}"#, "application/json");
        let fields = answer.fields.unwrap();
        assert_eq!(fields["breed"].as_deref(), Some("manx"));
        assert_eq!((&fields["age"], &fields["tail"]), (&None, &None));
        assert!(read("[1]", "application/json").fields.is_none());
        assert!(read("{", "application/json").fields.is_none());
        assert!(read(&"[".repeat(100_000), "").fields.is_none());
    }

    #[test]
    fn without_a_content_type_the_bytes_decide() {
        assert_eq!(read("{}", "").content_type, "application/json");
        assert_eq!(read("cat", "").content_type, "application/octet-stream");
        assert!(read("{}", "text/plain").fields.is_none());
        assert!(read("{}", "Application/JSON; charset=utf-8").fields.is_some());
    }

    #[test]
    fn the_same_answer_has_the_same_fingerprint_however_it_was_said() {
        assert_eq!(read("{}", "").fingerprint, read("{}", "application/json").fingerprint);
        assert_ne!(read("a", "").fingerprint, read("b", "").fingerprint);
        assert_ne!(read("a", "text/plain").fingerprint, read("a", "text/html").fingerprint);
    }
}
