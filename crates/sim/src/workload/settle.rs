//! The end of a run: clients behave, and everything drains.
//!
//! In rounds: every project is looked up, resumed and lifted of its requirements;
//! every worker is looked up, reinstated, and answers what it holds; then able
//! workers ask and answer until nothing is left for them. A round that leaves work
//! brings one more worker. It is over after a round that found no work left.

use std::collections::{BTreeSet, VecDeque};

use piecework_core::command::{Steer, SteerProject};
use piecework_core::project::{Assignment, ProjectState, Requirements};
use piecework_core::wishes::Wishes;
use piecework_core::{Command, Outcome, Refusal, TenantId};

use super::book::{About, Sent, Stage};
use super::worker_calls::Manner;
use super::{Workload, cast};

/// What is to be done next, by place in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Todo {
    LookAtProject(usize),
    Resume(usize),
    Lift(usize),
    LiftPayer(usize),
    LookAtWorker(usize),
    Reinstate(usize),
    Answer(usize),
    Hire(usize),
    Ask(usize),
}

/// How far the clients are with settling.
#[derive(Debug, Default)]
pub(super) struct Settling {
    todo: VecDeque<Todo>,
    /// Able workers, who came for this.
    able: Vec<usize>,
    rounds: u64,
    over: bool,
}

impl Settling {
    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

impl Workload {
    /// The next call of clients that behave; `None` while an answer is awaited.
    pub(super) fn settle_next(&mut self) -> Option<Sent> {
        for _ in 0..1_000 {
            let settling = self.settling.as_mut()?;
            if let Some(todo) = settling.todo.pop_front() {
                if let Some(sent) = self.call_for(todo) {
                    return Some(sent);
                }
            } else if settling.over || !self.out.is_empty() {
                return None;
            } else {
                self.next_round();
            }
        }
        None
    }

    fn next_round(&mut self) {
        let there = |stage: &Stage| stage.name().is_some();
        let works = self.book.works.iter().filter(|w| there(&w.stage) && w.left != (0, 0));
        let unfinished: BTreeSet<TenantId> = works.map(|w| w.tenant).collect();
        let Some(settling) = self.settling.as_mut() else { return };
        if settling.rounds > 0 && unfinished.is_empty() {
            settling.over = true;
            return;
        }
        settling.rounds += 1;
        let todo = &mut settling.todo;
        if settling.rounds > 1 {
            for tenant in unfinished {
                if settling.able.len() >= 60 {
                    break;
                }
                let spec = cast::able();
                self.book.want_account(&mut self.random, tenant, spec);
                let at = self.book.accounts.len() - 1;
                let account = &mut self.book.accounts[at];
                (account.payer, account.stage) = (None, Stage::Asked);
                settling.able.push(at);
                todo.push_back(Todo::Hire(at));
            }
            todo.extend(settling.able.iter().map(|at| Todo::Ask(*at)));
        }
        let works = self.book.works.iter().enumerate().filter(|(_, w)| there(&w.stage));
        todo.extend(works.map(|(at, _)| Todo::LookAtProject(at)));
        if settling.rounds % 4 == 1 {
            todo.extend((0..self.book.payers.len()).map(Todo::LiftPayer));
            let accounts = self.book.accounts.iter().enumerate();
            let accounts = accounts.filter(|(_, a)| there(&a.stage));
            todo.extend(accounts.map(|(at, _)| Todo::LookAtWorker(at)));
        }
    }

    fn call_for(&mut self, todo: Todo) -> Option<Sent> {
        match todo {
            Todo::LookAtProject(at) => {
                let project = self.book.works[at].stage.name()?.clone();
                Some(self.of_work(at, Command::InspectProject { project }))
            }
            Todo::Resume(at) => {
                let project = self.book.works[at].stage.name()?.clone();
                let steer = SteerProject { project, to: Steer::Resume, etag: None };
                Some(self.of_work(at, Command::SteerProject(steer)))
            }
            Todo::Lift(at) => {
                let mut spec = self.book.works[at].spec.clone();
                spec.requirements = Requirements::default();
                spec.assignment = Assignment::ServerPicks;
                spec.relaxation.clear();
                spec.grants_per_minute = 0;
                self.update(at, spec)
            }
            Todo::LiftPayer(at) => self.lift_payer(at),
            Todo::LookAtWorker(at) => {
                self.book.accounts[at].stage.name()?;
                Some(self.of_worker(at, |worker| Command::InspectWorker { worker }))
            }
            Todo::Reinstate(at) => {
                self.book.accounts[at].stage.name()?;
                Some(self.of_worker(at, |worker| Command::ReinstateWorker { worker }))
            }
            Todo::Answer(at) => {
                let held = self.book.accounts[at].held.clone();
                self.book.accounts[at].stage.name()?;
                (!held.is_empty()).then(|| self.submit_call(at, &held, false))
            }
            Todo::Hire(at) => {
                // Under a name: the daemon may remember no more request ids.
                self.mix.unnamed = 0;
                Some(self.create_account(at))
            }
            Todo::Ask(at) => {
                self.book.accounts[at].stage.name()?;
                let manner = Manner { named: true, claim: false };
                Some(self.lease_call(at, 10, Wishes::default(), None, manner))
            }
        }
    }

    /// What a reply leads to while everything settles.
    pub(super) fn settle_heard(&mut self, sent: &Sent, outcome: &Result<Outcome, Refusal>) {
        let Some(settling) = self.settling.as_mut() else { return };
        let todo = &mut settling.todo;
        match (sent.about, outcome) {
            (About::Work(at), Ok(Outcome::ProjectStats(stats))) => {
                let spec = &stats.project.spec;
                let state = stats.project.state;
                if state == ProjectState::Paused {
                    todo.push_front(Todo::Resume(at));
                }
                let lifted = spec.requirements == Requirements::default()
                    && spec.grants_per_minute == 0
                    && spec.assignment == Assignment::ServerPicks;
                if !lifted && !matches!(state, ProjectState::Cancelled { .. }) {
                    todo.push_front(Todo::Lift(at));
                }
            }
            (About::Work(at), Err(Refusal::EtagMismatch { .. })) => {
                todo.push_front(Todo::LookAtProject(at));
            }
            (About::Account(at), Ok(Outcome::Worker(view))) => {
                let account = &self.book.accounts[at];
                if account.suspended {
                    todo.push_front(Todo::Reinstate(at));
                } else if !view.leases.is_empty() && !account.held.is_empty() {
                    todo.push_front(Todo::Answer(at));
                }
            }
            (About::Account(at), Ok(Outcome::Leased(leased))) if !leased.grants.is_empty() => {
                let able = settling.able.contains(&at);
                let live = leased.grants.iter().any(|grant| grant.lease.is_live());
                todo.push_front(Todo::Answer(at));
                if able && live {
                    todo.insert(1, Todo::Ask(at));
                }
            }
            _ => {}
        }
    }
}
