//! What the clients know: what they asked for, what they heard of it.

use std::collections::BTreeSet;

use piecework_core::command::TaskKey;
use piecework_core::project::{Project, ProjectSpec, ProjectState};
use piecework_core::worker::WorkerSpec;
use piecework_core::{ClientId, LeaseId, Request, TenantId};

use crate::random::Random;

/// How far a create has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody asked for it yet.
    Wanted,
    /// Asked for, nothing heard.
    Asked,
    /// Made, under this name.
    There(ClientId),
    /// It is no more, or never will be.
    Gone,
}

/// A requester as its platform knows it.
#[derive(Debug, Clone)]
pub(super) struct Payer {
    pub(super) tenant: TenantId,
    pub(super) stage: Stage,
    /// What it is created with.
    pub(super) favour: Favour,
}

/// How a platform treats a requester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Favour {
    pub(super) weight: u32,
    pub(super) tier_ceiling: u8,
    pub(super) grants_per_minute: u32,
    pub(super) blocked: BTreeSet<ClientId>,
    pub(super) allowed: BTreeSet<ClientId>,
}

/// A project as its requester knows it.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) tenant: TenantId,
    /// Place of its requester in the book.
    pub(super) payer: usize,
    pub(super) stage: Stage,
    pub(super) spec: ProjectSpec,
    pub(super) etag: u32,
    pub(super) state: ProjectState,
    pub(super) tasks: Vec<TaskKey>,
    /// Numbers of uploads, for request ids and names.
    pub(super) uploads: u64,
    /// As last heard: open tasks and live leases.
    pub(super) left: (u64, u64),
}

/// A worker as its platform knows it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) tenant: TenantId,
    pub(super) stage: Stage,
    pub(super) spec: WorkerSpec,
    /// Place of its own requester account in the book.
    pub(super) payer: Option<usize>,
    pub(super) etag: u32,
    pub(super) suspended: bool,
    /// Leases that it means to answer.
    pub(super) held: Vec<LeaseId>,
    /// Leases that it left behind.
    pub(super) left: Vec<LeaseId>,
    /// Leases that it answered.
    pub(super) answered: Vec<LeaseId>,
    /// Granting calls so far, for request ids.
    pub(super) asks: u64,
    /// Calls under way.
    pub(super) busy: u32,
}

/// What an outstanding call is about, by place in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Payer(usize),
    Work(usize),
    Account(usize),
    Nobody,
}

/// A call that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) client: u32,
    pub(super) about: About,
    pub(super) request: Request,
    pub(super) wait: std::time::Duration,
    /// Creates the thing that it is about.
    pub(super) creates: bool,
}

/// Everything that clients know.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) payers: Vec<Payer>,
    pub(super) works: Vec<Work>,
    pub(super) accounts: Vec<Account>,
}

impl Stage {
    pub(super) fn name(&self) -> Option<&ClientId> {
        match self {
            Stage::There(name) => Some(name),
            Stage::Wanted | Stage::Asked | Stage::Gone => None,
        }
    }
}

impl Work {
    /// What an answer says of it.
    pub(super) fn learn(&mut self, project: &Project) {
        self.spec = project.spec.clone();
        self.etag = project.version;
        self.state = project.state;
    }
}

impl Book {
    /// A project that there is.
    pub(super) fn any_work(&self, random: &mut Random) -> Option<usize> {
        any(random, &self.works, |work| work.stage.name().is_some())
    }

    /// A worker that there is.
    pub(super) fn any_account(&self, random: &mut Random) -> Option<usize> {
        any(random, &self.accounts, |account| account.stage.name().is_some())
    }

    /// A worker for whom something holds, and that waits for no answer.
    pub(super) fn idle(&self, random: &mut Random, is: impl Fn(&Account) -> bool) -> Option<usize> {
        any(random, &self.accounts, |a| a.busy == 0 && a.stage.name().is_some() && is(a))
    }
}

/// The place of one of those for which `is` holds.
pub(super) fn any<T>(random: &mut Random, of: &[T], is: impl Fn(&T) -> bool) -> Option<usize> {
    let from = random.index(of.len());
    (from..of.len()).chain(0..from).find(|at| is(&of[*at]))
}
