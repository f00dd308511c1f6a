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

/// Whether a person answers with text, so that a single letter may be part of it.
pub(super) fn is_text(field: &AnswerField) -> bool {
    use AnswerFieldKind as Kind;
    matches!(field.kind(), Kind::Text | Kind::Free | Kind::Unspecified)
}

/// What a person typed, as the field's value; else what to type.
pub(super) fn typed(field: &AnswerField, typed: &str) -> Result<Value, &'static str> {
    match field.kind() {
        AnswerFieldKind::Choice => {
            chosen(field, typed).map(Value::from).ok_or("a number of the list")
        }
        AnswerFieldKind::MultiChoice => {
            let numbers = typed.split([',', ' ']).filter(|n| !n.is_empty() && *n != "-");
            let options: Option<Vec<Value>> =
                numbers.map(|number| chosen(field, number).map(Value::from)).collect();
            options.map(Value::Array).ok_or("numbers of the list, such as 1,3, or - for none")
        }
        AnswerFieldKind::Boolean => match typed {
            "y" | "yes" | "true" => Ok(Value::from(true)),
            "n" | "no" | "false" => Ok(Value::from(false)),
            _ => Err("y or n"),
        },
        AnswerFieldKind::Number => match serde_json::from_str(typed) {
            Ok(number @ Value::Number(_)) => Ok(number),
            _ => Err("a number, such as 12.5"),
        },
        AnswerFieldKind::Text => Ok(Value::from(typed)),
        AnswerFieldKind::Free | AnswerFieldKind::Unspecified => Ok(free(typed)),
    }
}

/// What a person typed for a field that may hold anything: JSON if it is, else text.
fn free(typed: &str) -> Value {
    serde_json::from_str(typed).unwrap_or_else(|_| Value::from(typed))
}

/// The choice that a typed number stands for, counted from 1.
fn chosen<'a>(field: &'a AnswerField, typed: &str) -> Option<&'a str> {
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
    fn each_kind_is_typed_in_its_own_way() {
        let of = |kind: AnswerFieldKind, text: &str| {
            let field = AnswerField { kind: kind.into(), ..field("label", &["cat", "dog"]) };
            typed(&field, text).ok()
        };
        use AnswerFieldKind::{Boolean, Choice, MultiChoice, Number, Text};
        assert_eq!(of(Choice, "2"), Some(Value::from("dog")));
        assert_eq!(of(MultiChoice, "2, 1"), Some(serde_json::json!(["dog", "cat"])));
        assert_eq!(of(MultiChoice, "-"), Some(serde_json::json!([])));
        assert_eq!(of(MultiChoice, "3"), None);
        assert_eq!(of(Boolean, "n"), Some(Value::from(false)));
        assert_eq!(of(Boolean, "perhaps"), None);
        assert_eq!(of(Number, "-2.5"), Some(Value::from(-2.5)));
        assert_eq!(of(Number, "\"2\""), None);
        assert_eq!(of(Text, "7"), Some(Value::from("7")));
    }

    #[test]
    fn typed_json_is_json_and_the_rest_is_text() {
        assert_eq!(free("[1,2]"), serde_json::json!([1, 2]));
        assert_eq!(free("two cats"), Value::from("two cats"));
    }
}
