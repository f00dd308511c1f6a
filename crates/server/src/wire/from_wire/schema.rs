//! Answer schemas.

use std::collections::BTreeSet;

use piecework_core::limits;
use piecework_core::schema::{Field, FieldKind, Schema};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::{field, invalid, names};

/// Bytes of one choice.
const CHOICE_BYTES_MAX: usize = 256;
/// Bytes of all names and choices of a schema: every lease carries them.
const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// Absent: no schema, any bytes are an answer.
pub(crate) fn schema(path: &str, schema: Option<v1::AnswerSchema>) -> Result<Schema, Failure> {
    let Some(schema) = schema else { return Ok(Schema::default()) };
    let path = format!("{path}.fields");
    if schema.fields.is_empty() {
        return Err(invalid::field(&path, "is empty; leave the schema out to take any bytes"));
    }
    field::count(&path, schema.fields.len(), limits::SCHEMA_FIELDS_MAX, "fields")?;
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    let mut fields = Vec::with_capacity(schema.fields.len());
    for (index, message) in schema.fields.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        if !seen.insert(message.name.clone()) {
            let problem = format!("is {:.128?}, as is another field's", message.name);
            return Err(invalid::field(&format!("{path}.name"), problem));
        }
        bytes += message.name.len() + message.choices.iter().map(String::len).sum::<usize>();
        fields.push(one(&path, message)?);
    }
    field::count(&path, bytes, SCHEMA_BYTES_MAX, "bytes")?;
    Ok(Schema { fields })
}

fn one(path: &str, message: v1::AnswerField) -> Result<Field, Failure> {
    let name = names::id(&format!("{path}.name"), &message.name)?.as_str().to_owned();
    let choices_path = format!("{path}.choices");
    let kind = match field::said(&format!("{path}.kind"), message.kind)? {
        v1::AnswerFieldKind::Choice => FieldKind::Choice(choices(&choices_path, message.choices)?),
        v1::AnswerFieldKind::Other if message.choices.is_empty() => FieldKind::Other,
        v1::AnswerFieldKind::Other => {
            return Err(invalid::field(&choices_path, "has entries, but the kind is OTHER"));
        }
        v1::AnswerFieldKind::Unspecified => {
            return Err(invalid::field(&format!("{path}.kind"), "is not set"));
        }
    };
    Ok(Field { name, kind, required: message.required })
}

fn choices(path: &str, choices: Vec<String>) -> Result<Vec<String>, Failure> {
    if choices.is_empty() {
        return Err(invalid::field(path, "is empty, a CHOICE has at least one"));
    }
    field::count(path, choices.len(), limits::SCHEMA_CHOICES_MAX, "choices")?;
    let mut seen = BTreeSet::new();
    for (index, choice) in choices.iter().enumerate() {
        let path = || format!("{path}[{index}]");
        if choice.is_empty() {
            return Err(invalid::field(&path(), "is empty"));
        }
        if choice.len() > CHOICE_BYTES_MAX {
            return Err(invalid::too_large(&path(), choice.len(), CHOICE_BYTES_MAX, "bytes"));
        }
        if !seen.insert(choice.as_str()) {
            return Err(invalid::field(&path(), format!("is {choice:?}, as is another choice")));
        }
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(name: &str, choices: &[&str]) -> v1::AnswerField {
        v1::AnswerField {
            name: name.to_owned(),
            kind: v1::AnswerFieldKind::Choice.into(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            required: true,
        }
    }

    fn wrong(fields: Vec<v1::AnswerField>) -> String {
        let failure = schema("project.schema", Some(v1::AnswerSchema { fields })).unwrap_err();
        failure.field().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_schema_names_the_field_that_is_wrong() {
        assert_eq!(wrong(vec![]), "project.schema.fields");
        assert_eq!(
            wrong(vec![choice("a", &["x"]), choice("a", &["x"])]),
            "project.schema.fields[1].name"
        );
        assert_eq!(wrong(vec![choice("a", &["x", "x"])]), "project.schema.fields[0].choices[1]");
        assert_eq!(wrong(vec![choice("a", &[])]), "project.schema.fields[0].choices");
        assert_eq!(wrong(vec![choice("a b", &["x"])]), "project.schema.fields[0].name");
        let other =
            v1::AnswerField { kind: v1::AnswerFieldKind::Other.into(), ..choice("a", &["x"]) };
        assert_eq!(wrong(vec![other]), "project.schema.fields[0].choices");
        assert_eq!(
            wrong(vec![v1::AnswerField { kind: 0, ..choice("a", &["x"]) }]),
            "project.schema.fields[0].kind"
        );
    }

    #[test]
    fn no_schema_takes_any_bytes() {
        assert!(schema("project.schema", None).unwrap().fields.is_empty());
    }
}
