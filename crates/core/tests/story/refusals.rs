//! The name of every refusal, as stories write it.
//!
//! One exhaustive match: a new refusal breaks the build here, and then the test
//! that wants a story for it.

use piecework_core::Refusal;

macro_rules! refusals {
    ($($variant:ident $name:literal)*) => {
        /// Every name.
        pub(crate) const REFUSALS: &[&str] = &[$($name),*];

        /// The name of a refusal.
        pub(crate) fn refusal(refusal: &Refusal) -> &'static str {
            match refusal {
                $(Refusal::$variant { .. } => $name,)*
            }
        }
    };
}

refusals! {
    RequesterNotFound "REQUESTER_NOT_FOUND"
    ProjectNotFound "PROJECT_NOT_FOUND"
    TaskNotFound "TASK_NOT_FOUND"
    WorkerNotFound "WORKER_NOT_FOUND"
    SkillNotFound "SKILL_NOT_FOUND"
    LeaseNotFound "LEASE_NOT_FOUND"
    NoSuchLease "NO_SUCH_LEASE"
    NameTaken "NAME_TAKEN"
    RequestIdReused "REQUEST_ID_REUSED"
    EtagMismatch "ETAG_MISMATCH"
    ProjectPaused "PROJECT_PAUSED"
    ProjectClosed "PROJECT_CLOSED"
    ProjectCancelled "PROJECT_CANCELLED"
    ProjectNotDrained "PROJECT_NOT_DRAINED"
    SchemaChange "SCHEMA_CHANGE"
    TooManyProjects "TOO_MANY_PROJECTS"
    TooManyTasks "TOO_MANY_TASKS"
    PayloadTooLarge "PAYLOAD_TOO_LARGE"
    TooManySkills "TOO_MANY_SKILLS"
    TooManyCreateKeys "TOO_MANY_CREATE_KEYS"
    TaskDone "TASK_DONE"
    TaskFailed "TASK_FAILED"
    TaskCancelled "TASK_CANCELLED"
    TaskNotFailed "TASK_NOT_FAILED"
    TaskFull "TASK_FULL"
    OverlapTooLow "OVERLAP_TOO_LOW"
    ServerPicks "SERVER_PICKS"
    LeaseEnded "LEASE_ENDED"
    LeaseSuperseded "LEASE_SUPERSEDED"
    LeaseUsed "LEASE_USED"
    LateWindowOver "LATE_WINDOW_OVER"
    HoldExceeded "HOLD_EXCEEDED"
    AnswerInvalid "ANSWER_INVALID"
    ResultInvalid "RESULT_INVALID"
    WorkerSuspended "WORKER_SUSPENDED"
    CapacityReached "CAPACITY_REACHED"
    CoolingDown "COOLING_DOWN"
    KindMismatch "KIND_MISMATCH"
    SkillMissing "SKILL_MISSING"
    RatingTooLow "RATING_TOO_LOW"
    NewcomerRefused "NEWCOMER_REFUSED"
    RegionMismatch "REGION_MISMATCH"
    QuotaReached "QUOTA_REACHED"
    OwnRequester "OWN_REQUESTER"
    AlreadyThere "ALREADY_THERE"
    WorkerBlocked "WORKER_BLOCKED"
    Throttled "THROTTLED"
    Barred "BARRED"
}
