//! How tasks end, and what their answers say together.
//!
//! Not here: what that does to ratings (`ratings.rs`).

use piecework_core::change::Change;
use piecework_core::event::{
    Event, FieldVotes, Log, ResultAnswer, ResultState, TaskResult, Vote, What,
};
use piecework_core::lease::{Lease, LeaseState, Revocation, Submitted};
use piecework_core::project::{Aggregation, Terms};
use piecework_core::schema::FieldKind;
use piecework_core::task::{FailureCause, TaskState};
use piecework_core::{LeaseId, Money, ProjectId, Revision, TaskId};

use super::Model;
use super::written::RowKey;

impl Model {
    /// A task that is full, or over, leaves its expired leases nothing to hold.
    pub(super) fn release_if_full(&mut self, id: TaskId) {
        if self.tasks[&id].is_full() {
            self.release(id);
        }
    }

    fn release(&mut self, id: TaskId) {
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
        if !task.record.state.is_open() || self.is_cancelled(id.project) {
            return;
        }
        if task.counted() >= task.wanted() {
            self.done(id);
        } else if self.is_exhausted(id) && task.live() == 0 {
            self.end_short(id, FailureCause::AttemptsExhausted);
        }
    }

    /// With answers it is done and incomplete, without it has failed.
    pub(super) fn end_short(&mut self, id: TaskId, cause: FailureCause) {
        if self.tasks[&id].counted() > 0 {
            self.done(id);
        } else {
            self.fail(id, cause);
        }
    }

    fn done(&mut self, id: TaskId) {
        let incomplete = self.tasks[&id].counted() < self.tasks[&id].wanted();
        self.edit(id).record.state = TaskState::Done { incomplete };
        self.tell_result(id, ResultState::Final { incomplete });
        self.rate(id);
        self.release(id);
    }

    pub(super) fn fail(&mut self, id: TaskId, cause: FailureCause) {
        self.edit(id).record.state = TaskState::Failed { cause };
        self.tell_result(id, ResultState::Failed { cause });
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
    fn tell_result(&mut self, id: TaskId, state: ResultState) {
        let task = &self.tasks[&id];
        let mut counted: Vec<&Lease> =
            task.leases.iter().filter(|l| l.counted().is_some()).collect();
        counted.sort_by_key(|l| facts(l).order);
        let current = self.projects[&id.project].project.revision;
        let revision = counted.iter().map(|l| l.revision).max().unwrap_or(current);
        let terms = self.terms(id.project, revision);
        let (mut answer, mut confidence_ppm, votes) = agree(&counted, terms, revision);
        if matches!(state, ResultState::Failed { .. }) {
            (answer, confidence_ppm) = (None, 0);
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
            votes,
            answers: counted.iter().map(vote).collect(),
            cost: Money { micros, currency: terms.reward.currency },
        };
        self.results.insert(id, result.clone());
        self.tell(id.project, What::Result(Box::new(result)));
        let sequence = self.projects[&id.project].last_sequence;
        let record = &mut self.edit(id).record;
        record.result_revision += 1;
        record.result = Some(sequence);
    }
}

/// The facts of an answer that counts.
pub(super) fn facts(lease: &Lease) -> &Submitted {
    lease.counted().expect("only counted leases are looked at")
}

/// Votes on one field, as (choice, votes), ascending.
pub(super) fn votes_on(field: usize, answers: &[&Lease]) -> Vec<(u16, u32)> {
    let mut votes: Vec<(u16, u32)> = Vec::new();
    let mut chosen: Vec<u16> = answers.iter().filter_map(|l| choice(l, field)).collect();
    chosen.sort_unstable();
    for choice in chosen {
        match votes.last_mut() {
            Some((last, times)) if *last == choice => *times += 1,
            _ => votes.push((choice, 1)),
        }
    }
    votes
}

pub(super) fn choice(lease: &Lease, field: usize) -> Option<u16> {
    facts(lease).choices.get(field).copied().flatten()
}

fn ppm(part: usize, whole: usize) -> u32 {
    u32::try_from(part * 1_000_000 / whole).expect("at most a million")
}

/// What the counted answers, first one first, say together. `First`, or a schema
/// without choices: the first answer, with the share of those that are the same.
/// Else per choice field the most votes, of equals the one given first, with the
/// share of the least sure field; a single answer stands for itself.
fn agree(
    counted: &[&Lease],
    terms: &Terms,
    revision: Revision,
) -> (Option<ResultAnswer>, u32, Vec<FieldVotes>) {
    let Some(first) = counted.first() else { return (None, 0, Vec::new()) };
    let fields = &terms.schema.fields;
    let (mut all, mut choices, mut shares) = (Vec::new(), vec![None; fields.len()], Vec::new());
    for (index, field) in fields.iter().enumerate() {
        if field.kind == FieldKind::Other {
            continue;
        }
        let votes = votes_on(index, counted);
        let most = votes.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let leads = |choice: &u16| votes.contains(&(*choice, most));
        choices[index] = counted.iter().filter_map(|l| choice(l, index)).find(leads);
        if most > 0 {
            let cast: u32 = votes.iter().map(|(_, n)| n).sum();
            shares.push(ppm(most as usize, cast as usize));
        }
        all.push(FieldVotes { field: u16::try_from(index).expect("few fields"), votes });
    }
    if terms.aggregation == Aggregation::First || all.is_empty() {
        let same = counted.iter().filter(|l| facts(l).answer == facts(first).answer).count();
        return (Some(ResultAnswer::Of(first.id)), ppm(same, counted.len()), all);
    }
    let answer = match counted.len() {
        1 => ResultAnswer::Of(first.id),
        _ => ResultAnswer::Choices { revision, choices },
    };
    (Some(answer), shares.into_iter().min().unwrap_or(0), all)
}
