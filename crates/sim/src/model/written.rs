//! What a command must have written, and how that compares with what it did write.
//!
//! A row that differs from what it was must be among the changes, as it is now; a
//! row that does not may be there, but as it is. Records of logs come exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use piecework_core::change::{Change, Changed, CreateKeyId, PinnedTerms, TenantRow};
use piecework_core::event::Log;
use piecework_core::lease::Draft;
use piecework_core::worker::{SkillRating, WorkTally};
use piecework_core::{
    LeaseId, Outcome, Position, ProjectId, Refusal, RequesterId, Revision, Sequence, TaskId,
    TenantId, WorkerId,
};

use super::Model;

/// What names a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the key of the change of the same name")]
pub enum RowKey {
    Requester(RequesterId),
    Project(ProjectId),
    Terms(ProjectId, Revision),
    ProjectTally(ProjectId),
    Spec(TaskId),
    Task(TaskId),
    Lease(LeaseId),
    Draft(LeaseId),
    Submission(LeaseId),
    Event(Log, Sequence),
    Worker(WorkerId),
    WorkerRecord(WorkerId),
    SkillRating(WorkerId, String),
    LeaseRequest(WorkerId, u32),
    WorkTally(WorkerId, ProjectId),
    CreateKey(CreateKeyId),
    Sweep(ProjectId),
    Partition,
    Tenant(TenantId),
    TasksGone(ProjectId),
    EventsGone(Log),
    ProjectGone(ProjectId),
}

/// What must come of a command.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Where.
    pub position: Position,
    /// The answer.
    pub outcome: Result<Outcome, Refusal>,
    /// Every row that differs from what it was, as it must be now.
    pub rows: BTreeMap<RowKey, Change>,
}

/// The engine and the model do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n  expected {expected}\n  found    {found}")]
pub struct Disagreement {
    /// About what.
    pub what: String,
    /// What the model says.
    pub expected: String,
    /// What the engine said or wrote.
    pub found: String,
}

impl Disagreement {
    fn new(
        what: impl Into<String>,
        expected: &impl std::fmt::Debug,
        found: &impl std::fmt::Debug,
    ) -> Disagreement {
        let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
        Disagreement { what: what.into(), expected, found }
    }
}

impl Model {
    /// Holds what was predicted against what happened. Call it before the next `apply`.
    ///
    /// # Errors
    /// The first thing on which they do not agree.
    pub fn compare(
        &self,
        predicted: &Predicted,
        outcome: &Result<Outcome, Refusal>,
        changes: &[Changed],
    ) -> Result<(), Disagreement> {
        same_outcome(&predicted.outcome, outcome)?;
        self.compare_changes(predicted, changes)
    }

    /// The same for the changes alone: a journal keeps no outcomes.
    ///
    /// # Errors
    /// The first row on which they do not agree.
    pub fn compare_changes(
        &self,
        predicted: &Predicted,
        changes: &[Changed],
    ) -> Result<(), Disagreement> {
        let mut found = BTreeMap::new();
        for changed in changes {
            let change = changed.change.clone();
            if let Change::Specs(specs) = &change {
                for spec in specs {
                    found.insert(RowKey::Spec(spec.id), Change::Specs(vec![Arc::clone(spec)]));
                }
            } else {
                found.insert(key(&change), change);
            }
        }
        for (key, expected) in &predicted.rows {
            match found.remove(key) {
                Some(row) if row == *expected => {}
                row => return Err(Disagreement::new(format!("{key:?}"), expected, &row)),
            }
        }
        // What is left must be as it was.
        for (key, row) in found {
            let known = self.row_of(&key);
            if known.as_ref() != Some(&row) {
                return Err(Disagreement::new(format!("{key:?}"), &known, &row));
            }
        }
        if predicted.rows.is_empty() && !changes.is_empty() {
            return Err(Disagreement::new("a command without effect", &"no changes", &changes));
        }
        Ok(())
    }

    /// From here on a row changes: what it was is remembered.
    pub(super) fn touch(&mut self, key: RowKey) {
        if !self.before.contains_key(&key) {
            let was = self.row_of(&key);
            self.before.insert(key, was);
        }
    }

    /// What differs now from what it was, with the rows that only come.
    pub(super) fn written(&mut self) -> BTreeMap<RowKey, Change> {
        let mut rows = std::mem::take(&mut self.new);
        for (key, was) in std::mem::take(&mut self.before) {
            let is = self.row_of(&key);
            if is == was {
                continue;
            }
            let gone = || gone(&key);
            if let Some(change) = is.or_else(gone) {
                rows.insert(key, change);
            }
        }
        rows
    }

    pub(super) fn row_of(&self, key: &RowKey) -> Option<Change> {
        Some(match key {
            RowKey::Requester(id) => Change::Requester(Box::new(self.requesters.get(id)?.clone())),
            RowKey::Project(id) => {
                Change::Project(Box::new(self.projects.get(id)?.project.clone()))
            }
            RowKey::Terms(project, revision) => {
                let terms = self.projects.get(project)?.terms.get(revision)?.clone();
                let (project, revision) = (*project, *revision);
                Change::Terms(Box::new(PinnedTerms { project, revision, terms }))
            }
            RowKey::ProjectTally(id) => Change::ProjectTally(self.tally(*id)?),
            RowKey::Spec(id) => Change::Specs(vec![Arc::clone(&self.tasks.get(id)?.spec)]),
            RowKey::Task(id) => {
                let task = self.tasks.get(id).filter(|t| t.touched)?;
                Change::Task(Box::new(task.record.clone()))
            }
            RowKey::Lease(id) => Change::Lease(Box::new(self.lease(*id)?.clone())),
            RowKey::Worker(id) => Change::Worker(Box::new(self.workers.get(id)?.worker.clone())),
            RowKey::WorkerRecord(id) => Change::WorkerRecord(self.workers.get(id)?.record),
            RowKey::SkillRating(id, skill) => {
                let rating = *self.workers.get(id)?.areas.get(skill)?;
                let (worker, skill) = (*id, skill.clone());
                Change::SkillRating(Box::new(SkillRating { worker, skill, rating }))
            }
            RowKey::LeaseRequest(id, number) => {
                let request = self.workers.get(id)?.requests.get(number)?.clone();
                Change::LeaseRequest(Box::new(request))
            }
            RowKey::WorkTally(worker, project) => {
                let person = self.workers.get(worker)?;
                let answers = *person.answers.get(project)?;
                let p75_ms = person.p75_ms.get(project).copied().unwrap_or(0);
                let (worker, project) = (*worker, *project);
                Change::WorkTally(WorkTally { worker, project, answers, p75_ms })
            }
            RowKey::CreateKey(id) => Change::CreateKey(Box::new(self.keys.get(id)?.clone())),
            RowKey::Sweep(project) => Change::Sweep(*self.sweeps.get(project)?),
            RowKey::Partition => Change::Partition(self.partition),
            RowKey::Tenant(tenant) => {
                let (tenant, last_worker_event) = (*tenant, *self.tenants.get(tenant)?);
                Change::Tenant(TenantRow { tenant, last_worker_event })
            }
            RowKey::Draft(id) => {
                let bytes = self.drafts.get(id)?.clone();
                Change::Draft(Box::new(Draft { lease: *id, bytes }))
            }
            RowKey::Submission(_)
            | RowKey::Event(..)
            | RowKey::TasksGone(_)
            | RowKey::EventsGone(_)
            | RowKey::ProjectGone(_) => return None,
        })
    }
}

/// How a row says that it is gone; those of a deleted project go with it.
fn gone(key: &RowKey) -> Option<Change> {
    match key {
        RowKey::LeaseRequest(worker, number) => {
            Some(Change::LeaseRequestGone { worker: *worker, number: *number })
        }
        RowKey::Draft(id) => Some(Change::DraftGone(*id)),
        RowKey::CreateKey(id) => Some(Change::CreateKeyGone(id.clone())),
        RowKey::Sweep(project) => Some(Change::SweepGone(*project)),
        _ => None,
    }
}

fn key(change: &Change) -> RowKey {
    match change {
        Change::Requester(r) => RowKey::Requester(r.id),
        Change::Project(p) => RowKey::Project(p.id),
        Change::Terms(t) => RowKey::Terms(t.project, t.revision),
        Change::ProjectTally(t) => RowKey::ProjectTally(t.project),
        Change::Specs(specs) => RowKey::Spec(specs.first().map(|s| s.id).unwrap_or_default()),
        Change::Task(t) => RowKey::Task(t.id),
        Change::Lease(l) => RowKey::Lease(l.id),
        Change::Draft(d) => RowKey::Draft(d.lease),
        Change::DraftGone(id) => RowKey::Draft(*id),
        Change::Submission(s) => RowKey::Submission(s.lease),
        Change::Event(e) => RowKey::Event(e.log, e.sequence),
        Change::Worker(w) => RowKey::Worker(w.id),
        Change::WorkerRecord(r) => RowKey::WorkerRecord(r.worker),
        Change::SkillRating(r) => RowKey::SkillRating(r.worker, r.skill.clone()),
        Change::LeaseRequest(r) => RowKey::LeaseRequest(r.worker, r.number),
        Change::LeaseRequestGone { worker, number } => RowKey::LeaseRequest(*worker, *number),
        Change::WorkTally(t) => RowKey::WorkTally(t.worker, t.project),
        Change::CreateKey(k) => RowKey::CreateKey(k.id.clone()),
        Change::CreateKeyGone(id) => RowKey::CreateKey(id.clone()),
        Change::Sweep(s) => RowKey::Sweep(s.project),
        Change::SweepGone(project) => RowKey::Sweep(*project),
        Change::Partition(_) => RowKey::Partition,
        Change::Tenant(row) => RowKey::Tenant(row.tenant),
        Change::TasksGone { project, .. } => RowKey::TasksGone(*project),
        Change::EventsGone { log, .. } => RowKey::EventsGone(*log),
        Change::ProjectGone(project) => RowKey::ProjectGone(*project),
    }
}

/// Everything must be the same but how many entries an index has.
fn same_outcome(
    expected: &Result<Outcome, Refusal>,
    found: &Result<Outcome, Refusal>,
) -> Result<(), Disagreement> {
    let same = match (expected, found) {
        (Ok(Outcome::Ticked { expired: a, .. }), Ok(Outcome::Ticked { expired: b, .. })) => a == b,
        (Ok(Outcome::ProjectStats(a)), Ok(Outcome::ProjectStats(b))) => {
            let mut a = a.clone();
            a.ready_entries = b.ready_entries;
            a == *b
        }
        (a, b) => a == b,
    };
    if same { Ok(()) } else { Err(Disagreement::new("the outcome", expected, found)) }
}
