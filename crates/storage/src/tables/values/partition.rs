//! The partition's own row, remembered creates, names, and how far tables are.

use bytes::Bytes;
use piecework_core::change::{CreateKeyId, CreateKeyRow, PartitionRow, TenantRow};
use piecework_core::{EngineTime, Now, Position, Sequence, TenantId, WallTime};
use piecework_proto::storage::v1 as pb;

use super::{Misread, halves, whole};
use crate::digest::RowsDigest;

/// How far the tables are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The newest command whose rows are all there.
    pub position: Position,
    /// The times of its group.
    pub now: Now,
    /// The digest of all rows at that position. `None`: a checkpoint that a crash
    /// cut off has written rows of later positions, and this one did not catch up.
    pub rows: Option<RowsDigest>,
}

pub(crate) fn write_applied(applied: Applied) -> pb::Applied {
    pb::Applied {
        position: applied.position.0,
        engine_ms: applied.now.engine.0,
        wall_ms: applied.now.wall.0,
        rows_digest: applied
            .rows
            .map(|rows| Bytes::copy_from_slice(&rows.to_bytes()))
            .unwrap_or_default(),
    }
}

pub(crate) fn read_applied(message: &pb::Applied) -> Result<Applied, Misread> {
    let rows = match message.rows_digest.as_ref() {
        [] => None,
        bytes => {
            let bytes = bytes.try_into().map_err(|_| Misread::Field { field: "rows_digest" })?;
            Some(RowsDigest::from_bytes(bytes))
        }
    };
    Ok(Applied {
        position: Position(message.position),
        now: Now { engine: EngineTime(message.engine_ms), wall: WallTime(message.wall_ms) },
        rows,
    })
}

pub(crate) fn write_partition(row: &PartitionRow) -> pb::Partition {
    pb::Partition {
        grace_until_engine_ms: row.grace_until.0,
        last_requester: row.last_requester,
        last_project: row.last_project,
        last_worker: row.last_worker,
    }
}

pub(crate) fn write_tenant(row: TenantRow) -> pb::Tenant {
    pb::Tenant { last_worker_event: row.last_worker_event.0 }
}

pub(crate) fn read_tenant(tenant: TenantId, message: pb::Tenant) -> TenantRow {
    TenantRow { tenant, last_worker_event: Sequence(message.last_worker_event) }
}

pub(crate) fn read_partition(message: pb::Partition) -> PartitionRow {
    PartitionRow {
        grace_until: EngineTime(message.grace_until_engine_ms),
        last_requester: message.last_requester,
        last_project: message.last_project,
        last_worker: message.last_worker,
    }
}

pub(crate) fn write_create_key(row: &CreateKeyRow) -> pb::CreateKey {
    let (content_low, content_high) = halves(row.content);
    pb::CreateKey {
        content_low,
        content_high,
        until_engine_ms: row.until.0,
        made: row.made.clone(),
    }
}

pub(crate) fn read_create_key(id: CreateKeyId, message: pb::CreateKey) -> CreateKeyRow {
    CreateKeyRow {
        id,
        content: whole(message.content_low, message.content_high),
        until: EngineTime(message.until_engine_ms),
        made: message.made,
    }
}

pub(crate) fn write_name(number: u32) -> pb::NameEntry {
    pb::NameEntry { number }
}

pub(crate) fn read_name(message: pb::NameEntry) -> u32 {
    message.number
}
