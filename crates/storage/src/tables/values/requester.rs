//! Requesters, and the labels that several nouns carry.

use piecework_core::requester::{Labels, Requester};
use piecework_core::{RequesterId, TenantId, WallTime};
use piecework_proto::storage::v1 as pb;

use super::{Misread, client_id};

pub(crate) fn write_requester(requester: &Requester) -> pb::Requester {
    pb::Requester {
        name: requester.name.as_str().to_owned(),
        display_name: requester.display_name.clone(),
        labels: write_pairs(&requester.labels),
        created_wall_ms: requester.created.0,
        version: requester.version,
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
        created: WallTime(message.created_wall_ms),
        version: message.version,
    })
}

pub(super) fn write_pairs(pairs: &Labels) -> Vec<pb::TextPair> {
    let pair =
        |(key, value): (&String, &String)| pb::TextPair { key: key.clone(), value: value.clone() };
    pairs.iter().map(pair).collect()
}

pub(super) fn read_pairs(pairs: Vec<pb::TextPair>) -> Labels {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}
