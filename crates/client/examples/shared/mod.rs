//! What the measuring programs here share: a daemon of their own, and a worker's round.

mod calls;
mod daemon;

pub(crate) use calls::{create_requester, create_worker, lease_and_answer};
pub(crate) use daemon::Daemon;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
