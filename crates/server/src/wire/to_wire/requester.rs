//! Requesters as clients see them.

use piecework_core::requester::Requester;
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::timestamp;

/// A requester as it is now.
pub(crate) fn requester(requester: Requester) -> v1::Requester {
    v1::Requester {
        name: names::of_requester(&requester.name),
        display_name: requester.display_name,
        labels: requester.labels,
        create_time: Some(timestamp(requester.created)),
        // Not remembered yet.
        update_time: None,
        etag: requester.version.to_string(),
        weight: requester.weight,
        tier_ceiling: requester.tier_ceiling.into(),
        grants_per_minute: requester.grants_per_minute,
        blocked_workers: requester.blocked_workers.iter().map(names::of_worker).collect(),
        allowed_workers: requester.allowed_workers.iter().map(names::of_worker).collect(),
    }
}
