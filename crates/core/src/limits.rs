//! Every limit and default, with its unit.
//!
//! [`Limits`] carries those that a daemon may set and a simulator makes tiny;
//! the constants are part of the API's contract.

use crate::time::Millis;

/// Characters in an id or request id that a client chooses.
pub const CLIENT_ID_CHARS_MAX: usize = 128;
/// Bytes in one task's payload.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes in one answer.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Bytes in one draft.
pub const DRAFT_BYTES_MAX: usize = 256 * 1024;
/// Items in one bulk call.
pub const ITEMS_PER_CALL_MAX: usize = 1_000;
/// Tasks that one command of the refiner may change.
pub const REFINED_PER_COMMAND_MAX: usize = 256;
/// Bytes in one message, either way.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Places a task may have.
pub const OVERLAP_MAX: u16 = 1_000;
/// Leases a person may hold.
pub const CAPACITY_HUMAN_MAX: u32 = 100;
/// Leases an AI model may hold.
pub const CAPACITY_AI_MAX: u32 = 10_000;
/// Skills of one worker.
pub const SKILLS_PER_WORKER_MAX: usize = 256;
/// The highest level of a skill and of a rating.
pub const LEVEL_MAX: u8 = 100;
/// Projects in a partition.
pub const PROJECTS_MAX: usize = 100_000;
/// Fields of an answer schema.
pub const SCHEMA_FIELDS_MAX: usize = 64;
/// Choices of one field of an answer schema.
pub const SCHEMA_CHOICES_MAX: usize = 1_000;
/// Texts of one field whose votes a result tells.
pub const TEXTS_TOLD_MAX: usize = 20;
/// Labels on one object.
pub const LABELS_MAX: usize = 64;
/// Characters in a title, a label's key or value, a reason.
pub const TEXT_CHARS_MAX: usize = 1_024;
/// Bytes of all instructions of a project.
pub const INSTRUCTIONS_BYTES_MAX: usize = 64 * 1024;
/// Longest lease a project may ask for.
pub const LEASE_MAX: Millis = Millis::from_mins(7 * 24 * 60);
/// Longest late window, whatever the lease's length.
pub const LATE_WINDOW_MAX: Millis = Millis::from_mins(24 * 60);
/// Largest share of the lease that `late_grace` takes, in percent.
pub const LATE_GRACE_PERCENT: u64 = 10;
/// Longest `late_grace`.
pub const LATE_GRACE_MAX: Millis = Millis::from_secs(60);
/// How often a client is to show signs of life.
pub const HEARTBEAT_DEFAULT: Millis = Millis::from_secs(20);
/// Workers for whom one stream may speak.
pub const WORKERS_PER_STREAM_MAX: usize = 10_000;
/// Longest a `Lease` call may wait for work.
pub const WAIT_MAX: Millis = Millis::from_secs(60);
/// Distinct workers who must report a task as broken before it fails.
pub const BROKEN_REPORTS: usize = 3;
/// Judged answers below which a worker is a newcomer.
pub const NEWCOMER_JUDGED: u32 = 10;
/// Judged answers between two published ratings.
pub const RATING_BATCH: u32 = 20;
/// Skill areas in which one worker is rated; what comes later counts for all together.
pub const AREAS_PER_WORKER_MAX: usize = 256;
/// Projects that the explanation of a rating names.
pub const RATING_PROJECTS_MAX: usize = 100;
/// Answers of a worker in a project from which on its own pace there is used.
pub const PACE_ANSWERS_WORKER: u32 = 5;
/// Answers in a project from which on their pace is used.
pub const PACE_ANSWERS_PROJECT: u64 = 20;
/// Workers, projects or places that one explanation looks at.
pub const EXPLAIN_MAX: usize = 10_000;
/// Places of one project that an explanation looks at for one worker.
pub const OFFER_LOOKS_MAX: usize = 256;
/// Projects that an empty answer looks at for its reasons.
pub const WHY_NONE_MAX: usize = 1_000;
/// A worker is present for so long after its last command.
pub const PRESENT_FOR: Millis = Millis::from_secs(60);
/// Request ids of `Lease` remembered per worker.
pub const LEASE_REQUESTS_KEPT: usize = 16;
/// Expired, timer-driven or swept items in one turn.
pub const TIMERS_PER_TURN_MAX: usize = 1_000;
/// Pending events a page of a list may carry.
pub const PAGE_SIZE_MAX: u32 = 1_000;
/// A list's page when the caller names none.
pub const PAGE_SIZE_DEFAULT: u32 = 50;

/// The greatest weight of a requester among those of one tier.
pub const WEIGHT_MAX: u32 = 10_000;
/// Weight of a requester that names none.
pub const WEIGHT_DEFAULT: u32 = 100;
/// The last tier; 0 goes first.
pub const TIER_MAX: u8 = 4;
/// Tier of a project that names none.
pub const TIER_DEFAULT: u8 = 2;
/// Workers that a requester may block, and workers that it may allow.
pub const WORKERS_LISTED_MAX: usize = 10_000;
/// Steps by which a project relaxes its requirements.
pub const RELAXATION_STEPS_MAX: usize = 8;
/// The longest a step waits after a task has become ready.
pub const RELAXATION_AFTER_MAX: Millis = Millis::from_mins(30 * 24 * 60);
/// Grants that an overdue project stands back for before it gets one: at most one
/// grant in ten is overdue.
pub const PASSES_MAX: u8 = 9;

/// Projects and places that a pick looks at in one turn of the daemon; what is left it
/// looks at in the next ones.
pub const LOOKS_MAX: u32 = 256;

/// Lease duration where a project names none.
pub const LEASE_DEFAULT: Millis = Millis::from_mins(10);
/// Longest hold, with extensions, where a project names none.
pub const HOLD_DEFAULT: Millis = Millis::from_mins(60);
/// Attempts where a project names none.
pub const ATTEMPTS_DEFAULT: u32 = 5;
/// Capacity of a worker whose record sets none.
pub const CAPACITY_DEFAULT: u32 = 3;
/// Capacity of a newcomer whose record sets none.
pub const CAPACITY_NEWCOMER: u32 = 1;

/// Limits that a daemon may set in its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// After a restart nothing expires for this long (one heartbeat).
    pub restart_grace: Millis,
    /// How long a worker is barred from a task whose lease it let expire.
    pub expiry_bar: Millis,
    /// A pushed lease that nobody claims for so long goes back.
    pub claim_within: Millis,
    /// DECLINED is free within this time of the grant.
    pub decline_within: Millis,
    /// Declines in a row before a worker cools down.
    pub declines_in_a_row: u32,
    /// How long it then gets nothing.
    pub decline_cooldown: Millis,
    /// How long creates are remembered by (parent, request id).
    pub create_keys_kept: Millis,
    /// How many of them.
    pub create_keys_max: usize,
    /// A project that has waited for a grant so long is overdue.
    pub service_gap: Millis,
    /// After so long evidence about a worker counts half; zero: it never fades.
    pub rating_half_life: Millis,
    /// A touched task that waits again is packed after so many others have begun to wait.
    /// Decides nothing but speed and memory.
    pub unpacked_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            restart_grace: Millis::from_secs(20),
            expiry_bar: Millis::from_mins(24 * 60),
            claim_within: Millis::from_secs(30),
            decline_within: Millis::from_secs(30),
            declines_in_a_row: 5,
            decline_cooldown: Millis::from_mins(10),
            create_keys_kept: Millis::from_mins(24 * 60),
            create_keys_max: 1_000_000,
            service_gap: Millis::from_mins(15),
            rating_half_life: Millis::from_mins(90 * 24 * 60),
            unpacked_max: 16_384,
        }
    }
}
