//! What a worker asks of the work it gets.
//!
//! Wishes narrow, they never widen: no wish gets a worker past a hard rule.
//!
//! Not here: what they admit (`matching/wishes.rs`).

use crate::{ClientId, Millis};

/// What a worker asks of the work it gets; the default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Only of these projects; empty: of any.
    pub projects: Vec<ClientId>,
    /// Never of these projects.
    pub except: Vec<ClientId>,
    /// No payload larger than this. Sizes are looked at by powers of two: a payload is
    /// admitted where the largest of its class is.
    pub max_payload_bytes: Option<u32>,
    /// At least so much an hour, in micro-units of the reward's currency, at the pace
    /// expected of this worker. Where that is unknown, nothing is admitted.
    pub min_hourly_micros: Option<i64>,
    /// The worker stops after this: only what it is expected to finish by then.
    pub within: Option<Millis>,
}

impl Wishes {
    /// Only of these projects.
    #[must_use]
    pub fn among(projects: Vec<ClientId>) -> Wishes {
        Wishes { projects, ..Wishes::default() }
    }
}
