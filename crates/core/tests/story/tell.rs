//! What came of a command, in the story's words.

use piecework_core::change::Change;
use piecework_core::lease::{Grant, LeaseState, ReturnReason, Revocation};
use piecework_core::outcome::{CreatedTask, Leased, NoWork, WorkerView};
use piecework_core::submission::{Receipt, Verdict};
use piecework_core::task::{FailureCause, TaskState};
use piecework_core::{Outcome, Refusal};

use super::{Story, refusal};
use crate::world::Did;

impl Story {
    /// One line about a command.
    pub(crate) fn told(&mut self, did: &Did) -> String {
        let outcome = match &did.outcome {
            Ok(outcome) => outcome,
            Err(no) => return refused(no),
        };
        match outcome {
            Outcome::Requester(r) => format!("{} version {}", r.name, r.version),
            Outcome::Project(p) => {
                format!("{} version {} revision {}", p.name, p.version, p.revision)
            }
            Outcome::ProjectDeleted => "deleted".into(),
            Outcome::ProjectStats(s) => {
                let oldest = s.oldest_ready.map_or("none".into(), |ms| ms.0.to_string());
                format!("untouched {} ready {} oldest {oldest}", s.untouched, s.ready_entries)
            }
            Outcome::Task(task) => self.task_name(*task),
            Outcome::TasksCreated(tasks) => self.items(tasks, Story::created),
            Outcome::TasksChanged(tasks) => self.items(tasks, |story, task| {
                format!("{} {}", story.task_name(task.task), state(task.state))
            }),
            Outcome::Worker(view) => self.worker_view(view),
            Outcome::Explained(_) => "explained".into(),
            Outcome::Leased(leased) => self.leased(leased),
            Outcome::Extended(grants) => self.items(grants, |story, grant| story.extended(grant)),
            Outcome::Submitted(receipts) => self.items(receipts, |_, receipt| told(receipt)),
            Outcome::Returned(leases) => self.items(leases, |_, _| "returned".into()),
            Outcome::Claimed(leases) => self.items(leases, |_, _| "claimed".into()),
            Outcome::Alive(alive) => {
                let named = self.items(&alive.named, |story, grant| story.extended(grant));
                let held: Vec<Result<Grant, Refusal>> =
                    alive.held.iter().cloned().map(Ok).collect();
                let held = self.items(&held, |story, grant| story.extended(grant));
                [named, held].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ")
            }
            Outcome::DraftSaved(_) => "saved".into(),
            Outcome::Ticked { .. } => self.happened(did),
            Outcome::Swept { finished } => {
                let end = if *finished { "finished" } else { "more" };
                let changed = did.changes.iter().filter(|c| matches!(c.change, Change::Task(_)));
                format!("{} tasks, {end}", changed.count())
            }
            Outcome::Refined { changed } => format!("{changed} changed"),
            Outcome::Restarted => "restarted".into(),
        }
    }

    fn items<T>(
        &mut self,
        items: &[Result<T, Refusal>],
        mut tell: impl FnMut(&mut Story, &T) -> String,
    ) -> String {
        let told = items.iter().map(|item| match item {
            Ok(item) => tell(self, item),
            Err(no) => refused(no),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    fn extended(&mut self, grant: &Grant) -> String {
        format!("{} until {}", self.lease_name(grant.lease.id), grant.lease.deadline)
    }

    fn created(&mut self, task: &CreatedTask) -> String {
        let existed = if task.existed { " existed" } else { "" };
        format!("{}{existed}", self.task_name(task.task))
    }

    fn leased(&mut self, leased: &Leased) -> String {
        if leased.grants.is_empty() {
            let why = leased.none_because.iter().map(|(why, projects)| match projects {
                0 => no_work(*why).to_owned(),
                n => format!("{} {n}", no_work(*why)),
            });
            let why = why.collect::<Vec<_>>().join(", ");
            return if why.is_empty() { "nothing".into() } else { format!("nothing: {why}") };
        }
        let told: Vec<String> = leased.grants.iter().map(|grant| self.grant(grant)).collect();
        told.join(", ")
    }

    fn grant(&mut self, grant: &Grant) -> String {
        let (name, task) = (self.lease_name(grant.lease.id), self.task_name(grant.lease.id.task));
        let lease = &grant.lease;
        match &lease.state {
            LeaseState::Live => format!("{name} {task} until {}", lease.deadline),
            ended => format!("{name} {task} {}", how(ended)),
        }
    }

    fn worker_view(&mut self, view: &WorkerView) -> String {
        let mut told = format!("{} version {}", view.worker.name, view.worker.version);
        for grant in &view.leases {
            let name = self.lease_name(grant.lease.id);
            let (left, hold) = (grant.remaining.0, grant.hold_remaining.0);
            told += &format!(", {name} left {left} hold {hold}");
        }
        told
    }

    /// What time did: leases that ran out and tasks that ended.
    fn happened(&mut self, did: &Did) -> String {
        let mut told = Vec::new();
        for lease in &did.expired {
            told.push(format!("{} expired", self.lease_name(*lease)));
        }
        for changed in &did.changes {
            if let Change::Task(task) = &changed.change
                && !task.state.is_open()
            {
                told.push(format!("{} {}", self.task_name(task.id), state(task.state)));
            }
        }
        if told.is_empty() { "nothing".into() } else { told.join(", ") }
    }
}

pub(crate) fn refused(no: &Refusal) -> String {
    format!("refused: {}", refusal(no))
}

fn told(receipt: &Receipt) -> String {
    let pay = match receipt.payable.micros {
        0 => String::new(),
        micros => format!(" pays {micros}"),
    };
    format!("{}{pay}", verdict(receipt.verdict))
}

pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Counted => "counted",
        Verdict::CountedLate => "counted late",
        Verdict::KeptPayable => "kept payable",
        Verdict::KeptUnpaid => "kept unpaid",
    }
}

pub(crate) fn state(state: TaskState) -> String {
    match state {
        TaskState::Open => "open".into(),
        TaskState::Done { incomplete: false } => "done".into(),
        TaskState::Done { incomplete: true } => "done incomplete".into(),
        TaskState::Failed { cause } => format!("failed {}", failure(cause)),
        TaskState::Cancelled => "cancelled".into(),
    }
}

pub(crate) fn failure(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::AttemptsExhausted => "ATTEMPTS_EXHAUSTED",
        FailureCause::BrokenTask => "BROKEN_TASK",
        FailureCause::Deadline => "DEADLINE",
    }
}

/// What is true of a lease.
pub(crate) fn how(state: &LeaseState) -> String {
    match state {
        LeaseState::Live => "live".into(),
        LeaseState::Expired { .. } => "expired".into(),
        LeaseState::Submitted(s) => verdict(s.verdict).into(),
        LeaseState::Returned { reason, .. } => format!("returned {}", returned(*reason)),
        LeaseState::Revoked { why: Revocation::WorkerSuspended } => {
            "revoked WORKER_SUSPENDED".into()
        }
        LeaseState::Revoked { why: Revocation::TaskCancelled } => "revoked TASK_CANCELLED".into(),
    }
}

fn returned(reason: ReturnReason) -> &'static str {
    match reason {
        ReturnReason::Declined => "DECLINED",
        ReturnReason::NotForMe => "NOT_FOR_ME",
        ReturnReason::OutOfTime => "OUT_OF_TIME",
        ReturnReason::Unstarted => "UNSTARTED",
        ReturnReason::BrokenTask => "BROKEN_TASK",
    }
}

fn no_work(why: NoWork) -> &'static str {
    match why {
        NoWork::CapacityReached => "CAPACITY_REACHED",
        NoWork::CoolingDown => "COOLING_DOWN",
        NoWork::Kind => "KIND",
        NoWork::Skill => "SKILL",
        NoWork::Rating => "RATING",
        NoWork::Newcomer => "NEWCOMER",
        NoWork::Region => "REGION",
        NoWork::Quota => "QUOTA",
        NoWork::OwnRequester => "OWN_REQUESTER",
        NoWork::Blocked => "BLOCKED",
        NoWork::WorkerPicks => "WORKER_PICKS",
        NoWork::NotGranting => "NOT_GRANTING",
        NoWork::Throttled => "THROTTLED",
        NoWork::LeftOut => "LEFT_OUT",
        NoWork::TooLarge => "TOO_LARGE",
        NoWork::PaysLess => "PAYS_LESS",
        NoWork::TakesLonger => "TAKES_LONGER",
        NoWork::NothingReady => "NOTHING_READY",
    }
}
