//! Requesters, and the labels that several nouns carry.

use std::collections::BTreeSet;

use piecework_core::limits::WEIGHT_DEFAULT;
use piecework_core::requester::{Labels, Requester};
use piecework_core::{ClientId, RequesterId, TenantId, WallTime};
use piecework_proto::storage::v1 as pb;

use super::{Misread, client_id, narrow};

pub(crate) fn write_requester(requester: &Requester) -> pb::Requester {
    pb::Requester {
        name: requester.name.as_str().to_owned(),
        display_name: requester.display_name.clone(),
        labels: write_pairs(&requester.labels),
        created_wall_ms: requester.created.0,
        version: requester.version,
        weight: (requester.weight != WEIGHT_DEFAULT).then_some(requester.weight),
        tier_ceiling: requester.tier_ceiling.into(),
        grants_per_minute: requester.grants_per_minute,
        blocked_workers: write_names(&requester.blocked_workers),
        allowed_workers: write_names(&requester.allowed_workers),
    }
}

pub(crate) fn read_requester(
    tenant: TenantId,
    id: RequesterId,
    message: pb::Requester,
) -> Result<Requester, Misread> {
    Ok(Requester {
        id,
        tenant,
        name: client_id("name", &message.name)?,
        display_name: message.display_name,
        labels: read_pairs(message.labels),
        weight: message.weight.unwrap_or(WEIGHT_DEFAULT),
        tier_ceiling: narrow("tier_ceiling", message.tier_ceiling)?,
        grants_per_minute: message.grants_per_minute,
        blocked_workers: read_names("blocked_workers", &message.blocked_workers)?,
        allowed_workers: read_names("allowed_workers", &message.allowed_workers)?,
        created: WallTime(message.created_wall_ms),
        version: message.version,
    })
}

fn write_names(names: &BTreeSet<ClientId>) -> Vec<String> {
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

fn read_names(field: &'static str, names: &[String]) -> Result<BTreeSet<ClientId>, Misread> {
    names.iter().map(|name| client_id(field, name)).collect()
}

pub(super) fn write_pairs(pairs: &Labels) -> Vec<pb::TextPair> {
    let pair =
        |(key, value): (&String, &String)| pb::TextPair { key: key.clone(), value: value.clone() };
    pairs.iter().map(pair).collect()
}

pub(super) fn read_pairs(pairs: Vec<pb::TextPair>) -> Labels {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}
