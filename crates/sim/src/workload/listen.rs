//! What a client makes of a reply.

use piecework_core::command::TaskKey;
use piecework_core::project::Project;
use piecework_core::worker::WorkerState;
use piecework_core::{ClientId, Command, LeaseId, Outcome, Refusal};

use super::Workload;
use super::book::{About, Account, Sent, Stage};

impl Workload {
    pub(super) fn listen(&mut self, sent: &Sent, outcome: &Result<Outcome, Refusal>) {
        match (sent.about, outcome) {
            (About::Payer(at), Ok(Outcome::Requester(requester))) if sent.creates => {
                let payer = &mut self.book.payers[at];
                match &payer.stage {
                    Stage::There(name) if *name != requester.name => {
                        let mut other = payer.clone();
                        other.stage = Stage::There(requester.name.clone());
                        self.book.payers.push(other);
                    }
                    _ => payer.stage = Stage::There(requester.name.clone()),
                }
            }
            (About::Work(at), Ok(outcome)) => self.of_a_project(at, sent, outcome),
            (About::Account(at), Ok(outcome)) => self.of_a_worker(at, sent, outcome),
            (_, Err(refusal)) => self.refused(sent, refusal),
            (About::Payer(_) | About::Nobody, Ok(_)) => {}
        }
        self.settle_heard(sent, outcome);
    }

    fn of_a_project(&mut self, at: usize, sent: &Sent, outcome: &Outcome) {
        match outcome {
            Outcome::Project(project) if sent.creates => self.made_project(at, project),
            Outcome::Project(project) => self.book.works[at].learn(project),
            Outcome::ProjectStats(stats) => {
                let work = &mut self.book.works[at];
                work.learn(&stats.project);
                work.left = (stats.tally.open, stats.tally.live);
            }
            Outcome::ProjectDeleted => {
                self.book.works[at].stage = Stage::Gone;
                // Somebody wants another one instead.
                let (tenant, spec) = (self.book.works[at].tenant, self.book.works[at].spec.clone());
                if self.settling.is_none() && self.book.works.len() < 8 {
                    self.book.want_work(&mut self.random, tenant, spec);
                }
            }
            Outcome::TasksCreated(tasks) => {
                let work = &mut self.book.works[at];
                for task in tasks.iter().flatten().filter(|t| !t.existed) {
                    let number = TaskKey::Number(task.task.number);
                    work.tasks.push(task.name.clone().map_or(number, TaskKey::Named));
                }
            }
            _ => {}
        }
    }

    /// A retried create may have made a second one where the first was forgotten.
    fn made_project(&mut self, at: usize, project: &Project) {
        let work = &mut self.book.works[at];
        let other = work.stage.name().is_some_and(|name| *name != project.name);
        let at = if other {
            let again = work.clone();
            self.book.works.push(again);
            self.book.works.len() - 1
        } else {
            at
        };
        let work = &mut self.book.works[at];
        work.stage = Stage::There(project.name.clone());
        work.learn(project);
        if self.settling.is_none() && work.tasks.is_empty() {
            self.first_uploads.push(at);
        }
    }

    fn of_a_worker(&mut self, at: usize, sent: &Sent, outcome: &Outcome) {
        match outcome {
            Outcome::Worker(view) => {
                let mut at = at;
                if sent.creates {
                    at = self.made_worker(at, &view.worker.name);
                }
                let account = &mut self.book.accounts[at];
                account.etag = view.worker.version;
                account.spec = view.worker.spec.clone();
                account.suspended = view.worker.state != WorkerState::Active;
                if matches!(sent.request.command, Command::InspectWorker { .. }) {
                    for grant in &view.leases {
                        account.take(grant.lease.id);
                    }
                }
            }
            Outcome::Leased(leased) => {
                let live = leased.grants.iter().filter(|g| g.lease.is_live());
                live.for_each(|grant| self.book.accounts[at].take(grant.lease.id));
            }
            Outcome::Submitted(receipts) => {
                let Command::Submit(submit) = &sent.request.command else { return };
                for (item, receipt) in submit.items.iter().zip(receipts) {
                    let invalid = matches!(receipt, Err(Refusal::AnswerInvalid { .. }));
                    if !invalid {
                        self.book.accounts[at].answered(item.lease);
                    }
                }
            }
            Outcome::Returned(leases) => {
                for lease in leases.iter().flatten() {
                    self.book.accounts[at].answered(*lease);
                }
            }
            Outcome::Claimed(claimed) => {
                let Command::Claim(claim) = &sent.request.command else { return };
                for (lease, claimed) in claim.leases.iter().zip(claimed) {
                    if matches!(claimed, Err(Refusal::LeaseEnded { .. })) {
                        self.book.accounts[at].lapsed(*lease);
                    }
                }
            }
            Outcome::Extended(grants) => {
                let Command::Extend(extend) = &sent.request.command else { return };
                for (lease, grant) in extend.leases.iter().zip(grants) {
                    if matches!(grant, Err(Refusal::LeaseEnded { .. })) {
                        self.book.accounts[at].lapsed(*lease);
                    }
                }
            }
            _ => {}
        }
    }

    fn made_worker(&mut self, at: usize, name: &ClientId) -> usize {
        let account = &mut self.book.accounts[at];
        if account.stage.name().is_some_and(|known| known != name) {
            let mut other = account.clone();
            other.stage = Stage::There(name.clone());
            (other.held, other.left, other.answered) = (Vec::new(), Vec::new(), Vec::new());
            other.busy = 0;
            self.book.accounts.push(other);
            return self.book.accounts.len() - 1;
        }
        account.stage = Stage::There(name.clone());
        at
    }

    fn refused(&mut self, sent: &Sent, refusal: &Refusal) {
        if sent.creates {
            // There may be something of that name; else it is tried again.
            let taken = matches!(refusal, Refusal::NameTaken { .. });
            let next = if taken { Stage::Gone } else { Stage::Wanted };
            let stage = match sent.about {
                About::Payer(at) => &mut self.book.payers[at].stage,
                About::Work(at) => &mut self.book.works[at].stage,
                About::Account(at) => &mut self.book.accounts[at].stage,
                About::Nobody => return,
            };
            if *stage == Stage::Asked {
                *stage = next;
            }
            return;
        }
        match (sent.about, refusal) {
            (About::Work(at), Refusal::ProjectNotFound { .. }) => {
                self.book.works[at].stage = Stage::Gone;
            }
            (About::Work(at), Refusal::EtagMismatch { is, .. }) => self.book.works[at].etag = *is,
            (About::Account(at), Refusal::EtagMismatch { is, .. }) => {
                self.book.accounts[at].etag = *is;
            }
            _ => {}
        }
    }
}

impl Account {
    /// A lease that it has.
    fn take(&mut self, lease: LeaseId) {
        if !self.held.contains(&lease) {
            self.left.retain(|l| *l != lease);
            self.held.push(lease);
        }
    }

    /// A lease with which it is done.
    fn answered(&mut self, lease: LeaseId) {
        self.held.retain(|l| *l != lease);
        self.left.retain(|l| *l != lease);
        self.answered.retain(|l| *l != lease);
        self.answered.push(lease);
        if self.answered.len() > 12 {
            self.answered.remove(0);
        }
    }

    /// A lease that ran out while it worked.
    fn lapsed(&mut self, lease: LeaseId) {
        self.held.retain(|l| *l != lease);
        if !self.left.contains(&lease) {
            self.left.push(lease);
        }
    }
}
