//! A requester: the unit of fairness.

use std::collections::BTreeMap;

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
    /// When it came.
    pub created: WallTime,
    /// Grows with every change; the etag.
    pub version: u32,
}
