//! Where candidates come from: the worker's profile, or the few projects it asked for.
//!
//! Both walk in the order of turns and in the order of waiting, from a position that
//! outlives them.
//!
//! Not here: which candidate is chosen (`pick.rs`).

use std::collections::BTreeSet;

use crate::engine::State;
use crate::matching::fairness::Turn;
use crate::matching::profile::{Next, Profile, Spent, Walk};
use crate::project::Assignment;
use crate::{EngineTime, ProjectId};

/// Projects in the rota that may be something for a worker.
#[derive(Debug)]
pub(crate) enum Candidates<'a> {
    /// Everything that suits its traits.
    Profile(&'a mut Profile),
    /// These, whether or not they suit.
    Few { turns: Vec<Turn>, waiting: Vec<(EngineTime, ProjectId)> },
}

impl Candidates<'_> {
    /// The few projects that a worker asked for.
    pub(crate) fn few(state: &State, projects: &BTreeSet<ProjectId>) -> Candidates<'static> {
        let rooms = projects.iter().filter_map(|id| state.projects.get(id));
        let rooms = rooms
            .filter(|room| room.in_rota && room.project.spec.assignment == Assignment::ServerPicks);
        let (mut turns, mut waiting): (Vec<_>, Vec<_>) = rooms
            .map(|room| (state.turn_of(room), (room.tally.waiting_since, room.project.id)))
            .unzip();
        turns.sort_unstable();
        waiting.sort_unstable();
        Candidates::Few { turns, waiting }
    }

    /// The next one in turn.
    pub(crate) fn next_turn(&mut self, state: &State, walk: &mut Walk, spent: &mut Spent) -> Next {
        match self {
            Candidates::Profile(profile) => profile.next_turn(state, walk, spent),
            Candidates::Few { turns, .. } => {
                if !spent.look() {
                    return Next::Tired;
                }
                match turns.iter().find(|turn| walk.is_before(turn)) {
                    Some(turn) => {
                        walk.go_to(turn);
                        Next::Turn(*turn, 0)
                    }
                    None => Next::End,
                }
            }
        }
    }

    /// The next one in turn of the winner's own requester and tier.
    pub(crate) fn next_own(
        &mut self,
        state: &State,
        winner: &Turn,
        after: &mut Option<(u64, ProjectId)>,
        spent: &mut Spent,
    ) -> Next {
        match self {
            Candidates::Profile(profile) => profile.next_own(state, winner, after, spent),
            Candidates::Few { turns, .. } => {
                if !spent.look() {
                    return Next::Tired;
                }
                let own = |turn: &&Turn| {
                    (turn.tier, turn.requester) == (winner.tier, winner.requester)
                        && after.is_none_or(|at| (turn.project_time, turn.project) > at)
                };
                match turns.iter().find(own) {
                    Some(turn) => {
                        *after = Some((turn.project_time, turn.project));
                        Next::Turn(*turn, 0)
                    }
                    None => Next::End,
                }
            }
        }
    }

    /// The next one that has waited since `until` or longer, longest first.
    pub(crate) fn next_overdue(
        &mut self,
        state: &State,
        until: EngineTime,
        walk: &mut Option<(EngineTime, ProjectId)>,
        spent: &mut Spent,
    ) -> Next {
        match self {
            Candidates::Profile(profile) => profile.next_overdue(state, until, walk, spent),
            Candidates::Few { waiting, .. } => {
                if !spent.look() {
                    return Next::Tired;
                }
                let next = waiting.iter().find(|key| walk.is_none_or(|at| **key > at));
                match next.filter(|(since, _)| *since <= until) {
                    Some(key) => {
                        *walk = Some(*key);
                        Next::Turn(state.turn_of(state.project_room(key.1)), 0)
                    }
                    None => Next::End,
                }
            }
        }
    }
}
