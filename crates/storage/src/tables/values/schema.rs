//! Fields of schemas, and what an answer says in them.
//!
//! The values of choice fields are numbers in a row, as in the first release; those of
//! other kinds stand beside them, each with its field.

use piecework_core::Fingerprint;
use piecework_core::schema::{Field, FieldKind, Finite, Value, Values};
use piecework_proto::storage::v1 as pb;

use super::{Misread, halves, have, narrow, whole};

pub(super) fn write_field(field: &Field) -> pb::SchemaField {
    use pb::SchemaFieldKind as Pb;
    let mut message = pb::SchemaField {
        name: field.name.clone(),
        choices: field.kind.choices().to_vec(),
        required: field.required,
        ..pb::SchemaField::default()
    };
    let kind = match &field.kind {
        FieldKind::Choice(_) => Pb::Choice,
        FieldKind::MultiChoice(_) => Pb::MultiChoice,
        FieldKind::Boolean => Pb::Boolean,
        FieldKind::Number { tolerance, least, most } => {
            message.tolerance = tolerance.get();
            message.least = least.map(Finite::get);
            message.most = most.map(Finite::get);
            Pb::Number
        }
        FieldKind::Text => Pb::Text,
        FieldKind::Free => Pb::Free,
    };
    message.kind = kind.into();
    message
}

pub(super) fn read_field(message: pb::SchemaField) -> Result<Field, Misread> {
    use pb::SchemaFieldKind as Pb;
    let kind = match message.kind() {
        Pb::Choice => Some(FieldKind::Choice(message.choices)),
        Pb::MultiChoice => Some(FieldKind::MultiChoice(message.choices)),
        Pb::Boolean => Some(FieldKind::Boolean),
        Pb::Number => {
            let bound = |bound: Option<f64>| bound.map(|b| finite("schema.bounds", b)).transpose();
            Some(FieldKind::Number {
                tolerance: finite("schema.tolerance", message.tolerance)?,
                least: bound(message.least)?,
                most: bound(message.most)?,
            })
        }
        Pb::Text => Some(FieldKind::Text),
        Pb::Free => Some(FieldKind::Free),
        Pb::Unspecified => None,
    };
    Ok(Field { name: message.name, kind: have("schema.kind", kind)?, required: message.required })
}

/// The choices of all fields, and the values of those that are none.
pub(super) fn write_values(values: &Values) -> (Vec<u32>, Vec<pb::FieldValue>) {
    use pb::field_value::Value as Pb;
    let mut others = Vec::new();
    let mut choices = Vec::with_capacity(values.len());
    for (field, value) in (0u32..).zip(values) {
        let mut other = |value| others.push(pb::FieldValue { field, value: Some(value) });
        choices.push(match value {
            Some(Value::Choice(index)) => u32::from(*index) + 1,
            None => 0,
            Some(Value::Set(options)) => {
                other(Pb::Set(write_set(options)));
                0
            }
            Some(Value::Boolean(said)) => {
                other(Pb::Boolean(*said));
                0
            }
            Some(Value::Number(number)) => {
                other(Pb::Number(number.get()));
                0
            }
            Some(Value::Text(print)) => {
                other(Pb::Text(write_print(*print)));
                0
            }
        });
    }
    (choices, others)
}

pub(super) fn read_values(choices: &[u32], others: &[pb::FieldValue]) -> Result<Values, Misread> {
    use pb::field_value::Value as Pb;
    let mut values: Values = read_choices(choices, Value::Choice)?;
    for message in others {
        let value = match have("values.value", message.value.as_ref())? {
            Pb::Set(set) => Value::Set(read_set(set)?),
            Pb::Boolean(said) => Value::Boolean(*said),
            Pb::Number(number) => Value::Number(finite("values.number", *number)?),
            Pb::Text(print) => Value::Text(read_print(*print)),
        };
        *place(&mut values, message.field)? = Some(value);
    }
    Ok(values)
}

/// Choices by field, one more than each; zero: none.
pub(super) fn read_choices<V>(
    choices: &[u32],
    value: impl Fn(u16) -> V,
) -> Result<Vec<Option<V>>, Misread> {
    let read = |&choice: &u32| match choice.checked_sub(1) {
        None => Ok(None),
        Some(index) => narrow("choices", index).map(|index| Some(value(index))),
    };
    choices.iter().map(read).collect()
}

/// Where the value of a field stands.
pub(super) fn place<V>(values: &mut [V], field: u32) -> Result<&mut V, Misread> {
    let at: usize = narrow("values.field", field)?;
    have("values.field", values.get_mut(at))
}

pub(super) fn write_set(options: &[u16]) -> pb::OptionSet {
    pb::OptionSet { options: options.iter().map(|&option| option.into()).collect() }
}

pub(super) fn read_set(message: &pb::OptionSet) -> Result<Vec<u16>, Misread> {
    message.options.iter().map(|&option| narrow("values.set", option)).collect()
}

pub(super) fn finite(field: &'static str, number: f64) -> Result<Finite, Misread> {
    have(field, Finite::new(number))
}

pub(super) fn write_print(print: Fingerprint) -> pb::Print {
    let (low, high) = halves(print);
    pb::Print { low, high }
}

pub(super) fn read_print(message: pb::Print) -> Fingerprint {
    whole(message.low, message.high)
}
