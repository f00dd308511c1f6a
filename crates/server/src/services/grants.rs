//! What the engine granted, written out with payload and terms.
//!
//! A reply ends at 4 MiB; what is left over is told to the caller.
//!
//! Not here: granting.

use piecework_core::lease::Grant;
use piecework_core::limits::MESSAGE_BYTES_MAX;
use piecework_core::{ClientId, WallTime};
use piecework_proto::v1;
use prost::Message;

use crate::services::reader::Reader;
use crate::wire::failure::Failure;
use crate::wire::invalid;
use crate::wire::to_wire;
use crate::wire::to_wire::lease::LeaseParts;
use crate::wire::tokens::{self, Scope};

/// Tag and length of a lease in its list.
const ENTRY_BYTES: usize = 8;

/// The leases that fit into one reply.
#[derive(Debug)]
pub(crate) struct Written {
    /// In the order of the grants.
    pub(crate) leases: Vec<v1::Lease>,
    /// The grants for which there was no room.
    pub(crate) left: Vec<Grant>,
}

/// Writes grants out. Those whose task is gone are left out: a retry may name
/// leases of a project that was deleted since.
pub(crate) fn write(
    reader: &Reader,
    worker: &ClientId,
    grants: &[Grant],
    now: WallTime,
) -> Result<Written, Failure> {
    let mut written = Written { leases: Vec::with_capacity(grants.len()), left: Vec::new() };
    let mut bytes = 0;
    for (index, grant) in grants.iter().enumerate() {
        let Some(lease) = one(reader, worker, grant, now)? else { continue };
        bytes += lease.encoded_len() + ENTRY_BYTES;
        if bytes > MESSAGE_BYTES_MAX && !written.leases.is_empty() {
            written.left = grants[index..].to_vec();
            break;
        }
        written.leases.push(lease);
    }
    Ok(written)
}

/// A page of a worker's live leases. The token names the last lease shown, so
/// that leases which end meanwhile shift nothing.
pub(crate) fn page(
    reader: &Reader,
    worker: &ClientId,
    held: &[Grant],
    page_token: &str,
    size: usize,
    now: WallTime,
) -> Result<v1::ListLeasesResponse, Failure> {
    let scope = Scope::of(&["leases", worker.as_str()]);
    let place = |grant: &Grant| (grant.lease.granted, grant.lease.id);
    let behind = match tokens::read_lease_page(page_token, scope)? {
        Some(after) => held.partition_point(|grant| place(grant) <= after),
        None => 0,
    };
    let rest = held.get(behind..).ok_or_else(invalid::page_token)?;
    let shown = &rest[..rest.len().min(size)];
    let Written { leases, left } = write(reader, worker, shown, now)?;
    let sent = &shown[..shown.len() - left.len()];
    let more = sent.len() < rest.len();
    let last = sent.last().filter(|_| more).map(place);
    let next_page_token = last.map(|last| tokens::lease_page(scope, last)).unwrap_or_default();
    Ok(v1::ListLeasesResponse { leases, next_page_token })
}

fn one(
    reader: &Reader,
    worker: &ClientId,
    grant: &Grant,
    now: WallTime,
) -> Result<Option<v1::Lease>, Failure> {
    let task = grant.lease.id.task;
    let Some(project) = reader.project_name(task.project)? else { return Ok(None) };
    let Some(terms) = reader.terms(task.project, grant.lease.revision)? else { return Ok(None) };
    let Some(spec) = reader.spec(task)? else { return Ok(None) };
    // It may have ended since, and its draft with it.
    let draft = if grant.lease.draft { reader.draft(grant.lease.id)? } else { Vec::new() };
    let (terms, spec, project) = (&*terms, &spec, &project);
    Ok(Some(to_wire::lease::lease(LeaseParts { grant, spec, terms, worker, project, draft, now })))
}
