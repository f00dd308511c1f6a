//! What one tenant's readers ask: core's nouns by id, by name, in lists.
//!
//! Another tenant's rows do not exist here: the tenant leads every key.
//! Lists go by number, start behind the last one seen and have a limit, so a
//! page costs what it shows.

use std::ops::ControlFlow;

use bytes::Bytes;
use piecework_core::change::PartitionRow;
use piecework_core::event::{Event, Log};
use piecework_core::image::ColdTask;
use piecework_core::lease::{Draft, Lease};
use piecework_core::project::{Project, ProjectTally, Sweep, Terms};
use piecework_core::requester::Requester;
use piecework_core::submission::Submission;
use piecework_core::task::{TaskRecord, TaskSpec};
use piecework_core::worker::{WorkTally, Worker, WorkerRecord};
use piecework_core::{
    ClientId, LeaseId, ProjectId, RequesterId, Revision, Sequence, TaskId, TaskNumber, TenantId,
    WorkerId,
};
use prost::Message;

use super::error::StoreError;
use super::keys::{Key, RowId, above, after};
use super::load::read;
use super::merged::Tables;
use super::row::event_key;
use super::store::Store;
use super::values::{self, Misread};

/// Records of a log that one call looks at, whatever the filter takes.
pub const EVENTS_LOOKED_AT_MAX: usize = 10_000;

/// Bytes of records that one call takes, the last one on top.
const EVENTS_BYTES_MAX: usize = 1024 * 1024;

/// Answers of a worker that one scan looks for.
const ANSWERS_A_SCAN: u32 = 1024;

/// One tenant's rows as they are published at the moment of each read.
///
/// # Errors
/// Every read fails in the same ways: the store cannot be read, or a row is
/// damaged (`StoreError::is_damage`).
#[derive(Debug, Clone)]
pub struct View {
    store: Store,
    tenant: TenantId,
}

/// A stretch of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// Those that the filter took, ascending.
    pub events: Vec<Event>,
    /// The newest one looked at: go on behind it. Where nothing came behind
    /// the place that was asked for, that place.
    pub through: Sequence,
}

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the oldest on.
    Ascending,
    /// From the newest back.
    Descending,
}

#[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
impl View {
    pub(super) fn new(store: Store, tenant: TenantId) -> View {
        View { store, tenant }
    }

    /// A requester by number.
    pub fn requester(&self, id: RequesterId) -> Result<Option<Requester>, StoreError> {
        self.one(RowId::Requester(id), |m| values::read_requester(self.tenant, id, m))
    }

    /// A requester by name.
    pub fn requester_named(&self, name: &ClientId) -> Result<Option<Requester>, StoreError> {
        match self.number(RowId::RequesterName(name.as_str()))? {
            Some(number) => self.requester(RequesterId(number)),
            None => Ok(None),
        }
    }

    /// At most `max` requesters behind `after`, by number.
    pub fn requesters(&self, after: RequesterId, max: usize) -> Result<Vec<Requester>, StoreError> {
        let from = self.key(RowId::Requester(after));
        self.list(&from, from.group(), max, |row, key, value| match row {
            RowId::Requester(id) => {
                read(key, value, |m| values::read_requester(self.tenant, id, m)).map(Some)
            }
            _ => Ok(None),
        })
    }

    /// A project by number.
    pub fn project(&self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.one(RowId::Project(id), |m| values::read_project(self.tenant, id, m))
    }

    /// A project by name.
    pub fn project_named(&self, name: &ClientId) -> Result<Option<Project>, StoreError> {
        match self.number(RowId::ProjectName(name.as_str()))? {
            Some(number) => self.project(ProjectId(number)),
            None => Ok(None),
        }
    }

    /// At most `max` projects behind `after`, by number.
    pub fn projects(&self, after: ProjectId, max: usize) -> Result<Vec<Project>, StoreError> {
        let from = self.key(RowId::Project(after));
        self.list(&from, from.group(), max, |row, key, value| match row {
            RowId::Project(id) => {
                read(key, value, |m| values::read_project(self.tenant, id, m)).map(Some)
            }
            _ => Ok(None),
        })
    }

    /// The terms of one revision.
    pub fn terms(
        &self,
        project: ProjectId,
        revision: Revision,
    ) -> Result<Option<Terms>, StoreError> {
        self.one(RowId::Terms(project, revision), values::read_terms)
    }

    /// A project's counts.
    pub fn project_tally(&self, project: ProjectId) -> Result<Option<ProjectTally>, StoreError> {
        self.one(RowId::ProjectTally(project), |m| Ok(values::read_tally(project, m)))
    }

    /// A project's sweep under way.
    pub fn sweep(&self, project: ProjectId) -> Result<Option<Sweep>, StoreError> {
        self.one(RowId::Sweep(project), |m| Ok(values::read_sweep(project, m)))
    }

    /// A worker by number.
    pub fn worker(&self, id: WorkerId) -> Result<Option<Worker>, StoreError> {
        self.one(RowId::Worker(id), |m| values::read_worker(self.tenant, id, m))
    }

    /// A worker by name.
    pub fn worker_named(&self, name: &ClientId) -> Result<Option<Worker>, StoreError> {
        match self.number(RowId::WorkerName(name.as_str()))? {
            Some(number) => self.worker(WorkerId(number)),
            None => Ok(None),
        }
    }

    /// At most `max` workers behind `after`, by number.
    pub fn workers(&self, after: WorkerId, max: usize) -> Result<Vec<Worker>, StoreError> {
        let from = self.key(RowId::Worker(after));
        self.list(&from, from.group(), max, |row, key, value| match row {
            RowId::Worker(id) => {
                read(key, value, |m| values::read_worker(self.tenant, id, m)).map(Some)
            }
            _ => Ok(None),
        })
    }

    /// A worker's behaviour.
    pub fn worker_record(&self, worker: WorkerId) -> Result<Option<WorkerRecord>, StoreError> {
        self.one(RowId::WorkerRecord(worker), |m| Ok(values::read_worker_record(worker, m)))
    }

    /// A worker's count in a project.
    pub fn work_tally(
        &self,
        worker: WorkerId,
        project: ProjectId,
    ) -> Result<Option<WorkTally>, StoreError> {
        self.one(RowId::WorkTally(project, worker), |m| {
            Ok(values::read_work_tally(project, worker, m))
        })
    }

    /// What a requester wrote.
    pub fn spec(&self, task: TaskId) -> Result<Option<TaskSpec>, StoreError> {
        self.one(RowId::Spec(task), |m| values::read_spec(task, m))
    }

    /// At most `max` specs of a project behind `after`, by number.
    pub fn specs(
        &self,
        project: ProjectId,
        after: TaskNumber,
        max: usize,
    ) -> Result<Vec<TaskSpec>, StoreError> {
        let from = self.key(RowId::Spec(TaskId { project, number: after }));
        let prefix = &from.as_bytes()[..from.as_bytes().len() - 4];
        self.list(&from, prefix, max, |row, key, value| match row {
            RowId::Spec(task) => read(key, value, |m| values::read_spec(task, m)).map(Some),
            _ => Ok(None),
        })
    }

    /// What became of a task; `None`: nobody touched it, or there is none.
    pub fn task(&self, task: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.one(RowId::Task(task), |m| values::read_record(task, m))
    }

    /// At most `max` touched tasks of a project behind `after`, by number: in
    /// one scan beside [`View::specs`], rather than one read a task.
    pub fn tasks(
        &self,
        project: ProjectId,
        after: TaskNumber,
        max: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        let from = self.key(RowId::Task(TaskId { project, number: after }));
        let prefix = &from.as_bytes()[..from.as_bytes().len() - 4];
        self.list(&from, prefix, max, |row, key, value| match row {
            RowId::Task(task) => read(key, value, |m| values::read_record(task, m)).map(Some),
            _ => Ok(None),
        })
    }

    /// One lease.
    pub fn lease(&self, lease: LeaseId) -> Result<Option<Lease>, StoreError> {
        self.one(RowId::Lease(lease), |m| values::read_lease(lease, m))
    }

    /// What a lease's worker has saved so far.
    pub fn draft(&self, lease: LeaseId) -> Result<Option<Draft>, StoreError> {
        self.one(RowId::Draft(lease), |m| Ok(values::read_draft(lease, m)))
    }

    /// All leases of a task, by number.
    pub fn leases(&self, task: TaskId) -> Result<Vec<Lease>, StoreError> {
        let from = self.key(RowId::Lease(LeaseId { task, number: 0 }));
        let prefix = &from.as_bytes()[..from.as_bytes().len() - 4];
        self.list(&from, prefix, usize::MAX, |row, key, value| match row {
            RowId::Lease(lease) => read(key, value, |m| values::read_lease(lease, m)).map(Some),
            _ => Ok(None),
        })
    }

    /// A touched task with its leases, for a command that needs one which the
    /// engine does not keep.
    ///
    /// Record and leases are of one moment: read again until nothing changed.
    pub fn cold_task(&self, task: TaskId) -> Result<Option<ColdTask>, StoreError> {
        let read = || -> Result<Option<ColdTask>, StoreError> {
            let Some(record) = self.task(task)? else { return Ok(None) };
            Ok(Some(ColdTask { record, leases: self.leases(task)? }))
        };
        let mut cold = read()?;
        loop {
            let again = read()?;
            if again == cold {
                return Ok(cold);
            }
            cold = again;
        }
    }

    /// The answer under a lease.
    pub fn submission(&self, lease: LeaseId) -> Result<Option<Submission>, StoreError> {
        self.one(RowId::Submission(lease), |m| values::read_submission(lease, m))
    }

    /// All answers of a task, by number of the lease.
    pub fn submissions(&self, task: TaskId) -> Result<Vec<Submission>, StoreError> {
        let from = self.key(RowId::Submission(LeaseId { task, number: 0 }));
        let prefix = &from.as_bytes()[..from.as_bytes().len() - 4];
        self.list(&from, prefix, usize::MAX, |row, key, value| match row {
            RowId::Submission(lease) => {
                read(key, value, |m| values::read_submission(lease, m)).map(Some)
            }
            _ => Ok(None),
        })
    }

    /// At most `max` answers of a worker from its `nth` on, that one included,
    /// upwards or downwards. Those of tasks that are gone are left out.
    ///
    /// `WorkerRecord::answers` is the newest one's number.
    pub fn submissions_of(
        &self,
        worker: WorkerId,
        nth: u32,
        direction: Direction,
        max: usize,
    ) -> Result<Vec<Submission>, StoreError> {
        // Whatever `nth` a caller sends, nothing is looked for above the newest.
        let newest = self.worker_record(worker)?.map_or(0, |record| record.answers);
        let mut answers = Vec::new();
        let (mut first, mut last) = match direction {
            Direction::Ascending => (nth.max(1), newest),
            Direction::Descending => (1, nth.min(newest)),
        };
        while answers.len() < max && first <= newest && last > 0 {
            match direction {
                Direction::Ascending => last = first.saturating_add(ANSWERS_A_SCAN - 1).min(newest),
                Direction::Descending => first = last.saturating_sub(ANSWERS_A_SCAN - 1).max(1),
            }
            let mut names = self.answers_between(worker, first, last)?;
            if direction == Direction::Descending {
                names.reverse();
            }
            for name in names {
                if answers.len() < max {
                    answers.extend(self.submission(name)?);
                }
            }
            match direction {
                Direction::Ascending => first = last.saturating_add(1),
                Direction::Descending => last = first - 1,
            }
        }
        Ok(answers)
    }

    /// Records of a log behind `after` that `wanted` takes, ascending, at most
    /// `max`. Looks at [`EVENTS_LOOKED_AT_MAX`] and no more, and takes about a MiB.
    pub fn events(
        &self,
        log: Log,
        after: Sequence,
        max: usize,
        wanted: &mut dyn FnMut(&Event) -> bool,
    ) -> Result<Events, StoreError> {
        let from = event_key(self.tenant, log, after.next());
        let last = event_key(self.tenant, log, Sequence(u64::MAX));
        let mut stretch = Events { events: Vec::new(), through: after };
        let (mut looked_at, mut bytes) = (0, 0);
        if max == 0 {
            return Ok(stretch);
        }
        let below = keys_after(&last);
        self.tables().scan(from.as_bytes(), &below, &mut |key, value| {
            let sequence = sequence_of(key)?;
            let event = read(key, value, |m| values::read_event(log, sequence, m))?;
            stretch.through = sequence;
            if wanted(&event) {
                stretch.events.push(event);
                bytes += value.len();
            }
            looked_at += 1;
            let is_full = stretch.events.len() == max || bytes >= EVENTS_BYTES_MAX;
            let is_over = is_full || looked_at == EVENTS_LOOKED_AT_MAX;
            Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(stretch)
    }

    /// The oldest record that a log still has.
    pub fn earliest_event(&self, log: Log) -> Result<Option<Sequence>, StoreError> {
        let from = event_key(self.tenant, log, Sequence(0));
        let below = keys_after(&event_key(self.tenant, log, Sequence(u64::MAX)));
        let first = self.tables().take(from.as_bytes(), &below, 1)?.pop_front();
        first.map(|(key, _)| sequence_of(&key)).transpose()
    }

    /// The newest sequence of the tenant's log of worker events; zero: none.
    pub fn last_worker_event(&self) -> Result<Sequence, StoreError> {
        let row = self.one(RowId::Tenant, |m| Ok(values::read_tenant(self.tenant, m)))?;
        Ok(row.map(|row| row.last_worker_event).unwrap_or_default())
    }

    /// What the partition itself remembers; the same for every tenant.
    pub fn partition(&self) -> Result<Option<PartitionRow>, StoreError> {
        let key = Key::new(TenantId(0), RowId::Partition);
        Ok(self.tables().message(&key)?.map(values::read_partition))
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.store.shared.tables
    }

    pub(super) fn key(&self, row: RowId<'_>) -> Key {
        Key::new(self.tenant, row)
    }

    fn one<M: Message + Default, T>(
        &self,
        row: RowId<'_>,
        into: impl FnOnce(M) -> Result<T, Misread>,
    ) -> Result<Option<T>, StoreError> {
        let key = self.key(row);
        let value = self.tables().get(&key)?;
        value.map(|value| read(&key, &value, into)).transpose()
    }

    fn number(&self, row: RowId<'_>) -> Result<Option<u32>, StoreError> {
        self.one(row, |m| Ok(values::read_name(m)))
    }

    /// Rows behind `after` that start with `prefix`.
    fn list<T>(
        &self,
        from: &Key,
        prefix: &[u8],
        max: usize,
        mut read: impl FnMut(RowId<'_>, &Key, &Bytes) -> Result<Option<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        if max == 0 {
            return Ok(rows);
        }
        self.tables().scan(&after(from.as_bytes()), &above(prefix), &mut |key, value| {
            let (_, row) = key.row().map_err(StoreError::Key)?;
            rows.extend(read(row, key, value)?);
            Ok(if rows.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(rows)
    }

    fn answers_between(
        &self,
        worker: WorkerId,
        first: u32,
        last: u32,
    ) -> Result<Vec<LeaseId>, StoreError> {
        let from = self.key(RowId::AnswerOfWorker(worker, first));
        let below = keys_after(&self.key(RowId::AnswerOfWorker(worker, last)));
        let mut names = Vec::new();
        self.tables().scan(from.as_bytes(), &below, &mut |key, value| {
            names.push(read(key, value, |m| Ok(values::read_lease_name(m)))?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(names)
    }
}

fn keys_after(key: &Key) -> Vec<u8> {
    after(key.as_bytes())
}

fn sequence_of(key: &Key) -> Result<Sequence, StoreError> {
    match key.row().map_err(StoreError::Key)?.1 {
        RowId::ProjectEvent(_, sequence) | RowId::WorkerEvent(sequence) => Ok(sequence),
        _ => Err(StoreError::Key(super::keys::KeyError::Misshapen { bytes: key.as_bytes().len() })),
    }
}
