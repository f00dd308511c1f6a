//! Messages as the JSON that protobuf prescribes, and back.
//!
//! Works from the descriptors that the daemon is built from, so a new field
//! appears here without a line of code.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use piecework_client::proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde::de::Error;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the compiled-in descriptors are valid")
});

/// `message` as JSON. `name`: its name in package `piecework.v1`, such as `Project`.
pub(crate) fn to_value<M: Message>(name: &str, message: &M) -> Result<serde_json::Value> {
    let mut dynamic = DynamicMessage::new(descriptor(name)?);
    dynamic.transcode_from(message).context("could not read a message by its descriptor")?;
    Ok(serde_json::to_value(dynamic)?)
}

/// A message from JSON text. A field that does not exist is an error, with line and column.
pub(crate) fn from_str<M: Message + Default>(
    name: &str,
    text: &str,
) -> Result<M, serde_json::Error> {
    let descriptor = descriptor(name).map_err(serde_json::Error::custom)?;
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let mut reader = serde_json::Deserializer::from_str(text);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor, &mut reader, &options)?;
    reader.end()?;
    dynamic.transcode_to().map_err(serde_json::Error::custom)
}

fn descriptor(name: &str) -> Result<MessageDescriptor> {
    POOL.get_message_by_name(&format!("piecework.v1.{name}"))
        .with_context(|| format!("no message {name}"))
}

#[cfg(test)]
mod tests {
    use piecework_client::proto::v1::{LeasePolicy, Project};

    use super::*;

    #[test]
    fn messages_become_the_json_of_protobuf_and_back() {
        let duration = Some(prost_types::Duration { seconds: 600, nanos: 0 });
        let project = Project {
            name: "projects/cats".into(),
            lease_policy: Some(LeasePolicy { duration, ..LeasePolicy::default() }),
            assignment: 2,
            ..Project::default()
        };
        let json = to_value("Project", &project).unwrap();
        let text = r#"{"name":"projects/cats","leasePolicy":{"duration":"600s"},"assignment":"ASSIGNMENT_WORKER_PICKS"}"#;
        assert_eq!(json.to_string(), text);
        assert_eq!(from_str::<Project>("Project", text).unwrap(), project);
    }

    #[test]
    fn an_unknown_field_is_an_error_with_its_place() {
        let error = from_str::<Project>("Project", "{\n  \"titel\": \"x\"}").unwrap_err();
        assert!(error.to_string().contains("titel"), "{error}");
        assert_eq!(error.line(), 2);
    }
}
