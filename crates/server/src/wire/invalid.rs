//! What the edge itself finds wrong with a request.
//!
//! Each finding names the field as the client wrote it (`tasks[3].payload`), and
//! for numbers both the value and the bounds. A path is written only here, when
//! something is wrong: who checks hands over what would write it.
//!
//! Not here: what only the engine can know (`status.rs`).

use std::fmt::Display;

use piecework_proto::v1::ErrorReason;
use tonic::Code;

use crate::wire::failure::Failure;

/// A field is missing or has a value that is never valid.
pub(crate) fn field(path: impl Display, problem: impl Display) -> Failure {
    let message = format!("field {path} {problem}");
    invalid(ErrorReason::FieldInvalid, message).at(path.to_string())
}

/// A number is outside its bounds.
pub(crate) fn range(
    path: &str,
    value: impl Display,
    minimum: impl Display,
    maximum: impl Display,
) -> Failure {
    field(path, format!("is {value}, it may be {minimum} to {maximum}"))
        .with("minimum", minimum)
        .with("maximum", maximum)
}

/// Too large by itself. `unit`: of both numbers, in the plural.
pub(crate) fn too_large(
    path: impl Display,
    size: usize,
    limit: usize,
    unit: &'static str,
) -> Failure {
    let message = format!("field {path} has {size} {unit}, limit {limit}");
    invalid(ErrorReason::LimitExceeded, message)
        .at(path.to_string())
        .with("size", size)
        .with("limit", limit)
        .with("unit", unit)
}

/// The name of something does not parse, or is of another kind.
pub(crate) fn name(path: impl Display, name: &str, pattern: &'static str) -> Failure {
    let message = match name {
        "" => format!("field {path} is empty, it must be {pattern}"),
        _ => format!("field {path} is {name:?}, it must be {pattern}"),
    };
    invalid(ErrorReason::NameMalformed, message)
        .at(path.to_string())
        .with("name", name)
        .with("pattern", pattern)
}

/// The update would change what never changes.
pub(crate) fn immutable(path: &str) -> Failure {
    let message = format!("field {path} never changes; leave it out of the mask");
    invalid(ErrorReason::FieldImmutable, message).at(path)
}

/// A list's filter does not parse. `fields`: those documented for it.
pub(crate) fn filter(filter: &str, fields: &str) -> Failure {
    let message = format!("filter {filter:?} is not understood; it may say {fields} = VALUE");
    invalid(ErrorReason::FilterInvalid, message)
        .at("filter")
        .with("filter", filter)
        .with("fields", fields)
}

/// The page token is not one of this list's with this filter.
pub(crate) fn page_token() -> Failure {
    let message = "page_token is not one of this list with this filter; begin at the first page";
    invalid(ErrorReason::PageTokenInvalid, message).at("page_token")
}

/// The resume token is not one of this log's with these types, or lies ahead of it.
pub(crate) fn resume_token() -> Failure {
    let message = "resume_token is not one of this log with these types; begin without one";
    invalid(ErrorReason::ResumeTokenInvalid, message).at("resume_token")
}

/// The position is not one that this daemon gave.
pub(crate) fn position(durable: &str) -> Failure {
    let message = "min_position is not a position of this daemon; leave it out";
    invalid(ErrorReason::PositionInvalid, message)
        .at("min_position")
        .with("durable_position", durable)
}

fn invalid(reason: ErrorReason, message: impl AsRef<str>) -> Failure {
    Failure::new(Code::InvalidArgument, reason, message)
}
