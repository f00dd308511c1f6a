//! Snapshots.

use piecework_proto::v1;
use piecework_storage::SnapshotInfo;

use crate::wire::to_wire;
use crate::wire::tokens;

/// A snapshot that is whole.
pub(crate) fn snapshot(info: &SnapshotInfo) -> v1::Snapshot {
    let id = info.file.split('.').next().unwrap_or_default();
    v1::Snapshot {
        name: format!("snapshots/{id}"),
        position: tokens::position(info.position),
        file: info.file.clone(),
        wall_time: Some(to_wire::timestamp(info.now.wall)),
        rows: info.rows,
        stored_bytes: info.stored_bytes,
        own_bytes: info.own_bytes,
        digest: info.digest.to_string(),
    }
}
