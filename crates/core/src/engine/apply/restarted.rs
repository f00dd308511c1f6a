//! The daemon has recovered: its own downtime expires nothing, and workers get
//! one heartbeat to find it again.

use crate::engine::{Changes, State, Stop};
use crate::planted::{self, Mistake};
use crate::{Millis, Outcome};

pub(super) fn restarted(state: &mut State, changes: &mut Changes) -> Result<Outcome, Stop> {
    let forgotten = planted::is(Mistake::GraceForgotten);
    let grace = if forgotten { Millis(0) } else { state.limits.restart_grace };
    state.partition.grace_until = changes.now.engine + grace;
    changes.partition();
    // What only memory knows is forgotten, whether or not this engine lived through it.
    state.projects.values_mut().for_each(|room| room.passes = 0);
    state.forget_grants();
    Ok(Outcome::Restarted)
}
