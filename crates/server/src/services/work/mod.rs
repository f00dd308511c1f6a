//! `DispatchService.Work`: one stream for many workers.
//!
//! One task a stream, whatever the number of its workers: the requests of all of
//! them go through the ordinary inbox, and everything that the stream is to hear
//! comes back in one queue, in the order in which it became durable. A worker with
//! room has a `Lease` parked like any long poll, so that push and poll draw from one
//! order.
//!
//! ```text
//! Hello → Welcome, then for each worker: HeldLeases, Synced, Leases …
//! an operation → its command → the submit lane → mail → Reply by op_id
//! a lease that ends elsewhere → mail → LeaseEnded
//! ```
//!
//! Not here: which task a worker gets (the engine), frames as messages (`wire`).

mod asking;
mod crew;
mod held;
mod hello;
mod op_ids;
mod operations;
mod outgoing;
mod registry;
mod session;

use std::sync::Arc;
use std::time::Duration;

use piecework_proto::v1;
use tonic::Streaming;

use crate::drain::Drain;
use crate::services::call::Desk;
use crate::wire::failure::Failure;

pub(crate) use outgoing::Frames;
pub(crate) use registry::Registry;

/// What the daemon asks of a stream's client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkTerms {
    /// How often to show signs of life; twice as long may a client be silent.
    pub(crate) heartbeat: Duration,
    /// How soon to acknowledge a push.
    pub(crate) claim_within: Duration,
}

/// What all streams share.
pub(crate) struct House {
    pub(crate) desk: Arc<Desk>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) terms: WorkTerms,
    /// How long operations are taken once the daemon drains.
    pub(crate) drain: Drain,
}

/// Why a stream ends.
#[derive(Debug)]
enum End {
    /// Everything is said.
    Orderly,
    /// The client has gone; there is nobody to tell.
    Gone,
    /// The client is told.
    Failed(Failure),
    /// The client does not read: it is told before all that it has not read.
    Behind,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failed(failure)
    }
}

/// Serves a stream until it ends.
pub(crate) fn serve(house: Arc<House>, frames: Streaming<v1::WorkRequest>) -> Frames {
    let (out, stream) = outgoing::channel(outgoing::BEHIND_MAX);
    tokio::spawn(hello::open(house, frames, out));
    stream
}
