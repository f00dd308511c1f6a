//! Why a call did not work: the daemon said no, or nobody answered.
//!
//! The difference decides what to do next, and gRPC's codes do not show it: a
//! broken connection arrives as UNAVAILABLE, UNKNOWN, CANCELLED or INTERNAL,
//! depending on how far the call had come.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

use piecework_proto::v1::ErrorReason;

/// Why a call did not work.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon answered, and the answer is no. Nothing has changed.
    #[error(transparent)]
    Refused(#[from] Box<Refused>),
    /// The call was lost on the way. It may or may not have happened.
    #[error("no answer from the daemon: {message}")]
    Lost {
        /// What broke, in the words of the transport.
        message: String,
        /// The transport's error.
        #[source]
        source: Box<Status>,
    },
}

/// A refusal with its details.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The gRPC code.
    pub code: Code,
    /// The reason, such as `LEASE_SUPERSEDED`. Empty if the daemon gave none.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
    /// What is wrong with which fields of the request.
    pub fields: Vec<FieldProblem>,
    /// The numbers and names behind the reason.
    pub metadata: BTreeMap<String, String>,
    /// How long to wait before another try, where waiting helps.
    pub retry_after: Option<Duration>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Its path, such as `project.schema.fields[0].name`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl CallError {
    /// The refusal, if the daemon answered.
    #[must_use]
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Lost { .. } => None,
        }
    }

    /// Whether the daemon refused for this reason.
    #[must_use]
    pub fn is(&self, reason: ErrorReason) -> bool {
        self.refused().is_some_and(|refused| refused.is(reason))
    }

    /// Whether the same call may work later, if it is one that may be repeated.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.refused().is_none_or(Refused::is_passing)
    }
}

impl Refused {
    /// Whether this is the reason.
    #[must_use]
    pub fn is(&self, reason: ErrorReason) -> bool {
        self.reason == reason.reason()
    }

    /// Whether the same call may work later: the daemon is not available, or
    /// is overloaded. A limit that does not pass by waiting carries no delay.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.code {
            Code::Unavailable => true,
            Code::ResourceExhausted => self.retry_after.is_some(),
            _ => false,
        }
    }

    fn new(code: Code, message: &str, details: &ErrorDetails) -> Self {
        let info = details.error_info();
        let fields = details.bad_request().map(|bad| bad.field_violations.as_slice());
        Self {
            code,
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: if message.is_empty() { code.to_string() } else { message.to_owned() },
            fields: fields
                .unwrap_or_default()
                .iter()
                .map(|v| FieldProblem { field: v.field.clone(), problem: v.description.clone() })
                .collect(),
            metadata: info.map(|i| i.metadata.clone().into_iter().collect()).unwrap_or_default(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        }
    }
}

impl From<&pb::Status> for Refused {
    /// An item's refusal in a bulk call.
    fn from(status: &pb::Status) -> Self {
        use tonic_types::RpcStatusExt;
        Self::new(Code::from_i32(status.code), &status.message, &status.get_error_details())
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        if details.error_info().is_none() && is_lost(&status) {
            let message = root_cause(&status);
            return Self::Lost { message, source: Box::new(status) };
        }
        Self::Refused(Box::new(Refused::new(status.code(), status.message(), &details)))
    }
}

/// Made on this side, or by something in between, not by the daemon.
fn is_lost(status: &Status) -> bool {
    let transport = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled);
    let broken = status.code() == Code::Internal
        && (status.message().starts_with("h2 protocol error")
            || status.message().starts_with("Missing response"));
    status.source().is_some() || transport || broken
}

/// The innermost error says what happened, such as "connection refused".
fn root_cause(status: &Status) -> String {
    let mut inner: Option<&(dyn Error + 'static)> = status.source();
    let mut message = status.message().to_owned();
    while let Some(error) = inner {
        message = error.to_string();
        inner = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: Code, retry: Option<Duration>) -> CallError {
        let mut details = ErrorDetails::new();
        details.set_error_info("OVERLOADED", "piecework", [("lane".to_owned(), "submit".into())]);
        details.add_bad_request_violation("tasks[3].task_id", "is too long");
        if retry.is_some() {
            details.set_retry_info(retry);
        }
        Status::with_error_details(code, "the submit lane is full", details).into()
    }

    #[test]
    fn a_refusal_keeps_its_details() {
        let error = refusal(Code::ResourceExhausted, Some(Duration::from_millis(250)));
        let refused = error.refused().unwrap();
        assert!(refused.is(ErrorReason::Overloaded) && error.is(ErrorReason::Overloaded));
        assert_eq!(refused.message, "the submit lane is full");
        assert_eq!(refused.metadata["lane"], "submit");
        assert_eq!(refused.fields[0].field, "tasks[3].task_id");
        assert_eq!(refused.retry_after, Some(Duration::from_millis(250)));
    }

    #[test]
    fn only_what_passes_is_worth_another_try() {
        let wait = Some(Duration::from_secs(1));
        assert!(refusal(Code::ResourceExhausted, wait).is_passing());
        assert!(!refusal(Code::ResourceExhausted, None).is_passing());
        assert!(refusal(Code::Unavailable, None).is_passing());
        assert!(!refusal(Code::FailedPrecondition, wait).is_passing());
    }

    #[test]
    fn a_status_that_no_daemon_made_is_a_lost_call() {
        for code in [Code::Unavailable, Code::Unknown, Code::Cancelled] {
            let error = CallError::from(Status::new(code, "broken pipe"));
            assert!(error.refused().is_none() && error.is_passing(), "{code:?}");
        }
        let internal = CallError::from(Status::internal("h2 protocol error: reset"));
        assert!(internal.refused().is_none());
        let unknown_call = CallError::from(Status::unimplemented("unknown"));
        assert!(unknown_call.refused().is_some());
    }

    #[test]
    fn an_items_status_reads_like_a_calls() {
        let status = pb::Status { code: 6, message: "taken".into(), details: Vec::new() };
        let refused = Refused::from(&status);
        assert_eq!((refused.code, refused.message.as_str()), (Code::AlreadyExists, "taken"));
        assert!(refused.reason.is_empty() && refused.fields.is_empty());
    }
}
