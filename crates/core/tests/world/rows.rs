//! The rows that a disk would hold, folded from changes.
//!
//! Not here: bytes and keys (`piecework-storage`).

use std::collections::BTreeMap;
use std::sync::Arc;

use piecework_core::change::{
    Change, Changed, CreateKeyId, CreateKeyRow, PartitionRow, PinnedTerms, TenantRow,
};
use piecework_core::event::{Event, Log};
use piecework_core::image::{ColdTask, ImageRow, SpecRow};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::project::{Project, ProjectTally, Sweep, Terms};
use piecework_core::requester::Requester;
use piecework_core::submission::Submission;
use piecework_core::task::{TaskRecord, TaskSpec};
use piecework_core::worker::{LeaseRequest, SkillRating, WorkTally, Worker, WorkerRecord};
use piecework_core::{
    EngineTime, Fingerprint, LeaseId, ProjectId, RequesterId, Revision, Sequence, TaskId,
    TaskNumber, TenantId, WorkerId,
};

/// Every row by its identity.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) partition: PartitionRow,
    pub(crate) tenants: BTreeMap<TenantId, TenantRow>,
    pub(crate) requesters: BTreeMap<RequesterId, Requester>,
    pub(crate) projects: BTreeMap<ProjectId, Project>,
    pub(crate) terms: BTreeMap<(ProjectId, Revision), Terms>,
    pub(crate) tallies: BTreeMap<ProjectId, ProjectTally>,
    pub(crate) specs: BTreeMap<TaskId, Arc<TaskSpec>>,
    pub(crate) tasks: BTreeMap<TaskId, TaskRecord>,
    pub(crate) leases: BTreeMap<LeaseId, Lease>,
    pub(crate) drafts: BTreeMap<LeaseId, Vec<u8>>,
    pub(crate) submissions: BTreeMap<LeaseId, Submission>,
    pub(crate) events: BTreeMap<(Log, Sequence), Event>,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) records: BTreeMap<WorkerId, WorkerRecord>,
    pub(crate) areas: BTreeMap<(WorkerId, String), SkillRating>,
    pub(crate) requests: BTreeMap<(WorkerId, u32), LeaseRequest>,
    pub(crate) work_tallies: BTreeMap<(WorkerId, ProjectId), WorkTally>,
    pub(crate) create_keys: BTreeMap<CreateKeyId, CreateKeyRow>,
    pub(crate) sweeps: BTreeMap<ProjectId, Sweep>,
    /// Leases that ever ran out, by project: rows forget it when an answer comes late.
    pub(crate) ran_out: BTreeMap<ProjectId, u64>,
}

impl Rows {
    pub(crate) fn fold(&mut self, changes: &[Changed]) {
        for changed in changes {
            self.put(&changed.change);
        }
    }

    fn put(&mut self, change: &Change) {
        match change {
            Change::Requester(r) => _ = self.requesters.insert(r.id, *r.clone()),
            Change::Project(p) => _ = self.projects.insert(p.id, *p.clone()),
            Change::Terms(t) => _ = self.terms.insert((t.project, t.revision), t.terms.clone()),
            Change::ProjectTally(t) => _ = self.tallies.insert(t.project, *t),
            Change::Specs(specs) => {
                self.specs.extend(specs.iter().map(|s| (s.id, Arc::clone(s))));
            }
            Change::Task(t) => _ = self.tasks.insert(t.id, *t.clone()),
            Change::Lease(l) => self.lease(l),
            Change::Draft(d) => _ = self.drafts.insert(d.lease, d.bytes.clone()),
            Change::DraftGone(lease) => _ = self.drafts.remove(lease),
            Change::Submission(s) => _ = self.submissions.insert(s.lease, *s.clone()),
            Change::Event(e) => _ = self.events.insert(e.key(), *e.clone()),
            Change::Worker(w) => _ = self.workers.insert(w.id, *w.clone()),
            Change::WorkerRecord(r) => _ = self.records.insert(r.worker, *r),
            Change::SkillRating(r) => {
                _ = self.areas.insert((r.worker, r.skill.clone()), *r.clone());
            }
            Change::LeaseRequest(r) => {
                _ = self.requests.insert((r.worker, r.number), *r.clone());
            }
            Change::LeaseRequestGone { worker, number } => {
                _ = self.requests.remove(&(*worker, *number));
            }
            Change::WorkTally(t) => _ = self.work_tallies.insert((t.worker, t.project), *t),
            Change::CreateKey(k) => _ = self.create_keys.insert(k.id.clone(), *k.clone()),
            Change::CreateKeyGone(id) => _ = self.create_keys.remove(id),
            Change::Sweep(s) => _ = self.sweeps.insert(s.project, *s),
            Change::SweepGone(project) => _ = self.sweeps.remove(project),
            Change::Partition(row) => self.partition = *row,
            Change::Tenant(row) => _ = self.tenants.insert(row.tenant, *row),
            Change::TasksGone { project, first, last } => self.drop_tasks(*project, *first, *last),
            Change::EventsGone { log, through } => {
                self.events.retain(|(l, s), _| l != log || s > through);
            }
            Change::ProjectGone(project) => self.drop_project(*project),
        }
    }

    fn lease(&mut self, lease: &Lease) {
        let was = self.leases.insert(lease.id, lease.clone());
        let expired = |l: &Lease| matches!(l.state, LeaseState::Expired { .. });
        if expired(lease) && !was.is_some_and(|l| expired(&l)) {
            *self.ran_out.entry(lease.id.task.project).or_default() += 1;
        }
    }

    fn drop_tasks(&mut self, project: ProjectId, first: TaskNumber, last: TaskNumber) {
        let gone = |id: &TaskId| id.project == project && (first..=last).contains(&id.number);
        self.specs.retain(|id, _| !gone(id));
        self.tasks.retain(|id, _| !gone(id));
        self.leases.retain(|id, _| !gone(&id.task));
        assert!(!self.drafts.keys().any(|id| gone(&id.task)), "a draft outlives its task");
        self.submissions.retain(|id, _| !gone(&id.task));
    }

    fn drop_project(&mut self, project: ProjectId) {
        self.projects.remove(&project);
        self.tallies.remove(&project);
        self.terms.retain(|(p, _), _| *p != project);
        self.work_tallies.retain(|(_, p), _| *p != project);
    }

    /// Live leases that these changes say have run out.
    pub(crate) fn run_out(&self, changes: &[Changed]) -> Vec<LeaseId> {
        let lives = |id: &LeaseId| self.leases.get(id).is_some_and(Lease::is_live);
        let expired = changes.iter().filter_map(|changed| match &changed.change {
            Change::Lease(l) if matches!(l.state, LeaseState::Expired { .. }) => Some(l.id),
            _ => None,
        });
        let mut expired: Vec<LeaseId> = expired.filter(lives).collect();
        expired.dedup();
        expired
    }

    /// All leases of a task, ascending.
    pub(crate) fn leases_of(&self, task: TaskId) -> impl Iterator<Item = &Lease> {
        let (first, last) = (LeaseId { task, number: 0 }, LeaseId { task, number: u32::MAX });
        self.leases.range(first..=last).map(|(_, lease)| lease)
    }

    /// The tasks of a project, ascending.
    pub(crate) fn specs_of(&self, project: ProjectId) -> impl Iterator<Item = &Arc<TaskSpec>> {
        let at = |n| TaskId { project, number: TaskNumber(n) };
        self.specs.range(at(0)..=at(u32::MAX)).map(|(_, spec)| spec)
    }

    /// (counted answers, live leases) of a task.
    pub(crate) fn taken(&self, task: TaskId) -> (usize, usize) {
        let counted = self.leases_of(task).filter(|l| l.counted().is_some()).count();
        (counted, self.leases_of(task).filter(|l| l.is_live()).count())
    }

    /// A settled task, as a reader would fetch it.
    pub(crate) fn cold(&self, task: TaskId) -> ColdTask {
        let record = self.tasks.get(&task).unwrap_or_else(|| panic!("{task} has no record"));
        ColdTask { record: record.clone(), leases: self.leases_of(task).cloned().collect() }
    }

    /// What a start loads, in the documented order.
    pub(crate) fn image(&self, now: EngineTime) -> Vec<ImageRow> {
        let mut image = vec![ImageRow::Partition(self.partition)];
        image.extend(self.tenants.values().copied().map(ImageRow::Tenant));
        image.extend(self.requesters.values().cloned().map(Box::new).map(ImageRow::Requester));
        image.extend(self.projects.values().cloned().map(Box::new).map(ImageRow::Project));
        image.extend(self.terms.iter().map(|((project, revision), terms)| {
            let (project, revision, terms) = (*project, *revision, terms.clone());
            ImageRow::Terms(Box::new(PinnedTerms { project, revision, terms }))
        }));
        image.extend(self.tallies.values().copied().map(ImageRow::ProjectTally));
        image.extend(self.workers.values().cloned().map(Box::new).map(ImageRow::Worker));
        image.extend(self.records.values().copied().map(ImageRow::WorkerRecord));
        image.extend(self.areas.values().cloned().map(Box::new).map(ImageRow::SkillRating));
        image.extend(self.requests.values().cloned().map(Box::new).map(ImageRow::LeaseRequest));
        image.extend(self.work_tallies.values().copied().map(ImageRow::WorkTally));
        image.extend(self.create_keys.values().cloned().map(Box::new).map(ImageRow::CreateKey));
        image.extend(self.sweeps.values().copied().map(ImageRow::Sweep));
        for spec in self.specs.values() {
            image.push(ImageRow::Spec(spec_row(spec)));
            let Some(record) = self.tasks.get(&spec.id) else { continue };
            let waits = self.leases_of(spec.id).any(|l| l.takes_capacity(now) || l.draft);
            image.push(if record.state.is_open() || waits {
                ImageRow::Task(Box::new(self.cold(spec.id)))
            } else {
                ImageRow::Settled(spec.id)
            });
        }
        image
    }
}

fn spec_row(spec: &TaskSpec) -> SpecRow {
    let name = |id: &piecework_core::ClientId| Fingerprint::of(&[id.as_str().as_bytes()]);
    SpecRow {
        task: spec.id,
        order: spec.order,
        name: spec.name.as_ref().map(|id| (name(id), spec.content)),
    }
}
