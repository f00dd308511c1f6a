//! A requester: the unit of fairness.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::ProjectSpec;
use crate::{ClientId, RequesterId, TenantId, WallTime};

/// Free-form pairs that a client keeps with an object.
pub type Labels = BTreeMap<String, String>;

/// Who uploads projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Its number.
    pub id: RequesterId,
    /// Its platform.
    pub tenant: TenantId,
    /// `requesters/{name}`.
    pub name: ClientId,
    /// For people.
    pub display_name: String,
    /// The client's own pairs.
    pub labels: Labels,
    /// Its share of the grants among the requesters of one tier, 1 to `WEIGHT_MAX`.
    pub weight: u32,
    /// The best (smallest) tier that its projects may use, 0 to `TIER_MAX`.
    pub tier_ceiling: u8,
    /// Grants a minute of all its projects together; zero: no limit.
    pub grants_per_minute: u32,
    /// They get nothing of its projects, whatever else they have.
    pub blocked_workers: BTreeSet<ClientId>,
    /// Only they get anything; empty: everybody who is not blocked.
    pub allowed_workers: BTreeSet<ClientId>,
    /// When it came.
    pub created: WallTime,
    /// Grows with every change; the etag.
    pub version: u32,
}

impl Requester {
    /// The tier that a project of its own has in effect: never better than the ceiling.
    #[must_use]
    pub fn tier(&self, spec: &ProjectSpec) -> u8 {
        spec.tier.max(self.tier_ceiling)
    }

    /// Whether its block list or its allow list keeps this worker away.
    #[must_use]
    pub fn blocks(&self, worker: &ClientId) -> bool {
        let allowed = self.allowed_workers.is_empty() || self.allowed_workers.contains(worker);
        !allowed || self.blocked_workers.contains(worker)
    }
}
