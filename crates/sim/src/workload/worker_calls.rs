//! What workers ask: for work, for time, to be rid of it, and with answers.

use std::time::Duration;

use piecework_core::command::{
    ExtendLeases, LeaseTasks, ReturnItem, ReturnLeases, SubmitAnswers, SubmitItem, TaskRef,
};
use piecework_core::lease::ReturnReason;
use piecework_core::project::Assignment;
use piecework_core::wishes::Wishes;
use piecework_core::{ClientId, Command, LeaseId, Millis, Request};

use super::book::{About, Account, Sent, any};
use super::{Kind, Workload, cast};

/// Clients below this number are requesters and platforms.
const FIRST_WORKER: u32 = 100;

const REASONS: [ReturnReason; 6] = [
    ReturnReason::Declined,
    ReturnReason::Declined,
    ReturnReason::NotForMe,
    ReturnReason::OutOfTime,
    ReturnReason::Unstarted,
    ReturnReason::BrokenTask,
];

impl Workload {
    /// A call in the name of a worker, by its place in the book.
    pub(super) fn of_worker(&self, at: usize, command: impl FnOnce(ClientId) -> Command) -> Sent {
        let account = &self.book.accounts[at];
        let name = account.stage.name().expect("only workers that there are call");
        Sent {
            client: FIRST_WORKER + u32::try_from(at).expect("few workers"),
            about: About::Account(at),
            request: Request { tenant: account.tenant, command: command(name.clone()) },
            wait: Duration::ZERO,
            creates: false,
        }
    }

    pub(super) fn ask(&mut self, kind: Kind) -> Option<Sent> {
        let most = if kind == Kind::Hoard { 20 } else { 3 };
        let at = self.book.idle(&mut self.random, |a| a.held.len() < most)?;
        let task = match kind {
            Kind::AskNamed => Some(self.any_task_for(at)?),
            _ => None,
        };
        let count = match kind {
            Kind::Hoard => self.random.between(3, 6),
            _ => self.random.between(1, 3),
        };
        let mut projects = Vec::new();
        if task.is_none() && self.random.one_in(6) {
            let tenant = self.book.accounts[at].tenant;
            let work = any(&mut self.random, &self.book.works, |w| {
                w.tenant == tenant && w.stage.name().is_some()
            });
            projects.extend(work.and_then(|w| self.book.works[w].stage.name().cloned()));
        }
        let named = !self.random.one_in(5);
        let wait = self.random.percent(self.mix.waits);
        let mut sent = self.lease_call(at, count, projects, task, named);
        if wait {
            sent.wait = Duration::from_millis(self.random.between(200, 4_000));
        }
        Some(sent)
    }

    /// A `Lease` call, with a request id of its own or none.
    pub(super) fn lease_call(
        &mut self,
        at: usize,
        count: u64,
        projects: Vec<ClientId>,
        task: Option<TaskRef>,
        named: bool,
    ) -> Sent {
        self.book.accounts[at].asks += 1;
        let asks = self.book.accounts[at].asks;
        let count = u32::try_from(count).expect("a few");
        let content = cast::fingerprint(&(count, &projects, &task));
        let request_id = named.then(|| cast::id(&format!("ask-{asks}")));
        self.of_worker(at, |worker| {
            let wishes = Wishes::among(projects);
            let claim = false;
            Command::Lease(LeaseTasks { worker, count, wishes, task, claim, request_id, content })
        })
    }

    /// A task of the worker's tenant, rather where workers pick.
    fn any_task_for(&mut self, at: usize) -> Option<TaskRef> {
        let tenant = self.book.accounts[at].tenant;
        let picks = !self.random.one_in(6);
        let wanted = if picks { Assignment::WorkerPicks } else { Assignment::ServerPicks };
        let work = any(&mut self.random, &self.book.works, |w| {
            w.tenant == tenant && !w.tasks.is_empty() && w.spec.assignment == wanted
        })?;
        self.any_task(work)
    }

    pub(super) fn answer(&mut self, kind: Kind) -> Option<Sent> {
        let has = |a: &Account| match kind {
            Kind::AnswerLate => !a.left.is_empty(),
            Kind::AnswerAgain => !a.answered.is_empty(),
            Kind::Foreign => true,
            _ => !a.held.is_empty(),
        };
        let at = self.book.idle(&mut self.random, has)?;
        let leases = match kind {
            Kind::AnswerLate => vec![*self.random.pick(&self.book.accounts[at].left)],
            Kind::AnswerAgain => vec![*self.random.pick(&self.book.accounts[at].answered)],
            Kind::Foreign => vec![self.foreign_lease()?],
            _ => {
                let held = &self.book.accounts[at].held;
                let most = held.len().min(1 + self.random.index(2));
                let from = self.random.index(held.len() - most + 1);
                held[from..from + most].to_vec()
            }
        };
        Some(self.submit_call(at, &leases, kind == Kind::AnswerWrong))
    }

    pub(super) fn submit_call(&mut self, at: usize, leases: &[LeaseId], wrong: bool) -> Sent {
        let random = &mut self.random;
        let answer = |lease: &LeaseId| SubmitItem {
            lease: *lease,
            answer: if wrong { cast::wrong(random) } else { cast::answer(random) },
        };
        let items = leases.iter().map(answer).collect();
        self.of_worker(at, |worker| Command::Submit(SubmitAnswers { worker, items }))
    }

    /// A lease that the worker does not have.
    fn foreign_lease(&mut self) -> Option<LeaseId> {
        let of = self.book.idle(&mut self.random, |a| !a.held.is_empty() || !a.left.is_empty())?;
        let account = &self.book.accounts[of];
        let mut lease = *account.held.first().or(account.left.first())?;
        match self.random.below(4) {
            0 => lease.number += 1,
            1 => lease.number = 0,
            2 => lease.task.number.0 += 7,
            _ => {}
        }
        Some(lease)
    }

    /// Leaves a lease behind; what the worker does instead is look for work.
    pub(super) fn vanish(&mut self) -> Option<Sent> {
        let at = self.book.idle(&mut self.random, |a| !a.held.is_empty())?;
        let account = &mut self.book.accounts[at];
        let lease = account.held.swap_remove(self.random.index(account.held.len()));
        account.left.push(lease);
        if account.left.len() > 6 {
            account.left.remove(0);
        }
        None
    }

    pub(super) fn give_back(&mut self, kind: Kind) -> Option<Sent> {
        let late = kind == Kind::GiveUp;
        let has = |a: &Account| if late { !a.left.is_empty() } else { !a.held.is_empty() };
        let at = self.book.idle(&mut self.random, has)?;
        let account = &self.book.accounts[at];
        let leases = if late { &account.left } else { &account.held };
        let lease = *self.random.pick(leases);
        let items = vec![ReturnItem { lease, reason: *self.random.pick(&REASONS) }];
        Some(self.of_worker(at, |worker| Command::Return(ReturnLeases { worker, items })))
    }

    pub(super) fn extend(&mut self) -> Option<Sent> {
        let late = self.random.one_in(4);
        let at = self.book.idle(&mut self.random, |a| match late {
            true => !a.left.is_empty(),
            false => !a.held.is_empty(),
        })?;
        let account = &self.book.accounts[at];
        let leases = match late {
            true => vec![*self.random.pick(&account.left)],
            false => account.held.clone(),
        };
        let by = self.random.one_in(2).then(|| Millis(self.random.between(1, 20_000)));
        Some(self.of_worker(at, |worker| Command::Extend(ExtendLeases { worker, leases, by })))
    }
}
