//! What a result says in each field of its schema, as classes.
//!
//! Not here: what its votes say (`project.rs`).

use piecework_core::LeaseId;
use piecework_core::event::{ResultAnswer, ResultValue};
use piecework_core::lease::Lease;
use piecework_core::schema::{Schema, Value};

use crate::wire::from_wire;

/// By index of the field; `None` where it says nothing or the field has no classes.
/// `lease` finds the one whose answer is the result.
///
/// # Errors
/// Those of `lease`.
pub(crate) fn classes<E>(
    answer: Option<&ResultAnswer>,
    schema: &Schema,
    lease: impl FnOnce(LeaseId) -> Result<Option<Lease>, E>,
) -> Result<Vec<Option<u16>>, E> {
    let of = |values: &[Option<Value>]| {
        values.iter().map(|value| value.as_ref().and_then(Value::class)).collect()
    };
    Ok(match answer {
        None => Vec::new(),
        Some(ResultAnswer::Values { values, .. }) => {
            values.iter().map(|value| value.as_ref().and_then(ResultValue::class)).collect()
        }
        Some(ResultAnswer::Of(id)) => {
            let lease = lease(*id)?;
            of(lease.as_ref().and_then(Lease::counted).map_or(&[], |s| s.values.as_slice()))
        }
        Some(ResultAnswer::Given { bytes, content_type, .. }) => {
            let answer = from_wire::answer::read(bytes.clone(), content_type.clone());
            of(&schema.read(&answer).unwrap_or_default())
        }
    })
}
