//! What must be true of the log and of answers at any position, whoever decided it.
//!
//! The model says what should have happened, rule by rule; this says in a few sentences
//! what a requester may rely on whatever the rules are: a final result changes only by a
//! revision, no answer is counted twice, and answers are bought until a result is sure
//! and no longer. It looks at changes alone, in the order of their positions.
//!
//! Not here: the model, which has to agree as well; a single log (`stream.rs`).

mod broken;
mod held;
mod stream;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use piecework_core::change::{Change, Changed};
use piecework_core::event::{Event, Log, Method, ResultState, TaskResult, What};
use piecework_core::project::{Project, ProjectState};
use piecework_core::task::{Said, TaskRecord, TaskState};
use piecework_core::{ProjectId, Sequence, TaskId};

pub(crate) use broken::Broken;
use held::Held;
pub(crate) use stream::Stream;

/// What was written so far, as far as the laws are about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Laws {
    logs: BTreeMap<Log, Stream>,
    tasks: BTreeMap<TaskId, Known>,
    projects: BTreeMap<ProjectId, Rule>,
}

/// What a project says now.
#[derive(Debug, Clone, Copy)]
struct Rule {
    target_ppm: Option<u32>,
    cancelled: bool,
}

/// What is known of a task.
#[derive(Debug, Clone, Default)]
struct Known {
    held: Held,
    record: Option<TaskRecord>,
    /// Its newest result.
    told: Option<Told>,
    /// Confidence of the final result that ended it, where this command tells one: a
    /// later one of the same command may have become less sure.
    ended_ppm: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    sequence: Sequence,
    revision: u32,
    is_final: bool,
    is_provisional: bool,
    confidence_ppm: u32,
    /// What the task's record said of it at once.
    said: Option<Said>,
}

impl Laws {
    /// Takes in what one command changed.
    ///
    /// # Errors
    /// The law that it breaks.
    pub(crate) fn take(&mut self, changes: &[Changed]) -> Result<(), Broken> {
        // A result is told before the rows that it rests on are put.
        let mut records = BTreeMap::new();
        for changed in changes {
            match &changed.change {
                Change::Project(project) => _ = self.projects.insert(project.id, rule(project)),
                Change::Lease(lease) => self.task(lease.id.task).held.lease(lease)?,
                Change::Task(record) => _ = records.insert(record.id, record),
                _ => {}
            }
        }
        for changed in changes {
            match &changed.change {
                Change::Submission(answer) => self.task(answer.lease.task).held.answer(answer)?,
                Change::Event(event) => self.event(event)?,
                _ => {}
            }
        }
        for record in records.into_values() {
            self.record(record)?;
        }
        changes.iter().for_each(|changed| self.forget(&changed.change));
        Ok(())
    }

    fn task(&mut self, id: TaskId) -> &mut Known {
        self.tasks.entry(id).or_default()
    }

    fn event(&mut self, event: &Event) -> Result<(), Broken> {
        self.logs.entry(event.log).or_default().take(event)?;
        match &event.what {
            What::Result(result) => self.result(event.sequence, result),
            _ => Ok(()),
        }
    }

    fn result(&mut self, sequence: Sequence, result: &TaskResult) -> Result<(), Broken> {
        let (task, revision) = (result.task, result.revision);
        let known = self.task(task);
        known.held.voted(result)?;
        let is_final = matches!(result.state, ResultState::Final { .. });
        if is_final && known.record.as_ref().is_none_or(|record| record.state.is_open()) {
            known.ended_ppm.get_or_insert(result.confidence_ppm);
        }
        let resolved = known.record.as_ref().is_some_and(|record| record.resolved);
        if resolved && result.method != Method::Requester {
            return Err(Broken::Overruled { task, revision });
        }
        known.told = Some(Told {
            sequence,
            revision,
            is_final,
            is_provisional: result.state == ResultState::Provisional,
            confidence_ppm: result.confidence_ppm,
            said: None,
        });
        Ok(())
    }

    fn record(&mut self, record: &TaskRecord) -> Result<(), Broken> {
        let task = record.id;
        let rule = self.projects.get(&task.project).copied();
        let known = self.task(task);
        let told_now = known.told.filter(|told| told.said.is_none());
        known.names_the_newest(record)?;
        let counted = known.held.counted();
        if counted != record.last_answer as usize {
            return Err(Broken::Miscounted { task, counted, kept: record.last_answer });
        }
        let was = known.record.replace(record.clone());
        let ended_ppm = known.ended_ppm.take();
        arrow(was.as_ref(), record)?;
        // What a flag on the project ended waits for its sweep.
        let Some(rule) = rule.filter(|rule| !rule.cancelled) else { return Ok(()) };
        let was_open = was.is_none_or(|was| was.state.is_open());
        match record.state {
            TaskState::Open => {
                known.has_a_place(record)?;
                told_now.map_or(Ok(()), |told| told.is_unsure(record, rule.target_ppm))
            }
            TaskState::Done { incomplete: false } if was_open && !record.resolved => {
                known.ends_when_sure(record, rule.target_ppm, ended_ppm)
            }
            _ => Ok(()),
        }
    }

    fn forget(&mut self, change: &Change) {
        match change {
            Change::TasksGone { project, first, last } => {
                let of = |number| TaskId { project: *project, number };
                let gone: Vec<TaskId> =
                    self.tasks.range(of(*first)..=of(*last)).map(|(id, _)| *id).collect();
                gone.iter().for_each(|id| _ = self.tasks.remove(id));
            }
            Change::EventsGone { log, .. } => _ = self.logs.remove(log),
            Change::ProjectGone(project) => _ = self.projects.remove(project),
            _ => {}
        }
    }
}

impl Told {
    /// What is sure is final: nobody buys more.
    fn is_unsure(&self, record: &TaskRecord, target: Option<u32>) -> Result<(), Broken> {
        let (task, revision, confidence) = (record.id, self.revision, self.confidence_ppm);
        match target {
            Some(target) if self.is_provisional && confidence >= target => {
                Err(Broken::SureAndOpen { task, revision, confidence, target })
            }
            _ => Ok(()),
        }
    }
}

impl Known {
    /// A record names the newest result; what that says stays as long as it is final.
    fn names_the_newest(&mut self, record: &TaskRecord) -> Result<(), Broken> {
        let task = record.id;
        let told = self.told.map(|told| (told.revision, Some(told.sequence)));
        let (newest, at) = told.unwrap_or_default();
        if (newest, at) != (record.result_revision, record.result) {
            return Err(Broken::Untold { task, newest, kept: record.result_revision });
        }
        let Some(told) = &mut self.told else { return Ok(()) };
        let says = |said: Option<Said>| said.map(|said| (said.answer, said.confidence_ppm));
        if told.is_final && told.said.is_some() && says(told.said) != says(record.said) {
            return Err(Broken::Rewritten { task, revision: newest });
        }
        told.said = record.said;
        Ok(())
    }

    /// An open task that nobody is at waits for somebody.
    fn has_a_place(&self, record: &TaskRecord) -> Result<(), Broken> {
        let (task, counted, wanted) = (record.id, self.held.counted(), record.order.wanted.into());
        let stuck = self.held.live() == 0 && wanted <= counted;
        if stuck { Err(Broken::Stuck { task, counted, wanted }) } else { Ok(()) }
    }

    /// A task that buys while it is unsure ends when it is sure or has its most, and then
    /// wants no more than it has and what is out.
    fn ends_when_sure(
        &self,
        record: &TaskRecord,
        target: Option<u32>,
        ended_ppm: Option<u32>,
    ) -> Result<(), Broken> {
        let (task, most, wanted) =
            (record.id, usize::from(record.order.most), usize::from(record.order.wanted));
        let Some(target) = target.filter(|_| most > 0) else { return Ok(()) };
        let (answers, taken) = (self.held.counted(), self.held.counted() + self.held.live());
        let confidence = ended_ppm.unwrap_or_default();
        if answers < most && confidence < target {
            return Err(Broken::Unsure { task, answers, confidence, target });
        }
        if wanted > taken { Err(Broken::BuysOn { task, taken, wanted }) } else { Ok(()) }
    }
}

fn rule(project: &Project) -> Rule {
    let cancelled =
        matches!(project.state, ProjectState::Cancelled { .. } | ProjectState::Deleting);
    Rule { target_ppm: project.spec.dynamic.map(|dynamic| dynamic.target_ppm), cancelled }
}

/// Only a raised overlap leaves done, only requeuing failed, nothing cancelled.
fn arrow(was: Option<&TaskRecord>, is: &TaskRecord) -> Result<(), Broken> {
    let Some(was) = was else { return Ok(()) };
    let may = match (was.state, is.state) {
        (TaskState::Open, _) | (TaskState::Done { .. }, TaskState::Done { .. }) => true,
        (TaskState::Done { .. }, TaskState::Open) => is.order.wanted > was.order.wanted,
        (TaskState::Failed { .. }, TaskState::Open) => true,
        (from, to) => from == to,
    };
    if may { Ok(()) } else { Err(Broken::Arrow { task: is.id, from: was.state, to: is.state }) }
}
