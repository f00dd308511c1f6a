//! What some records of a log refer to, read together.
//!
//! Record by record these are three reads each; in order they are a few pages. Where
//! the bytes are too many the rest is read when it is asked for, one by one. What the
//! records have in common is looked up once.
//!
//! Not here: what is written of it (`records.rs`).

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use piecework_core::event::{Event, Fell, ResultAnswer, TaskResult, What};
use piecework_core::project::Terms;
use piecework_core::submission::Submission;
use piecework_core::{ClientId, LeaseId, ProjectId, Revision, TaskId, WorkerId};
use piecework_storage::{GivenAnswer, TaskTitle};

use crate::services::reader::Reader;
use crate::wire::failure::Failure;
use crate::wire::names;

/// Bytes of rows of a kind that are read together; payloads count, though none is kept.
const ROWS_BYTES_MAX: usize = 1024 * 1024;
/// Names of workers that are remembered: some 100 bytes each.
const WORKERS_MAX: usize = 4_096;

/// Rows by the ids of those that some records of one log name.
pub(crate) struct Referred<'a> {
    reader: &'a Reader,
    titles: Found<TaskId, TaskTitle>,
    revisions: Found<TaskId, u32>,
    answers: Found<LeaseId, GivenAnswer>,
    submissions: Found<LeaseId, Submission>,
    project: OnceCell<Option<ClientId>>,
    newest_terms: OnceCell<Option<Arc<Terms>>>,
    /// Those that were asked for last.
    terms: RefCell<Option<(Revision, Arc<Terms>)>>,
    workers: RefCell<BTreeMap<WorkerId, Rc<str>>>,
}

/// Rows of ascending ids; those of the last ones may not have been read.
struct Found<I, T> {
    ids: Vec<I>,
    rows: Vec<Option<T>>,
}

impl<I: Ord, T> Found<I, T> {
    /// `read`: the rows of these ids, ascending and distinct.
    fn by(
        mut ids: Vec<I>,
        read: impl FnOnce(&[I]) -> Result<Vec<Option<T>>, Failure>,
    ) -> Result<Found<I, T>, Failure> {
        ids.sort_unstable();
        ids.dedup();
        Ok(Found { rows: read(&ids)?, ids })
    }

    /// `None`: it was not read.
    fn get(&self, id: &I) -> Option<Option<&T>> {
        let at = self.ids.binary_search(id).ok()?;
        self.rows.get(at).map(Option::as_ref)
    }
}

impl<'a> Referred<'a> {
    /// What `events`, all of one log, refer to.
    pub(crate) fn by(events: &[Event], reader: &'a Reader) -> Result<Referred<'a>, Failure> {
        let (mut tasks, mut results) = (Vec::new(), Vec::new());
        let (mut answered, mut submitted) = (Vec::new(), Vec::new());
        for event in events {
            match &event.what {
                What::Submitted(lease) => {
                    tasks.push(lease.task);
                    submitted.push(*lease);
                }
                What::Result(result) => {
                    tasks.push(result.task);
                    results.push(result.task);
                    answered.extend(answers_in(result));
                }
                What::TaskEnded { task, .. } => tasks.push(*task),
                What::Worker { .. } => {}
            }
        }
        Ok(Referred {
            titles: Found::by(tasks, |ids| reader.titles(ids, ROWS_BYTES_MAX))?,
            answers: Found::by(answered, |ids| reader.answers(ids, ROWS_BYTES_MAX))?,
            submissions: Found::by(submitted, |ids| reader.submissions_under(ids, ROWS_BYTES_MAX))?,
            revisions: Found::by(results, |ids| reader.newest_revisions(ids))?,
            reader,
            project: OnceCell::new(),
            newest_terms: OnceCell::new(),
            terms: RefCell::default(),
            workers: RefCell::default(),
        })
    }

    /// What is looked up for one record.
    pub(crate) fn reader(&self) -> &'a Reader {
        self.reader
    }

    /// What a task is called; `None`: it is gone.
    pub(crate) fn title(&self, task: TaskId) -> Result<Option<Cow<'_, TaskTitle>>, Failure> {
        match self.titles.get(&task) {
            Some(title) => Ok(title.map(Cow::Borrowed)),
            None => {
                let title = self.reader.titles(&[task], usize::MAX)?.pop();
                Ok(title.flatten().map(Cow::Owned))
            }
        }
    }

    /// The revision of a task's newest result; `None`: it is gone.
    pub(crate) fn newest_revision(&self, task: TaskId) -> Result<Option<u32>, Failure> {
        match self.revisions.get(&task) {
            Some(revision) => Ok(revision.copied()),
            None => Ok(self.reader.newest_revisions(&[task])?.pop().flatten()),
        }
    }

    /// What was answered under a lease; `None`: it is gone.
    pub(crate) fn answer(&self, lease: LeaseId) -> Result<Option<Cow<'_, GivenAnswer>>, Failure> {
        match self.answers.get(&lease) {
            Some(answer) => Ok(answer.map(Cow::Borrowed)),
            None => {
                let answer = self.reader.answers(&[lease], usize::MAX)?.pop();
                Ok(answer.flatten().map(Cow::Owned))
            }
        }
    }

    /// The same with the facts about it.
    pub(crate) fn submission(&self, lease: LeaseId) -> Result<Option<Submission>, Failure> {
        match self.submissions.get(&lease) {
            Some(submission) => Ok(submission.cloned()),
            None => self.reader.submission(lease),
        }
    }

    /// The name of these records' project; `None`: it is gone.
    pub(crate) fn project_name(&self, project: ProjectId) -> Result<Option<&ClientId>, Failure> {
        if self.project.get().is_none() {
            let name = self.reader.project_name(project)?;
            return Ok(self.project.get_or_init(|| name).as_ref());
        }
        Ok(self.project.get().and_then(Option::as_ref))
    }

    /// The terms of a revision of these records' project; `None`: it is gone.
    pub(crate) fn terms(
        &self,
        project: ProjectId,
        revision: Revision,
    ) -> Result<Option<Arc<Terms>>, Failure> {
        if let Some((of, terms)) = &*self.terms.borrow()
            && *of == revision
        {
            return Ok(Some(Arc::clone(terms)));
        }
        let terms = self.reader.terms(project, revision)?;
        *self.terms.borrow_mut() = terms.clone().map(|terms| (revision, terms));
        Ok(terms)
    }

    /// The newest terms of these records' project; `None`: it is gone.
    pub(crate) fn newest_terms(&self, project: ProjectId) -> Result<Option<Arc<Terms>>, Failure> {
        if let Some(known) = self.newest_terms.get() {
            return Ok(known.clone());
        }
        let terms = self.reader.project_of(project)?.map(|found| Arc::new(found.spec.terms));
        Ok(self.newest_terms.get_or_init(|| terms).clone())
    }

    /// `workers/{worker}`.
    pub(crate) fn worker(&self, worker: WorkerId) -> Result<Rc<str>, Failure> {
        if let Some(name) = self.workers.borrow().get(&worker) {
            return Ok(Rc::clone(name));
        }
        let name: Rc<str> = names::of_worker(&self.reader.worker_name(worker)?.0).into();
        let mut workers = self.workers.borrow_mut();
        if workers.len() >= WORKERS_MAX {
            workers.clear();
        }
        workers.insert(worker, Rc::clone(&name));
        Ok(name)
    }
}

/// The leases whose answers a result repeats.
fn answers_in(result: &TaskResult) -> impl Iterator<Item = LeaseId> {
    let of = match &result.answer {
        Some(ResultAnswer::Of(lease)) => Some(*lease),
        Some(ResultAnswer::Values { .. } | ResultAnswer::Given { .. }) | None => None,
    };
    let texts = result.votes.iter().filter_map(|votes| match &votes.fell {
        Fell::Texts { texts, .. } => Some(texts.iter().map(|(lease, _)| *lease)),
        Fell::Classes(_) | Fell::Options { .. } | Fell::Numbers(_) => None,
    });
    of.into_iter().chain(texts.flatten())
}

#[cfg(test)]
mod tests;
