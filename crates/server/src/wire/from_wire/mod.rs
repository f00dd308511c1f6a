//! Requests become commands: every field checked, every default filled in.
//!
//! One file per noun. A function takes the message whole and returns domain
//! types, or the first field that is wrong with its path.
//!
//! Not here: what only the engine can check.

pub(crate) mod answer;
pub(crate) mod etag;
mod fairness;
mod json;
pub(crate) mod lease;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod requester;
pub(crate) mod schema;
pub(crate) mod task;
pub(crate) mod wishes;
pub(crate) mod work;
pub(crate) mod worker;

use piecework_core::Fingerprint;
use piecework_core::command::CreateKey;
use piecework_core::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use prost::Message;

use crate::wire::failure::Failure;
use crate::wire::names;

/// The key of a create that its client may retry. `request`: the message whole,
/// which is its content.
pub(crate) fn create_key(
    request_id: &str,
    request: &impl Message,
) -> Result<Option<CreateKey>, Failure> {
    let key = |request_id| {
        let content = Fingerprint::of(&[&request.encode_to_vec()]);
        CreateKey { request_id, content }
    };
    Ok(names::optional_id("request_id", request_id)?.map(key))
}

/// Entries of a page: 0 means the default, more than the cap means the cap.
pub(crate) fn page_size(size: u32) -> usize {
    let size = if size == 0 { PAGE_SIZE_DEFAULT } else { size.min(PAGE_SIZE_MAX) };
    usize::try_from(size).unwrap_or(usize::MAX)
}
