//! The rules of matching once more, naively: from the rows alone, without indexes,
//! looking at every task. No code is shared with the engine.

use std::collections::BTreeMap;

use piecework_core::lease::{Lease, LeaseState, ReturnReason};
use piecework_core::project::{Assignment, Newcomers, Project, ProjectState, ProjectTally};

use piecework_core::quality::Basis;
use piecework_core::worker::{Worker, WorkerState};
use piecework_core::{Limits, Now, ProjectId, RequesterId, TaskId, WorkerId};

use crate::world::Rows;

/// (not lapsed, −priority, deadline bucket, ready-at, number)
pub(crate) type Key = (bool, i16, u64, u64, u32);

/// What a project has for a worker.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) project: ProjectId,
    pub(crate) ready: Option<Key>,
    pub(crate) resting: Option<Key>,
}

/// How many leases a worker may get now.
pub(crate) fn room(rows: &Rows, id: WorkerId, now: Now) -> usize {
    let (worker, record) = (&rows.workers[&id], &rows.records[&id]);
    if worker.state != WorkerState::Active || now.engine < record.cool_until {
        return 0;
    }
    let capacity = match (record.expiries_in_a_row, worker.spec.capacity) {
        (2.., _) => 1,
        (_, Some(capacity)) => capacity,
        (_, None) if record.rating.record.judged() < 10 => 1,
        (_, None) => 3,
    };
    let takes = |l: &&Lease| match l.state {
        LeaseState::Live => true,
        LeaseState::Expired { window_ends, released, .. } => !released && now.engine < window_ends,
        _ => false,
    };
    let holds = rows.leases.values().filter(|l| l.worker == id).filter(takes).count();
    (capacity as usize).saturating_sub(holds)
}

/// Every project that may grant to this worker, with its first places.
pub(crate) fn offers(
    rows: &Rows,
    limits: &Limits,
    worker: WorkerId,
    wished: &[ProjectId],
    now: Now,
) -> Vec<Offer> {
    let wanted = |p: &&Project| wished.is_empty() || wished.contains(&p.id);
    let picks = |p: &&Project| p.spec.assignment == Assignment::ServerPicks;
    let projects = rows.projects.values().filter(wanted).filter(picks);
    let open = projects.filter(|p| fits(rows, &rows.workers[&worker], p, now));
    open.map(|project| {
        let mut offer = Offer { project: project.id, ready: None, resting: None };
        for spec in rows.specs_of(project.id) {
            let Some((key, rests)) = place(rows, spec.id, now) else { continue };
            if been(rows, limits, worker, spec.id, now) {
                continue;
            }
            let slot = if rests { &mut offer.resting } else { &mut offer.ready };
            *slot = Some(slot.map_or(key, |best| best.min(key)));
        }
        offer
    })
    .collect()
}

/// Whose turn a project is: the smallest goes first. `before`: as the pick saw it.
pub(crate) fn turn(
    rows: &Rows,
    before: &BTreeMap<ProjectId, ProjectTally>,
    project: ProjectId,
) -> (u8, u64, RequesterId, u64, ProjectId) {
    let requester = rows.projects[&project].requester;
    let tier = |p: &Project| p.spec.tier.max(rows.requesters[&p.requester].tier_ceiling);
    let here = tier(&rows.projects[&project]);
    let own = rows.projects.values().filter(|p| p.requester == requester && tier(p) == here);
    let time = own.map(|p| before[&p.id].requester_time).max().unwrap_or(0);
    (here, time, requester, before[&project].virtual_time, project)
}

/// The hard rules between a worker and a project.
pub(crate) fn fits(rows: &Rows, worker: &Worker, project: &Project, now: Now) -> bool {
    let needs = &project.spec.requirements;
    let mine = |l: &&Lease| l.worker == worker.id && l.id.task.project == project.id;
    let live = rows.leases.values().filter(mine).filter(|l| l.is_live()).count();
    let answered = |l: &&Lease| matches!(l.state, LeaseState::Submitted(_));
    let answers = rows.leases.values().filter(mine).filter(answered).count();
    let skilled = needs.skills.iter().all(|(name, level)| {
        let skill = worker.skills.get(name);
        let skill = skill.filter(|s| s.expires.is_none_or(|at| now.wall < at));
        skill.is_some_and(|s| s.level >= *level)
    });
    let record = &rows.records[&worker.id];
    // Four imagined answers, 70 % of them right.
    let evidence = record.rating.record.agreement;
    let right = evidence.right.clamp(0.0, evidence.all.max(0.0));
    let share = (right + 2.8) / (evidence.all.max(0.0) + 4.0);
    let rating = match needs.rating_basis {
        Basis::Mean => share * 100.0,
        Basis::LowerBound => record.rating.record.standing().low * 100.0,
    };
    let rated = match (needs.min_rating, record.rating.record.judged(), needs.newcomers) {
        (0, _, _) | (_, 0..10, Newcomers::Welcome) => true,
        (_, 0..10, Newcomers::Refuse) => false,
        (_, 0..10, Newcomers::Limit(limit)) => live < limit as usize,
        (minimum, _, _) => rating + 1e-7 >= f64::from(minimum),
    };
    let quota = needs.quota_per_worker as usize;
    matches!(project.state, ProjectState::Active | ProjectState::Closed)
        && (needs.kinds.is_empty() || needs.kinds.contains(&worker.spec.kind))
        && (needs.regions.is_empty() || needs.regions.contains(&worker.spec.region))
        && worker.spec.requester != Some(project.requester)
        && !rows.requesters[&project.requester].blocks(&worker.name)
        && skilled
        && rated
        && (quota == 0 || answers + live < quota)
}

/// A task's key and whether its free places rest; `None` without a free place.
pub(crate) fn place(rows: &Rows, task: TaskId, now: Now) -> Option<(Key, bool)> {
    let (spec, record) = (&rows.specs[&task], rows.tasks.get(&task));
    let order = record.map_or(spec.order, |r| r.order);
    let (counted, live) = rows.taken(task);
    let free = usize::from(order.wanted).checked_sub(counted + live).filter(|free| *free > 0)?;
    let newest = rows.leases_of(task).last();
    let most = newest.map(|l| rows.terms[&(task.project, l.revision)].lease.max_attempts as usize);
    let exhausted = record.is_some_and(|r| most.is_some_and(|most| r.attempts.len() >= most));
    if record.is_some_and(|r| !r.state.is_open()) || exhausted {
        return None;
    }
    let rests = |l: &&Lease| match l.state {
        LeaseState::Expired { rests_until, released, .. } => !released && now.engine < rests_until,
        _ => false,
    };
    let resting = rows.leases_of(task).filter(rests).count();
    let bucket = order.deadline.map_or(u64::MAX, |at| at.0 / 65_536);
    let lapsed = record.is_some_and(|r| r.lapsed);
    let key = (!lapsed, -i16::from(order.priority), bucket, order.ready_at.0, task.number.0);
    Some((key, resting >= free))
}

/// Rule 10 and the bars.
pub(crate) fn been(rows: &Rows, limits: &Limits, worker: WorkerId, task: TaskId, now: Now) -> bool {
    let cluster = &rows.workers[&worker].spec.identity_cluster;
    let own = |l: &Lease| l.worker == worker;
    let same = |l: &Lease| {
        own(l) || (!cluster.is_empty() && rows.workers[&l.worker].spec.identity_cluster == *cluster)
    };
    rows.leases_of(task).filter(|l| same(l)).any(|lease| match &lease.state {
        LeaseState::Live | LeaseState::Submitted(_) => true,
        LeaseState::Expired { window_ends, .. } => {
            let barred = own(lease) && now.engine < lease.deadline + limits.expiry_bar;
            barred || now.engine < *window_ends
        }
        LeaseState::Returned { reason, at } => match reason {
            ReturnReason::NotForMe | ReturnReason::BrokenTask => own(lease),
            ReturnReason::Declined => own(lease) && now.engine < *at + limits.decline_cooldown,
            ReturnReason::OutOfTime | ReturnReason::Unstarted => false,
        },
        LeaseState::Revoked { .. } => false,
    })
}
