//! Finding things by name, and counting what is counted: by looking at everything.

use piecework_core::command::{TaskKey, TaskRef};
use piecework_core::lease::{Grant, Lease, LeaseState};
use piecework_core::outcome::{ProjectStats, WorkerView};
use piecework_core::project::{Assignment, ProjectState, ProjectTally, Terms};
use piecework_core::submission::Verdict;
use piecework_core::task::TaskState;
use piecework_core::{
    ClientId, LeaseId, Millis, Outcome, ProjectId, Refusal, RequesterId, Revision, TaskId,
    TaskNumber, TenantId, WorkerId,
};

use super::written::RowKey;
use super::{Model, Task};

impl Task {
    pub(super) fn counted(&self) -> usize {
        self.leases.iter().filter(|l| l.counted().is_some()).count()
    }

    pub(super) fn live(&self) -> usize {
        self.leases.iter().filter(|l| l.is_live()).count()
    }

    pub(super) fn wanted(&self) -> usize {
        usize::from(self.record.order.wanted)
    }

    pub(super) fn is_full(&self) -> bool {
        self.counted() + self.live() >= self.wanted()
    }
}

/// A task's name as it was asked for: a number is written `~7`.
pub(super) fn text(key: &TaskKey) -> String {
    match key {
        TaskKey::Named(id) => id.to_string(),
        TaskKey::Number(number) => format!("~{number}"),
    }
}

impl Model {
    pub(super) fn find_requester(
        &self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<RequesterId, Refusal> {
        let mut all = self.requesters.values();
        let found = all.find(|r| r.tenant == tenant && r.name == *name).map(|r| r.id);
        found.ok_or_else(|| Refusal::RequesterNotFound { requester: name.clone() })
    }

    /// A project that is being deleted is gone for its users.
    pub(super) fn find_project(
        &self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<ProjectId, Refusal> {
        let mut all = self.projects.values().map(|v| &v.project);
        let is = |p: &&piecework_core::project::Project| {
            p.tenant == tenant && p.name == *name && p.state != ProjectState::Deleting
        };
        let found = all.find(is).map(|p| p.id);
        found.ok_or_else(|| Refusal::ProjectNotFound { project: name.clone() })
    }

    pub(super) fn find_worker(
        &self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<WorkerId, Refusal> {
        let mut all = self.workers.values().map(|p| &p.worker);
        let found = all.find(|w| w.tenant == tenant && w.name == *name).map(|w| w.id);
        found.ok_or_else(|| Refusal::WorkerNotFound { worker: name.clone() })
    }

    pub(super) fn find_task(&self, tenant: TenantId, task: &TaskRef) -> Result<TaskId, Refusal> {
        let project = self.find_project(tenant, &task.project)?;
        let found = match &task.task {
            TaskKey::Number(number) => {
                let id = TaskId { project, number: *number };
                self.tasks.contains_key(&id).then_some(id)
            }
            TaskKey::Named(name) => {
                let mut all = self.tasks_of(project);
                all.find(|(_, t)| t.spec.name.as_ref() == Some(name)).map(|(id, _)| id)
            }
        };
        let (project, name) = (task.project.clone(), text(&task.task));
        found.ok_or(Refusal::TaskNotFound { project, task: name })
    }

    /// A lease of this worker; anybody else's does not exist for it, nor does one of
    /// a project that is being deleted.
    pub(super) fn find_lease(
        &self,
        tenant: TenantId,
        worker: &ClientId,
        id: LeaseId,
    ) -> Result<Lease, Refusal> {
        let who = self.find_worker(tenant, worker)?;
        let found = self.lease_for(tenant, id).filter(|l| l.worker == who);
        found.cloned().ok_or_else(|| Refusal::LeaseNotFound { worker: worker.clone(), lease: id })
    }

    pub(super) fn lease_for(&self, tenant: TenantId, id: LeaseId) -> Option<&Lease> {
        let project = &self.projects.get(&id.task.project)?.project;
        let here = project.tenant == tenant && project.state != ProjectState::Deleting;
        self.lease(id).filter(|_| here)
    }

    pub(super) fn lease(&self, id: LeaseId) -> Option<&Lease> {
        let at = usize::try_from(id.number).ok()?.checked_sub(1)?;
        self.tasks.get(&id.task)?.leases.get(at)
    }

    pub(super) fn tasks_of(&self, project: ProjectId) -> impl Iterator<Item = (TaskId, &Task)> {
        let at = |n| TaskId { project, number: TaskNumber(n) };
        self.tasks.range(at(0)..=at(u32::MAX)).map(|(id, task)| (*id, task))
    }

    pub(super) fn leases_of(&self, worker: WorkerId) -> impl Iterator<Item = &Lease> {
        self.tasks.values().flat_map(|t| &t.leases).filter(move |l| l.worker == worker)
    }

    pub(super) fn terms(&self, project: ProjectId, revision: Revision) -> &Terms {
        &self.projects[&project].terms[&revision]
    }

    /// A flag ends all tasks of a project, whatever the sweep has come to.
    pub(super) fn is_cancelled(&self, project: ProjectId) -> bool {
        let state = self.projects[&project].project.state;
        matches!(state, ProjectState::Cancelled { .. } | ProjectState::Deleting)
    }

    /// A task to be changed.
    pub(super) fn edit(&mut self, id: TaskId) -> &mut Task {
        self.touch(RowKey::Task(id));
        self.touch(RowKey::ProjectTally(id.project));
        let task = self.tasks.get_mut(&id).expect("a task that was found");
        task.touched = true;
        task.looked = self.now.engine;
        task
    }

    /// A lease to be changed.
    pub(super) fn edit_lease(&mut self, id: LeaseId) -> &mut Lease {
        self.touch(RowKey::Lease(id));
        let at = id.number as usize - 1;
        &mut self.edit(id.task).leases[at]
    }

    /// A project's counts, counted.
    pub(super) fn tally(&self, id: ProjectId) -> Option<ProjectTally> {
        let venture = self.projects.get(&id)?;
        let mut tally = ProjectTally {
            project: id,
            last_task: venture.last_task,
            last_sequence: venture.last_sequence,
            granted: venture.granted,
            expired: venture.expired,
            returned: venture.returned,
            revoked: venture.revoked,
            virtual_time: venture.virtual_time,
            requester_time: venture.requester_time,
            waiting_since: venture.waiting_since,
            p75_ms: venture.p75_ms,
            p50_ms: venture.p50_ms,
            ..venture.gone
        };
        for (_, task) in self.tasks_of(id) {
            match task.record.state {
                TaskState::Open => tally.open += 1,
                TaskState::Done { .. } => tally.done += 1,
                TaskState::Failed { .. } => tally.failed += 1,
                TaskState::Cancelled => tally.cancelled += 1,
            }
            tally.resolved += u64::from(task.record.resolved);
            for lease in &task.leases {
                match &lease.state {
                    LeaseState::Live => tally.live += 1,
                    LeaseState::Submitted(s) => {
                        let counts = s.verdict.counts();
                        *(if counts { &mut tally.counted } else { &mut tally.kept }) += 1;
                        tally.counted_late += u64::from(s.verdict == Verdict::CountedLate);
                        tally.payable_micros += s.payable_micros;
                    }
                    _ => {}
                }
            }
        }
        Some(tally)
    }

    /// A lease as its worker sees it: nothing is left of one that has ended.
    pub(super) fn grant_of(&self, lease: &Lease) -> Grant {
        let project = lease.id.task.project;
        let hold = self.terms(project, lease.revision).lease.max_hold;
        let left = |until| if lease.is_live() { until - self.now.engine } else { Millis(0) };
        Grant {
            lease: lease.clone(),
            remaining: left(lease.deadline),
            hold_remaining: left(lease.granted + hold),
            shows_task: self.projects[&project].project.spec.assignment == Assignment::WorkerPicks,
        }
    }

    /// A worker with what it holds, in the order of grants.
    pub(super) fn seen(&self, id: WorkerId) -> Outcome {
        let person = &self.workers[&id];
        let mut live: Vec<&Lease> = self.leases_of(id).filter(|l| l.is_live()).collect();
        live.sort_by_key(|l| (l.granted, l.id));
        let requester = person.worker.spec.requester.map(|r| self.requesters[&r].name.clone());
        Outcome::Worker(Box::new(WorkerView {
            worker: person.worker.clone(),
            record: person.record,
            leases: live.into_iter().map(|l| self.grant_of(l)).collect(),
            requester,
        }))
    }

    /// Counts and waits of a project.
    pub(super) fn inspect_project(
        &self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_project(tenant, name)?;
        let places = self.tasks_of(id).filter(|(id, _)| self.place(*id) == Some(false));
        let oldest = places.map(|(_, t)| t.record.order.ready_at).min();
        let steps = self.projects[&id].project.spec.relaxation.iter();
        let old = |after| oldest.is_some_and(|since| self.now.engine - since >= after);
        let reached = steps.filter(|step| old(step.after)).count();
        Ok(Outcome::ProjectStats(Box::new(ProjectStats {
            project: self.projects[&id].project.clone(),
            tally: self.tally(id).expect("a project that was found"),
            untouched: self.tasks_of(id).filter(|(_, t)| !t.touched).count() as u64,
            ready_entries: 0,
            oldest_ready: oldest.map(|since| self.now.engine - since),
            relaxation_step: u8::try_from(reached).expect("at most eight"),
        })))
    }
}
