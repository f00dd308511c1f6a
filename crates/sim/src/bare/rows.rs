//! The rows that a disk would hold, folded from changes.
//!
//! Not here: bytes and keys (`piecework-storage`).

use std::collections::BTreeMap;
use std::sync::Arc;

use piecework_core::change::{
    Change, Changed, CreateKeyId, CreateKeyRow, PartitionRow, PinnedTerms, TenantRow,
};
use piecework_core::image::{ColdTask, ImageRow, SpecRow};
use piecework_core::lease::Lease;
use piecework_core::project::{Project, ProjectTally, Sweep};
use piecework_core::requester::Requester;
use piecework_core::task::{TaskRecord, TaskSpec};
use piecework_core::worker::{LeaseRequest, SkillRating, WorkTally, Worker, WorkerRecord};
use piecework_core::{
    EngineTime, Fingerprint, LeaseId, ProjectId, RequesterId, Revision, TaskId, TenantId, WorkerId,
};

/// Every row that a start needs, by its identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    partition: PartitionRow,
    tenants: BTreeMap<TenantId, TenantRow>,
    requesters: BTreeMap<RequesterId, Requester>,
    projects: BTreeMap<ProjectId, Project>,
    terms: BTreeMap<(ProjectId, Revision), PinnedTerms>,
    tallies: BTreeMap<ProjectId, ProjectTally>,
    specs: BTreeMap<TaskId, Arc<TaskSpec>>,
    tasks: BTreeMap<TaskId, TaskRecord>,
    leases: BTreeMap<LeaseId, Lease>,
    workers: BTreeMap<WorkerId, Worker>,
    records: BTreeMap<WorkerId, WorkerRecord>,
    areas: BTreeMap<(WorkerId, String), SkillRating>,
    requests: BTreeMap<(WorkerId, u32), LeaseRequest>,
    work_tallies: BTreeMap<(WorkerId, ProjectId), WorkTally>,
    create_keys: BTreeMap<CreateKeyId, CreateKeyRow>,
    sweeps: BTreeMap<ProjectId, Sweep>,
}

impl Rows {
    /// Takes in what one command changed.
    pub(super) fn fold(&mut self, changes: &[Changed]) {
        for changed in changes {
            self.put(&changed.change);
        }
    }

    fn put(&mut self, change: &Change) {
        match change {
            Change::Requester(r) => _ = self.requesters.insert(r.id, *r.clone()),
            Change::Project(p) => _ = self.projects.insert(p.id, *p.clone()),
            Change::Terms(t) => _ = self.terms.insert((t.project, t.revision), *t.clone()),
            Change::ProjectTally(t) => _ = self.tallies.insert(t.project, *t),
            Change::Specs(specs) => {
                self.specs.extend(specs.iter().map(|s| (s.id, Arc::clone(s))));
            }
            Change::Task(t) => _ = self.tasks.insert(t.id, *t.clone()),
            Change::Lease(l) => _ = self.leases.insert(l.id, *l.clone()),
            Change::Submission(_)
            | Change::Draft(_)
            | Change::DraftGone(_)
            | Change::Event(_)
            | Change::EventsGone { .. } => {}
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
            Change::Tenant(row) => _ = self.tenants.insert(row.tenant, *row),
            Change::Partition(row) => self.partition = *row,
            Change::TasksGone { project, first, last } => {
                let gone =
                    |id: &TaskId| id.project == *project && (*first..=*last).contains(&id.number);
                self.specs.retain(|id, _| !gone(id));
                self.tasks.retain(|id, _| !gone(id));
                self.leases.retain(|id, _| !gone(&id.task));
            }
            Change::ProjectGone(project) => {
                self.projects.remove(project);
                self.tallies.remove(project);
                self.terms.retain(|(p, _), _| p != project);
                self.work_tallies.retain(|(_, p), _| p != project);
            }
        }
    }

    fn leases_of(&self, task: TaskId) -> impl Iterator<Item = &Lease> {
        let (first, last) = (LeaseId { task, number: 0 }, LeaseId { task, number: u32::MAX });
        self.leases.range(first..=last).map(|(_, lease)| lease)
    }

    /// A settled task, as a reader would fetch it; `None` where it has no record.
    pub(super) fn cold(&self, task: TaskId) -> Option<ColdTask> {
        let record = self.tasks.get(&task)?.clone();
        Some(ColdTask { record, leases: self.leases_of(task).cloned().collect() })
    }

    /// What a start loads, in the documented order.
    pub(super) fn image(&self, now: EngineTime) -> Vec<ImageRow> {
        let mut image = vec![ImageRow::Partition(self.partition)];
        image.extend(self.tenants.values().copied().map(ImageRow::Tenant));
        image.extend(self.requesters.values().cloned().map(Box::new).map(ImageRow::Requester));
        image.extend(self.projects.values().cloned().map(Box::new).map(ImageRow::Project));
        image.extend(self.terms.values().cloned().map(Box::new).map(ImageRow::Terms));
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
            image.push(match self.cold(spec.id) {
                Some(cold) if record.state.is_open() || waits => ImageRow::Task(Box::new(cold)),
                _ => ImageRow::Settled(spec.id),
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
