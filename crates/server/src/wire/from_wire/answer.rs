//! Answers: their bytes, what they are, and the members of a JSON object.
//!
//! Without a content type, bytes that are a JSON object are taken for one: this
//! depends on the answer alone, so a retry reads as the first time.
//!
//! Not here: JSON (`json.rs`), whether it fits the schema (`core/schema`).

use std::fmt::Display;

use piecework_core::command::SubmitItem;
use piecework_core::schema::{Answer, Content};
use piecework_core::{Fingerprint, limits};
use piecework_proto::v1;

use crate::wire::bulk::Sifted;
use crate::wire::failure::Failure;
use crate::wire::from_wire::json;
use crate::wire::{field, names};

const JSON: &str = "application/json";
const ANY_BYTES: &str = "application/octet-stream";

/// The answers of a `SubmitAnswers`, each checked by itself.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn answers(messages: Vec<v1::Answer>) -> Result<Sifted<SubmitItem>, Failure> {
    field::items("answers", messages.len())?;
    let read = |(index, message)| item(format_args!("answers[{index}]"), message);
    Ok(Sifted::new(messages.into_iter().enumerate().map(read)))
}

/// One answer. `path`: the field that holds it.
pub(crate) fn item(path: impl Display, message: v1::Answer) -> Result<SubmitItem, Failure> {
    let lease = names::lease(format_args!("{path}.lease"), &message.lease)?;
    let answer = answer(
        [format_args!("{path}.answer"), format_args!("{path}.content_type")],
        message.answer.to_vec(),
        message.content_type,
    )?;
    Ok(SubmitItem { lease, answer })
}

/// What an answer says. `paths`: the fields that hold it and its content type.
pub(crate) fn answer(
    [own, of_type]: [impl Display; 2],
    bytes: Vec<u8>,
    content_type: String,
) -> Result<Answer, Failure> {
    field::count(own, bytes.len(), limits::ANSWER_BYTES_MAX, "bytes")?;
    let said = field::content_type(of_type, content_type, "")?;
    Ok(read(bytes, said))
}

/// `said`: its media type, empty where the client left it out.
pub(crate) fn read(bytes: Vec<u8>, said: String) -> Answer {
    let (content, canonical) = match said.is_empty() || is_json(&said) {
        false => (Content::Other, None),
        true => match json::object(&bytes) {
            Ok(object) => (Content::Object(object.members), object.canonical),
            Err(misfit) => (Content::Broken(misfit), None),
        },
    };
    let content_type = match (said.as_str(), &content) {
        ("", Content::Object(_)) => JSON.to_owned(),
        ("", _) => ANY_BYTES.to_owned(),
        _ => said,
    };
    let fingerprint = Fingerprint::of(&[content_type.as_bytes(), &bytes]);
    let meaning = match canonical {
        Some(canonical) if canonical != bytes || content_type != JSON => {
            Fingerprint::of(&[JSON.as_bytes(), &canonical])
        }
        _ => fingerprint,
    };
    Answer { bytes, content_type, content, fingerprint, meaning }
}

/// Also with parameters, such as `; charset=utf-8`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON)
}

#[cfg(test)]
mod tests {
    use piecework_core::schema::Misfit;

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
    fn without_a_content_type_the_bytes_decide() {
        let is_object = |answer: &Answer| matches!(answer.content, Content::Object(_));
        assert_eq!(read("{}", "").content_type, "application/json");
        assert_eq!(read("cat", "").content_type, "application/octet-stream");
        assert_eq!(read("cat", "").content, Content::Broken(Misfit::NotAnObject));
        assert_eq!(read("{}", "text/plain").content, Content::Other);
        assert!(is_object(&read("{}", "Application/JSON; charset=utf-8")));
    }

    #[test]
    fn the_same_answer_has_the_same_fingerprint_however_it_was_said() {
        assert_eq!(read("{}", "").fingerprint, read("{}", "application/json").fingerprint);
        assert_ne!(read("a", "").fingerprint, read("b", "").fingerprint);
        assert_ne!(read("a", "text/plain").fingerprint, read("a", "text/html").fingerprint);
    }

    #[test]
    fn spellings_of_one_object_differ_in_their_bytes_and_mean_the_same() {
        let first = read(r#"{"a":1,"b":"x"}"#, "");
        assert_eq!(first.meaning, first.fingerprint, "it is in canonical form");
        for (again, content_type) in [
            (r#"{ "b": "\u0078", "a": 1.0 }"#, ""),
            (r#"{"b":"x","a":10e-1}"#, "application/json"),
            (r#"{"a":1,"b":"x"}"#, "application/json; charset=utf-8"),
        ] {
            let again = read(again, content_type);
            assert_eq!(again.meaning, first.meaning);
            assert_ne!(again.fingerprint, first.fingerprint);
        }
        assert_ne!(read(r#"{"a":2,"b":"x"}"#, "").meaning, first.meaning);
        // What is no object has no spelling: its bytes are what it says.
        assert_eq!(read("[1]", "").meaning, read("[1]", "").fingerprint);
        assert_ne!(read("[1]", "").meaning, read("[1.0]", "").meaning);
    }
}
