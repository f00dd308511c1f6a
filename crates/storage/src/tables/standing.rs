//! Where the store of keys and values stands: two keys beside the pages.
//!
//! `"a"` says up to which position the tables are complete, and is written at the
//! end of a checkpoint. `"d"` is the digest of all rows that lie in the pages now;
//! every batch that changes rows moves it along in the same batch, with the newest
//! position that any batch was made of. So whatever part of a checkpoint a crash
//! leaves, `"d"` is the digest of just that, and says how far it reaches.
//!
//! Invariant: where there are rows, or an `"a"`, there is a `"d"`.
//!
//! Not here: adding the rows up again (`scrub.rs`).

use bytes::Bytes;
use piecework_core::Position;
use prost::Message;

use super::error::StoreError;
use super::key_value::{Batch, KeyValue, KeyValueError};
use super::pages::page_bounds;
use super::values::{Applied, Misread, checked, parse, read_applied, sealed, write_applied};
use crate::digest::RowsDigest;

const APPLIED: &[u8] = b"a";
const DIGEST: &[u8] = b"d";

/// What a store says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// Up to where it is complete.
    pub(super) applied: Applied,
    /// The digest of the rows that lie in it.
    pub(super) rows: RowsDigest,
    /// The newest position of which it may hold rows: beyond `applied` after a
    /// crash in the middle of a checkpoint.
    pub(super) reach: Position,
}

/// Reads it. That of an empty store is all zero.
pub(super) fn read_standing(kv: &dyn KeyValue) -> Result<Standing, StoreError> {
    let applied = kv.get(APPLIED)?;
    let applied = applied
        .map(|value| {
            parse(APPLIED, &value).and_then(|m| read_applied(&m)).map_err(StoreError::Applied)
        })
        .transpose()?;
    let rows = kv.get(DIGEST)?;
    let rows = rows.map(|value| read_digest(&value).map_err(StoreError::Digest)).transpose()?;
    if rows.is_none() && (applied.is_some() || has_pages(kv)?) {
        return Err(StoreError::NoDigest);
    }
    let (rows, reach) = rows.unwrap_or_default();
    Ok(Standing { applied: applied.unwrap_or_default(), rows, reach })
}

/// Writes a batch of pages and parts, after which the rows have this digest.
pub(super) fn write_rows(
    kv: &dyn KeyValue,
    mut batch: Batch,
    rows: RowsDigest,
    reach: Position,
) -> Result<(), KeyValueError> {
    if batch.is_empty() {
        return Ok(());
    }
    // Its key is below those of pages and parts.
    batch.insert(0, digest_pair(rows, reach));
    kv.apply_batch(&batch)
}

/// Writes how far everything is there.
pub(super) fn write_end(kv: &dyn KeyValue, standing: Standing) -> Result<(), KeyValueError> {
    let value = sealed(APPLIED, write_applied(standing.applied).encode_to_vec());
    let digest = digest_pair(standing.rows, standing.reach);
    kv.apply_batch(&vec![(APPLIED.to_vec(), Some(value)), digest])
}

/// Whether there is any page.
pub(super) fn has_pages(kv: &dyn KeyValue) -> Result<bool, KeyValueError> {
    let (from, below) = page_bounds();
    Ok(kv.next_key(&from, &below)?.is_some())
}

fn digest_pair(rows: RowsDigest, reach: Position) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut value = rows.to_bytes().to_vec();
    value.extend_from_slice(&reach.0.to_le_bytes());
    (DIGEST.to_vec(), Some(sealed(DIGEST, value)))
}

fn read_digest(value: &Bytes) -> Result<(RowsDigest, Position), Misread> {
    let bytes = checked(DIGEST, value)?;
    let (rows, reach) = bytes.split_first_chunk().ok_or(Misread::Checksum)?;
    let reach = reach.try_into().map_err(|_| Misread::Checksum)?;
    Ok((RowsDigest::from_bytes(*rows), Position(u64::from_le_bytes(reach))))
}
