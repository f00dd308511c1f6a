//! Whose turn it is: tiers, weights, accounts, and what a grant costs.
//!
//! Nothing is kept sorted: every time is looked up in the projects when it is asked for.
//!
//! Not here: who may have what (`rules.rs`), places (`pick.rs`).

use piecework_core::{ProjectId, RequesterId};

use super::Model;
use super::written::RowKey;

/// What a grant costs a requester of weight one.
const GRANT: u64 = 1_000_000;

/// Whose turn a project is: the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) tier: u8,
    pub(super) requester_time: u64,
    pub(super) requester: RequesterId,
    pub(super) project_time: u64,
    pub(super) project: ProjectId,
}

/// Who would have had the grant instead; a named lease has nobody.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RunnersUp {
    pub(super) requester: Option<(u64, RequesterId)>,
    pub(super) project_time: Option<u64>,
}

impl RunnersUp {
    /// Of one candidate among all: the next other requester of its tier, and the next
    /// other project of its requester in that tier.
    pub(super) fn of(winner: &Turn, candidates: &[Turn]) -> RunnersUp {
        let tier = || candidates.iter().filter(|c| c.tier == winner.tier);
        let others = tier().filter(|c| c.requester != winner.requester);
        let own = tier().filter(|c| c.requester == winner.requester && c.project != winner.project);
        RunnersUp {
            requester: others.map(|c| (c.requester_time, c.requester)).min(),
            project_time: own.map(|c| (c.project_time, c.project)).min().map(|(time, _)| time),
        }
    }
}

impl Model {
    /// No project goes before its requester's ceiling.
    pub(super) fn tier(&self, project: ProjectId) -> u8 {
        let about = &self.projects[&project].project;
        about.spec.tier.max(self.requesters[&about.requester].tier_ceiling)
    }

    pub(super) fn turn(&self, project: ProjectId) -> Turn {
        let (venture, tier) = (&self.projects[&project], self.tier(project));
        let requester = venture.project.requester;
        Turn {
            tier,
            requester_time: self.requester_time(requester, tier),
            requester,
            project_time: venture.virtual_time,
            project,
        }
    }

    /// A requester is as late as the latest of its projects in that tier.
    fn requester_time(&self, requester: RequesterId, tier: u8) -> u64 {
        let own = self.projects.iter().filter(|(_, v)| v.project.requester == requester);
        let own = own.filter(|(id, _)| self.tier(**id) == tier);
        own.map(|(_, v)| v.requester_time).max().unwrap_or(0)
    }

    fn cost(&self, requester: RequesterId) -> u64 {
        GRANT / u64::from(self.requesters[&requester].weight)
    }

    /// A grant moves its requester on by one share and its project by one, from
    /// nowhere further back than one grant behind the runner-up; the project's wait
    /// begins anew, and nobody passes it over any more.
    pub(super) fn charge(&mut self, project: ProjectId, runners_up: RunnersUp) {
        let turn = self.turn(project);
        let behind = |(time, other)| u64::saturating_sub(time, self.cost(other));
        let requester_from = runners_up.requester.map_or(0, behind);
        let requester_time = turn.requester_time.max(requester_from) + self.cost(turn.requester);
        let project_from = runners_up.project_time.map_or(0, |time| time.saturating_sub(1));
        let now = self.now.engine;
        self.touch(RowKey::ProjectTally(project));
        let venture = self.projects.get_mut(&project).expect("a task's project");
        venture.requester_time = requester_time;
        venture.virtual_time = venture.virtual_time.max(project_from) + 1;
        venture.waiting_since = now;
        venture.passes = 0;
        self.spend(project);
    }
}
