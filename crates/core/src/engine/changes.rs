//! What one command changed, collected while it is applied.
//!
//! Counters that change several times in a command (a project's tally, a
//! worker's record) are marked and written once, at the end.

use std::collections::BTreeSet;

use crate::change::{Change, Changed};
use crate::engine::state::State;
use crate::worker::SkillRating;
use crate::{Now, Position, ProjectId, TenantId, WorkerId};

/// The changes of one command.
pub(crate) struct Changes {
    pub(crate) position: Position,
    pub(crate) now: Now,
    rows: Vec<Changed>,
    projects: BTreeSet<ProjectId>,
    workers: BTreeSet<WorkerId>,
    areas: BTreeSet<(WorkerId, String)>,
    tallies: BTreeSet<(WorkerId, ProjectId)>,
    partition: bool,
}

impl Changes {
    pub(crate) fn new(position: Position, now: Now) -> Changes {
        Changes {
            position,
            now,
            rows: Vec::new(),
            projects: BTreeSet::new(),
            workers: BTreeSet::new(),
            areas: BTreeSet::new(),
            tallies: BTreeSet::new(),
            partition: false,
        }
    }

    /// A row of a known tenant.
    pub(crate) fn push(&mut self, tenant: TenantId, change: Change) {
        self.rows.push(Changed { tenant, change });
    }

    /// A row below a project.
    pub(crate) fn row(&mut self, state: &State, project: ProjectId, change: Change) {
        self.push(state.project_room(project).project.tenant, change);
    }

    /// The project's tally has changed.
    pub(crate) fn project(&mut self, id: ProjectId) {
        self.projects.insert(id);
    }

    /// The worker's record has changed.
    pub(crate) fn worker(&mut self, id: WorkerId) {
        self.workers.insert(id);
    }

    /// The worker's rating in a skill area has changed.
    pub(crate) fn area(&mut self, id: WorkerId, skill: &str) {
        self.areas.insert((id, skill.to_owned()));
    }

    /// The worker's count in a project has changed.
    pub(crate) fn tally(&mut self, worker: WorkerId, project: ProjectId) {
        self.tallies.insert((worker, project));
    }

    /// The partition's row has changed.
    pub(crate) fn partition(&mut self) {
        self.partition = true;
    }

    /// All rows, the marked ones last.
    pub(crate) fn finish(mut self, state: &State) -> Vec<Changed> {
        for id in std::mem::take(&mut self.projects) {
            if let Some(room) = state.projects.get(&id) {
                self.push(room.project.tenant, Change::ProjectTally(room.tally));
            }
        }
        for id in std::mem::take(&mut self.workers) {
            let worker = state.worker_room(id);
            self.push(worker.worker.tenant, Change::WorkerRecord(worker.record));
        }
        for (id, skill) in std::mem::take(&mut self.areas) {
            let worker = state.worker_room(id);
            let rating = worker.areas.get(&skill).copied().unwrap_or_default();
            let row = SkillRating { worker: id, skill, rating };
            self.push(worker.worker.tenant, Change::SkillRating(Box::new(row)));
        }
        for (id, project) in std::mem::take(&mut self.tallies) {
            let worker = state.worker_room(id);
            self.push(worker.worker.tenant, Change::WorkTally(worker.work_tally(project)));
        }
        if self.partition {
            self.push(TenantId(0), Change::Partition(state.partition));
        }
        self.rows
    }
}
