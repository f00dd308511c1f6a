//! `open → live`. A worker gets places, by the daemon's order or by name.
//!
//! A retry with the same request id gets the same leases, or how they ended.
//! An empty answer is never recorded and says why.

use crate::change::Change;
use crate::command::{LeaseTasks, TaskRef};
use crate::engine::apply::finish;
use crate::engine::{Changes, State, Stop, WorkerRoom, text};
use crate::lease::{Grant, Lease, LeaseState};
use crate::limits::LEASE_REQUESTS_KEPT;
use crate::matching::fairness::{self, RunnersUp, Turn};
use crate::matching::why_none::why_none;
use crate::matching::wishes::{Wanted, pace};
use crate::matching::{eligibility, explain};
use crate::outcome::{Leased, NoWork, Overdue};
use crate::planted::{self, Mistake};
use crate::project::Assignment;
use crate::worker::LeaseRequest;
use crate::{LeaseId, Millis, Now, Outcome, ProjectId, Refusal, TaskId, TenantId, WorkerId};

pub(super) fn lease(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &LeaseTasks,
) -> Result<Outcome, Stop> {
    let worker = state.worker(tenant, &cmd.worker)?;
    if let Some(again) = again(state, changes.now, worker, cmd)? {
        return Ok(again);
    }
    let (id, wanted) = (worker.worker.id, Wanted::of(state, tenant, &cmd.wishes)?);
    let room = eligibility::room(worker, changes.now);
    if cmd.task.is_none() {
        state.asks(id, &wanted);
    }
    let worker = state.worker_room(id);
    let Picked { leases, overdue, unfinished } = if let Some(reference) = &cmd.task {
        let task = named(state, changes.now, tenant, worker, reference)?;
        let request = next_request(state, cmd, id);
        let none = (task, RunnersUp::default());
        let leases = vec![grant(state, changes, id, none, request, cmd)];
        Picked { leases, ..Picked::default() }
    } else {
        let most = match room {
            Ok(most) => most,
            Err(Refusal::CapacityReached { .. }) => return Ok(nothing(NoWork::CapacityReached)),
            Err(Refusal::CoolingDown { .. }) => return Ok(nothing(NoWork::CoolingDown)),
            Err(refusal) => return Err(refusal.into()),
        };
        picked(state, changes, id, &wanted, cmd, most)
    };
    if leases.is_empty() && unfinished {
        return Ok(Outcome::Leased(Leased { unfinished, ..Leased::default() }));
    }
    if leases.is_empty() && state.quiet {
        return Ok(Outcome::Leased(Leased::default()));
    }
    if leases.is_empty() {
        let none_because = why_none(state, id, &wanted, changes.now);
        return Ok(Outcome::Leased(Leased { none_because, ..Leased::default() }));
    }
    let grants = leases.iter().map(|l| grant_view(state, l, changes.now)).collect();
    remember(state, changes, id, cmd, leases.iter().map(|l| l.id).collect());
    Ok(Outcome::Leased(Leased { grants, overdue, ..Leased::default() }))
}

/// What was picked for one call.
#[derive(Default)]
struct Picked {
    leases: Vec<Lease>,
    /// Per lease.
    overdue: Vec<Overdue>,
    /// More is to be looked at.
    unfinished: bool,
}

fn nothing(why: NoWork) -> Outcome {
    Outcome::Leased(Leased { none_because: vec![(why, 0)], ..Leased::default() })
}

/// The answer to a request id that was used before.
fn again(
    state: &State,
    now: Now,
    worker: &WorkerRoom,
    cmd: &LeaseTasks,
) -> Result<Option<Outcome>, Stop> {
    let Some(request_id) = &cmd.request_id else { return Ok(None) };
    let Some(request) = worker.request_ids.get(request_id).and_then(|n| worker.requests.get(n))
    else {
        return Ok(None);
    };
    if planted::is(Mistake::LeaseRetryGrants) {
        return Ok(None);
    }
    if request.content != cmd.content {
        return Err(Refusal::RequestIdReused { request_id: request_id.clone() }.into());
    }
    // A project that was deleted meanwhile took its leases along.
    let tenant = worker.worker.tenant;
    let known = || request.leases.iter().filter(|l| state.leased_task(tenant, **l).is_some());
    state.warm(known().map(|l| l.task))?;
    let grants = known()
        .filter_map(|id| Some(grant_view(state, state.tasks.get(&id.task)?.lease(id.number)?, now)))
        .collect();
    Ok(Some(Outcome::Leased(Leased { grants, ..Leased::default() })))
}

/// The task that the worker named, if it may have it.
fn named(
    state: &State,
    now: Now,
    tenant: TenantId,
    worker: &WorkerRoom,
    reference: &TaskRef,
) -> Result<TaskId, Stop> {
    let id = state.find(tenant, reference)?;
    let project = state.project_room(id.project);
    let name = || project.project.name.clone();
    if project.project.spec.assignment == Assignment::ServerPicks {
        return Err(Refusal::ServerPicks { project: name() }.into());
    }
    let task = state.task(id)?;
    explain::hinders(state, worker, (id, task.as_deref(), &text(&reference.task)), now)?;
    Ok(id)
}

/// Up to `cmd.count` places by the daemon's order.
fn picked(
    state: &mut State,
    changes: &mut Changes,
    worker: WorkerId,
    wanted: &Wanted,
    cmd: &LeaseTasks,
    most: u32,
) -> Picked {
    let (mut all, mut left) = (Picked::default(), wanted.within());
    for _ in 0..cmd.count.min(most) {
        let found = state.pick(worker, wanted, left, changes.now);
        all.unfinished = found.unfinished;
        let Some(task) = found.task else { break };
        left = left.map(|left| {
            let project = state.project_room(task.project);
            let pace = pace(state.worker_room(worker), project, found.duration_class);
            let pace = pace.filter(|_| !planted::is(Mistake::BoxIgnored));
            Millis(left.0.saturating_sub(pace.map_or(0, |pace| pace.expected.0)))
        });
        if let Overdue::StoodBack(project) = found.overdue {
            state.project_room_mut(project).passes += u8::from(!planted::is(Mistake::GapIgnored));
        }
        let request = next_request(state, cmd, worker);
        all.leases.push(grant(state, changes, worker, (task, found.runners_up), request, cmd));
        all.overdue.push(found.overdue);
    }
    bundle(state, changes, wanted.within(), &mut all.leases);
    all
}

/// What is granted together has one deadline, since it is taken along together: that
/// of the longest lease, within the shortest hold and the worker's time box.
fn bundle(state: &mut State, changes: &mut Changes, within: Option<Millis>, leases: &mut [Lease]) {
    let policy = |lease: &Lease| state.project_room(lease.id.task.project).project.spec.terms.lease;
    let Some(longest) = leases.iter().map(|lease| policy(lease).duration).max() else { return };
    // One alone is as long as its project says, whatever it may be held for.
    let hold = leases.iter().map(|lease| policy(lease).max_hold).min();
    let hold = hold.filter(|_| leases.len() > 1);
    let grace = leases.iter().map(|lease| policy(lease).late_grace).min().unwrap_or_default();
    let boxed = within.map(|within| Millis(within.0.saturating_add(grace.0)));
    let length = [hold, boxed].into_iter().flatten().fold(longest, Millis::min);
    let deadline = changes.now.engine + length;
    for lease in leases.iter_mut().filter(|lease| lease.deadline != deadline) {
        lease.deadline = deadline;
        let mut edit = state.open(lease.id.task);
        edit.lease(lease.id.number).deadline = deadline;
        state.close(edit, changes);
    }
}

fn next_request(state: &State, cmd: &LeaseTasks, worker: WorkerId) -> u32 {
    match cmd.request_id {
        Some(_) => state.worker_room(worker).record.last_request + 1,
        None => 0,
    }
}

/// Decided: nothing below can refuse.
fn grant(
    state: &mut State,
    changes: &mut Changes,
    worker: WorkerId,
    (task, runners_up): (TaskId, RunnersUp),
    request: u32,
    cmd: &LeaseTasks,
) -> Lease {
    let now = changes.now;
    charge(state, changes, (worker, task.project), runners_up);
    let mut edit = state.open(task);
    let room = state.project_room(task.project);
    let policy = room.project.spec.terms.lease;
    let lease = Lease {
        id: edit.next_lease(),
        worker,
        request,
        revision: room.project.revision,
        granted: now.engine,
        granted_wall: now.wall,
        deadline: now.engine + policy.duration,
        state: LeaseState::Live,
        claim_by: cmd.claim.then(|| now.engine + state.limits.claim_within),
        draft: false,
    };
    edit.add(lease.clone());
    edit.task.record.lapsed = false;
    if edit.task.counted() + edit.task.live() >= edit.task.record.order.wanted {
        finish::release_expired(&mut edit);
    }
    state.worker_room_mut(worker).record.idle_since = now.engine;
    state.refile(worker);
    changes.worker(worker);
    state.close(edit, changes);
    lease
}

/// Virtual time is charged at the grant; the project's wait begins anew.
fn charge(
    state: &mut State,
    changes: &mut Changes,
    (worker, project): (WorkerId, ProjectId),
    runners_up: RunnersUp,
) {
    let room = state.project_room(project);
    let (tenant, account) = (room.project.tenant, room.account());
    let turn = state.turn_of(room);
    let was = room.tally.requester_time;
    let cost = |requester| fairness::cost(state.weight(requester));
    let other = runners_up.requester.map(|(time, requester)| (time, cost(requester)));
    let time = fairness::requester_time(turn.requester_time, cost(account.requester), other);
    let project_time = fairness::project_time(turn.project_time, runners_up.project);
    let profile = state.worker_room(worker).standing.map(|standing| standing.profile);
    let room = state.tenant_mut(tenant);
    room.accounts.add(account, time, project);
    room.accounts.remove(account, was, project);
    if let Some(profile) = profile.and_then(|profile| room.profiles.get_mut(profile)) {
        profile.charged(&Turn { requester_time: time, project_time, ..turn });
    }
    let room = state.project_room_mut(project);
    room.tally.requester_time = time;
    room.tally.virtual_time = project_time;
    room.tally.waiting_since = changes.now.engine;
    room.passes = 0;
    changes.project(project);
    state.pay(project, changes);
}

/// A granting call is found again by its request id: while one of its leases
/// lives, and for the worker's last sixteen in any case.
fn remember(
    state: &mut State,
    changes: &mut Changes,
    id: WorkerId,
    cmd: &LeaseTasks,
    leases: Vec<LeaseId>,
) {
    let Some(request_id) = &cmd.request_id else { return };
    let room = state.worker_room_mut(id);
    let tenant = room.worker.tenant;
    room.record.last_request += 1;
    let number = room.record.last_request;
    let request = LeaseRequest {
        worker: id,
        number,
        request_id: request_id.clone(),
        content: cmd.content,
        leases,
    };
    room.request_ids.insert(request_id.clone(), number);
    room.requests.insert(number, request.clone());
    changes.push(tenant, Change::LeaseRequest(Box::new(request)));
    if let Some(old) = number.checked_sub(u32::try_from(LEASE_REQUESTS_KEPT).unwrap_or(u32::MAX)) {
        forget_dead(state, changes, id, old);
    }
}

/// Forgets the granting calls up to `through` of which no lease lives.
fn forget_dead(state: &mut State, changes: &mut Changes, id: WorkerId, through: u32) {
    let room = state.worker_room_mut(id);
    let dead: Vec<u32> = room
        .requests
        .range(..=through)
        .filter(|(_, r)| !r.leases.iter().any(|l| room.live.contains(l)))
        .map(|(n, _)| *n)
        .collect();
    for number in dead {
        if let Some(request) = room.requests.remove(&number) {
            room.request_ids.remove(&request.request_id);
            let gone = Change::LeaseRequestGone { worker: id, number };
            changes.push(room.worker.tenant, gone);
        }
    }
}

/// A lease as its worker sees it now.
pub(super) fn grant_view(state: &State, lease: &Lease, now: Now) -> Grant {
    let room = state.project_room(lease.id.task.project);
    let hold = room.terms(lease.revision).lease.max_hold;
    let shows_task = room.project.spec.assignment == Assignment::WorkerPicks;
    let (remaining, hold_remaining) = if lease.is_live() {
        (lease.deadline - now.engine, (lease.granted + hold) - now.engine)
    } else {
        (Millis(0), Millis(0))
    };
    Grant { lease: lease.clone(), remaining, hold_remaining, shows_task }
}
