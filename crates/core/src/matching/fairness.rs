//! Whose turn it is: requesters in turn, and a requester's projects in turn.
//!
//! Virtual time grows by one with every grant and never sinks. Who comes back
//! after a pause starts at the present, not with the credit of its absence.
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
    floor: u64,
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

    /// A project has places now. Returns its virtual time: its own, or the
    /// present where that is later.
    pub(crate) fn enter(&mut self, requester: RequesterId, project: ProjectId, own: u64) -> u64 {
        let turns = self.turns.entry(requester).or_default();
        if turns.is_empty() {
            let time = self.virtual_time.entry(requester).or_default();
            *time = (*time).max(self.floor);
            self.requesters.insert((*time, requester));
        }
        // The requester's other projects are the present that it joins.
        let time = own.max(turns.first().map_or(0, |(first, _)| *first));
        turns.insert((time, project));
        time
    }

    /// A project that had places when the daemon stopped has them again, at its own
    /// virtual time: it does not join anybody, it was there.
    pub(crate) fn resume(&mut self, requester: RequesterId, project: ProjectId, own: u64) {
        self.requesters.insert((self.virtual_time(requester), requester));
        self.turns.entry(requester).or_default().insert((own, project));
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

    /// Charges one grant to a project in the rota; returns its new virtual time.
    pub(crate) fn charge(&mut self, requester: RequesterId, project: ProjectId, time: u64) -> u64 {
        let own = self.virtual_time(requester);
        self.floor = self.floor.max(own);
        self.virtual_time.insert(requester, own + 1);
        if self.requesters.remove(&(own, requester)) {
            self.requesters.insert((own + 1, requester));
        }
        if let Some(turns) = self.turns.get_mut(&requester)
            && turns.remove(&(time, project))
        {
            turns.insert((time + 1, project));
        }
        time + 1
    }

    pub(crate) fn virtual_time(&self, requester: RequesterId) -> u64 {
        self.virtual_time.get(&requester).copied().unwrap_or_default()
    }

    /// Takes up what a tally remembers, before any project enters. The present is
    /// where the newest grant was charged: without it a requester that comes after a
    /// restart would have the credit of all time.
    pub(crate) fn remember(&mut self, requester: RequesterId, time: u64) {
        let own = self.virtual_time.entry(requester).or_default();
        *own = (*own).max(time);
        self.floor = self.floor.max(time.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requester_that_comes_late_takes_turns_and_does_not_catch_up() {
        let mut rota = Rota::default();
        let (a, b) = (RequesterId(1), RequesterId(2));
        let mut time = rota.enter(a, ProjectId(1), 0);
        for _ in 0..100 {
            time = rota.charge(a, ProjectId(1), time);
        }
        let mut late = rota.enter(b, ProjectId(2), 0);
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
}
