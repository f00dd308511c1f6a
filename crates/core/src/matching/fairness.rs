//! Whose turn it is: requesters in turn, and a requester's projects in turn.
//!
//! Virtual time is the how-manieth grant of the tenant the last one was: who was
//! served longest ago goes first. A grant costs the place at the front and no more,
//! so who was away, or had nothing for the workers that asked, gets one grant ahead
//! of the others and no credit for its absence.
//!
//! Invariant: `turns` holds exactly the projects that grant and have places.
//!
//! Not here: tiers and weights (the leasing issue), order inside a project.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ProjectId, RequesterId};

/// The rota of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rota {
    requesters: BTreeSet<(u64, RequesterId)>,
    turns: BTreeMap<RequesterId, BTreeSet<(u64, ProjectId)>>,
    virtual_time: BTreeMap<RequesterId, u64>,
    /// Grants so far: the present.
    grants: u64,
}

impl Rota {
    /// Projects with places, by (requester's virtual time, requester, project's
    /// virtual time, project).
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = ProjectId> + '_ {
        self.requesters
            .iter()
            .flat_map(|(_, requester)| self.turns.get(requester).into_iter().flatten())
            .map(|(_, project)| *project)
    }

    /// A project has places now.
    pub(crate) fn enter(&mut self, requester: RequesterId, project: ProjectId, time: u64) {
        self.requesters.insert((self.virtual_time(requester), requester));
        self.turns.entry(requester).or_default().insert((time, project));
    }

    /// A project has no places any more, or grants none.
    pub(crate) fn leave(&mut self, requester: RequesterId, project: ProjectId, time: u64) {
        let Some(turns) = self.turns.get_mut(&requester) else { return };
        turns.remove(&(time, project));
        if turns.is_empty() {
            self.turns.remove(&requester);
            let time = self.virtual_time(requester);
            self.requesters.remove(&(time, requester));
        }
    }

    /// Whether the project is in the rota at this virtual time.
    pub(crate) fn has(&self, requester: RequesterId, project: ProjectId, time: u64) -> bool {
        self.turns.get(&requester).is_some_and(|turns| turns.contains(&(time, project)))
    }

    /// Charges one grant to a project in the rota; returns its new virtual time,
    /// which is its requester's, too.
    pub(crate) fn charge(&mut self, requester: RequesterId, project: ProjectId, time: u64) -> u64 {
        self.grants += 1;
        let own = self.virtual_time.insert(requester, self.grants).unwrap_or_default();
        if self.requesters.remove(&(own, requester)) {
            self.requesters.insert((self.grants, requester));
        }
        if let Some(turns) = self.turns.get_mut(&requester)
            && turns.remove(&(time, project))
        {
            turns.insert((self.grants, project));
        }
        self.grants
    }

    fn virtual_time(&self, requester: RequesterId) -> u64 {
        self.virtual_time.get(&requester).copied().unwrap_or_default()
    }

    /// Takes up what a project remembers, before any project enters: its last grant.
    pub(crate) fn remember(&mut self, requester: RequesterId, time: u64) {
        let own = self.virtual_time.entry(requester).or_default();
        *own = (*own).max(time);
        self.grants = self.grants.max(time);
    }

    /// A project is gone, and with it what it remembers: only the last grants of the
    /// projects that are left count, as they would after a restart.
    pub(crate) fn recall(&mut self, left: impl Iterator<Item = (RequesterId, u64)>) {
        (self.virtual_time, self.grants) = (BTreeMap::new(), 0);
        for (requester, time) in left {
            self.remember(requester, time);
        }
        self.requesters = self.turns.keys().map(|r| (self.virtual_time(*r), *r)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requester_that_comes_late_takes_turns_and_does_not_catch_up() {
        let mut rota = Rota::default();
        let (a, b) = (RequesterId(1), RequesterId(2));
        let (mut time, mut late) = (0, 0);
        rota.enter(a, ProjectId(1), time);
        for _ in 0..100 {
            time = rota.charge(a, ProjectId(1), time);
        }
        rota.enter(b, ProjectId(2), late);
        let mut grants = [0, 0];
        for _ in 0..10 {
            let next = rota.in_turn().next();
            match next {
                Some(ProjectId(1)) => {
                    grants[0] += 1;
                    time = rota.charge(a, ProjectId(1), time);
                }
                Some(ProjectId(2)) => {
                    grants[1] += 1;
                    late = rota.charge(b, ProjectId(2), late);
                }
                other => panic!("nobody's turn: {other:?}"),
            }
        }
        assert_eq!(grants, [5, 5]);
    }

    #[test]
    fn who_is_passed_over_saves_up_no_credit() {
        let mut rota = Rota::default();
        let [idle, busy, other] = [1, 2, 3].map(|n| (RequesterId(n), ProjectId(n)));
        for (requester, project) in [idle, busy, other] {
            rota.enter(requester, project, 0);
        }
        let mut times = [0, 0];
        for _ in 0..50 {
            times[0] = rota.charge(busy.0, busy.1, times[0]);
            times[1] = rota.charge(other.0, other.1, times[1]);
        }
        rota.charge(idle.0, idle.1, 0);
        let turns: Vec<ProjectId> = rota.in_turn().collect();
        assert_eq!(turns, [busy.1, other.1, idle.1]);
    }
}
