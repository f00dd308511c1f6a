//! How tasks end, what their answers say together, and what that does to ratings.

use piecework_core::change::Change;
use piecework_core::event::{Event, Log, ResultState, TaskResult, Vote, What, WorkerEvent};
use piecework_core::lease::{Lease, LeaseState, Revocation};
use piecework_core::project::Aggregation;
use piecework_core::task::{FailureCause, Said, TaskState};
use piecework_core::{LeaseId, Money, ProjectId, TaskId};

use super::rules::rating_milli;
use super::votes::{class, facts, votes_on};
use super::weighing::Weighed;
use super::written::RowKey;
use super::{Model, Task};

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
        if self.is_cancelled(id.project) {
            return;
        }
        let task = &self.tasks[&id];
        match task.record.state {
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

    /// Each counted answer is held against the others': where at least two others
    /// voted on a field and did not tie, it agrees with their majority or not; in all
    /// such fields together. What an earlier result said of it is taken back. A rating
    /// is told after twenty more judged answers. Collected answers are never judged.
    pub(super) fn rate(&mut self, id: TaskId) {
        let counted = self.tasks[&id].leases.iter().filter(|l| l.counted().is_some());
        let newest = counted.map(|l| l.revision).max();
        let collects = |of| self.terms(id.project, of).aggregation == Aggregation::Collect;
        if newest.is_some_and(collects) {
            return;
        }
        for (lease, agrees) in judge(&self.tasks[&id]) {
            let LeaseState::Submitted(submitted) = &mut self.edit_lease(lease).state else {
                continue;
            };
            let was = std::mem::replace(&mut submitted.judged, agrees);
            let who = self.lease(lease).expect("it was just changed").worker;
            if was == agrees {
                continue;
            }
            let record = self.record(who);
            record.judged -= u32::from(was.is_some());
            record.judged += u32::from(agrees.is_some());
            record.agreed -= u32::from(was == Some(true));
            record.agreed += u32::from(agrees == Some(true));
            if record.judged >= record.published + 20 {
                record.published = record.judged;
                record.published_agreed = record.agreed;
                let judged = record.judged;
                let rating_milli = rating_milli(judged, record.agreed);
                self.tell_worker(who, WorkerEvent::RatingPublished { rating_milli, judged });
            }
        }
    }
}

/// Per counted answer, in the order of leases: whether it agrees with the others.
fn judge(task: &Task) -> Vec<(LeaseId, Option<bool>)> {
    let counted: Vec<&Lease> = task.leases.iter().filter(|l| l.counted().is_some()).collect();
    let fields = counted.iter().map(|l| facts(l).values.len()).max().unwrap_or(0);
    let mut judged = Vec::new();
    for lease in &counted {
        let others: Vec<&Lease> = counted.iter().copied().filter(|l| l.id != lease.id).collect();
        let mut agrees = None;
        for field in 0..fields {
            let Some(own) = class(lease, field) else { continue };
            let votes = votes_on(field, &others);
            let most = votes.iter().map(|(_, n)| *n).max().unwrap_or(0);
            let leaders: Vec<u16> =
                votes.iter().filter(|(_, n)| *n == most).map(|(c, _)| *c).collect();
            let cast: u32 = votes.iter().map(|(_, n)| n).sum();
            if cast >= 2 && leaders.len() == 1 {
                agrees = Some(agrees.unwrap_or(true) && leaders == [own]);
            }
        }
        judged.push((lease.id, agrees));
    }
    judged
}
