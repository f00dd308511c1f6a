//! Leases that live no more, as the changes of a command tell: streams pass it on.
//!
//! Not here: who hears of it (`services/work/registry.rs`).

use piecework_core::change::{Change, Changed};
use piecework_core::lease::{LeaseState, Revocation};
use piecework_core::{LeaseId, WorkerId};

/// A lease that lives no more. It may have ended before: whoever knows it as live
/// knows better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Whose.
    pub(crate) worker: WorkerId,
    /// Which.
    pub(crate) lease: LeaseId,
    /// How.
    pub(crate) how: How,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Its time ran out.
    Expired,
    /// It was answered.
    Submitted,
    /// It went back.
    Returned,
    /// It was taken away.
    Revoked(Revocation),
}

/// The leases that these changes say live no more.
pub(crate) fn of(changes: &[Changed]) -> impl Iterator<Item = Ended> + '_ {
    changes.iter().filter_map(|changed| {
        let Change::Lease(lease) = &changed.change else { return None };
        let how = match &lease.state {
            LeaseState::Live => return None,
            LeaseState::Expired { .. } => How::Expired,
            LeaseState::Submitted(_) => How::Submitted,
            LeaseState::Returned { .. } => How::Returned,
            LeaseState::Revoked { why } => How::Revoked(*why),
        };
        Some(Ended { worker: lease.worker, lease: lease.id, how })
    })
}
