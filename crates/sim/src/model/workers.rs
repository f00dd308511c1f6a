//! Other data of a worker, its skills, its suspension.

use piecework_core::command::{GrantSkill, UpdateWorker};
use piecework_core::event::{Event, Log, What, WorkerEvent};
use piecework_core::lease::{LeaseState, Revocation};
use piecework_core::limits::SKILLS_PER_WORKER_MAX;
use piecework_core::worker::{Skill, SkillSource, Worker, WorkerState};
use piecework_core::{ClientId, Kind, LeaseId, Outcome, Refusal, TenantId, WorkerId};

use super::Model;
use super::written::RowKey;

impl Model {
    /// With the version that is, it changes; without any, where there is no such
    /// worker, it makes one.
    pub(super) fn update_worker(
        &mut self,
        tenant: TenantId,
        cmd: &UpdateWorker,
    ) -> Result<Outcome, Refusal> {
        let spec = self.with_requester(tenant, &cmd.spec, cmd.requester.as_ref())?;
        let id = match self.find_worker(tenant, &cmd.worker) {
            Err(refusal) if cmd.etag.is_some() => return Err(refusal),
            Err(_) => self.add_worker(tenant, Some(cmd.worker.clone()), spec.clone()),
            Ok(id) => {
                let is = self.workers[&id].worker.version;
                if cmd.etag != Some(is) {
                    let (name, sent) = (cmd.worker.clone(), cmd.etag.unwrap_or(0));
                    return Err(Refusal::EtagMismatch { kind: Kind::Worker, name, sent, is });
                }
                id
            }
        };
        self.change_worker(id, |worker| worker.spec = spec);
        Ok(self.seen(id))
    }

    /// A change that changes something makes the next version.
    fn change_worker(&mut self, id: WorkerId, change: impl FnOnce(&mut Worker)) -> bool {
        self.touch(RowKey::Worker(id));
        let worker = &mut self.workers.get_mut(&id).expect("a worker that was found").worker;
        let was = worker.clone();
        change(worker);
        if *worker == was {
            return false;
        }
        worker.version += 1;
        true
    }

    /// One more record in the log of worker events: one dense log a tenant.
    pub(super) fn tell_worker(&mut self, worker: WorkerId, what: WorkerEvent) {
        let tenant = self.workers[&worker].worker.tenant;
        self.touch(RowKey::Tenant(tenant));
        let last = self.tenants.entry(tenant).or_default();
        *last = last.next();
        let sequence = *last;
        let log = Log::Workers(tenant);
        let what = What::Worker { worker, what };
        self.tell_event(Event { log, sequence, at: self.now.wall, what });
    }

    /// A skill that the worker has just so is not told again.
    pub(super) fn grant_skill(
        &mut self,
        tenant: TenantId,
        cmd: &GrantSkill,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_worker(tenant, &cmd.worker)?;
        let worker = &self.workers[&id].worker;
        let (skills, limit) = (worker.skills.len(), SKILLS_PER_WORKER_MAX);
        if skills >= limit && !worker.skills.contains_key(&cmd.skill) {
            return Err(Refusal::TooManySkills { worker: cmd.worker.clone(), skills, limit });
        }
        let skill = Skill { level: cmd.level, source: SkillSource::Granted, expires: cmd.expires };
        let name = cmd.skill.clone();
        if self.change_worker(id, |worker| _ = worker.skills.insert(name, skill)) {
            let (skill, level) = (cmd.skill.clone(), cmd.level);
            self.tell_worker(id, WorkerEvent::SkillGranted { skill, level });
        }
        Ok(self.seen(id))
    }

    pub(super) fn revoke_skill(
        &mut self,
        tenant: TenantId,
        name: &ClientId,
        skill: &str,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_worker(tenant, name)?;
        if !self.change_worker(id, |worker| _ = worker.skills.remove(skill)) {
            return Err(Refusal::SkillNotFound { worker: name.clone(), skill: skill.into() });
        }
        self.tell_worker(id, WorkerEvent::SkillRevoked { skill: skill.into() });
        Ok(self.seen(id))
    }

    /// A suspension revokes the worker's live leases at its own position, which may
    /// decide their tasks. Suspending a suspended worker does nothing.
    pub(super) fn suspend(
        &mut self,
        tenant: TenantId,
        name: &ClientId,
        reason: &str,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_worker(tenant, name)?;
        if self.workers[&id].worker.state != WorkerState::Active {
            return Ok(self.seen(id));
        }
        let reason = reason.to_owned();
        let state = WorkerState::Suspended { reason: reason.clone() };
        self.change_worker(id, |worker| worker.state = state);
        let live = self.leases_of(id).filter(|l| l.is_live());
        let live: Vec<LeaseId> = live.map(|l| l.id).collect();
        for lease in live {
            self.revoke(lease, Revocation::WorkerSuspended);
            self.conclude(lease.task);
            self.look_at_rota(lease.task.project);
        }
        self.tell_worker(id, WorkerEvent::Suspended { reason });
        Ok(self.seen(id))
    }

    /// `live → revoked`.
    pub(super) fn revoke(&mut self, lease: LeaseId, why: Revocation) {
        self.edit_lease(lease).state = LeaseState::Revoked { why };
        let venture = self.projects.get_mut(&lease.task.project).expect("a lease's project");
        venture.revoked += 1;
    }

    pub(super) fn reinstate(
        &mut self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_worker(tenant, name)?;
        if self.change_worker(id, |worker| worker.state = WorkerState::Active) {
            self.tell_worker(id, WorkerEvent::Reinstated);
        }
        Ok(self.seen(id))
    }
}
