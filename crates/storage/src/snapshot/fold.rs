//! The digest of all rows at a position, without writing anything.

use piecework_core::Position;

use crate::digest::RowsDigest;
use crate::journal::Disk;

use super::delta::Delta;
use super::error::SnapshotError;
use super::merge::{bounds, ranges};
use super::page::Look;
use super::snapshots::Snapshots;
use super::snapshotter::{ReadJournal, take_group};

/// The digest and the number of the rows after `to`, the last position of a
/// group: of the whole snapshot at `from`, or of nothing, and the journal behind
/// it. Pages that the journal did not touch are not read.
///
/// Cost: everything that the journal changed since `from` is in memory.
///
/// # Errors
/// As in [`Snapshotter::step`](super::Snapshotter::step); `Behind` when `to` is before `from`.
pub fn fold_digest<D: Disk>(
    snapshots: &Snapshots<D>,
    from: Option<Position>,
    read: ReadJournal<'_>,
    to: Position,
) -> Result<(RowsDigest, u64), SnapshotError> {
    let base = match from {
        None => None,
        Some(position) => {
            let whole = snapshots.manifest(Some(position));
            Some(whole.ok_or(SnapshotError::Absent { position })?)
        }
    };
    let start = from.unwrap_or(Position(0));
    if to < start {
        return Err(SnapshotError::Behind { to, newest: start });
    }
    let pages = base.as_ref().map_or(&[][..], |manifest| &manifest.pages);
    let _pin = snapshots.pin(pages);
    let mut delta = Delta::default();
    if start < to {
        let mut reader = read(start.next())?;
        let mut at = start;
        while at < to {
            at = take_group(&mut reader, &mut delta, at, to, &mut 0)?;
        }
    }
    for page in pages {
        if delta.takes_sources(page) {
            for (key, value) in snapshots.read_page(start, page, Look::Names)? {
                delta.forget_derived(&key, &value)?;
            }
        }
    }
    let (mut digest, mut rows) = (RowsDigest::default(), 0);
    for at in 0..ranges(pages) {
        let (range, page) = (bounds(pages, at), pages.get(at));
        match page {
            Some(page) if !delta.touches(range, page) => {
                digest.join(page.digest);
                rows += page.rows;
            }
            _ => {
                let older = page.map(|page| snapshots.read_page(start, page, Look::Names));
                let merged = delta.merge(range, older.transpose()?.unwrap_or_default())?;
                merged.iter().for_each(|(key, value)| digest.add(key.as_bytes(), value));
                rows += merged.len() as u64;
            }
        }
    }
    Ok((digest, rows))
}
