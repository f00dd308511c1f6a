//! Refusals, checked in every part: code, reason, domain and the field to blame.

use std::fmt::Debug;

use piecework_client::proto::ERROR_DOMAIN;
use piecework_client::proto::v1::{
    ChangeTaskResult, ChangedTask, CreateTaskResult, CreatedTask, ErrorReason, ExtendLeaseResult,
    LeaseExtension, Receipt, ReturnLeaseResult, ReturnedLease, SubmitAnswerResult,
    change_task_result, create_task_result, extend_lease_result, return_lease_result,
    submit_answer_result,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, RpcStatusExt, StatusExt, pb};

/// A refusal of a call, or of an item in it.
pub(crate) trait Told {
    fn told(&self) -> (Code, String, ErrorDetails);
}

impl Told for Status {
    fn told(&self) -> (Code, String, ErrorDetails) {
        (self.code(), self.message().to_owned(), self.get_error_details())
    }
}

impl Told for pb::Status {
    fn told(&self) -> (Code, String, ErrorDetails) {
        (Code::from_i32(self.code), self.message.clone(), self.get_error_details())
    }
}

/// Checks a refusal. `field`: the path it must blame; empty: none.
#[track_caller]
pub(crate) fn refused<T: Debug, E: Told>(
    result: Result<T, E>,
    code: Code,
    reason: ErrorReason,
    field: &str,
) -> ErrorDetails {
    let told = match result {
        Ok(answer) => panic!("not refused as {}: {answer:?}", reason.reason()),
        Err(told) => told,
    };
    let (is_code, message, details) = told.told();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {is_code} {message}"));
    assert_eq!((is_code, info.reason.as_str()), (code, reason.reason()), "{message}");
    assert_eq!(info.domain, ERROR_DOMAIN, "{message}");
    assert!(!message.is_empty(), "a person needs a sentence");
    let blamed: Vec<&str> = details
        .bad_request()
        .iter()
        .flat_map(|bad| bad.field_violations.iter().map(|violation| violation.field.as_str()))
        .collect();
    let expected: Vec<&str> = Some(field).filter(|field| !field.is_empty()).into_iter().collect();
    assert_eq!(blamed, expected, "{message}");
    details
}

/// One item of a bulk reply, as a result.
pub(crate) trait Outcome {
    type Good;

    fn outcome(self) -> Result<Self::Good, pb::Status>;
}

macro_rules! outcome {
    ($item:ident, $module:ident :: $good:ident, $type:ident) => {
        impl Outcome for $item {
            type Good = $type;

            fn outcome(self) -> Result<$type, pb::Status> {
                match self.outcome.expect("an outcome is set") {
                    $module::Outcome::$good(good) => Ok(good),
                    $module::Outcome::Error(status) => Err(status),
                }
            }
        }
    };
}

outcome!(CreateTaskResult, create_task_result::Task, CreatedTask);
outcome!(ChangeTaskResult, change_task_result::Task, ChangedTask);
outcome!(SubmitAnswerResult, submit_answer_result::Receipt, Receipt);
outcome!(ExtendLeaseResult, extend_lease_result::Extension, LeaseExtension);
outcome!(ReturnLeaseResult, return_lease_result::Returned, ReturnedLease);
