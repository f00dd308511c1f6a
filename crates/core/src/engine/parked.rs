//! Workers that wait for work, and whom a change wakes: longest idle first.
//!
//! Waiting workers are filed by profile and by idle time. A project in which somebody
//! may find something new *stirs*; the workers that its profiles fit are handed out
//! one by one, for as long as it has places, and no more is looked at in one call
//! than a pick may look at. A worker whose own affairs changed is handed out, too.
//!
//! Invariant: a filed worker stands in all three orders under the profile and the
//! idle time that it was filed with.
//!
//! Not here: the calls of these workers and their patience (the writer's).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::engine::state::State;
use crate::limits::LOOKS_MAX;
use crate::matching::profile::{ProfileId, Spent};
use crate::{EngineTime, Now, ProjectId, TenantId, WorkerId};

/// Since when a worker has been idle, and who it is: the smallest goes first.
type Idle = (EngineTime, WorkerId);

/// With so many profiles that a project fits, the longest idle of each are compared;
/// with more, all that wait are looked at in the order of their idle time.
const PROFILES_COMPARED: usize = 64;

/// The waiting workers of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    of: BTreeMap<WorkerId, (EngineTime, ProfileId)>,
    by_idle: BTreeSet<Idle>,
    by_profile: BTreeMap<ProfileId, BTreeSet<Idle>>,
    /// Thresholds' generation for which workers are being filed anew, and who is next.
    filing: (u64, Option<WorkerId>),
    /// Newest project that the profiles of these workers are judging, and which is next.
    reading: (u64, Option<ProfileId>),
}

/// How far the workers that a project may wake have been handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stir {
    after: Option<Idle>,
    /// It stirred again meanwhile: once more from the longest idle one on.
    again: bool,
}

impl Parked {
    fn file(&mut self, worker: WorkerId, idle: EngineTime, profile: ProfileId) {
        self.take(worker);
        self.of.insert(worker, (idle, profile));
        self.by_idle.insert((idle, worker));
        self.by_profile.entry(profile).or_default().insert((idle, worker));
    }

    fn take(&mut self, worker: WorkerId) -> Option<(EngineTime, ProfileId)> {
        let (idle, profile) = self.of.remove(&worker)?;
        self.by_idle.remove(&(idle, worker));
        if let Some(of) = self.by_profile.get_mut(&profile) {
            of.remove(&(idle, worker));
            if of.is_empty() {
                self.by_profile.remove(&profile);
            }
        }
        Some((idle, profile))
    }

    /// The next worker after `after` that one of these profiles stands for. `Err`: how
    /// far it came before there was no more to spend.
    fn next(
        &self,
        fits: &BTreeSet<ProfileId>,
        after: Option<Idle>,
        spent: &mut Spent,
    ) -> Result<Option<Idle>, Option<Idle>> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        if fits.len() <= PROFILES_COMPARED {
            let waiting = fits.iter().filter_map(|profile| self.by_profile.get(profile));
            let firsts = waiting.filter_map(|of| of.range(range).next());
            return Ok(firsts.min().copied());
        }
        let mut at = after;
        for idle in self.by_idle.range(range) {
            if !spent.look() {
                return Err(at);
            }
            at = Some(*idle);
            if self.of.get(&idle.1).is_some_and(|(_, profile)| fits.contains(profile)) {
                return Ok(at);
            }
        }
        Ok(None)
    }

    /// Everybody, longest idle first.
    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.by_idle.iter().map(|(_, worker)| *worker)
    }

    /// Whether the three orders agree.
    pub(crate) fn is_sound(&self) -> bool {
        let mut again = Parked::default();
        self.of.iter().for_each(|(worker, (idle, profile))| again.file(*worker, *idle, *profile));
        again.by_idle == self.by_idle && again.by_profile == self.by_profile
    }
}

impl State {
    /// A worker waits for work from now on.
    pub(crate) fn park(&mut self, worker: WorkerId, now: Now) {
        self.profile_of(worker, now);
        self.worker_room_mut(worker).parked = true;
        self.seen(worker, now.engine);
        self.refile(worker);
    }

    /// It waits no more. It was here until now.
    pub(crate) fn unpark(&mut self, worker: WorkerId, now: EngineTime) {
        let Some(room) = self.workers.get_mut(&worker).filter(|room| room.parked) else { return };
        room.parked = false;
        let tenant = room.worker.tenant;
        self.seen(worker, now);
        self.tenant_mut(tenant).parked.take(worker);
        self.own.remove(&worker);
        if self.tenants.values().all(|tenant| tenant.parked.of.is_empty()) {
            // Nobody is left to be tried.
            self.stirred.clear();
        }
    }

    /// Files a waiting worker under what is true of it now.
    pub(crate) fn refile(&mut self, worker: WorkerId) {
        let room = self.worker_room(worker);
        let Some(standing) = room.standing.filter(|_| room.parked) else { return };
        let (tenant, idle) = (room.worker.tenant, room.idle_since());
        let room = self.tenant_mut(tenant);
        let parked = &mut room.parked;
        if parked.of.get(&worker) == Some(&(idle, standing.profile)) {
            return;
        }
        parked.file(worker, idle, standing.profile);
        // It may be the first that waits for what this profile fits.
        let newest = room.profiles.last_stamp();
        let seen = room.profiles.get_mut(standing.profile).map(|profile| profile.seen);
        if seen.is_some_and(|seen| seen < newest) {
            let from = parked.reading.1.map_or(standing.profile, |at| at.min(standing.profile));
            parked.reading.1 = Some(from);
        }
    }

    /// A worker's own affairs have changed: it may find something now.
    pub(crate) fn wake(&mut self, worker: WorkerId) {
        if self.worker_room(worker).parked {
            self.own.insert(worker);
        }
    }

    /// Somebody may find something in this project that was not there before.
    pub(crate) fn stir(&mut self, project: ProjectId) {
        let tenant = self.project_room(project).project.tenant;
        let tenant = self.tenant_mut(tenant);
        tenant.stirs += 1;
        if tenant.parked.of.is_empty() {
            return;
        }
        let stir = self.stirred.entry(project);
        stir.and_modify(|stir| stir.again = true).or_default();
    }

    /// The next waiting worker to try. `None`: nobody, or nobody in this turn.
    pub(crate) fn next_woken(&mut self, now: Now) -> Option<WorkerId> {
        let mut spent = Spent::of(LOOKS_MAX);
        let tenants = self.tenants.iter().filter(|(_, tenant)| !tenant.parked.of.is_empty());
        let tenants: Vec<TenantId> = tenants.map(|(id, _)| *id).collect();
        for tenant in tenants {
            if !self.file_anew(tenant, now, &mut spent) || !self.read(tenant, &mut spent) {
                return None;
            }
        }
        if let Some(worker) = self.own.pop_first() {
            return Some(worker);
        }
        while let Some((project, stir)) = self.stirred.first_key_value().map(|(p, s)| (*p, *s)) {
            match self.next_of(project, stir.after, &mut spent) {
                Ok(Some(idle)) => {
                    self.stirred.insert(project, Stir { after: Some(idle), ..stir });
                    return Some(idle.1);
                }
                Ok(None) if stir.again => _ = self.stirred.insert(project, Stir::default()),
                Ok(None) => _ = self.stirred.remove(&project),
                Err(after) => {
                    self.stirred.insert(project, Stir { after, ..stir });
                    return None;
                }
            }
            if !spent.look() {
                return None;
            }
        }
        None
    }

    /// Whether there is somebody to try, or to find out about.
    pub(crate) fn is_waking(&self) -> bool {
        let behind = |tenant: &super::rooms::TenantRoom| {
            let (filed, read) = (tenant.parked.filing, tenant.parked.reading);
            !tenant.parked.of.is_empty()
                && ((filed.0, read.0) != (tenant.profiles.generation, tenant.profiles.last_stamp())
                    || filed.1.is_some()
                    || read.1.is_some())
        };
        !self.own.is_empty() || !self.stirred.is_empty() || self.tenants.values().any(behind)
    }

    fn next_of(
        &self,
        project: ProjectId,
        after: Option<Idle>,
        spent: &mut Spent,
    ) -> Result<Option<Idle>, Option<Idle>> {
        let room = self.projects.get(&project).filter(|room| room.in_rota);
        let Some(room) = room else { return Ok(None) };
        self.tenants[&room.project.tenant].parked.next(&room.fits, after, spent)
    }

    /// Thresholds are new: every waiting worker is filed under its traits of now, and
    /// tried where they changed. False: some are still to come.
    fn file_anew(&mut self, tenant: TenantId, now: Now, spent: &mut Spent) -> bool {
        let room = self.tenant_mut(tenant);
        let generation = room.profiles.generation;
        if room.parked.filing.0 != generation {
            room.parked.filing = (generation, Some(WorkerId(0)));
        }
        while let Some(from) = self.tenants[&tenant].parked.filing.1 {
            let next = self.tenants[&tenant].parked.of.range(from..).next();
            let next = next.map(|(worker, (_, profile))| (*worker, *profile));
            if next.is_some() && !spent.look() {
                return false;
            }
            if let Some((worker, profile)) = next
                && self.profile_of(worker, now) != profile
            {
                self.own.insert(worker);
            }
            let after = next.map(|(worker, _)| WorkerId(worker.0 + 1));
            self.tenant_mut(tenant).parked.filing.1 = after;
        }
        true
    }

    /// Projects are new: every profile of a waiting worker judges them. False: some are
    /// still to come.
    fn read(&mut self, tenant: TenantId, spent: &mut Spent) -> bool {
        let room = self.tenant_mut(tenant);
        let newest = room.profiles.last_stamp();
        if room.parked.reading.0 != newest {
            room.parked.reading = (newest, Some(ProfileId(0)));
        }
        while let Some(from) = self.tenants[&tenant].parked.reading.1 {
            let next = self.tenants[&tenant].parked.by_profile.range(from..).next();
            let Some(id) = next.map(|(id, _)| *id) else {
                self.tenant_mut(tenant).parked.reading.1 = None;
                break;
            };
            let Some(mut profile) = self.tenant_mut(tenant).profiles.take(id) else { break };
            let all = self.refresh(tenant, &mut profile, spent);
            self.tenant_mut(tenant).profiles.put_back(id, profile);
            self.remember(id, spent);
            if !all || !spent.look() {
                return false;
            }
            self.tenant_mut(tenant).parked.reading.1 = Some(ProfileId(id.0 + 1));
        }
        true
    }
}
