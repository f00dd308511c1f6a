//! Requests about requesters.

use piecework_core::command::{CreateRequester, UpdateRequester};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::from_wire::{create_key, etag, fairness};
use crate::wire::mask::Mask;
use crate::wire::{field, names};

const FIELDS: [&str; 7] = [
    "display_name",
    "labels",
    "weight",
    "tier_ceiling",
    "grants_per_minute",
    "blocked_workers",
    "allowed_workers",
];
const FIXED: [&str; 4] = ["name", "create_time", "update_time", "etag"];

/// A requester to be.
pub(crate) fn create(request: v1::CreateRequesterRequest) -> Result<CreateRequester, Failure> {
    let key = create_key(&request.request_id, &request)?;
    let name = names::new_id("requester_id", &request.requester_id)?;
    let requester = request.requester.unwrap_or_default();
    Ok(CreateRequester {
        name,
        display_name: field::text("requester.display_name", requester.display_name)?,
        labels: field::labels("requester.labels", requester.labels)?,
        weight: fairness::weight("requester.weight", requester.weight)?,
        tier_ceiling: fairness::tier("requester.tier_ceiling", requester.tier_ceiling)?,
        grants_per_minute: requester.grants_per_minute,
        blocked_workers: fairness::workers(
            "requester.blocked_workers",
            &requester.blocked_workers,
        )?,
        allowed_workers: fairness::workers(
            "requester.allowed_workers",
            &requester.allowed_workers,
        )?,
        key,
    })
}

/// Other data of a requester: the engine merges, so nothing is read before.
pub(crate) fn update(request: v1::UpdateRequesterRequest) -> Result<UpdateRequester, Failure> {
    let mask = Mask::new("update_mask", request.update_mask, &FIELDS, &FIXED)?;
    let message = request.requester.unwrap_or_default();
    let mut update = UpdateRequester {
        etag: etag::read("requester.etag", &message.etag)?,
        ..UpdateRequester::of(names::requester("requester.name", &message.name)?)
    };
    if mask.has("display_name") {
        update.display_name = Some(field::text("requester.display_name", message.display_name)?);
    }
    if mask.has("labels") {
        update.labels = Some(field::labels("requester.labels", message.labels)?);
    }
    if mask.has("weight") {
        update.weight = Some(fairness::weight("requester.weight", message.weight)?);
    }
    if mask.has("tier_ceiling") {
        update.tier_ceiling = Some(fairness::tier("requester.tier_ceiling", message.tier_ceiling)?);
    }
    if mask.has("grants_per_minute") {
        update.grants_per_minute = Some(message.grants_per_minute);
    }
    if mask.has("blocked_workers") {
        let path = "requester.blocked_workers";
        update.blocked_workers = Some(fairness::workers(path, &message.blocked_workers)?);
    }
    if mask.has("allowed_workers") {
        let path = "requester.allowed_workers";
        update.allowed_workers = Some(fairness::workers(path, &message.allowed_workers)?);
    }
    Ok(update)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update_of(paths: &[&str]) -> Result<UpdateRequester, Failure> {
        let requester = v1::Requester {
            name: "requesters/acme".to_owned(),
            display_name: "Acme".to_owned(),
            etag: "3".to_owned(),
            weight: 300,
            blocked_workers: vec!["workers/mallory".to_owned()],
            ..v1::Requester::default()
        };
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        update(v1::UpdateRequesterRequest {
            requester: Some(requester),
            update_mask: Some(prost_types::FieldMask { paths }),
        })
    }

    #[test]
    fn only_masked_fields_are_sent_on() {
        let update = update_of(&["display_name"]).unwrap();
        assert_eq!(update.display_name.as_deref(), Some("Acme"));
        assert_eq!((update.labels, update.etag), (None, Some(3)));
        assert_eq!((update.weight, update.blocked_workers), (None, None));
        assert!(update_of(&[]).unwrap().labels.is_some());
        let update = update_of(&["weight", "blocked_workers", "allowed_workers"]).unwrap();
        assert_eq!((update.weight, update.display_name), (Some(300), None));
        assert_eq!(update.blocked_workers.unwrap().len(), 1);
        assert_eq!(update.allowed_workers.unwrap().len(), 0);
        assert!(update_of(&["name"]).is_err());
    }
}
