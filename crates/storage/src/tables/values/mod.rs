//! Values on disk: a message of `piecework.storage.v1` and its checksum.
//!
//! One file per group of nouns, each with both directions. Writing is total;
//! reading fails with what is wrong, and the caller adds which row.
//!
//! The checksum (CRC32C, little-endian, at the end) covers key and message, so a
//! value under another key is seen. A value never repeats what its key says.

mod event;
mod lease;
mod partition;
mod project;
mod rating;
mod requester;
mod schema;
mod submission;
mod task;
mod terms;
mod votes;
mod worker;

use bytes::Bytes;
use piecework_core::{ClientId, Fingerprint};
use prost::Message;

pub(crate) use event::{read_event, write_event};
pub(crate) use lease::{
    read_draft, read_lease, read_lease_name, write_draft, write_lease, write_lease_name,
};
pub use partition::Applied;
pub(crate) use partition::{
    read_applied, read_create_key, read_name, read_partition, read_tenant, write_applied,
    write_create_key, write_name, write_partition, write_tenant,
};
pub(crate) use project::{
    read_project, read_project_name, read_sweep, read_tally, write_project, write_sweep,
    write_tally,
};
pub(crate) use rating::{read_skill_rating, write_rating};
pub(crate) use requester::{read_requester, write_requester};
pub(crate) use submission::{read_answer_of, read_given, read_submission, write_submission};
pub(crate) use task::{
    read_newest_revision, read_record, read_spec, read_spec_row, read_title, write_record,
    write_spec,
};
pub(crate) use terms::{read_terms, write_terms};
pub(crate) use worker::{
    read_lease_request, read_work_tally, read_worker, read_worker_record, write_lease_request,
    write_work_tally, write_worker, write_worker_record,
};

/// Bytes of the checksum behind every message.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// Not the bytes that were written under this key.
    #[error("its checksum does not match")]
    Checksum,
    /// No message.
    #[error("it is no message of its kind")]
    Message(#[source] prost::DecodeError),
    /// A field is absent, or says something we do not know.
    #[error("its field {field} is absent or unknown")]
    Field {
        /// Name of the field.
        field: &'static str,
    },
    /// Parts of a large value are absent.
    #[error("a part of it is missing")]
    Part,
}

/// The checksum of a value under its key.
pub(crate) fn checksum(key: &[u8], message: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), message)
}

/// A value: a message, and its checksum.
pub(crate) fn sealed(key: &[u8], mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &message);
    message.extend_from_slice(&sum.to_le_bytes());
    message
}

/// The message of a value, once its checksum is seen to match.
pub(crate) fn checked(key: &[u8], value: &Bytes) -> Result<Bytes, Misread> {
    Ok(value.slice(..message(key, value)?.len()))
}

/// Parses the message of a value. From plain bytes: nouns keep copies in any case, and
/// prost reads faster where no references are counted.
pub(crate) fn parse<M: Message + Default>(key: &[u8], value: &[u8]) -> Result<M, Misread> {
    M::decode(message(key, value)?).map_err(Misread::Message)
}

fn message<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Misread> {
    let end = value.len().checked_sub(CHECKSUM_BYTES).ok_or(Misread::Checksum)?;
    let (message, sum) = value.split_at(end);
    if checksum(key, message).to_le_bytes() != sum {
        return Err(Misread::Checksum);
    }
    Ok(message)
}

fn have<T>(field: &'static str, value: Option<T>) -> Result<T, Misread> {
    value.ok_or(Misread::Field { field })
}

fn narrow<T: TryFrom<V>, V>(field: &'static str, value: V) -> Result<T, Misread> {
    T::try_from(value).map_err(|_| Misread::Field { field })
}

fn client_id(field: &'static str, text: &str) -> Result<ClientId, Misread> {
    have(field, ClientId::new(text))
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of 128 bits")]
fn halves(fingerprint: Fingerprint) -> (u64, u64) {
    (fingerprint.0 as u64, (fingerprint.0 >> 64) as u64)
}

fn whole(low: u64, high: u64) -> Fingerprint {
    Fingerprint(u128::from(high) << 64 | u128::from(low))
}

#[cfg(test)]
mod tests {
    use piecework_core::{ProjectId, TaskId, TaskNumber};
    use piecework_proto::storage::v1 as pb;

    use super::*;

    fn value(key: &[u8], message: &impl Message) -> Bytes {
        sealed(key, message.encode_to_vec()).into()
    }

    #[test]
    fn a_value_under_another_key_or_with_a_changed_bit_is_refused() {
        let good = value(b"key", &pb::NameEntry { number: 7 });
        assert_eq!(parse::<pb::NameEntry>(b"key", &good).map(read_name), Ok(7));
        assert_eq!(parse::<pb::NameEntry>(b"kez", &good), Err(Misread::Checksum));
        for bit in 0..good.len() * 8 {
            let mut damaged = good.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse::<pb::NameEntry>(b"key", &damaged), Err(Misread::Checksum));
        }
        assert_eq!(parse::<pb::NameEntry>(b"key", &good.slice(..3)), Err(Misread::Checksum));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let key = b"key";
        let read = parse::<pb::NameEntry>(key, &sealed(key, vec![0xff; 3]));
        assert!(matches!(read, Err(Misread::Message(_))), "{read:?}");
    }

    #[test]
    fn what_is_absent_or_unknown_is_named() {
        let task = TaskId { project: ProjectId(1), number: TaskNumber(1) };
        let absent = read_record(task, pb::TaskRecord::default());
        assert_eq!(absent, Err(Misread::Field { field: "order" }));
        let order = Some(pb::TaskOrder { priority: 200, ..pb::TaskOrder::default() });
        let unknown = read_record(task, pb::TaskRecord { order, ..pb::TaskRecord::default() });
        assert_eq!(unknown, Err(Misread::Field { field: "order.priority" }));
        let state = Some(pb::TaskState { phase: 77, ..pb::TaskState::default() });
        let order = Some(pb::TaskOrder::default());
        let message = pb::TaskRecord { order, state, ..pb::TaskRecord::default() };
        assert_eq!(read_record(task, message), Err(Misread::Field { field: "state.phase" }));
    }
}
