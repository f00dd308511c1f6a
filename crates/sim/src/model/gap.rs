//! The bounded service gap: who waits for longer than the bound.

use piecework_core::outcome::Overdue;
use piecework_core::{ProjectId, TaskId, TenantId};

use super::Model;
use super::turns::Turn;

/// Grants that an overdue project stands back for.
const PASSES: u8 = 9;

impl Model {
    /// Candidates with a ready place that wait for longer than the bound, and than the
    /// project whose turn it is; the longest first.
    pub(super) fn overdue(
        &self,
        ready: &[(Turn, TaskId)],
        normal: ProjectId,
    ) -> Vec<(Turn, TaskId)> {
        let since = |turn: &Turn| self.projects[&turn.project].waiting_since;
        let gap = self.limits.service_gap;
        let waits = |turn: &Turn| self.now.engine - since(turn) >= gap;
        let mut all: Vec<_> = ready.iter().filter(|(turn, _)| waits(turn)).copied().collect();
        all.sort_by_key(|(turn, _)| (since(turn), turn.project));
        all.into_iter().take_while(|(turn, _)| turn.project != normal).collect()
    }

    /// The normal choice, or that of an overdue project which stood back nine times.
    ///
    /// `said`: where there is more than the engine looks at in one go, it may have missed
    /// who waits longest, for now. It is believed what may be true.
    pub(super) fn with_gap(
        &self,
        normal: (Turn, TaskId),
        waited: &[(Turn, TaskId)],
        said: Option<Overdue>,
    ) -> ((Turn, TaskId), Overdue) {
        let means = |project: ProjectId| match self.projects[&project].passes {
            PASSES.. => Overdue::Served(project),
            _ => Overdue::StoodBack(project),
        };
        let believed = waited.iter().find(|(turn, _)| said == Some(means(turn.project)));
        let chosen = believed.or(waited.first());
        let Some(chosen) = chosen.filter(|_| said != Some(Overdue::Nobody)) else {
            return (normal, Overdue::Nobody);
        };
        match means(chosen.0.project) {
            served @ Overdue::Served(_) => (*chosen, served),
            stood_back => (normal, stood_back),
        }
    }

    /// From when on the engine is believed: it may have stopped somewhere for ever after.
    pub(super) fn believe(&mut self, tenant: TenantId) {
        if self.is_much(tenant) {
            self.much.insert(tenant);
        }
    }
}
