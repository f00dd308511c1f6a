//! The daemon has recovered: its own downtime expires nothing, and workers get
//! one heartbeat to find it again.

use crate::Outcome;
use crate::engine::{Changes, State, Stop};

pub(super) fn restarted(state: &mut State, changes: &mut Changes) -> Result<Outcome, Stop> {
    state.partition.grace_until = changes.now.engine + state.limits.restart_grace;
    changes.partition();
    Ok(Outcome::Restarted)
}
