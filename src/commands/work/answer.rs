//! From what was said to the answer's bytes.
//!
//! With a schema an answer is a JSON object. Whoever says just the value of
//! the only choice there is means that object.

use bytes::Bytes;
use piecework_client::proto::v1::{AnswerField, AnswerFieldKind, AnswerSchema};
use serde_json::{Map, Value};

/// What a program printed, as an answer. Its last line break is not part of it.
pub(super) fn from_program(schema: Option<&AnswerSchema>, printed: &[u8]) -> Bytes {
    let text = printed.strip_suffix(b"\n").unwrap_or(printed);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let plain = schema.and_then(only_choice).and_then(|field| {
        let said = std::str::from_utf8(text).ok()?.trim();
        field.choices.iter().any(|choice| choice == said).then(|| (field.name.clone(), said))
    });
    match plain {
        Some((field, said)) => object([(field, Value::from(said))]),
        None => Bytes::copy_from_slice(text),
    }
}

/// A JSON object of these fields, in this order.
pub(super) fn object(fields: impl IntoIterator<Item = (String, Value)>) -> Bytes {
    Value::Object(fields.into_iter().collect::<Map<_, _>>()).to_string().into()
}

/// What a person typed for a field that may hold anything: JSON if it is, else text.
pub(super) fn free(typed: &str) -> Value {
    serde_json::from_str(typed).unwrap_or_else(|_| Value::from(typed))
}

/// The choice that a typed number stands for, counted from 1.
pub(super) fn chosen<'a>(field: &'a AnswerField, typed: &str) -> Option<&'a str> {
    let number: usize = typed.parse().ok()?;
    field.choices.get(number.checked_sub(1)?).map(String::as_str)
}

fn only_choice(schema: &AnswerSchema) -> Option<&AnswerField> {
    let is_choice = |field: &&AnswerField| field.kind() == AnswerFieldKind::Choice;
    let mut choices = schema.fields.iter().filter(is_choice);
    let only = choices.next()?;
    let others_may_be_absent =
        schema.fields.iter().all(|field| field.name == only.name || !field.required);
    (choices.next().is_none() && others_may_be_absent).then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, choices: &[&str]) -> AnswerField {
        let kind = if choices.is_empty() { AnswerFieldKind::Free } else { AnswerFieldKind::Choice };
        AnswerField {
            name: name.to_owned(),
            kind: kind.into(),
            choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
            required: !choices.is_empty(),
            ..AnswerField::default()
        }
    }

    #[test]
    fn the_value_of_the_only_choice_is_enough() {
        let schema =
            AnswerSchema { fields: vec![field("label", &["cat", "dog"]), field("note", &[])] };
        let said = |printed: &str| from_program(Some(&schema), printed.as_bytes());
        assert_eq!(&said("cat\n")[..], br#"{"label":"cat"}"#);
        assert_eq!(&said("{\"label\":\"dog\"}\n")[..], br#"{"label":"dog"}"#);
        assert_eq!(&said("cow\n")[..], b"cow", "the daemon says what is wrong with it");
        let two = AnswerSchema { fields: vec![field("a", &["x"]), field("b", &["x"])] };
        assert_eq!(&from_program(Some(&two), b"x")[..], b"x");
    }

    #[test]
    fn without_a_schema_bytes_stay_as_they_are() {
        assert_eq!(&from_program(None, b"a\nb\r\n")[..], b"a\nb");
        assert_eq!(&from_program(None, &[0xff, 0x0a])[..], &[0xff]);
    }

    #[test]
    fn numbers_stand_for_choices_in_order() {
        let digits = field("label", &["0", "1"]);
        assert_eq!(chosen(&digits, "1"), Some("0"));
        assert_eq!(chosen(&digits, "2"), Some("1"));
        assert!(chosen(&digits, "0").is_none() && chosen(&digits, "3").is_none());
        assert!(chosen(&digits, "x").is_none());
    }

    #[test]
    fn typed_json_is_json_and_the_rest_is_text() {
        assert_eq!(free("[1,2]"), serde_json::json!([1, 2]));
        assert_eq!(free("two cats"), Value::from("two cats"));
    }
}
