//! What clients do: decided by a seed and by what they have heard.
//!
//! `next` says the next call, `heard` tells what came of one. After `settle` the
//! clients behave: they lift what stops work and answer until every task is final.
//! Of a lost reply a client knows nothing; it sends the very same request again.
//!
//! Not here: clocks, networks, which calls get lost (the world decides).

mod book;
mod cast;
mod listen;
mod mix;
mod platform_calls;
mod refiner_calls;
mod requester_calls;
mod said;
mod settle;
mod worker_calls;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use piecework_core::{ClientId, Command, Now, Outcome, Refusal, Request, TenantId};

use crate::random::Random;
use book::{About, Account, Book, Payer, Sent, Stage, Work};
use piecework_core::project::ProjectState;
use settle::Settling;

pub use mix::{Kind, Mix};

/// Old calls that may be sent once more.
const PAST_KEPT: usize = 60;

/// One call of one client.
#[derive(Debug, Clone)]
pub struct Call {
    /// Names it in `heard`; never reused.
    pub id: u64,
    /// Who calls: a worker's or a requester's connection.
    pub client: u32,
    /// What.
    pub request: Request,
    /// How long a `Lease` call may wait for work.
    pub wait: Duration,
}

/// What a client hears of a call.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// The reply.
    Answer(&'a Result<Outcome, Refusal>),
    /// Nothing: it may have happened or not.
    Lost,
}

/// All clients of one run.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    mix: Mix,
    book: Book,
    calls: u64,
    out: BTreeMap<u64, Sent>,
    /// Lost calls, to be sent again.
    lost: VecDeque<Sent>,
    past: VecDeque<Sent>,
    /// New projects that have no tasks yet.
    first_uploads: Vec<usize>,
    settling: Option<Settling>,
}

impl Workload {
    /// The clients of a seed.
    #[must_use]
    pub fn new(seed: u64, mix: Mix) -> Workload {
        let mut random = Random::new(seed ^ 0x0077_6f72_6b65_7273);
        let mut book = Book::default();
        let tenants = u64::from(mix.tenants);
        let tenant = |n: u64| TenantId(u32::try_from(1 + n % tenants).expect("few tenants"));
        for n in 0..mix.requesters {
            let favour = cast::favour(&mut random, &mix);
            book.payers.push(Payer { tenant: tenant(n), stage: Stage::Wanted, favour });
        }
        for n in 0..mix.projects {
            let spec = cast::project(&mut random, &mix);
            book.want_work(&mut random, tenant(n), spec);
        }
        for n in 0..mix.workers {
            let spec = cast::worker(&mut random, &mix);
            book.want_account(&mut random, tenant(n), spec);
        }
        Workload {
            random,
            mix,
            book,
            calls: 0,
            out: BTreeMap::new(),
            lost: VecDeque::new(),
            past: VecDeque::new(),
            first_uploads: Vec::new(),
            settling: None,
        }
    }

    /// The next call; `None` when there is nothing to ask now: until something is
    /// heard, or until `settle`.
    pub fn next(&mut self, now: Now) -> Option<Call> {
        let sent = self.choose(now)?;
        self.calls += 1;
        let id = self.calls;
        if let About::Account(at) = sent.about {
            self.book.accounts[at].busy += 1;
        }
        let (client, request, wait) = (sent.client, sent.request.clone(), sent.wait);
        self.out.insert(id, sent);
        Some(Call { id, client, request, wait })
    }

    /// What came of a call. A call that is not known is ignored: its reply came twice.
    pub fn heard(&mut self, id: u64, heard: Heard<'_>) {
        let Some(sent) = self.out.remove(&id) else { return };
        if let About::Account(at) = sent.about {
            self.book.accounts[at].busy -= 1;
        }
        match heard {
            Heard::Lost => self.lost.push_back(sent),
            Heard::Answer(outcome) => {
                self.listen(&sent, outcome);
                if self.past.len() == PAST_KEPT {
                    self.past.pop_front();
                }
                self.past.push_back(sent);
            }
        }
    }

    /// From now on clients behave, until every task is final and every lease has ended.
    pub fn settle(&mut self) {
        self.settling.get_or_insert_default();
    }

    /// Whether the clients have asked all that they wanted to, before `settle`.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.calls >= self.mix.calls
    }

    /// Whether some client knows of a project.
    #[must_use]
    pub fn knows(&self, tenant: TenantId, project: &ClientId) -> bool {
        let is = |work: &book::Work| work.tenant == tenant && work.stage.name() == Some(project);
        self.book.works.iter().any(is)
    }

    /// Whether, after `settle`, all work was heard to be final.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settling.as_ref().is_some_and(Settling::is_over)
    }

    /// The mix that was chosen.
    #[must_use]
    pub fn mix(&self) -> &Mix {
        &self.mix
    }

    fn choose(&mut self, now: Now) -> Option<Sent> {
        let settles = self.settling.is_some();
        if !self.lost.is_empty() && (settles || self.random.one_in(3)) {
            return self.lost.pop_front();
        }
        if settles {
            return self.settle_next();
        }
        if self.is_done() {
            return None;
        }
        if let Some(sent) = self.create_wanted() {
            return Some(sent);
        }
        if let Some(at) = self.first_uploads.pop() {
            let tasks = self.mix.tasks;
            return self.upload(at, tasks, now);
        }
        // What was chosen may be impossible now; waiting clients try something else.
        for _ in 0..16 {
            let kind = self.mix.pick(&mut self.random);
            if let Some(sent) = self.call_of(kind, now) {
                return Some(sent);
            }
        }
        None
    }

    fn call_of(&mut self, kind: Kind, now: Now) -> Option<Sent> {
        match kind {
            Kind::Ask | Kind::Hoard | Kind::AskNamed => self.ask(kind),
            Kind::Answer
            | Kind::AnswerLate
            | Kind::AnswerAgain
            | Kind::AnswerWrong
            | Kind::Foreign => self.answer(kind),
            Kind::Vanish => self.vanish(),
            Kind::GiveBack | Kind::GiveUp => self.give_back(kind),
            Kind::Extend => self.extend(),
            Kind::Claim => self.claim(),
            Kind::SaveDraft => self.save_draft(),
            Kind::ShowLife => self.show_life(),
            Kind::Upload
            | Kind::UpdateTask
            | Kind::Overlap
            | Kind::CancelTask
            | Kind::Requeue
            | Kind::Resolve => self.task_call(kind, now),
            Kind::Pause
            | Kind::Resume
            | Kind::Close
            | Kind::Cancel
            | Kind::Delete
            | Kind::Require
            | Kind::Terms
            | Kind::NewProject
            | Kind::Rename
            | Kind::Favour => self.project_call(kind),
            Kind::Suspend
            | Kind::Reinstate
            | Kind::GrantSkill
            | Kind::RevokeSkill
            | Kind::UpdateWorker
            | Kind::NewWorker => self.platform_call(kind, now),
            Kind::Retry | Kind::OtherContent | Kind::OtherTenant => self.once_more(kind),
            Kind::Read => self.read(),
            Kind::Learn | Kind::Refine => Some(self.refiner_call(kind, now)),
        }
    }

    /// An old call again: as it was, with other content, or for another tenant.
    fn once_more(&mut self, kind: Kind) -> Option<Sent> {
        if self.past.is_empty() {
            return None;
        }
        let mut sent = self.past[self.random.index(self.past.len())].clone();
        match kind {
            Kind::OtherContent => {
                change_content(&mut sent.request.command)?;
            }
            // What it made there nobody would know of.
            Kind::OtherTenant if sent.creates => return None,
            Kind::OtherTenant => {
                sent.request.tenant = TenantId(3 - sent.request.tenant.0.min(2));
                (sent.about, sent.creates) = (About::Nobody, false);
            }
            _ => {}
        }
        Some(sent)
    }
}

impl Book {
    /// One more project to be, of a requester of this tenant.
    fn want_work(
        &mut self,
        random: &mut Random,
        tenant: TenantId,
        spec: piecework_core::project::ProjectSpec,
    ) {
        let Some(payer) = book::any(random, &self.payers, |p| p.tenant == tenant) else { return };
        self.works.push(Work {
            tenant,
            payer,
            stage: Stage::Wanted,
            spec,
            etag: 0,
            state: ProjectState::Active,
            tasks: Vec::new(),
            uploads: 0,
            left: (0, 0),
        });
    }

    /// One more worker to be; some have a requester account of their own.
    fn want_account(
        &mut self,
        random: &mut Random,
        tenant: TenantId,
        spec: piecework_core::worker::WorkerSpec,
    ) {
        let payer = book::any(random, &self.payers, |p| p.tenant == tenant);
        self.accounts.push(Account {
            tenant,
            stage: Stage::Wanted,
            spec,
            payer: payer.filter(|_| random.one_in(8)),
            etag: 0,
            suspended: false,
            held: Vec::new(),
            left: Vec::new(),
            answered: Vec::new(),
            asks: 0,
            busy: 0,
        });
    }
}

/// The same key for something else; `None` where the command has no key.
fn change_content(command: &mut Command) -> Option<()> {
    let key = match command {
        Command::CreateRequester(c) => c.key.as_mut(),
        Command::CreateProject(c) => c.key.as_mut(),
        Command::CreateWorker(c) => c.key.as_mut(),
        Command::CreateTasks(c) => {
            for task in &mut c.tasks {
                task.content.0 ^= 1;
            }
            c.key.as_mut()
        }
        Command::Lease(c) if c.request_id.is_some() => {
            c.count += 1;
            c.content.0 ^= 1;
            return Some(());
        }
        _ => return None,
    };
    if let Some(key) = key {
        key.content.0 ^= 1;
    }
    Some(())
}
