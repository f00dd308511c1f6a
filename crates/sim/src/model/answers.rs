//! Answers: what is taken, what counts, and the late rule.

use piecework_core::change::Change;
use piecework_core::command::{SubmitAnswers, SubmitItem};
use piecework_core::event::What;
use piecework_core::lease::{Lease, LeaseState, Revocation, Submitted};
use piecework_core::project::{Late, LateExtra, ProjectState};
use piecework_core::schema::Values;
use piecework_core::submission::{Receipt, Review, Submission, Verdict};
use piecework_core::task::TaskState;
use piecework_core::worker::WorkerState;
use piecework_core::{Millis, Money, Outcome, Refusal, TenantId};

use super::written::RowKey;
use super::{Model, fit};

impl Model {
    pub(super) fn submit(
        &mut self,
        tenant: TenantId,
        cmd: &SubmitAnswers,
    ) -> Result<Outcome, Refusal> {
        self.find_worker(tenant, &cmd.worker)?;
        let items = cmd.items.iter().map(|item| self.submit_item(tenant, cmd, item));
        Ok(Outcome::Submitted(items.collect()))
    }

    /// The same answer again gets the first receipt; another one is refused. Then, in
    /// this order: a returned lease takes none; one revoked by a cancel says that the
    /// task is cancelled; a suspended worker is told so; a revoked lease takes none;
    /// the answer must fit the schema of the lease's terms.
    fn submit_item(
        &mut self,
        tenant: TenantId,
        cmd: &SubmitAnswers,
        item: &SubmitItem,
    ) -> Result<Receipt, Refusal> {
        let lease = self.find_lease(tenant, &cmd.worker, item.lease)?;
        let about = &self.projects[&lease.id.task.project].project;
        let (project, task) = (about.name.clone(), format!("~{}", lease.id.task.number));
        let reward = self.terms(about.id, lease.revision).reward;
        match &lease.state {
            LeaseState::Submitted(was) if was.answer == item.answer.fingerprint => {
                return Ok(receipt(&lease, was, reward));
            }
            LeaseState::Submitted(_) => return Err(Refusal::LeaseUsed { lease: lease.id }),
            LeaseState::Returned { .. } => {
                return Err(Refusal::LeaseEnded { lease: lease.id, how: "returned" });
            }
            LeaseState::Revoked { why: Revocation::TaskCancelled } => {
                return Err(Refusal::TaskCancelled { project, task });
            }
            LeaseState::Live | LeaseState::Expired { .. } | LeaseState::Revoked { .. } => {}
        }
        if let WorkerState::Suspended { reason } = &self.workers[&lease.worker].worker.state {
            let (worker, reason) = (cmd.worker.clone(), reason.clone());
            return Err(Refusal::WorkerSuspended { worker, reason });
        }
        if matches!(lease.state, LeaseState::Revoked { .. }) {
            return Err(Refusal::LeaseEnded { lease: lease.id, how: "revoked" });
        }
        let schema = &self.terms(about.id, lease.revision).schema;
        let values = fit::read(schema, &item.answer).map_err(|misfit| Refusal::AnswerInvalid {
            lease: lease.id,
            project: project.clone(),
            revision: lease.revision,
            misfit: Box::new(misfit),
        })?;
        let is_open = self.tasks[&lease.id.task].record.state.is_open();
        let verdict = if lease.is_live() {
            // In time. Where the task is over it is paid and does not count; where a
            // cancel revokes leases the sweep has only not come to this one.
            if about.state == (ProjectState::Cancelled { revoke_leases: true }) {
                return Err(Refusal::TaskCancelled { project, task });
            }
            // One that was sure before this answer takes it all the same.
            let record = &self.tasks[&lease.id.task].record;
            let sure = record.state == TaskState::Done { incomplete: false };
            let waits = sure && record.order.most > 0 && !record.resolved;
            let over = self.is_cancelled(about.id) || !(is_open || waits);
            if over { Verdict::KeptPayable } else { Verdict::Counted }
        } else {
            self.late(&lease)?
        };
        Ok(self.take(&lease, item, verdict, values))
    }

    /// The late rule: within its window an answer under an expired lease counts while
    /// the task is open and has a free place. One that finds the task cancelled is
    /// refused; one that finds it over or full follows the `late_extra` of its terms.
    fn late(&self, lease: &Lease) -> Result<Verdict, Refusal> {
        let LeaseState::Expired { window_ends, .. } = lease.state else {
            panic!("{} is neither live nor expired", lease.id);
        };
        let (id, now) = (lease.id.task, self.now.engine);
        let policy = self.terms(id.project, lease.revision).lease;
        if now >= window_ends {
            let window = match policy.late {
                Late::UntilReplaced => policy.late_window,
                Late::Refuse => Millis(0),
            };
            let ago = now - lease.deadline;
            return Err(Refusal::LateWindowOver { lease: lease.id, ago, window });
        }
        let project = self.projects[&id.project].project.name.clone();
        let name = format!("~{}", id.number);
        let task = &self.tasks[&id];
        let state = task.record.state;
        if self.is_cancelled(id.project) || state == TaskState::Cancelled {
            return Err(Refusal::TaskCancelled { project, task: name });
        }
        if state.is_open() && !task.is_full() {
            return Ok(Verdict::CountedLate);
        }
        match (policy.late_extra, state) {
            (LateExtra::KeepPayable, _) => Ok(Verdict::KeptPayable),
            (LateExtra::KeepUnpaid, _) => Ok(Verdict::KeptUnpaid),
            (LateExtra::Refuse, TaskState::Done { .. }) => {
                Err(Refusal::TaskDone { project, task: name })
            }
            (LateExtra::Refuse, TaskState::Failed { .. }) => {
                Err(Refusal::TaskFailed { project, task: name })
            }
            (LateExtra::Refuse, TaskState::Open | TaskState::Cancelled) => {
                let wanted = task.record.order.wanted;
                Err(Refusal::LeaseSuperseded { lease: lease.id, wanted })
            }
        }
    }

    /// An answer that counts begins the attempts anew and gets the task's next answer
    /// number. Any answer that is taken ends the worker's rows of lapses and declines
    /// and is told in the project's log, before what it decides.
    fn take(
        &mut self,
        lease: &Lease,
        item: &SubmitItem,
        verdict: Verdict,
        values: Values,
    ) -> Receipt {
        let (now, id) = (self.now, lease.id.task);
        let reward = self.terms(id.project, lease.revision).reward;
        let before = self.tally(id.project).expect("a task's project");
        let before = before.counted + before.kept;
        let record = &mut self.edit(id).record;
        if verdict.counts() {
            record.last_answer += 1;
            record.attempts.clear();
        }
        let submitted = Submitted {
            verdict,
            payable_micros: if verdict == Verdict::KeptUnpaid { 0 } else { reward.micros },
            answer: item.answer.fingerprint,
            meaning: item.answer.meaning,
            values,
            judged: None,
            at: now.wall,
            took: now.engine - lease.granted,
            order: record.last_answer,
        };
        self.edit_lease(lease.id).state = LeaseState::Submitted(submitted.clone());
        let behaviour = self.record(lease.worker);
        behaviour.answers += 1;
        behaviour.expiries_in_a_row = 0;
        behaviour.declines_in_a_row = 0;
        let nth = behaviour.answers;
        self.touch(RowKey::WorkTally(lease.worker, id.project));
        let person = self.workers.get_mut(&lease.worker).expect("a lease's worker");
        *person.answers.entry(id.project).or_default() += 1;
        paced(person.p75_ms.entry(id.project).or_default(), submitted.took);
        self.touch(RowKey::ProjectTally(id.project));
        let venture = self.projects.get_mut(&id.project).expect("a task's project");
        paced(&mut venture.p75_ms, submitted.took);
        let median = Millis(venture.p50_ms);
        halved(&mut venture.p50_ms, submitted.took, before);
        // Times are held against the median from twenty answers on.
        if before >= 20 && verdict.counts() {
            self.time(lease.worker, id.project, submitted.took, median);
        }
        let receipt = receipt(lease, &submitted, reward);
        let submission = Submission {
            lease: lease.id,
            worker: lease.worker,
            revision: lease.revision,
            answer: item.answer.clone(),
            verdict,
            review: Review::None,
            counted: verdict.counts(),
            payable: receipt.payable,
            leased: lease.granted_wall,
            submitted: now.wall,
            took: submitted.took,
            nth,
        };
        let row = Change::Submission(Box::new(submission));
        self.new.insert(RowKey::Submission(lease.id), row);
        self.tell(id.project, What::Submitted(lease.id));
        self.conclude(id);
        self.release_if_full(id);
        self.look_at_rota(id.project);
        receipt
    }
}

fn receipt(lease: &Lease, submitted: &Submitted, reward: Money) -> Receipt {
    Receipt {
        lease: lease.id,
        verdict: submitted.verdict,
        payable: Money { micros: submitted.payable_micros, currency: reward.currency },
        submitted: submitted.at,
    }
}

/// The first answer is the estimate. After that each one that took longer raises it by
/// three sixteenths, and every other lowers it by one, in steps of at least 1 ms.
fn paced(p75_ms: &mut u64, took: Millis) {
    let sixteenth = u64::max(*p75_ms / 16, 1);
    *p75_ms = match *p75_ms {
        0 => took.0,
        estimate if estimate < took.0 => estimate + sixteenth * 3,
        estimate => estimate - sixteenth,
    };
    *p75_ms = u64::max(*p75_ms, 1);
}

/// The same for the median: up or down by a part that is a sixteenth at first and ever
/// smaller with more answers, down to 1 in 1,024.
fn halved(p50_ms: &mut u64, took: Millis, before: u64) {
    let parts = u64::min(u64::max(before / 2, 16), 1_024);
    let part = u64::max(*p50_ms / parts, 1);
    *p50_ms = match *p50_ms {
        0 => took.0,
        estimate if estimate < took.0 => estimate + part,
        estimate if estimate > took.0 => estimate - part,
        estimate => estimate,
    };
    *p50_ms = u64::max(*p50_ms, 1);
}
