//! One log by itself, as whoever reads it from its beginning sees it.
//!
//! Its numbers are dense. Revisions of a task are dense from 1, none is provisional once
//! one was final, none comes once the task was cancelled. An answer is told once, before
//! it votes; in one result each answer and each worker votes once, and no field has more
//! votes than there are answers.
//!
//! Not here: rows (`mod.rs`).

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::event::{Event, Fell, Log, ResultState, TaskResult, What};
use piecework_core::{LeaseId, Sequence, TaskId};

use super::Broken;

/// What a log has told so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stream {
    last: Sequence,
    tasks: BTreeMap<TaskId, Told>,
    answered: BTreeSet<LeaseId>,
}

/// What a log has told of a task.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    revision: u32,
    was_final: bool,
    cancelled: bool,
}

impl Stream {
    /// Its newest record.
    pub(crate) fn last(&self) -> Sequence {
        self.last
    }

    /// The next record.
    ///
    /// # Errors
    /// The law that it breaks.
    pub(crate) fn take(&mut self, event: &Event) -> Result<(), Broken> {
        let (log, last, found) = (event.log, self.last, event.sequence);
        if found != last.next() {
            return Err(Broken::Gap { log, last, found });
        }
        self.last = found;
        match &event.what {
            What::Submitted(lease) => {
                own(log, lease.task)?;
                let is_new = self.answered.insert(*lease);
                if is_new { Ok(()) } else { Err(Broken::AnsweredTwice { lease: *lease }) }
            }
            What::Result(result) => {
                own(log, result.task)?;
                self.result(found, result)?;
                self.votes(result)
            }
            What::TaskEnded { task, .. } => {
                own(log, *task)?;
                let told = self.tasks.entry(*task).or_default();
                let was = std::mem::replace(&mut told.cancelled, true);
                if was { Err(Broken::AfterEnd { task: *task, at: found }) } else { Ok(()) }
            }
            What::Worker { .. } => Ok(()),
        }
    }

    fn result(&mut self, at: Sequence, result: &TaskResult) -> Result<(), Broken> {
        let (task, found) = (result.task, result.revision);
        let told = self.tasks.entry(task).or_default();
        if told.cancelled {
            return Err(Broken::AfterEnd { task, at });
        }
        if found != told.revision + 1 {
            return Err(Broken::Revision { task, last: told.revision, found });
        }
        told.revision = found;
        match result.state {
            ResultState::Provisional if told.was_final => Err(Broken::Provisional { task, found }),
            ResultState::Provisional | ResultState::Failed { .. } => Ok(()),
            ResultState::Final { .. } => {
                told.was_final = true;
                Ok(())
            }
        }
    }

    fn votes(&self, result: &TaskResult) -> Result<(), Broken> {
        let (task, answers) = (result.task, result.answers.len());
        let (mut leases, mut workers) = (BTreeSet::new(), BTreeSet::new());
        for vote in &result.answers {
            let (lease, worker) = (vote.lease, vote.worker);
            if !leases.insert(lease) {
                return Err(Broken::VotesTwice { lease });
            }
            if !workers.insert(worker) {
                return Err(Broken::WorkerTwice { task, worker });
            }
            if lease.task != task || !self.answered.contains(&lease) {
                return Err(Broken::VotesUnheard { lease });
            }
        }
        for votes in &result.votes {
            let cast = cast(&votes.fell);
            if cast > answers as u64 {
                return Err(Broken::FieldOverfull {
                    task,
                    field: votes.field,
                    votes: cast,
                    answers,
                });
            }
        }
        Ok(())
    }
}

/// How many voted on a field.
fn cast(fell: &Fell) -> u64 {
    let of = |answers: u32, most: u32| u64::from(answers.max(most));
    match fell {
        Fell::Classes(votes) => votes.iter().map(|(_, n)| u64::from(*n)).sum(),
        Fell::Options { answers, chosen } => {
            of(*answers, chosen.iter().map(|(_, n)| *n).max().unwrap_or(0))
        }
        Fell::Numbers(votes) => of(votes.answers, votes.agree),
        Fell::Texts { answers, texts, .. } => of(*answers, texts.iter().map(|(_, n)| n).sum()),
    }
}

fn own(log: Log, task: TaskId) -> Result<(), Broken> {
    if log == Log::Project(task.project) { Ok(()) } else { Err(Broken::Foreign { log, task }) }
}
