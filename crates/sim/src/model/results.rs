//! How tasks end, and what their answers say together.
//!
//! Not here: what that does to ratings (`ratings.rs`).

use piecework_core::change::Change;
use piecework_core::event::{Event, Log, ResultState, TaskResult, Vote, What};
use piecework_core::lease::{Lease, LeaseState, Revocation};
use piecework_core::task::{FailureCause, Said, TaskState};
use piecework_core::{LeaseId, Money, ProjectId, TaskId};

use super::Model;
use super::votes::facts;
use super::weighing::Weighed;
use super::written::RowKey;

impl Model {
    /// A task that is full, or over, leaves its expired leases nothing to hold.
    pub(super) fn release_if_full(&mut self, id: TaskId) {
        if self.tasks[&id].is_full() {
            self.release(id);
        }
    }

    pub(super) fn release(&mut self, id: TaskId) {
        let holds = |l: &&Lease| matches!(l.state, LeaseState::Expired { released: false, .. });
        let held: Vec<LeaseId> =
            self.tasks[&id].leases.iter().filter(holds).map(|l| l.id).collect();
        for lease in held {
            if let LeaseState::Expired { released, .. } = &mut self.edit_lease(lease).state {
                *released = true;
            }
        }
    }

    /// An open task is done once it has its answers; when nobody is left to try and
    /// nobody is at it, it ends with what there is. In a cancelled project the sweep
    /// decides.
    pub(super) fn conclude(&mut self, id: TaskId) {
        let task = &self.tasks[&id];
        match task.record.state {
            TaskState::Open if self.is_cancelled(id.project) => return,
            TaskState::Open => {}
            TaskState::Done { incomplete: false } => return self.follow_up(id),
            _ => return,
        }
        let counted = task.counted();
        match self.buys(id) {
            Some((least, ..)) if counted >= least.max(1) => {
                let weighed = self.weigh(id, &[]);
                self.buy(id, &weighed);
            }
            None if counted >= task.wanted() => {
                let weighed = self.weigh(id, &[]);
                self.done(id, &weighed, false);
            }
            _ => {}
        }
        let task = &self.tasks[&id];
        if task.record.state.is_open() && self.is_exhausted(id) && task.live() == 0 {
            self.end_short(id, FailureCause::AttemptsExhausted);
        }
    }

    /// With answers it is done and incomplete, without it has failed.
    pub(super) fn end_short(&mut self, id: TaskId, cause: FailureCause) {
        if self.tasks[&id].counted() > 0 {
            let weighed = self.weigh(id, &[]);
            let incomplete = self.tasks[&id].counted() < self.tasks[&id].wanted();
            self.done(id, &weighed, incomplete);
        } else {
            self.fail(id, cause);
        }
    }

    pub(super) fn done(&mut self, id: TaskId, weighed: &Weighed, incomplete: bool) {
        self.edit(id).record.state = TaskState::Done { incomplete };
        self.tell_result(id, ResultState::Final { incomplete }, weighed);
        self.learn_of(id, weighed);
        self.rate(id);
        self.release(id);
    }

    pub(super) fn fail(&mut self, id: TaskId, cause: FailureCause) {
        self.edit(id).record.state = TaskState::Failed { cause };
        let weighed = self.weigh(id, &[]);
        self.tell_result(id, ResultState::Failed { cause }, &weighed);
        self.release(id);
    }

    pub(super) fn cancel_task(&mut self, id: TaskId, revoke: bool) {
        self.edit(id).record.state = TaskState::Cancelled;
        self.tell(id.project, What::TaskEnded { task: id, state: TaskState::Cancelled });
        if revoke {
            self.revoke_all(id, Revocation::TaskCancelled);
        }
        self.release(id);
    }

    /// One more record in a project's log.
    pub(super) fn tell(&mut self, project: ProjectId, what: What) {
        self.touch(RowKey::ProjectTally(project));
        let venture = self.projects.get_mut(&project).expect("a task's project");
        venture.last_sequence = venture.last_sequence.next();
        let (log, sequence) = (Log::Project(project), venture.last_sequence);
        self.tell_event(Event { log, sequence, at: self.now.wall, what });
    }

    pub(super) fn tell_event(&mut self, event: Event) {
        let key = RowKey::Event(event.log, event.sequence);
        self.new.insert(key, Change::Event(Box::new(event)));
    }

    /// The result of the counted answers, by the newest terms among them; a failed
    /// task has no answer, though it may have votes.
    pub(super) fn tell_result(&mut self, id: TaskId, state: ResultState, weighed: &Weighed) {
        let task = &self.tasks[&id];
        let mut counted: Vec<&Lease> =
            task.leases.iter().filter(|l| l.counted().is_some()).collect();
        counted.sort_by_key(|l| facts(l).order);
        let terms = self.terms(id.project, weighed.revision);
        let (mut answer, mut confidence_ppm) = (weighed.answer.clone(), weighed.confidence_ppm);
        let mut said = Some(Said {
            answer: weighed.content,
            confidence_ppm,
            answers: task.record.last_answer,
        });
        if matches!(state, ResultState::Failed { .. }) {
            (answer, confidence_ppm, said) = (None, 0, None);
        }
        let vote = |l: &&Lease| {
            let kind = self.workers[&l.worker].worker.spec.kind;
            Vote { lease: l.id, worker: l.worker, kind }
        };
        let micros = counted.iter().map(|l| facts(l).payable_micros).sum();
        let result = TaskResult {
            task: id,
            revision: task.record.result_revision + 1,
            state,
            answer,
            confidence_ppm,
            votes: weighed.votes.clone(),
            answers: counted.iter().map(vote).collect(),
            cost: Money { micros, currency: terms.reward.currency },
            method: weighed.method,
        };
        self.results.insert(id, result.clone());
        self.tell(id.project, What::Result(Box::new(result)));
        let sequence = self.projects[&id.project].last_sequence;
        let record = &mut self.edit(id).record;
        record.result_revision += 1;
        record.result = Some(sequence);
        record.said = said;
    }
}
