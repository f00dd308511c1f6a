//! The bounded service gap: who has waited too long.
//!
//! A project that has had no grant for longer than the bound, while it has a ready
//! place for the worker that asks, is overdue. It stands back for nine grants of
//! others and gets the tenth; who waits longest goes first.
//!
//! The search looks at so much per grant. A worker that knows hundreds of places of
//! overdue projects would never get past them: so it goes on at the worker's next
//! pick where it stopped, and stays with whom it found there until it was served.
//!
//! Not here: the normal choice (`pick.rs`).

use crate::engine::State;
use crate::limits::PASSES_MAX;
use crate::matching::candidates::Candidates;
use crate::matching::fairness::Turn;
use crate::matching::order::PlaceKey;
use crate::matching::pick::{self, Ask, Found, Pick};
use crate::matching::profile::{Next, Spent};
use crate::outcome::Overdue;
use crate::{EngineTime, ProjectId};

/// Where a worker's search for overdue projects goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    /// After this one, in the order of waiting; `None`: at the first.
    walk: Option<(EngineTime, ProjectId)>,
    /// In this project, after this place.
    within: Option<(ProjectId, PlaceKey)>,
}

/// The normal choice, or an overdue project's place instead of it.
pub(super) fn or_overdue(
    state: &State,
    ask: Ask<'_>,
    candidates: &mut Candidates<'_>,
    spent: &mut Spent,
    normal: (Turn, PlaceKey),
    found: &mut Pick,
) -> (Turn, PlaceKey) {
    let gap = state.limits.service_gap;
    let Some(until) = ask.now.engine.0.checked_sub(gap.0).map(EngineTime) else { return normal };
    let own = state.project_room(normal.0.project);
    let own = (own.tally.waiting_since, normal.0.project);
    let resumed = ask.worker.late.as_deref().copied();
    let Late { mut walk, mut within } = resumed.unwrap_or(Late { walk: None, within: None });
    loop {
        let before = walk;
        let (turn, hint) = match candidates.next_overdue(state, until, &mut walk, spent) {
            Next::Turn(turn, hint) => (turn, hint),
            Next::End => return normal,
            Next::Tired => {
                found.late = Some(Box::new(Late { walk, within: None }));
                return normal;
            }
        };
        // Nobody waits for longer than the one whose turn it is anyway.
        if walk >= Some(own) {
            return normal;
        }
        let after = within.take().filter(|(id, _)| *id == turn.project).map(|(_, key)| key);
        let Some(step) = ask.step(state, turn.project, hint) else { continue };
        let room = state.project_room(turn.project);
        match pick::ready(state, room, ask, step, after, spent, found) {
            Found::Place(key) if room.passes >= PASSES_MAX => {
                found.overdue = Overdue::Served(turn.project);
                return (turn, key);
            }
            Found::Place(_) => {
                let here = Late { walk: before, within: after.map(|key| (turn.project, key)) };
                found.late = resumed.map(|_| Box::new(here));
                found.overdue = Overdue::StoodBack(turn.project);
                return normal;
            }
            Found::Nothing => {}
            Found::Tired(key) => {
                let here = Late { walk: before, within: Some((turn.project, key)) };
                found.late = Some(Box::new(here));
                return normal;
            }
        }
    }
}
