//! Keeping profiles in step with rows: who stands for whom, and what is out of date.
//!
//! Not here: profiles themselves (`matching/profile.rs`), choosing (`matching/pick.rs`).

use crate::engine::State;
use crate::limits::LOOKS_MAX;
use crate::matching::candidates::Candidates;
use crate::matching::pick::{self, Ask, Pick};
use crate::matching::profile::{Profile, ProfileId, Spent};
use crate::matching::profiles::Standing;
use crate::matching::traits::Traits;
use crate::matching::wishes::Wanted;
use crate::project::ProjectSpec;
use crate::{Millis, Now, ProjectId, RequesterId, TenantId, WorkerId};

impl State {
    /// The worker's profile now; its traits are taken anew where they may have changed.
    pub(crate) fn profile_of(&mut self, worker: WorkerId, now: Now) -> ProfileId {
        let room = self.worker_room(worker);
        let tenant = room.worker.tenant;
        let profiles = &self.tenants[&tenant].profiles;
        let old = room.standing;
        let holds = |s: &Standing| {
            s.generation == Some(profiles.generation) && (s.holds.0..s.holds.1).contains(&now.wall)
        };
        if let Some(standing) = old.filter(holds) {
            return standing.profile;
        }
        let generation = Some(profiles.generation);
        let (traits, holds) = Traits::of(self, &profiles.thresholds, &profiles.listing, room, now);
        let profiles = &mut self.tenant_mut(tenant).profiles;
        let (profile, gone) = profiles.move_worker(old.map(|old| old.profile), traits);
        self.worker_room_mut(worker).standing = Some(Standing { profile, generation, holds });
        if let Some((id, gone)) = gone {
            for room in gone.projects() {
                let Some(room) = self.projects.get_mut(&room) else { continue };
                room.fits.remove(&id);
                room.absent_from.remove(&id);
            }
        }
        self.refile(worker);
        profile
    }

    /// Something about a worker has changed that rules look at.
    pub(crate) fn stands_anew(&mut self, worker: WorkerId) {
        if let Some(standing) = &mut self.worker_room_mut(worker).standing {
            standing.generation = None;
        }
    }

    /// A project is new, here or in this run of the daemon.
    pub(crate) fn enroll(&mut self, id: ProjectId) {
        self.open_account(id);
        let room = self.project_room(id);
        let (tenant, spec) = (room.project.tenant, room.project.spec.clone());
        self.tenant_mut(tenant).profiles.add_rules(&spec);
        self.judge_anew(id);
    }

    /// A project has another spec, or stands in another tier. `old`: the spec it had.
    pub(crate) fn rules_change(&mut self, id: ProjectId, old: &ProjectSpec) {
        let room = self.project_room(id);
        let (tenant, spec) = (room.project.tenant, room.project.spec.clone());
        let profiles = &mut self.tenant_mut(tenant).profiles;
        profiles.add_rules(&spec);
        profiles.remove_rules(old);
        self.move_account(id);
        self.judge_anew(id);
    }

    /// Every profile is to judge the project again.
    pub(crate) fn judge_anew(&mut self, id: ProjectId) {
        let room = self.project_room(id);
        let (tenant, old) = (room.project.tenant, room.stamp);
        let stamp = self.tenant_mut(tenant).profiles.stamp(old, id);
        self.project_room_mut(id).stamp = stamp;
    }

    /// A requester has another ceiling or other lists.
    pub(crate) fn requester_changes(&mut self, tenant: TenantId, id: RequesterId) {
        let requester = self.requesters[&id].clone();
        self.tenant_mut(tenant).profiles.list(&requester);
        let own = self.projects.iter().filter(|(_, room)| room.project.requester == id);
        let own: Vec<ProjectId> = own.map(|(project, _)| project).collect();
        for project in own {
            if self.move_account(project) {
                self.judge_anew(project);
            }
        }
    }

    /// A project is back in the rota: into every profile that missed it.
    pub(crate) fn enter_profiles(&mut self, id: ProjectId) {
        let room = self.project_room_mut(id);
        let absent_from = std::mem::take(&mut room.absent_from);
        let room = self.project_room(id);
        let (turn, since) = (self.turn_of(room), room.tally.waiting_since);
        let profiles = &mut self.tenant_mut(room.project.tenant).profiles;
        for profile in absent_from {
            if let Some(profile) = profiles.get_mut(profile) {
                profile.put(&turn, since);
            }
        }
    }

    /// Judges what a profile has not seen. False: there is more than it may look at.
    pub(crate) fn refresh(
        &self,
        tenant: TenantId,
        profile: &mut Profile,
        spent: &mut Spent,
    ) -> bool {
        let profiles = &self.tenants[&tenant].profiles;
        let mut new = profiles.stamped_since(profile.seen);
        loop {
            let Some((stamp, project)) = new.next() else { return true };
            if !spent.look() {
                return false;
            }
            profile.judge(self, project, spent);
            profile.seen = stamp;
        }
    }

    /// One pick for a worker. What it learned on its way is kept.
    pub(crate) fn pick(
        &mut self,
        worker: WorkerId,
        wanted: &Wanted,
        left: Option<Millis>,
        now: Now,
    ) -> Pick {
        let mut spent = Spent::of(LOOKS_MAX);
        let few = wanted.few();
        let profile = if few.is_some() { None } else { Some(self.profile_of(worker, now)) };
        let room = self.worker_room(worker);
        let tenant = room.worker.tenant;
        let mut found = if let Some(few) = few {
            let ask = Ask { worker: room, wanted, left, now, profile };
            pick::pick(self, ask, &mut Candidates::few(self, few), &mut spent)
        } else {
            let id = profile.expect("looked up above");
            let taken = self.tenant_mut(tenant).profiles.take(id);
            let mut taken = taken.expect("one pick at a time");
            let ask = Ask { worker: self.worker_room(worker), wanted, left, now, profile };
            let found = if self.refresh(tenant, &mut taken, &mut spent) {
                pick::pick(self, ask, &mut Candidates::Profile(&mut taken), &mut spent)
            } else {
                pick::unread(self, ask)
            };
            self.tenant_mut(tenant).profiles.put_back(id, taken);
            self.remember(id, &mut spent);
            found
        };
        for (project, key) in found.cursors.drain(..) {
            self.project_room_mut(project).order.stands(worker, key);
        }
        let room = self.worker_room_mut(worker);
        room.resume = found.resume.take();
        if found.task.is_some() {
            room.late = found.late.take();
        }
        found
    }

    /// Rooms remember which profiles they fit, and which took them out.
    pub(crate) fn remember(&mut self, profile: ProfileId, spent: &mut Spent) {
        for (project, fits) in spent.judged.drain(..) {
            let Some(room) = self.projects.get_mut(&project) else { continue };
            if fits {
                room.fits.insert(profile);
            } else {
                room.fits.remove(&profile);
            }
        }
        for project in spent.absent.drain(..) {
            if let Some(room) = self.projects.get_mut(&project) {
                room.absent_from.insert(profile);
            }
        }
    }
}
