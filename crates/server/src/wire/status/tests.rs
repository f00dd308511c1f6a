//! Every refusal against the documentation of its reason.

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::schema::Misfit;
use piecework_core::{ClientId, Kind, LeaseId, Millis, Revision};
use tonic::Status;
use tonic_types::StatusExt;

use super::*;

const ERRORS_PROTO: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/piecework/v1/errors.proto"));

/// Reasons that stand for more than one refusal; see the header of `status.rs`.
const SHARED: [ErrorReason; 3] =
    [ErrorReason::TooManyObjects, ErrorReason::LeaseNotFound, ErrorReason::AnswerInvalid];

/// Refusals by their fields. Each has its own copies, so that all look alike.
macro_rules! each {
    ($($variant:ident { $($field:ident $(: $value:expr)?),* }),* $(,)?) => {
        vec![$({
            $(let $field = each!(@value $field $(, $value)?);)*
            Refusal::$variant { $($field),* }
        }),*]
    };
    (@value $field:ident) => { $field.clone() };
    (@value $field:ident, $value:expr) => { $value };
}

/// One of each. `class` above breaks when a variant comes: add it here, too.
fn every_refusal() -> Vec<Refusal> {
    let id = |text: &str| ClientId::new(text).unwrap();
    let [requester, project, worker] = ["acme", "cats", "ann"].map(id);
    let (name, request_id, task) = (id("x"), id("r1"), "t1".to_owned());
    let (lease, remaining) = (LeaseId::default(), Millis(1_500));
    let misfit = Box::new(Misfit::Missing { field: "breed".to_owned() });
    each![
        RequesterNotFound { requester },
        ProjectNotFound { project },
        TaskNotFound { project, task },
        WorkerNotFound { worker },
        SkillNotFound { worker, skill: "fi".to_owned() },
        LeaseNotFound { worker, lease },
        NoSuchLease { lease },
        NameTaken { kind: Kind::Project, name },
        RequestIdReused { request_id },
        EtagMismatch { kind: Kind::Worker, name, sent: 1, is: 2 },
        ProjectPaused { project },
        ProjectClosed { project },
        ProjectCancelled { project },
        ProjectNotDrained { project, open: 3, live: 1 },
        SchemaChange { project },
        TooManyProjects { projects: 9, limit: 9 },
        TooManyTasks { project, tasks: 9, limit: 9 },
        PayloadTooLarge { project, bytes: 9, limit: 8 },
        TooManySkills { worker, skills: 256, limit: 256 },
        TooManyCreateKeys { keys: 9, limit: 9 },
        TaskDone { project, task },
        TaskFailed { project, task },
        TaskCancelled { project, task },
        TaskNotFailed { project, task, state: "open" },
        TaskFull { project, task, wanted: 3 },
        OverlapTooLow { project, task, overlap: 1, taken: 2 },
        ServerPicks { project },
        LeaseEnded { lease, how: "returned" },
        LeaseSuperseded { lease, wanted: 3 },
        LeaseUsed { lease },
        LateWindowOver { lease, ago: Millis(9_000), window: Millis(5_000) },
        HoldExceeded { lease, max: Millis(5_000) },
        AnswerInvalid { lease, project, revision: Revision(1), misfit: misfit.clone() },
        ResultInvalid {
            project,
            task: piecework_core::TaskNumber(7),
            revision: Revision(1),
            misfit
        },
        WorkerSuspended { worker, reason: "spam".to_owned() },
        CapacityReached { worker, holds: 3, capacity: 3, lowered: false },
        CoolingDown { worker, declines: 5, remaining },
        KindMismatch { project, worker },
        SkillMissing { project, worker, skill: "fi".to_owned(), needed: 50, has: 0 },
        RatingTooLow { project, worker, needed: 80, has: 70 },
        NewcomerRefused { project, worker, judged: 1, needed: 10, holds: 2, limit: 2 },
        RegionMismatch { project, worker, region: "FI".to_owned() },
        QuotaReached { project, worker, done: 4, quota: 4 },
        OwnRequester { project, worker },
        WorkerBlocked { project, worker, requester, blocked: true },
        Throttled { project, remaining },
        AlreadyThere { project, worker, task, how: "answered" },
        Barred { project, worker, task, remaining },
    ]
}

/// The documentation of a reason: its comment in the proto.
fn documentation() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut comment = String::new();
    for line in ERRORS_PROTO.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("//") {
            comment.push_str(text);
        } else {
            let name = line.strip_prefix("ERROR_REASON_").and_then(|rest| rest.split(' ').next());
            if let Some(name) = name {
                found.insert(name.to_owned(), comment.clone());
            }
            comment.clear();
        }
    }
    found
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::Unavailable => "UNAVAILABLE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Internal => "INTERNAL",
        other => panic!("{other:?} is not in the contract"),
    }
}

/// Reason, code and keys are those that the proto promises.
fn keeps_its_promise(failure: Failure) {
    let documentation = documentation();
    let status = Status::from(failure);
    let info = status.get_details_error_info().unwrap();
    let promise = documentation.get(&info.reason);
    let promise = promise.unwrap_or_else(|| panic!("{} is not in the proto", info.reason));
    let code = code_name(status.code());
    assert!(promise.contains(code), "{} is {code}: {promise}", info.reason);
    for key in info.metadata.keys() {
        let quoted = format!("`{key}`");
        assert!(promise.contains(&quoted), "{} has {key}: {promise}", info.reason);
    }
    assert!(status.message().ends_with('.'), "{}", status.message());
    let waits = status.get_details_retry_info().is_some();
    assert_eq!(waits, promise.contains("RetryInfo"), "{}: {promise}", info.reason);
}

#[test]
fn every_refusal_keeps_the_promise_of_its_reason() {
    for refusal in every_refusal() {
        keeps_its_promise(refused(&refusal, "items[2]"));
    }
}

#[test]
fn every_other_no_keeps_the_promise_of_its_reason() {
    use crate::wire::invalid;
    let all = [
        unanswered(Unanswered::Overloaded { waiting: 9, limit: 9 }),
        unanswered(Unanswered::StorageFull),
        unanswered(Unanswered::Draining),
        unanswered(Unanswered::SentAway),
        unanswered(Unanswered::Stopped),
        worker_not_named(&ClientId::new("ann").unwrap()),
        worker_taken_over(&ClientId::new("ann").unwrap()),
        reader_behind(Duration::from_secs(30)),
        stream_silent(Duration::from_secs(40)),
        internal(),
        position_not_reached("p"),
        cursor_pruned("projects/cats", 7, "t"),
        result_not_found("projects/cats/tasks/a/result"),
        submission_not_found("submissions/1-2-3"),
        invalid::field("tasks[0].payload", "is empty"),
        invalid::range("level", 101, 0, 100),
        invalid::too_large("tasks[0].payload", 9, 8, "bytes"),
        invalid::name("name", "x", "projects/{project}"),
        invalid::immutable("requester"),
        invalid::filter("x", "state"),
        invalid::page_token(),
        invalid::resume_token(),
        invalid::position("p"),
    ];
    for failure in all {
        keeps_its_promise(failure);
    }
}

#[test]
fn refusals_share_a_reason_only_where_we_say_so() {
    let mut seen = BTreeSet::new();
    for refusal in every_refusal() {
        let reason = refused(&refusal, "").reason();
        let is_new = seen.insert(reason.reason());
        assert!(is_new || SHARED.contains(&reason), "{refusal:?} shares {reason:?}");
    }
}

#[test]
fn the_field_to_mend_is_named() {
    let failure = |wanted: fn(&Refusal) -> bool| {
        let refusal = every_refusal().into_iter().find(wanted).unwrap();
        refused(&refusal, "answers[3]").field().unwrap_or_default().to_owned()
    };
    let answer = failure(|r| matches!(r, Refusal::AnswerInvalid { .. }));
    assert_eq!(answer, "answers[3].answer.breed");
    let payload = failure(|r| matches!(r, Refusal::PayloadTooLarge { .. }));
    assert_eq!(payload, "answers[3].payload");
}
