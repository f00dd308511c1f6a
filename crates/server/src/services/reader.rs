//! The tables, as the services read them.
//!
//! Nobody else in this crate's services meets the store. A row that must be
//! there and is not is a mistake of ours; a name that leads nowhere is a
//! refusal, in the engine's own words.
//!
//! Kept in memory: terms (a revision never changes) and the names of projects
//! and workers with a worker's kind (neither ever changes).
//!
//! Not here: messages (`wire/to_wire`), waiting for a position (`call.rs`).

use std::sync::Arc;

use piecework_core::command::{TaskKey, TaskRef};
use piecework_core::event::{Event, Log};
use piecework_core::lease::Lease;
use piecework_core::project::{Project, ProjectState, ProjectTally, Terms};
use piecework_core::requester::Requester;
use piecework_core::schema::FieldKind;
use piecework_core::submission::Submission;
use piecework_core::task::{TaskRecord, TaskSpec};
use piecework_core::worker::{Worker, WorkerKind, WorkerRecord};
use piecework_core::{
    ClientId, LeaseId, ProjectId, Refusal, RequesterId, Revision, Sequence, TaskId, TaskNumber,
    WorkerId,
};
use piecework_storage::{Direction, Events, GivenAnswer, StoreError, TaskTitle, View};
use tracing::error;

use crate::services::cache::Cache;
use crate::wire::failure::Failure;
use crate::wire::status;
use crate::wire::to_wire::task::TaskRows;

/// Bytes of terms in memory: each may have instructions and a schema of some 100 KiB, and
/// has few as a rule.
const TERMS_BYTES_KEPT: usize = 16 * 1024 * 1024;
/// What terms take besides their texts, and a text or a choice besides its bytes.
const TERMS_BYTES: usize = 512;
const TEXT_BYTES: usize = 64;
/// Names in memory: some 100 bytes each.
const NAMES_KEPT: usize = 50_000;

/// Typed reads of one tenant.
pub(crate) struct Reader {
    view: View,
    terms: Cache<(ProjectId, Revision), Arc<Terms>>,
    projects: Cache<ProjectId, ClientId>,
    workers: Cache<WorkerId, (ClientId, WorkerKind)>,
}

impl Reader {
    pub(crate) fn new(view: View) -> Reader {
        Reader {
            view,
            terms: Cache::of_weight(TERMS_BYTES_KEPT, |terms| size_of_terms(terms)),
            projects: Cache::new(NAMES_KEPT),
            workers: Cache::new(NAMES_KEPT),
        }
    }

    /// A requester by name.
    pub(crate) fn requester(&self, name: &ClientId) -> Result<Requester, Failure> {
        let found = read(self.view.requester_named(name))?;
        let requester = || Refusal::RequesterNotFound { requester: name.clone() };
        found.ok_or_else(|| status::refused(&requester(), ""))
    }

    /// The name of a requester.
    pub(crate) fn requester_name(&self, id: RequesterId) -> Result<ClientId, Failure> {
        let found = read(self.view.requester(id))?;
        found.map(|requester| requester.name).ok_or_else(|| missing("requester", id.0))
    }

    /// Requesters after a number, ascending.
    pub(crate) fn requesters(
        &self,
        after: RequesterId,
        limit: usize,
    ) -> Result<Vec<Requester>, Failure> {
        read(self.view.requesters(after, limit))
    }

    /// A project by name; one that is being deleted is gone.
    pub(crate) fn project(&self, name: &ClientId) -> Result<Project, Failure> {
        let found = read(self.view.project_named(name))?;
        let found = found.filter(|project| project.state != ProjectState::Deleting);
        found.ok_or_else(|| no_project(name))
    }

    /// A project by number; `None`: it is gone.
    pub(crate) fn project_of(&self, id: ProjectId) -> Result<Option<Project>, Failure> {
        read(self.view.project(id))
    }

    /// The same; one that is being deleted is gone.
    pub(crate) fn live_project(&self, id: ProjectId) -> Result<Option<Project>, Failure> {
        let found = self.project_of(id)?;
        Ok(found.filter(|project| project.state != ProjectState::Deleting))
    }

    /// The name of a project; `None`: it is gone.
    pub(crate) fn project_name(&self, id: ProjectId) -> Result<Option<ClientId>, Failure> {
        self.projects.get(id, || Ok(self.project_of(id)?.map(|project| project.name)))
    }

    /// Projects after a number, ascending.
    pub(crate) fn projects(&self, after: ProjectId, limit: usize) -> Result<Vec<Project>, Failure> {
        read(self.view.projects(after, limit))
    }

    /// A project's counts.
    pub(crate) fn tally(&self, id: ProjectId) -> Result<ProjectTally, Failure> {
        Ok(read(self.view.project_tally(id))?.unwrap_or_default())
    }

    /// The terms of a revision; `None`: the project is gone.
    pub(crate) fn terms(
        &self,
        project: ProjectId,
        revision: Revision,
    ) -> Result<Option<Arc<Terms>>, Failure> {
        let fetch = || Ok(read(self.view.terms(project, revision))?.map(Arc::new));
        self.terms.get((project, revision), fetch)
    }

    /// A worker by name.
    pub(crate) fn worker(&self, name: &ClientId) -> Result<Worker, Failure> {
        self.find_worker(name)?.ok_or_else(|| no_worker(name))
    }

    /// A worker by name, if there is one.
    pub(crate) fn find_worker(&self, name: &ClientId) -> Result<Option<Worker>, Failure> {
        read(self.view.worker_named(name))
    }

    /// A worker's name and kind.
    pub(crate) fn worker_name(&self, id: WorkerId) -> Result<(ClientId, WorkerKind), Failure> {
        let fetch = || {
            let worker = read(self.view.worker(id))?;
            Ok(worker.map(|worker| (worker.name, worker.spec.kind)))
        };
        self.workers.get(id, fetch)?.ok_or_else(|| missing("worker", id.0))
    }

    /// Workers after a number, ascending.
    pub(crate) fn workers(&self, after: WorkerId, limit: usize) -> Result<Vec<Worker>, Failure> {
        read(self.view.workers(after, limit))
    }

    /// How a worker behaved.
    pub(crate) fn worker_record(&self, id: WorkerId) -> Result<WorkerRecord, Failure> {
        Ok(read(self.view.worker_record(id))?.unwrap_or_default())
    }

    /// What the requester wrote; `None`: the task is gone.
    pub(crate) fn spec(&self, id: TaskId) -> Result<Option<TaskSpec>, Failure> {
        read(self.view.spec(id))
    }

    /// What tasks are called, ascending and distinct: as many of the first ones as have
    /// `bytes_max` or few more; `None`: the task is gone.
    pub(crate) fn titles(
        &self,
        tasks: &[TaskId],
        bytes_max: usize,
    ) -> Result<Vec<Option<TaskTitle>>, Failure> {
        read(self.view.titles(tasks, bytes_max))
    }

    /// The revisions of tasks' newest results, the tasks ascending and distinct; `None`:
    /// nobody touched it, or it is gone.
    pub(crate) fn newest_revisions(&self, tasks: &[TaskId]) -> Result<Vec<Option<u32>>, Failure> {
        read(self.view.newest_revisions(tasks))
    }

    /// What became of a task; `None`: nobody touched it.
    pub(crate) fn record(&self, id: TaskId) -> Result<Option<TaskRecord>, Failure> {
        read(self.view.task(id))
    }

    /// All leases of a task, ascending.
    pub(crate) fn leases(&self, id: TaskId) -> Result<Vec<Lease>, Failure> {
        read(self.view.leases(id))
    }

    /// All of a task; `None`: it is gone.
    pub(crate) fn task(
        &self,
        id: TaskId,
        project: &ClientId,
        withdrawn: bool,
    ) -> Result<Option<TaskRows>, Failure> {
        let Some(spec) = self.spec(id)? else { return Ok(None) };
        let record = self.record(id)?;
        // Nobody touched it, so there are no leases to look for.
        let leases = if record.is_some() { self.leases(id)? } else { Vec::new() };
        Ok(Some(TaskRows { spec, record, leases, project: project.clone(), withdrawn }))
    }

    /// What a lease's worker has saved so far; empty: nothing.
    pub(crate) fn draft(&self, id: LeaseId) -> Result<Vec<u8>, Failure> {
        Ok(read(self.view.draft(id))?.map(|draft| draft.bytes).unwrap_or_default())
    }

    /// An answer.
    pub(crate) fn submission(&self, id: LeaseId) -> Result<Option<Submission>, Failure> {
        read(self.view.submission(id))
    }

    /// What was answered under leases, ascending and distinct: as many of the first ones as
    /// have `bytes_max` or few more; `None`: it is gone.
    pub(crate) fn answers(
        &self,
        leases: &[LeaseId],
        bytes_max: usize,
    ) -> Result<Vec<Option<GivenAnswer>>, Failure> {
        read(self.view.answers(leases, bytes_max))
    }

    /// The same with the facts about it.
    pub(crate) fn submissions_under(
        &self,
        leases: &[LeaseId],
        bytes_max: usize,
    ) -> Result<Vec<Option<Submission>>, Failure> {
        read(self.view.submissions_under(leases, bytes_max))
    }

    /// All answers to a task, ascending by lease.
    pub(crate) fn submissions_of_task(&self, id: TaskId) -> Result<Vec<Submission>, Failure> {
        read(self.view.submissions(id))
    }

    /// A worker's answers after its nth, in the order in which they came.
    pub(crate) fn submissions_of_worker(
        &self,
        id: WorkerId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<Submission>, Failure> {
        let from = after.saturating_add(1);
        read(self.view.submissions_of(id, from, Direction::Ascending, limit))
    }

    /// Tasks of a project after a number, ascending, each with its record.
    pub(crate) fn tasks(
        &self,
        project: ProjectId,
        after: TaskNumber,
        limit: usize,
    ) -> Result<Vec<(TaskSpec, Option<TaskRecord>)>, Failure> {
        let specs = read(self.view.specs(project, after, limit))?;
        // The touched ones among them: no more than there are specs.
        let mut records =
            read(self.view.tasks(project, after, specs.len()))?.into_iter().peekable();
        let with_record = |spec: TaskSpec| {
            let record = records.next_if(|record| record.id == spec.id);
            (spec, record)
        };
        Ok(specs.into_iter().map(with_record).collect())
    }

    /// Touched tasks of a project after a number, ascending.
    pub(crate) fn touched(
        &self,
        project: ProjectId,
        after: TaskNumber,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, Failure> {
        read(self.view.tasks(project, after, limit))
    }

    /// A log's records after a sequence that `wanted` takes, ascending.
    pub(crate) fn events(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        wanted: &mut dyn FnMut(&Event) -> bool,
    ) -> Result<Events, Failure> {
        read(self.view.events(log, after, limit, wanted))
    }

    /// One record of a log.
    pub(crate) fn event(&self, log: Log, sequence: Sequence) -> Result<Option<Event>, Failure> {
        let after = Sequence(sequence.0.saturating_sub(1));
        let found = self.events(log, after, 1, &mut |_| true)?.events.pop();
        Ok(found.filter(|event| event.sequence == sequence))
    }

    /// The oldest record that a log still has.
    pub(crate) fn log_begin(&self, log: Log) -> Result<Option<Sequence>, Failure> {
        read(self.view.earliest_event(log))
    }

    /// The newest sequence that a log ever gave; zero: none.
    pub(crate) fn log_end(&self, log: Log) -> Result<Sequence, Failure> {
        match log {
            Log::Project(project) => Ok(self.tally(project)?.last_sequence),
            Log::Workers(_) => Ok(read(self.view.last_worker_event())?),
        }
    }
}

/// About how much memory they take.
fn size_of_terms(terms: &Terms) -> usize {
    let text = |text: &String| TEXT_BYTES + text.len();
    let instructions = terms.instructions.iter().map(|(tag, said)| text(tag) + text(said));
    let fields = terms.schema.fields.iter().map(|field| {
        let choices = match &field.kind {
            FieldKind::Choice(choices) | FieldKind::MultiChoice(choices) => &choices[..],
            FieldKind::Boolean | FieldKind::Number { .. } | FieldKind::Text | FieldKind::Free => {
                &[]
            }
        };
        text(&field.name) + choices.iter().map(text).sum::<usize>()
    });
    TERMS_BYTES + instructions.sum::<usize>() + fields.sum::<usize>()
}

/// There is no such worker, in the engine's own words.
pub(crate) fn no_worker(worker: &ClientId) -> Failure {
    status::refused(&Refusal::WorkerNotFound { worker: worker.clone() }, "")
}

/// There is no such project, in the engine's own words.
pub(crate) fn no_project(project: &ClientId) -> Failure {
    status::refused(&Refusal::ProjectNotFound { project: project.clone() }, "")
}

/// A task's refusal, in the engine's own words.
pub(crate) fn no_task(task: &TaskRef) -> Failure {
    let (project, key) = (task.project.clone(), &task.task);
    let task = match key {
        TaskKey::Named(name) => name.to_string(),
        TaskKey::Number(TaskNumber(number)) => format!("~{number}"),
    };
    status::refused(&Refusal::TaskNotFound { project, task }, "")
}

/// A row that another one names and that is not there.
pub(crate) fn missing(kind: &'static str, id: impl std::fmt::Display) -> Failure {
    error!(kind, %id, "a row is missing");
    status::internal()
}

fn read<T>(found: Result<T, StoreError>) -> Result<T, Failure> {
    found.map_err(|error| {
        error!(error = &error as &dyn std::error::Error, "the tables cannot be read");
        status::internal()
    })
}
