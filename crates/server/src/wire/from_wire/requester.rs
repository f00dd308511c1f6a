//! Requests about requesters.

use piecework_core::command::{CreateRequester, UpdateRequester};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::from_wire::{create_key, etag};
use crate::wire::mask::Mask;
use crate::wire::{field, names};

const FIELDS: [&str; 2] = ["display_name", "labels"];
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
        key,
        ..CreateRequester::default()
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
        assert!(update_of(&[]).unwrap().labels.is_some());
        assert!(update_of(&["name"]).is_err());
    }
}
