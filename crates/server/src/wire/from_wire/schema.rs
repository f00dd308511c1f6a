//! Answer schemas.

use std::collections::BTreeSet;

use piecework_core::limits;
use piecework_core::schema::{Field, FieldKind, Finite, Schema};
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
            return Err(invalid::field(format!("{path}.name"), problem));
        }
        bytes += message.name.len() + message.choices.iter().map(String::len).sum::<usize>();
        fields.push(one(&path, message)?);
    }
    field::count(&path, bytes, SCHEMA_BYTES_MAX, "bytes")?;
    Ok(Schema { fields })
}

fn one(path: &str, message: v1::AnswerField) -> Result<Field, Failure> {
    use v1::AnswerFieldKind as Wire;
    let name = names::id(&format!("{path}.name"), &message.name)?.as_str().to_owned();
    let required = message.required;
    let kind_path = format!("{path}.kind");
    let kind: Wire = field::said(&kind_path, message.kind)?;
    absent(path, kind, &message)?;
    let kind = match kind {
        Wire::Choice => FieldKind::Choice(choices(&format!("{path}.choices"), message.choices)?),
        Wire::MultiChoice => {
            FieldKind::MultiChoice(choices(&format!("{path}.choices"), message.choices)?)
        }
        Wire::Boolean => FieldKind::Boolean,
        Wire::Number => number(path, &message)?,
        Wire::Text => FieldKind::Text,
        Wire::Free => FieldKind::Free,
        Wire::Unspecified => return Err(invalid::field(&kind_path, "is not set")),
    };
    Ok(Field { name, kind, required })
}

/// What fields of this kind do not have must not be there.
fn absent(path: &str, kind: v1::AnswerFieldKind, message: &v1::AnswerField) -> Result<(), Failure> {
    use v1::AnswerFieldKind as Wire;
    let chooses = matches!(kind, Wire::Choice | Wire::MultiChoice);
    let counts = kind == Wire::Number;
    let wrong = [
        ("choices", !chooses && !message.choices.is_empty()),
        ("tolerance", !counts && message.tolerance.to_bits() != 0),
        ("least", !counts && message.least.is_some()),
        ("most", !counts && message.most.is_some()),
    ];
    let kind = kind.as_str_name().trim_start_matches("ANSWER_FIELD_KIND_");
    match wrong.iter().find(|(_, is_wrong)| *is_wrong) {
        Some((name, _)) => {
            let problem = format!("is set, but the kind is {kind}, which has none");
            Err(invalid::field(format!("{path}.{name}"), problem))
        }
        None => Ok(()),
    }
}

fn number(path: &str, message: &v1::AnswerField) -> Result<FieldKind, Failure> {
    let finite = |name: &str, number: f64| {
        let problem = || format!("is {number}, which is no finite number");
        Finite::new(number).ok_or_else(|| invalid::field(format!("{path}.{name}"), problem()))
    };
    let tolerance = finite("tolerance", message.tolerance)?;
    if tolerance.get() < 0.0 {
        let problem = format!("is {tolerance}, it must be 0 or more");
        return Err(invalid::field(format!("{path}.tolerance"), problem));
    }
    let least = message.least.map(|least| finite("least", least)).transpose()?;
    let most = message.most.map(|most| finite("most", most)).transpose()?;
    if let Some((least, most)) = least.zip(most)
        && least.get() > most.get()
    {
        let problem = format!("is {most}, below the field's least, {least}");
        return Err(invalid::field(format!("{path}.most"), problem));
    }
    Ok(FieldKind::Number { tolerance, least, most })
}

fn choices(path: &str, choices: Vec<String>) -> Result<Vec<String>, Failure> {
    if choices.is_empty() {
        return Err(invalid::field(path, "is empty, there must be at least one to choose"));
    }
    field::count(path, choices.len(), limits::SCHEMA_CHOICES_MAX, "choices")?;
    let mut seen = BTreeSet::new();
    for (index, choice) in choices.iter().enumerate() {
        let path = || format!("{path}[{index}]");
        if choice.is_empty() {
            return Err(invalid::field(path(), "is empty"));
        }
        if choice.len() > CHOICE_BYTES_MAX {
            return Err(invalid::too_large(path(), choice.len(), CHOICE_BYTES_MAX, "bytes"));
        }
        if !seen.insert(choice.as_str()) {
            return Err(invalid::field(path(), format!("is {choice:?}, as is another choice")));
        }
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use v1::AnswerFieldKind as Wire;

    use super::*;

    fn choice(name: &str, choices: &[&str]) -> v1::AnswerField {
        v1::AnswerField {
            name: name.to_owned(),
            kind: v1::AnswerFieldKind::Choice.into(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            required: true,
            ..v1::AnswerField::default()
        }
    }

    fn of(kind: v1::AnswerFieldKind) -> v1::AnswerField {
        v1::AnswerField { kind: kind.into(), ..choice("a", &[]) }
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
        assert_eq!(
            wrong(vec![of(v1::AnswerFieldKind::MultiChoice)]),
            "project.schema.fields[0].choices"
        );
        for kind in [Wire::Free, Wire::Boolean, Wire::Number, Wire::Text] {
            let field = v1::AnswerField { choices: vec!["x".to_owned()], ..of(kind) };
            assert_eq!(wrong(vec![field]), "project.schema.fields[0].choices");
        }
        assert_eq!(
            wrong(vec![v1::AnswerField { kind: 0, ..choice("a", &["x"]) }]),
            "project.schema.fields[0].kind"
        );
    }

    #[test]
    fn only_a_number_has_tolerance_and_bounds_and_they_make_sense() {
        let at =
            |field: v1::AnswerField| wrong(vec![field]).replace("project.schema.fields[0].", "");
        let number = || of(Wire::Number);
        for kind in [Wire::Free, Wire::Boolean, Wire::Text] {
            assert_eq!(at(v1::AnswerField { tolerance: 1.0, ..of(kind) }), "tolerance");
            assert_eq!(at(v1::AnswerField { least: Some(0.0), ..of(kind) }), "least");
            assert_eq!(at(v1::AnswerField { most: Some(0.0), ..of(kind) }), "most");
        }
        for tolerance in [-0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(at(v1::AnswerField { tolerance, ..number() }), "tolerance");
        }
        assert_eq!(at(v1::AnswerField { least: Some(f64::NAN), ..number() }), "least");
        assert_eq!(at(v1::AnswerField { most: Some(f64::INFINITY), ..number() }), "most");
        let crossed = v1::AnswerField { least: Some(2.0), most: Some(1.0), ..number() };
        assert_eq!(at(crossed), "most");
        let fields = vec![v1::AnswerField { least: Some(1.0), most: Some(1.0), ..number() }];
        let read = schema("project.schema", Some(v1::AnswerSchema { fields })).unwrap();
        let one = Finite::new(1.0);
        let kind = FieldKind::Number { tolerance: Finite::ZERO, least: one, most: one };
        assert_eq!(read.fields[0].kind, kind);
    }

    #[test]
    fn no_schema_takes_any_bytes() {
        assert!(schema("project.schema", None).unwrap().fields.is_empty());
    }
}
