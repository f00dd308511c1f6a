//! The two conversions that every answer and every lease goes through, bytes to bytes.
//!
//! For counting what they cost: `benches/wire.rs`.
//!
//! Not here: the conversions (`wire`), and what `DispatchService` does around them.

use bytes::Bytes;
use piecework_core::command::SubmitAnswers;
use piecework_core::lease::Grant;
use piecework_core::{ClientId, Command, WallTime};
use piecework_proto::v1;
use piecework_storage::View;
use prost::Message;

use crate::services::grants;
use crate::services::reader::Reader;
use crate::wire::{from_wire, names};

/// The command in a `SubmitAnswersRequest`.
///
/// Panics when it is no such message, or any of its answers is refused.
#[must_use]
pub fn submit_command(message: Bytes) -> Command {
    let request = v1::SubmitAnswersRequest::decode(message).expect("a request");
    let worker = names::worker("worker", &request.worker).expect("a worker");
    let answers = from_wire::answer::answers(request.answers).expect("not too many");
    let sent = answers.good.len();
    let (items, gaps) = answers.split();
    let refused = gaps.fill::<()>("answers", vec![Ok(()); sent]).into_iter().find_map(Result::err);
    assert_eq!(refused, None, "every answer is a good one");
    Command::Submit(SubmitAnswers { worker, items })
}

/// Writes replies to `Lease` calls, from rows as the services read them.
pub struct LeaseReplies(Reader);

impl LeaseReplies {
    /// From these tables.
    #[must_use]
    pub fn new(view: View) -> LeaseReplies {
        LeaseReplies(Reader::new(view))
    }

    /// The `LeaseResponse` that tells a worker of its grants.
    ///
    /// Panics when a row of theirs is missing or they do not fit into one reply.
    #[must_use]
    pub fn encode(&self, worker: &ClientId, grants: &[Grant], now: WallTime) -> Vec<u8> {
        let written = grants::write(&self.0, worker, grants, now).expect("tables in memory");
        assert_eq!(written.leases.len(), grants.len(), "all are there and fit");
        let leases = written.leases;
        v1::LeaseResponse { leases, ..v1::LeaseResponse::default() }.encode_to_vec()
    }
}
