//! One "no" of the daemon, and its two forms on the wire.
//!
//! A call that fails is a gRPC status, an item that fails inside a bulk call is a
//! `google.rpc.Status`: both carry the same `ErrorInfo`, and where apt
//! `BadRequest` and `RetryInfo`. Text that clients sent is cut before it is
//! repeated, since a status travels in headers.
//!
//! Not here: which reason goes with which refusal (`status.rs`), and the
//! findings of the edge (`invalid.rs`).

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use piecework_proto::ERROR_DOMAIN;
use piecework_proto::v1::ErrorReason;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

/// Bytes of a message. It travels twice, once percent-encoded, and all headers
/// of a reply must stay below the 8 KiB that some clients take.
const MESSAGE_BYTES_MAX: usize = 480;
/// Bytes of a value of the metadata, and of a field's path.
const VALUE_BYTES_MAX: usize = 200;
/// The trailer that tells gRPC clients when to come back, in milliseconds.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Why a call or an item of it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    field: Option<String>,
    retry: Option<Duration>,
}

impl Failure {
    /// `message`: what is wrong, which object, both numbers, what to do. It
    /// becomes a sentence: a capital letter first and a full stop at its end.
    pub(crate) fn new(code: Code, reason: ErrorReason, message: impl AsRef<str>) -> Failure {
        let message = sentence(message.as_ref());
        Failure { code, reason, message, metadata: Vec::new(), field: None, retry: None }
    }

    /// Adds what a program needs; the keys are documented with the reason.
    pub(crate) fn with(mut self, key: &'static str, value: impl Display) -> Failure {
        self.metadata.push((key, cut(&value.to_string(), VALUE_BYTES_MAX)));
        self
    }

    /// Says which field of the request is wrong, such as `tasks[3].payload`.
    pub(crate) fn at(mut self, field: impl Into<String>) -> Failure {
        self.field = Some(cut(&field.into(), VALUE_BYTES_MAX));
        self
    }

    /// Says when to come back.
    pub(crate) fn retry_in(mut self, delay: Duration) -> Failure {
        self.retry = Some(delay);
        self
    }

    /// Whether another change came first.
    pub(crate) fn is_stale(&self) -> bool {
        self.reason == ErrorReason::EtagMismatch
    }

    /// Its reason.
    pub(crate) fn reason(&self) -> ErrorReason {
        self.reason
    }

    /// The field it blames.
    #[cfg(test)]
    pub(crate) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Its text.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// As an item's status in a bulk call.
    pub(crate) fn into_item(self) -> pb::Status {
        let code = self.code as i32;
        let message = self.message.clone();
        let status = Status::from(self);
        // tonic keeps the details as the encoded google.rpc.Status it made.
        pb::Status::decode(status.details()).unwrap_or(pb::Status {
            code,
            message,
            details: Vec::new(),
        })
    }

    fn details(&self) -> ErrorDetails {
        let mut metadata: HashMap<String, String> =
            self.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        if let Some(field) = &self.field {
            metadata.entry("field".to_owned()).or_insert_with(|| field.clone());
        }
        let mut details = ErrorDetails::new();
        details.set_error_info(self.reason.reason(), ERROR_DOMAIN, metadata);
        if let Some(field) = &self.field {
            details.add_bad_request_violation(field, &self.message);
        }
        if let Some(delay) = self.retry {
            details.set_retry_info(Some(delay));
        }
        details
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Status {
        let details = failure.details();
        let mut trailers = MetadataMap::new();
        if let Some(delay) = failure.retry {
            let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            trailers.insert(PUSHBACK, MetadataValue::from(millis));
        }
        Status::with_error_details_and_metadata(failure.code, failure.message, details, trailers)
    }
}

fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let is_boundary = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=bytes_max).rev().find(is_boundary).unwrap_or_default();
    format!("{}…", &text[..end])
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut whole: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    whole.push_str(letters.as_str());
    let mut whole = cut(&whole, MESSAGE_BYTES_MAX);
    if !whole.ends_with(['.', '…', '!', '?']) {
        whole.push('.');
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overloaded() -> Failure {
        Failure::new(Code::ResourceExhausted, ErrorReason::Overloaded, "too much waits")
            .with("waiting", 7)
            .retry_in(Duration::from_millis(250))
    }

    #[test]
    fn a_status_carries_reason_numbers_and_when_to_come_back() {
        let status = Status::from(overloaded());
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "Too much waits.");
        assert_eq!(status.metadata().get(PUSHBACK).unwrap(), "250");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("OVERLOADED", "piecework"));
        assert_eq!(info.metadata["waiting"], "7");
        let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert_eq!(retry, Duration::from_millis(250));
    }

    #[test]
    fn an_item_carries_the_same_as_a_status() {
        let item = overloaded().at("tasks[3]").into_item();
        assert_eq!(item.code, Code::ResourceExhausted as i32);
        assert_eq!(item.message, "Too much waits.");
        let types: Vec<&str> = item.details.iter().map(|d| d.type_url.as_str()).collect();
        assert_eq!(types.len(), 3, "{types:?}");
    }

    #[test]
    fn what_clients_sent_is_cut_before_it_is_repeated() {
        let long = "ä".repeat(300_000);
        let failure = Failure::new(Code::InvalidArgument, ErrorReason::FieldInvalid, &long)
            .at(&long)
            .with("problem", &long)
            .with("project", &long)
            .with("lease", &long);
        let status = Status::from(failure);
        let in_headers = status.message().len() * 3 + status.details().len() * 4 / 3;
        assert!(in_headers < 6_144, "{in_headers}");
    }
}
