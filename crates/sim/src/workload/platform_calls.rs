//! What a platform asks for its workers, and every first create.

use piecework_core::command::{
    CreateKey, CreateProject, CreateRequester, CreateWorker, GrantSkill, UpdateWorker,
};
use piecework_core::{ClientId, Command, Now, TenantId, WallTime};

use super::book::{About, Sent, Stage};
use super::{Kind, Workload, cast};

impl Workload {
    pub(super) fn platform_call(&mut self, kind: Kind, now: Now) -> Option<Sent> {
        if kind == Kind::NewWorker {
            if self.book.accounts.len() < 16 {
                let tenant = TenantId(1 + u32::from(self.mix.tenants > 1 && self.random.one_in(2)));
                let spec = cast::worker(&mut self.random, &self.mix);
                self.book.want_account(&mut self.random, tenant, spec);
            }
            return None;
        }
        let at = match kind {
            Kind::Reinstate => self.book.idle(&mut self.random, |a| a.suspended)?,
            _ => self.book.any_account(&mut self.random)?,
        };
        let skill: String = (*self.random.pick(&cast::SKILLS)).into();
        let random = &mut self.random;
        let account = &self.book.accounts[at];
        let worker = account.stage.name()?.clone();
        let command = match kind {
            Kind::Suspend => Command::SuspendWorker { worker, reason: "too fast".into() },
            Kind::Reinstate => Command::ReinstateWorker { worker },
            Kind::RevokeSkill => Command::RevokeSkill { worker, skill },
            Kind::GrantSkill => {
                let level = u8::try_from(random.below(101)).expect("a level");
                let lasts = WallTime(now.wall.0 + random.between(1_000, 60_000));
                let expires = random.one_in(3).then_some(lasts);
                Command::GrantSkill(GrantSkill { worker, skill, level, expires })
            }
            _ => {
                let mut spec = cast::worker(random, &self.mix);
                if !random.one_in(3) {
                    spec.identity_cluster.clone_from(&account.spec.identity_cluster);
                }
                let requester = account.payer.and_then(|p| self.book.payers[p].stage.name());
                let (requester, etag) = (requester.cloned(), Some(account.etag));
                Command::UpdateWorker(UpdateWorker { worker, spec, requester, etag })
            }
        };
        Some(self.sent(self.book.accounts[at].tenant, About::Account(at), command))
    }

    /// The first thing that is wanted and not asked for yet, if all it needs is there.
    pub(super) fn create_wanted(&mut self) -> Option<Sent> {
        let wanted = |stage: &Stage| *stage == Stage::Wanted;
        if let Some(at) = self.book.payers.iter().position(|p| wanted(&p.stage)) {
            self.book.payers[at].stage = Stage::Asked;
            return Some(self.create_payer(at));
        }
        let there = |at: usize| self.book.payers[at].stage.name().is_some();
        let ready = self.book.works.iter().position(|w| wanted(&w.stage) && there(w.payer));
        if let Some(at) = ready {
            self.book.works[at].stage = Stage::Asked;
            return Some(self.create_work(at));
        }
        let mut accounts = self.book.accounts.iter();
        let at = accounts.position(|a| wanted(&a.stage) && a.payer.is_none_or(there))?;
        self.book.accounts[at].stage = Stage::Asked;
        Some(self.create_account(at))
    }

    fn create_payer(&mut self, at: usize) -> Sent {
        let (name, key) = self.named("r", number(&self.book.payers, at, |p| p.tenant));
        let display_name = "somebody".into();
        let command = CreateRequester { name, display_name, key, ..CreateRequester::default() };
        let tenant = self.book.payers[at].tenant;
        let sent = self.sent(tenant, About::Payer(at), Command::CreateRequester(command));
        Sent { creates: true, ..sent }
    }

    fn create_work(&mut self, at: usize) -> Sent {
        let (name, key) = self.named("p", number(&self.book.works, at, |w| w.tenant));
        let work = &self.book.works[at];
        let requester = self.book.payers[work.payer].stage.name().expect("it is there").clone();
        let create = CreateProject { name, requester, spec: work.spec.clone(), key };
        let sent = self.of_work(at, Command::CreateProject(Box::new(create)));
        Sent { creates: true, ..sent }
    }

    /// Creates a worker: by a create, or by an update of what is not there.
    pub(super) fn create_account(&mut self, at: usize) -> Sent {
        let (name, key) = self.named("w", number(&self.book.accounts, at, |a| a.tenant));
        let account = &self.book.accounts[at];
        let requester = account.payer.and_then(|p| self.book.payers[p].stage.name()).cloned();
        let (tenant, spec) = (account.tenant, account.spec.clone());
        let command = match name {
            Some(worker) if self.random.one_in(4) => {
                Command::UpdateWorker(UpdateWorker { worker, spec, requester, etag: None })
            }
            name => Command::CreateWorker(CreateWorker { name, spec, requester, key }),
        };
        Sent { creates: true, ..self.sent(tenant, About::Account(at), command) }
    }

    /// A name or a request id: the same in every tenant, unique in one.
    fn named(&mut self, prefix: &str, number: usize) -> (Option<ClientId>, Option<CreateKey>) {
        if self.random.percent(self.mix.unnamed) {
            let request_id = cast::id(&format!("{prefix}-create-{number}"));
            let content = cast::fingerprint(&(prefix, number));
            return (None, Some(CreateKey { request_id, content }));
        }
        (Some(cast::id(&format!("{prefix}{number}"))), None)
    }
}

/// How many of the same tenant come before.
fn number<T>(of: &[T], at: usize, tenant: impl Fn(&T) -> TenantId) -> usize {
    of[..at].iter().filter(|other| tenant(other) == tenant(&of[at])).count()
}
