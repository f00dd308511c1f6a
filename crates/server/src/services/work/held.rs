//! Leases on their way to their workers, written out page by page: a frame holds at
//! most 4 MiB, whatever a worker holds.
//!
//! Not here: writing one (`services/grants.rs`).

use piecework_core::lease::Grant;
use piecework_core::{ClientId, WallTime};
use piecework_proto::v1;
use piecework_proto::v1::work_response::{Frame, HeldLeases, Leases, Synced};

use crate::services::call::Desk;
use crate::services::grants::{self, Written};
use crate::services::work::End;
use crate::services::work::outgoing::Outgoing;
use crate::wire::names;

/// Tells what a worker holds already, and that this is all.
pub(super) async fn tell_held(
    desk: &Desk,
    out: &Outgoing,
    worker: &ClientId,
    mut held: Vec<Grant>,
    now: WallTime,
) -> Result<(), End> {
    loop {
        let (leases, left) = page(desk, worker, held, now).await?;
        let worker = names::of_worker(worker);
        out.send(Frame::HeldLeases(HeldLeases { worker, leases })).await?;
        if left.is_empty() {
            break;
        }
        held = left;
    }
    out.send(Frame::Synced(Synced { worker: names::of_worker(worker) })).await
}

/// Pushes new leases.
pub(super) async fn push(
    desk: &Desk,
    out: &Outgoing,
    worker: &ClientId,
    mut grants: Vec<Grant>,
    now: WallTime,
) -> Result<(), End> {
    while !grants.is_empty() {
        let (leases, left) = page(desk, worker, grants, now).await?;
        grants = left;
        if !leases.is_empty() {
            let worker = names::of_worker(worker);
            out.send(Frame::Leases(Leases { worker, leases })).await?;
        }
    }
    Ok(())
}

/// As many as fit into one frame, and those that do not.
async fn page(
    desk: &Desk,
    worker: &ClientId,
    grants: Vec<Grant>,
    now: WallTime,
) -> Result<(Vec<v1::Lease>, Vec<Grant>), End> {
    if grants.is_empty() {
        return Ok((Vec::new(), grants));
    }
    let (worker, rows) = (worker.clone(), grants.len());
    let read = move |reader: &_| grants::write(reader, &worker, &grants, now);
    let Written { leases, left } = desk.read_rows(rows, read).await?;
    Ok((leases, left))
}
