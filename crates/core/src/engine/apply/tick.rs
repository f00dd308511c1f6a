//! What time does: `live → expired`, rested places, late windows, deadlines.
//!
//! At most a thousand timers a turn. During the grace after a restart none rings
//! but task deadlines, which the calendar decides.

use crate::command::ReturnItem;
use crate::engine::apply::return_leases::add_once;
use crate::engine::apply::{create_keys, finish, return_leases};
use crate::engine::edit::rings;
use crate::engine::timers::Timer;
use crate::engine::{Changes, State, Stop};
use crate::lease::{Lease, LeaseState, ReturnReason};
use crate::limits::TIMERS_PER_TURN_MAX;
use crate::planted::{self, Mistake};
use crate::project::{Late, LeasePolicy};
use crate::task::FailureCause;
use crate::{LeaseId, Millis, Outcome, ProjectId, TaskId, WallTime};

/// The longest that a place rests, however often it has lapsed.
const REST_MAX: Millis = Millis::from_mins(10);

pub(super) fn tick(state: &mut State, changes: &mut Changes) -> Result<Outcome, Stop> {
    let mut now = changes.now;
    if now.engine < state.partition.grace_until {
        now.engine = crate::EngineTime(0);
    }
    let (mut timers, mut expired) = (0, 0);
    while timers < TIMERS_PER_TURN_MAX {
        let Some(timer) = state.timers.take_due(now) else { break };
        timers += 1;
        match timer {
            Timer::Claim(lease) => unclaimed(state, changes, lease),
            Timer::Deadline(lease) => expired += usize::from(expire(state, changes, lease)),
            Timer::Rested(lease) => rested(state, changes, lease.task),
            Timer::WindowEnds(lease) => window_ends(state, changes, lease),
            Timer::CreateKey(id) => create_keys::forget(state, changes, *id),
            Timer::Unthrottled(project) => unthrottled(state, changes, project),
            Timer::Relaxed(project) => relaxed(state, changes, project),
            Timer::TaskDeadline(task) => task_deadline(state, changes, task, now.wall),
        }
    }
    Ok(Outcome::Ticked { timers, expired })
}

/// `live → returned`, unstarted: nobody has shown that the push arrived.
fn unclaimed(state: &mut State, changes: &mut Changes, id: LeaseId) {
    let now = changes.now.engine;
    let task = state.tasks.get(&id.task);
    let lease = task.as_ref().and_then(|t| t.lease(id.number));
    let waits = |l: &&Lease| {
        !planted::is(Mistake::ClaimIgnored) && l.is_live() && l.claim_by.is_some_and(|at| at <= now)
    };
    let Some(worker) = lease.filter(waits).map(|l| l.worker) else { return };
    let item = ReturnItem { lease: id, reason: ReturnReason::Unstarted };
    return_leases::take_back(state, changes, worker, &item);
}

/// `live → expired`: the place opens again, after a rest.
fn expire(state: &mut State, changes: &mut Changes, id: LeaseId) -> bool {
    let now = changes.now.engine;
    let task = state.tasks.get(&id.task);
    let lease = task.as_ref().and_then(|t| t.lease(id.number));
    let finished = |l: &Lease| {
        planted::is(Mistake::ExpireFinished) && matches!(l.state, LeaseState::Submitted(_))
    };
    let lease = lease.filter(|l| (l.is_live() || finished(l)) && rings(l) <= now);
    let Some(lease) = lease else { return false };
    let (worker, revision) = (lease.worker, lease.revision);
    let policy = state.project_room(id.task.project).terms(revision).lease;
    let window = late_window(&policy);

    let mut edit = state.open(id.task);
    edit.task.record.expiries += 1;
    let times = edit.task.record.expiries;
    // The first lapse goes before others until it is granted, whatever lapses
    // beside it; later ones keep their age, backing off.
    edit.task.record.lapsed |= times == 1;
    let rest = Millis(policy.late_grace.0 << times.saturating_sub(2).min(16)).min(REST_MAX);
    edit.lease(id.number).state = LeaseState::Expired {
        rests_until: now + rest,
        window_ends: now + window,
        released: window == Millis(0) || !edit.task.record.state.is_open(),
    };
    add_once(&mut edit.task.record.attempts, worker);
    let record = &mut state.worker_room_mut(worker).record;
    record.expiries_in_a_row += 1;
    record.idle_since = now;
    changes.worker(worker);
    state.refile(worker);
    finish::conclude(state, changes, &mut edit);
    state.close(edit, changes);
    true
}

/// How long after its expiry an answer is looked at.
pub(super) fn late_window(policy: &LeasePolicy) -> Millis {
    match policy.late {
        Late::UntilReplaced => policy.late_window,
        Late::Refuse => Millis(0),
    }
}

/// A place is offered to everybody again. Its rows already say so.
fn rested(state: &mut State, changes: &mut Changes, id: TaskId) {
    let Some(mut task) = state.tasks.take(&id) else { return };
    let (from, to) = (task.spot, state.spot(&task, changes.now.engine));
    task.spot = to;
    state.put(task, changes.now.engine);
    state.move_task(id, from, to);
    state.turn(id.project, changes);
}

/// More workers may have some of a project's tasks.
fn relaxed(state: &mut State, changes: &Changes, id: ProjectId) {
    let Some(room) = state.projects.get_mut(&id) else { return };
    room.relaxes = None;
    state.await_relaxation(id, changes.now.engine);
    state.stir(id);
}

/// A project's limits may allow a grant again.
fn unthrottled(state: &mut State, changes: &mut Changes, id: ProjectId) {
    if state.projects.contains_key(&id) {
        state.throttle(id, changes);
        state.stir(id);
    }
}

/// Late answers are over: the lease takes no capacity any more, and its draft goes.
fn window_ends(state: &mut State, changes: &mut Changes, id: LeaseId) {
    let Some(task) = state.tasks.get(&id.task) else { return };
    let (changed, open) = (task.changed, task.record.state.is_open());
    let lease = task.lease(id.number).map(|l| (l.worker, l.draft, l.state.clone()));
    if let Some((worker, draft, LeaseState::Expired { window_ends, .. })) = lease {
        state.worker_room_mut(worker).lapsed.remove(&(window_ends, id));
        state.wake(worker);
        if draft {
            let mut edit = state.open(id.task);
            edit.lease(id.number);
            return state.close(edit, changes);
        }
    }
    // Perhaps it waits from now on.
    if let Some(task) = state.tasks.take(&id.task) {
        state.put(task, changes.now.engine);
    }
    if !open {
        state.settled.push_front((changed, id.task));
    }
}

/// `open → done (incomplete) | failed`: its time has come.
fn task_deadline(state: &mut State, changes: &mut Changes, id: TaskId, wall: WallTime) {
    let touched = state.tasks.get(&id);
    let untouched = state.projects.get(&id.project).and_then(|p| p.order.untouched(id.number));
    let order = match touched {
        Some(task) if task.record.state.is_open() => Some(task.record.order),
        Some(_) => None,
        None => untouched,
    };
    if order.and_then(|o| o.deadline).is_none_or(|at| at > wall) {
        return;
    }
    let mut edit = state.open(id);
    finish::end_short(state, changes, &mut edit, FailureCause::Deadline);
    state.close(edit, changes);
}
