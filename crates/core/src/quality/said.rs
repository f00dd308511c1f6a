//! What an answer says, whoever said it: as a fingerprint, and against one submission.
//!
//! Not here: how it came about (`verdicts.rs`).

use crate::event::ResultValue;
use crate::lease::{Lease, Submitted};
use crate::schema::Value;
use crate::{Fingerprint, LeaseId};

/// The fingerprint of these values, per field; a text is the one of its submission.
pub(super) fn of(values: &[Option<ResultValue>], counted: &[(&Lease, &Submitted)]) -> Fingerprint {
    let mut bytes = Vec::new();
    for (field, value) in values.iter().enumerate() {
        match value {
            None => bytes.push(0),
            Some(ResultValue::Choice(choice)) => tagged(&mut bytes, 1, &choice.to_le_bytes()),
            Some(ResultValue::Set(options)) => {
                tagged(&mut bytes, 2, &(options.len() as u64).to_le_bytes());
                options.iter().for_each(|option| bytes.extend(option.to_le_bytes()));
            }
            Some(ResultValue::Boolean(yes)) => tagged(&mut bytes, 3, &[u8::from(*yes)]),
            Some(ResultValue::Number(number)) => {
                tagged(&mut bytes, 4, &number.get().to_bits().to_le_bytes());
            }
            Some(ResultValue::Text(lease)) => {
                let compared = text_of(*lease, field, counted).unwrap_or_default();
                tagged(&mut bytes, 5, &compared.0.to_le_bytes());
            }
        }
    }
    Fingerprint::of(&[&bytes])
}

/// Whether a submission says just that in every field that is compared.
pub(super) fn is_said_by(values: &[Option<ResultValue>], answer: &Submitted) -> bool {
    values.iter().enumerate().all(|(field, value)| {
        let own = answer.values.get(field).and_then(Option::as_ref);
        match (value, own) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ResultValue::Choice(a)), Some(Value::Choice(b))) => a == b,
            (Some(ResultValue::Boolean(a)), Some(Value::Boolean(b))) => a == b,
            (Some(ResultValue::Set(a)), Some(Value::Set(b))) => a == b,
            (Some(ResultValue::Number(a)), Some(Value::Number(b))) => a == b,
            (Some(ResultValue::Text(_)), Some(Value::Text(_))) => true,
            (Some(_), Some(_)) => false,
        }
    })
}

fn text_of(lease: LeaseId, field: usize, counted: &[(&Lease, &Submitted)]) -> Option<Fingerprint> {
    let (_, submitted) = counted.iter().find(|(own, _)| own.id == lease)?;
    match submitted.values.get(field)?.as_ref()? {
        Value::Text(compared) => Some(*compared),
        _ => None,
    }
}

fn tagged(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    bytes.push(tag);
    bytes.extend(value);
}
