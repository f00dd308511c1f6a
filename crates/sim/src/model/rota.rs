//! Which projects a pick looks at, since when they wait, and how fast they may grant.
//!
//! What is in the rota is looked at again after each thing that happens to a project
//! or to one of its tasks, in the engine's order: entering it begins a wait.
//!
//! Not here: who of them is next (`turns.rs`).

use piecework_core::project::ProjectState;
use piecework_core::{EngineTime, Millis, ProjectId, RequesterId};

use super::Model;
use super::written::RowKey;

/// Whose grants are counted by the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Payer {
    Project(ProjectId),
    Requester(RequesterId),
}

/// Micro-seconds between two grants, and how far ahead of them one may be.
fn pace(grants_per_minute: u32) -> (u64, u64) {
    let interval = 60_000_000 / u64::from(grants_per_minute);
    (interval, 1_000_000_u64.saturating_sub(interval))
}

impl Model {
    fn payers(&self, id: ProjectId) -> [(Payer, u32); 2] {
        let project = &self.projects[&id].project;
        let requester = &self.requesters[&project.requester];
        [
            (Payer::Project(id), project.spec.grants_per_minute),
            (Payer::Requester(requester.id), requester.grants_per_minute),
        ]
    }

    /// Until when a project grants nothing, if its rate or its requester's is used up.
    pub(super) fn throttled_until(&self, id: ProjectId) -> Option<EngineTime> {
        let now = self.now.engine.0 * 1_000;
        let mut until = None;
        for (payer, rate) in self.payers(id) {
            let Some(next) = self.next_grants.get(&payer).filter(|_| rate > 0) else { continue };
            let from = next.saturating_sub(pace(rate).1);
            if from > now {
                until = until.max(Some(EngineTime(from.div_ceil(1_000))));
            }
        }
        until
    }

    /// How much longer a project grants nothing.
    pub(super) fn throttled_for(&self, id: ProjectId) -> Option<Millis> {
        self.throttled_until(id).map(|until| until - self.now.engine)
    }

    /// One grant of the project's rate and of its requester's, whose other projects
    /// may be throttled by it, too.
    pub(super) fn spend(&mut self, id: ProjectId) {
        let now = self.now.engine.0 * 1_000;
        let payers = self.payers(id);
        for (payer, rate) in payers {
            if rate > 0 {
                let next = self.next_grants.entry(payer).or_default();
                *next = (*next).max(now) + pace(rate).0;
            }
        }
        match payers {
            [_, (Payer::Requester(requester), 1..)] => self.throttle_all(requester),
            _ => self.throttle(id),
        }
    }

    /// A project's rates are looked at: at a grant, when they change, when a tick says
    /// that they may allow a grant again, and never between.
    pub(super) fn throttle(&mut self, id: ProjectId) {
        let until = self.throttled_until(id);
        self.projects.get_mut(&id).expect("it is there").throttled = until;
        self.look_at_rota(id);
    }

    /// The same for all projects of a requester.
    pub(super) fn throttle_all(&mut self, requester: RequesterId) {
        let own = self.projects.values().map(|v| &v.project).filter(|p| p.requester == requester);
        for id in own.map(|p| p.id).collect::<Vec<_>>() {
            self.throttle(id);
        }
    }

    /// It grants, has a place for somebody, resting ones included, and is not throttled.
    fn belongs_in_rota(&self, id: ProjectId) -> bool {
        let grants = match self.projects[&id].project.state {
            ProjectState::Active | ProjectState::Closed => true,
            ProjectState::Paused | ProjectState::Cancelled { .. } | ProjectState::Deleting => false,
        };
        grants
            && self.projects[&id].throttled.is_none()
            && self.tasks_of(id).any(|(task, _)| self.place(task).is_some())
    }

    /// Something happened to a project: it may enter the rota, or leave it.
    pub(super) fn look_at_rota(&mut self, id: ProjectId) {
        if !self.projects.contains_key(&id) {
            return;
        }
        let belongs = self.belongs_in_rota(id);
        if belongs == self.projects[&id].in_rota {
            return;
        }
        self.touch(RowKey::ProjectTally(id));
        let now = self.now.engine;
        let venture = self.projects.get_mut(&id).expect("it is there");
        venture.in_rota = belongs;
        if belongs {
            venture.waiting_since = now;
        } else {
            venture.passes = 0;
        }
    }

    /// A restart knows no rates and no passes, and begins no wait.
    pub(super) fn forget_rota(&mut self) {
        self.next_grants.clear();
        self.projects.values_mut().for_each(|venture| venture.throttled = None);
        for id in self.projects.keys().copied().collect::<Vec<_>>() {
            let belongs = self.belongs_in_rota(id);
            let venture = self.projects.get_mut(&id).expect("it is there");
            (venture.in_rota, venture.passes) = (belongs, 0);
        }
    }
}
