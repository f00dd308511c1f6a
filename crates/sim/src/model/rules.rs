//! The hard rules, and which places are free: by looking at everything.

use piecework_core::lease::{LeaseState, ReturnReason};
use piecework_core::limits::{CAPACITY_DEFAULT, CAPACITY_NEWCOMER, NEWCOMER_JUDGED};
use piecework_core::outcome::NoWork;
use piecework_core::project::{Newcomers, ProjectState, Requirements};
use piecework_core::worker::{Worker, WorkerState};
use piecework_core::{Millis, ProjectId, Refusal, TaskId, WorkerId};

use super::Model;

impl Model {
    /// Why a worker gets nothing of a project that `needs` this, and how an empty
    /// answer counts it: the first rule that is broken, in this order.
    pub(super) fn unfit(
        &self,
        who: WorkerId,
        id: ProjectId,
        needs: &Requirements,
    ) -> Option<(NoWork, Refusal)> {
        let (person, about) = (&self.workers[&who], &self.projects[&id].project);
        let spec = &person.worker.spec;
        let (project, worker) = (about.name.clone(), person.worker.name.clone());
        // It grants while it is active, and drains while it is closed.
        match about.state {
            ProjectState::Active | ProjectState::Closed => {}
            ProjectState::Paused => {
                return Some((NoWork::NotGranting, Refusal::ProjectPaused { project }));
            }
            ProjectState::Cancelled { .. } | ProjectState::Deleting => {
                return Some((NoWork::NotGranting, Refusal::ProjectCancelled { project }));
            }
        }
        if !needs.kinds.is_empty() && !needs.kinds.contains(&spec.kind) {
            return Some((NoWork::Kind, Refusal::KindMismatch { project, worker }));
        }
        if spec.requester == Some(about.requester) {
            return Some((NoWork::OwnRequester, Refusal::OwnRequester { project, worker }));
        }
        let payer = &self.requesters[&about.requester];
        let all = payer.allowed_workers.is_empty();
        let allowed = all || payer.allowed_workers.contains(&worker);
        let blocked = payer.blocked_workers.contains(&worker);
        if !allowed || blocked {
            let requester = payer.name.clone();
            let why = Refusal::WorkerBlocked { project, worker, requester, blocked };
            return Some((NoWork::Blocked, why));
        }
        if !needs.regions.is_empty() && !needs.regions.contains(&spec.region) {
            let region = spec.region.clone();
            return Some((NoWork::Region, Refusal::RegionMismatch { project, worker, region }));
        }
        for (skill, needed) in &needs.skills {
            // A skill counts until the wall clock says that it has ended.
            let has = person.worker.skills.get(skill);
            let has = has.filter(|s| s.expires.is_none_or(|at| self.now.wall < at));
            let has = has.map(|s| s.level);
            if has.is_none_or(|level| level < *needed) {
                let (skill, needed, has) = (skill.clone(), *needed, has.unwrap_or(0));
                let why = Refusal::SkillMissing { project, worker, skill, needed, has };
                return Some((NoWork::Skill, why));
            }
        }
        self.unproven(who, id, needs)
    }

    /// The rules that look at what a worker did: a minimum rating holds from ten judged
    /// answers on, and before that the newcomer rule; a quota counts answers taken and
    /// leases that live.
    fn unproven(
        &self,
        who: WorkerId,
        id: ProjectId,
        needs: &Requirements,
    ) -> Option<(NoWork, Refusal)> {
        let (person, about) = (&self.workers[&who], &self.projects[&id].project);
        let (project, worker) = (about.name.clone(), person.worker.name.clone());
        let live = self.leases_of(who).filter(|l| l.is_live() && l.id.task.project == id).count();
        let live = u32::try_from(live).expect("few leases");
        if needs.min_rating > 0 {
            let record = &person.record.rating.record;
            let judged = record.judged();
            let limit = match needs.newcomers {
                Newcomers::Welcome => u32::MAX,
                Newcomers::Limit(limit) => limit,
                Newcomers::Refuse => 0,
            };
            let has = record.points(needs.rating_basis);
            if judged >= NEWCOMER_JUDGED && has < needs.min_rating {
                let needed = needs.min_rating;
                let why = Refusal::RatingTooLow { project, worker, needed, has };
                return Some((NoWork::Rating, why));
            }
            if judged < NEWCOMER_JUDGED && live >= limit {
                let (needed, holds) = (NEWCOMER_JUDGED, live);
                let why =
                    Refusal::NewcomerRefused { project, worker, judged, needed, holds, limit };
                return Some((NoWork::Newcomer, why));
            }
        }
        let done = person.answers.get(&id).copied().unwrap_or(0) + live;
        let quota = needs.quota_per_worker;
        if quota > 0 && done >= quota {
            return Some((NoWork::Quota, Refusal::QuotaReached { project, worker, done, quota }));
        }
        None
    }

    /// How many more leases a worker may have: none while it is suspended or cools
    /// down; else its capacity less what it holds.
    pub(super) fn room(&self, who: WorkerId) -> Result<u32, Refusal> {
        let person = &self.workers[&who];
        let (worker, record) = (person.worker.name.clone(), &person.record);
        if let WorkerState::Suspended { reason } = &person.worker.state {
            return Err(Refusal::WorkerSuspended { worker, reason: reason.clone() });
        }
        if self.now.engine < record.cool_until {
            let remaining = record.cool_until - self.now.engine;
            let declines = record.declines_in_a_row;
            return Err(Refusal::CoolingDown { worker, declines, remaining });
        }
        // Two lapses in a row leave room for one, until it answers.
        let capacity = match (record.expiries_in_a_row, person.worker.spec.capacity) {
            (2.., _) => 1,
            (_, Some(capacity)) => capacity,
            (_, None) if record.rating.record.judged() < NEWCOMER_JUDGED => CAPACITY_NEWCOMER,
            (_, None) => CAPACITY_DEFAULT,
        };
        // An expired lease counts until its window ends, unless it was given up or its
        // place was taken: no hoarding.
        let holds = self.leases_of(who).filter(|l| match l.state {
            LeaseState::Live => true,
            LeaseState::Expired { window_ends, released, .. } => {
                !released && self.now.engine < window_ends
            }
            _ => false,
        });
        let holds = u32::try_from(holds.count()).expect("few leases");
        if holds >= capacity {
            let lowered = record.expiries_in_a_row >= 2;
            return Err(Refusal::CapacityReached { worker, holds, capacity, lowered });
        }
        Ok(capacity - holds)
    }

    /// Rule 10: nobody gets a task that it answered, returned as not for it or
    /// reported; nor one that an account of the same person answered or holds. A
    /// lapse bars for a day, a decline for a cool-down, and a late window bars both
    /// the worker and its other accounts.
    pub(super) fn been(&self, who: WorkerId, task: TaskId) -> Option<Been> {
        let person = &self.workers[&who].worker;
        let now = self.now.engine;
        let (mut left, mut here) = (Millis(0), false);
        for lease in &self.tasks[&task].leases {
            let own = lease.worker == person.id;
            if !own && !self.is_same_person(person, lease.worker) {
                continue;
            }
            match lease.state {
                LeaseState::Submitted(_) => return Some(Been::There("answered")),
                LeaseState::Live => here = true,
                LeaseState::Returned { reason, at } if own => match reason {
                    ReturnReason::NotForMe => return Some(Been::There("returned as not for it")),
                    ReturnReason::BrokenTask => return Some(Been::There("reported as broken")),
                    ReturnReason::Declined => {
                        left = left.max((at + self.limits.decline_cooldown) - now);
                    }
                    ReturnReason::OutOfTime | ReturnReason::Unstarted => {}
                },
                LeaseState::Expired { window_ends, .. } => {
                    left = left.max(window_ends - now);
                    if own {
                        left = left.max((lease.deadline + self.limits.expiry_bar) - now);
                    }
                }
                LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {}
            }
        }
        match (here, left) {
            (true, _) => Some(Been::There("leased now")),
            (false, Millis(0)) => None,
            (false, left) => Some(Been::Barred(left)),
        }
    }

    /// Accounts of one person share a cluster, inside one tenant.
    fn is_same_person(&self, worker: &Worker, other: WorkerId) -> bool {
        let cluster = &worker.spec.identity_cluster;
        if cluster.is_empty() {
            return false;
        }
        let other = &self.workers[&other].worker;
        other.tenant == worker.tenant && other.spec.identity_cluster == *cluster
    }

    /// As many distinct workers let it go as the terms of its newest lease allow.
    pub(super) fn is_exhausted(&self, id: TaskId) -> bool {
        let task = &self.tasks[&id];
        let Some(newest) = task.leases.last() else { return false };
        let most = self.terms(id.project, newest.revision).lease.max_attempts;
        task.record.attempts.len() >= most as usize
    }

    /// Whether a task has a free place, and if so whether its free places all rest
    /// after expiries. A rest ends when a tick says so, or at the task's next change.
    pub(super) fn place(&self, id: TaskId) -> Option<bool> {
        let task = &self.tasks[&id];
        if !task.record.state.is_open() || task.is_full() || self.is_exhausted(id) {
            return None;
        }
        let rests = task.leases.iter().filter(|l| match l.state {
            LeaseState::Expired { rests_until, released, .. } => {
                !released && task.looked < rests_until
            }
            _ => false,
        });
        Some(rests.count() >= task.wanted() - task.counted() - task.live())
    }
}

/// Why a worker may not have a task.
pub(super) enum Been {
    /// It, or an account of the same person, was or is there.
    There(&'static str),
    /// Not yet.
    Barred(Millis),
}
