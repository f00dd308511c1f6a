//! What workers ask: for work, for time, to be rid of it, and with answers.

use std::sync::Arc;
use std::time::Duration;

use piecework_core::command::{
    ClaimLeases, ExtendLeases, LeaseTasks, LifeSigns, ReturnItem, ReturnLeases, SaveDraft,
    SubmitAnswers, SubmitItem, TaskRef,
};
use piecework_core::lease::ReturnReason;
use piecework_core::project::Assignment;
use piecework_core::wishes::Wishes;
use piecework_core::{ClientId, Command, LeaseId, Millis, Request};

use super::book::{About, Account, Sent, any};
use super::{Kind, Workload, cast, said};

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

/// How a `Lease` call is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// With a request id of its own.
    pub(super) named: bool,
    /// What it grants is to be claimed: a stream asks.
    pub(super) claim: bool,
}

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
        let wishes = match self.random.percent(self.mix.wishes) {
            true => self.wishes(at, projects),
            false => Wishes::among(projects),
        };
        let named = !self.random.one_in(5);
        let claim = task.is_none() && self.random.percent(self.mix.pushes);
        let wait = self.random.percent(self.mix.waits);
        let mut sent = self.lease_call(at, count, wishes, task, Manner { named, claim });
        if wait {
            sent.wait = Duration::from_millis(self.random.between(200, 4_000));
        }
        Some(sent)
    }

    /// A `Lease` call.
    pub(super) fn lease_call(
        &mut self,
        at: usize,
        count: u64,
        wishes: Wishes,
        task: Option<TaskRef>,
        manner: Manner,
    ) -> Sent {
        let Manner { named, claim } = manner;
        self.book.accounts[at].asks += 1;
        let asks = self.book.accounts[at].asks;
        let count = u32::try_from(count).expect("a few");
        let content = cast::fingerprint(&(count, &wishes, &task, claim));
        let request_id = named.then(|| cast::id(&format!("ask-{asks}")));
        self.of_worker(at, |worker| {
            Command::Lease(LeaseTasks { worker, count, wishes, task, claim, request_id, content })
        })
    }

    /// What a worker asks of its work, besides the projects.
    fn wishes(&mut self, at: usize, projects: Vec<ClientId>) -> Wishes {
        let mut wishes = Wishes::among(projects);
        let tenant = self.book.accounts[at].tenant;
        let random = &mut self.random;
        if random.one_in(3) {
            let other =
                any(random, &self.book.works, |w| w.tenant == tenant && w.stage.name().is_some());
            wishes.except.extend(other.and_then(|w| self.book.works[w].stage.name().cloned()));
        }
        if random.one_in(3) {
            wishes.max_payload_bytes = Some(*random.pick(&[0, 3, 4, 7, 15, 100]));
        }
        if random.one_in(3) {
            // For a few milli-units an answer, after some seconds.
            wishes.min_hourly_micros = Some(*random.pick(&[1, 1_000_000, 4_000_000, 20_000_000]));
        }
        if random.one_in(2) {
            wishes.within = Some(Millis(random.between(100, 20_000)));
        }
        wishes
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
            answer: if wrong { said::wrong(random) } else { said::answer(random) },
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

    /// What was pushed has arrived; seldom something else is claimed.
    pub(super) fn claim(&mut self) -> Option<Sent> {
        let at = self.book.idle(&mut self.random, |a| !a.held.is_empty())?;
        let mut leases = self.book.accounts[at].held.clone();
        if self.random.one_in(3) {
            leases.truncate(1);
        }
        if self.random.one_in(8) {
            leases.extend(self.foreign_lease());
        }
        Some(self.of_worker(at, |worker| Command::Claim(ClaimLeases { worker, leases })))
    }

    /// An unfinished answer, or that there is none any more.
    pub(super) fn save_draft(&mut self) -> Option<Sent> {
        let left = self.random.one_in(3);
        let has = |a: &Account| if left { !a.left.is_empty() } else { !a.held.is_empty() };
        let at = self.book.idle(&mut self.random, has)?;
        let account = &self.book.accounts[at];
        let leases = if left { &account.left } else { &account.held };
        let lease = *self.random.pick(leases);
        let lease = if self.random.one_in(12) { self.foreign_lease()? } else { lease };
        let count = self.random.index(6);
        let bytes = self.random.bytes(count);
        Some(self.of_worker(at, |worker| Command::SaveDraft(SaveDraft { worker, lease, bytes })))
    }

    /// One connection saw life on some leases, and of some workers.
    pub(super) fn show_life(&mut self) -> Option<Sent> {
        let at = self.book.idle(&mut self.random, |a| !a.held.is_empty() || !a.left.is_empty())?;
        let account = &self.book.accounts[at];
        let tenant = account.tenant;
        let mut leases = account.held.clone();
        leases.extend(account.left.first());
        leases.truncate(self.random.index(4));
        if self.random.one_in(6) {
            leases.extend(self.foreign_lease());
        }
        let own = |a: &&Account| a.tenant == tenant;
        let names = self.book.accounts.iter().filter(own).filter_map(|a| a.stage.name().cloned());
        let names: Vec<ClientId> = names.collect();
        let most = self.random.index(3);
        let workers: Vec<ClientId> = (0..most).map(|_| self.random.pick(&names).clone()).collect();
        let half = self.random.one_in(3);
        let of = names.into_iter().filter(|_| !half || self.random.one_in(2)).collect();
        let signs = LifeSigns { workers, leases, of: Arc::new(of) };
        Some(self.of_worker(at, |_| Command::ShowLife(signs)))
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
