//! What the daemon made of an operation, and what this side refuses by itself.

use std::collections::BTreeMap;

use piecework_proto::v1::work_response::reply;
use piecework_proto::v1::{ErrorReason, LeaseExtension, Receipt};
use tonic::Code;

use crate::error::Refused;

/// What became of an operation.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Done.
    Ok,
    /// The answer is taken.
    Taken(Box<Receipt>),
    /// Leases were extended.
    Extended(Vec<LeaseExtension>),
    /// The daemon said no.
    Refused(Box<Refused>),
}

impl From<reply::Outcome> for Outcome {
    fn from(outcome: reply::Outcome) -> Outcome {
        match outcome {
            reply::Outcome::Ok(()) => Outcome::Ok,
            reply::Outcome::Receipt(receipt) => Outcome::Taken(Box::new(receipt)),
            reply::Outcome::Extensions(all) => Outcome::Extended(all.extensions),
            reply::Outcome::Error(status) => Outcome::Refused(Box::new(Refused::from(&status))),
        }
    }
}

/// An answer that does not fit into a frame, refused as the daemon would.
pub(super) fn too_large(bytes: usize, limit: usize) -> Refused {
    let numbers = [("size", bytes.to_string()), ("limit", limit.to_string())];
    Refused {
        code: Code::InvalidArgument,
        reason: ErrorReason::LimitExceeded.reason().to_owned(),
        message: format!("the answer has {bytes} bytes, a frame takes {limit}"),
        fields: Vec::new(),
        metadata: numbers.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<BTreeMap<_, _>>(),
        retry_after: None,
    }
}
