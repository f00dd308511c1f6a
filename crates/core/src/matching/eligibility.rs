//! The hard rules: may this worker have work of this project, and this task?
//!
//! The same code decides a pick, a named lease and the reason of an empty answer.
//! Not here: preferences and order.

use crate::engine::{ProjectRoom, State, Task, WorkerRoom};
use crate::lease::{LeaseState, ReturnReason};
use crate::limits;
use crate::outcome::NoWork;
use crate::planted::{self, Mistake};
use crate::project::{Newcomers, ProjectState, Requirements};
use crate::worker::WorkerState;
use crate::{ClientId, EngineTime, Millis, Now, Refusal, WorkerId};

/// Why a worker may not have work of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit<'a> {
    Paused,
    Cancelled,
    Kind,
    OwnRequester,
    Blocked { requester: &'a ClientId, blocked: bool },
    Region(&'a str),
    Skill { skill: &'a str, needed: u8, has: u8 },
    Rating { needed: u8, has: u8 },
    Newcomer { judged: u32, holds: u32, limit: u32 },
    Quota { done: u32, quota: u32 },
}

/// Why a worker may not have a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Been {
    /// For good: it, or an account of the same person, has been there.
    There(&'static str),
    /// It, or an account of the same person, is there: for as long as that lasts.
    Here,
    /// For a while.
    Barred(Millis),
}

/// Checks everything between a worker and a project, by the project's own requirements.
pub(crate) fn fits<'a>(
    state: &'a State,
    worker: &'a WorkerRoom,
    project: &'a ProjectRoom,
    now: Now,
) -> Result<(), Unfit<'a>> {
    meets(state, worker, project, &project.project.spec.requirements, now)
}

/// The first step from `from` on at which the worker satisfies all hard rules; 0 is the
/// project's own requirements.
pub(crate) fn step(
    state: &State,
    worker: &WorkerRoom,
    project: &ProjectRoom,
    now: Now,
    from: u8,
) -> Option<u8> {
    let mut step = from;
    loop {
        let (needs, _) = project.asks(step)?;
        if meets(state, worker, project, needs, now).is_ok() {
            return Some(step);
        }
        step += 1;
    }
}

fn meets<'a>(
    state: &'a State,
    worker: &'a WorkerRoom,
    project: &'a ProjectRoom,
    needs: &'a Requirements,
    now: Now,
) -> Result<(), Unfit<'a>> {
    match project.project.state {
        ProjectState::Active | ProjectState::Closed => {}
        ProjectState::Paused if planted::is(Mistake::PauseGrants) => {}
        ProjectState::Paused => return Err(Unfit::Paused),
        ProjectState::Cancelled { .. } | ProjectState::Deleting => return Err(Unfit::Cancelled),
    }
    let spec = &worker.worker.spec;
    if !needs.kinds.is_empty() && !needs.kinds.contains(&spec.kind) {
        return Err(Unfit::Kind);
    }
    if spec.requester == Some(project.project.requester) {
        return Err(Unfit::OwnRequester);
    }
    let requester = &state.requesters[&project.project.requester];
    if requester.blocks(&worker.worker.name) {
        let blocked = requester.blocked_workers.contains(&worker.worker.name);
        return Err(Unfit::Blocked { requester: &requester.name, blocked });
    }
    if !needs.regions.is_empty() && !needs.regions.contains(&spec.region) {
        return Err(Unfit::Region(&spec.region));
    }
    for (skill, &needed) in &needs.skills {
        let has = worker.level(skill, now);
        if has.is_none_or(|has| has < needed) && !planted::is(Mistake::SkillIgnored) {
            return Err(Unfit::Skill { skill, needed, has: has.unwrap_or_default() });
        }
    }
    let tally = worker.tally(project.project.id);
    rated(worker, needs, tally.live)?;
    let done = tally.answers + tally.live;
    if needs.quota_per_worker > 0 && done >= needs.quota_per_worker {
        return Err(Unfit::Quota { done, quota: needs.quota_per_worker });
    }
    Ok(())
}

/// The minimum rating, or the newcomer rule where evidence is thin.
fn rated(worker: &WorkerRoom, needs: &Requirements, holds: u32) -> Result<(), Unfit<'static>> {
    let (needed, newcomers) = (needs.min_rating, needs.newcomers);
    if needed == 0 {
        return Ok(());
    }
    let judged = worker.judged();
    if judged >= limits::NEWCOMER_JUDGED {
        let has = worker.points(needs.rating_basis);
        return if has < needed { Err(Unfit::Rating { needed, has }) } else { Ok(()) };
    }
    match newcomers {
        Newcomers::Welcome => Ok(()),
        Newcomers::Limit(limit) if holds < limit => Ok(()),
        Newcomers::Limit(limit) => Err(Unfit::Newcomer { judged, holds, limit }),
        Newcomers::Refuse => Err(Unfit::Newcomer { judged, holds, limit: 0 }),
    }
}

/// Checks a worker's standing: active, rested, and with room for `Ok(n)` leases.
pub(crate) fn room(worker: &WorkerRoom, now: Now) -> Result<u32, Refusal> {
    let name = || worker.worker.name.clone();
    if let WorkerState::Suspended { reason } = &worker.worker.state {
        return Err(Refusal::WorkerSuspended { worker: name(), reason: reason.clone() });
    }
    if now.engine < worker.record.cool_until {
        let declines = worker.record.declines_in_a_row;
        let remaining = worker.record.cool_until - now.engine;
        return Err(Refusal::CoolingDown { worker: name(), declines, remaining });
    }
    let (holds, capacity) = (worker.holds(now.engine), capacity(worker));
    let capacity = capacity + u32::from(planted::is(Mistake::CapacityIgnored));
    if holds >= capacity {
        let lowered = is_lowered(worker);
        return Err(Refusal::CapacityReached { worker: name(), holds, capacity, lowered });
    }
    Ok(capacity - holds)
}

/// How many leases a worker may hold now.
pub(crate) fn capacity(worker: &WorkerRoom) -> u32 {
    if is_lowered(worker) {
        return 1;
    }
    worker.worker.spec.capacity.unwrap_or({
        if worker.judged() < limits::NEWCOMER_JUDGED {
            limits::CAPACITY_NEWCOMER
        } else {
            limits::CAPACITY_DEFAULT
        }
    })
}

/// Two expiries in a row leave room for one, until the worker submits.
fn is_lowered(worker: &WorkerRoom) -> bool {
    worker.record.expiries_in_a_row >= 2
}

/// Rule 10 and the bars, for a touched task. Cost: its leases.
pub(crate) fn been(
    state: &State,
    worker: &WorkerRoom,
    task: &Task,
    now: EngineTime,
) -> Result<(), Been> {
    let (mut barred, mut here) = (Millis(0), false);
    for lease in &task.leases {
        let own = lease.worker == worker.worker.id;
        if !own && !same_person(state, worker, lease.worker) {
            continue;
        }
        match &lease.state {
            LeaseState::Submitted(_) if planted::is(Mistake::ForgetAnswered) => {}
            LeaseState::Submitted(_) => return Err(Been::There("answered")),
            LeaseState::Live => here = true,
            LeaseState::Returned { reason, at } if own => match reason {
                ReturnReason::NotForMe => return Err(Been::There("returned as not for it")),
                ReturnReason::BrokenTask => return Err(Been::There("reported as broken")),
                ReturnReason::Declined => {
                    barred = barred.max((*at + state.limits.decline_cooldown) - now);
                }
                ReturnReason::OutOfTime | ReturnReason::Unstarted => {}
            },
            // While an answer may still come late, another lease would let one
            // person answer twice.
            LeaseState::Expired { window_ends, .. } => {
                let bar = if own { state.limits.expiry_bar } else { Millis(0) };
                barred = barred.max((lease.deadline + bar) - now).max(*window_ends - now);
            }
            LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {}
        }
    }
    if here {
        return Err(Been::Here);
    }
    if barred > Millis(0) { Err(Been::Barred(barred)) } else { Ok(()) }
}

fn same_person(state: &State, worker: &WorkerRoom, other: WorkerId) -> bool {
    let cluster = &worker.worker.spec.identity_cluster;
    if cluster.is_empty() {
        return false;
    }
    let same = |o: &WorkerRoom| {
        o.worker.tenant == worker.worker.tenant && o.worker.spec.identity_cluster == *cluster
    };
    state.workers.get(&other).is_some_and(same)
}

impl Unfit<'_> {
    /// How an empty answer counts it.
    pub(crate) fn no_work(self) -> NoWork {
        match self {
            Unfit::Paused | Unfit::Cancelled => NoWork::NotGranting,
            Unfit::Kind => NoWork::Kind,
            Unfit::OwnRequester => NoWork::OwnRequester,
            Unfit::Blocked { .. } => NoWork::Blocked,
            Unfit::Region(_) => NoWork::Region,
            Unfit::Skill { .. } => NoWork::Skill,
            Unfit::Rating { .. } => NoWork::Rating,
            Unfit::Newcomer { .. } => NoWork::Newcomer,
            Unfit::Quota { .. } => NoWork::Quota,
        }
    }

    /// How a named lease is refused.
    pub(crate) fn refusal(self, worker: &ClientId, project: &ClientId) -> Refusal {
        let (worker, project) = (worker.clone(), project.clone());
        match self {
            Unfit::Paused => Refusal::ProjectPaused { project },
            Unfit::Cancelled => Refusal::ProjectCancelled { project },
            Unfit::Kind => Refusal::KindMismatch { project, worker },
            Unfit::OwnRequester => Refusal::OwnRequester { project, worker },
            Unfit::Blocked { requester, blocked } => {
                let requester = requester.clone();
                Refusal::WorkerBlocked { project, worker, requester, blocked }
            }
            Unfit::Region(region) => {
                Refusal::RegionMismatch { project, worker, region: region.to_owned() }
            }
            Unfit::Skill { skill, needed, has } => {
                Refusal::SkillMissing { project, worker, skill: skill.to_owned(), needed, has }
            }
            Unfit::Rating { needed, has } => Refusal::RatingTooLow { project, worker, needed, has },
            Unfit::Newcomer { judged, holds, limit } => Refusal::NewcomerRefused {
                project,
                worker,
                judged,
                needed: limits::NEWCOMER_JUDGED,
                holds,
                limit,
            },
            Unfit::Quota { done, quota } => Refusal::QuotaReached { project, worker, done, quota },
        }
    }
}

impl Been {
    /// How a named lease is refused.
    pub(crate) fn refusal(self, worker: &ClientId, project: &ClientId, task: String) -> Refusal {
        let (worker, project) = (worker.clone(), project.clone());
        match self {
            Been::There(how) => Refusal::AlreadyThere { project, worker, task, how },
            Been::Here => Refusal::AlreadyThere { project, worker, task, how: "leased now" },
            Been::Barred(remaining) => Refusal::Barred { project, worker, task, remaining },
        }
    }
}
