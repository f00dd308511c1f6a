//! Rebuilds every index from the rows and compares.
//!
//! Run after each step in tests and simulation; never in the daemon: it looks
//! at everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::edit::{due, rings};
use crate::engine::rooms::{Task, WorkerRoom};
use crate::engine::state::State;
use crate::engine::timers::{Timer, Timers};
use crate::lease::LeaseState;
use crate::matching::eligibility;
use crate::matching::fairness::Accounts;
use crate::matching::order::Spot;
use crate::project::Assignment;
use crate::quality::{Basis, Rating, Record};
use crate::{LeaseId, Now, ProjectId, TaskId, TenantId, WorkerId};

/// An index that disagrees with the rows, or a broken promise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// P4.
    #[error("{task} has {counted} counted answers and {live} live leases for {wanted} places")]
    Overshoot {
        /// Which task.
        task: TaskId,
        /// Counted answers.
        counted: u16,
        /// Live leases.
        live: u16,
        /// Places.
        wanted: u16,
    },
    /// Two counted answers or live leases of one worker on one task.
    #[error("worker {worker} has two answers or leases on {task}")]
    Twice {
        /// Which task.
        task: TaskId,
        /// Who.
        worker: WorkerId,
    },
    /// Lease numbers are dense.
    #[error("{task} has lease {found} where {expected} belongs")]
    LeaseNumber {
        /// Which task.
        task: TaskId,
        /// What stands there.
        found: u32,
        /// What belongs there.
        expected: u32,
    },
    /// An index of a project.
    #[error("the {index} of project {project} disagrees with its rows")]
    Project {
        /// Which project.
        project: ProjectId,
        /// Which index.
        index: &'static str,
    },
    /// An index of a worker.
    #[error("the {index} of worker {worker} disagrees with the leases")]
    Worker {
        /// Which worker.
        worker: WorkerId,
        /// Which index.
        index: &'static str,
    },
    /// An index over everything.
    #[error("the {index} disagree with the rows")]
    Index {
        /// Which index.
        index: &'static str,
    },
}

pub(crate) fn check(state: &State, now: Now) -> Result<(), Broken> {
    for task in state.tasks.iter() {
        check_task(state, &task, now)?;
    }
    check_projects(state, now)?;
    check_workers(state, now)?;
    check_ratings(state)?;
    check_standings(state, now)?;
    check_timers(state, now)
}

fn check_task(state: &State, task: &Task, now: Now) -> Result<(), Broken> {
    let id = task.record.id;
    let (counted, live, wanted) = (task.counted(), task.live(), task.record.order.wanted);
    if counted + live > wanted {
        return Err(Broken::Overshoot { task: id, counted, live, wanted });
    }
    let mut there = BTreeSet::new();
    for (lease, expected) in task.leases.iter().zip(1..) {
        if lease.id != (LeaseId { task: id, number: expected }) {
            return Err(Broken::LeaseNumber { task: id, found: lease.id.number, expected });
        }
        if (lease.is_live() || lease.counted().is_some()) && !there.insert(lease.worker) {
            return Err(Broken::Twice { task: id, worker: lease.worker });
        }
    }
    let spot = state.spot(task, now.engine);
    // A place whose rest is over stays where it is until its timer rings.
    let waits = matches!((task.spot, spot), (Spot::Resting(a), Spot::Ready(b)) if a == b);
    if task.spot != spot && !waits {
        return Err(Broken::Project { project: id.project, index: "spot of a task" });
    }
    Ok(())
}

fn check_projects(state: &State, now: Now) -> Result<(), Broken> {
    for (id, room) in state.projects.iter() {
        let tasks = || state.tasks.of(id);
        let broken = |index| Err(Broken::Project { project: id, index });
        if room.order != room.order.rebuilt(tasks().map(|t| t.spot)) {
            return broken("order");
        }
        let open = tasks().filter(|t| t.record.state.is_open()).count() as u64;
        if room.tally.open != open + room.order.untouched_tasks() {
            return broken("count of open tasks");
        }
        let live: u64 = tasks().map(|t| u64::from(t.live())).sum();
        if room.tally.live != live {
            return broken("count of live leases");
        }
        let places: u64 = tasks().map(|t| t.places()).sum();
        if room.flow.places != places + room.order.untouched_places() {
            return broken("count of open places");
        }
        if room.in_rota != room.wants_turn() {
            return broken("turn");
        }
        if room.tier != state.tier(&room.project) {
            return broken("tier");
        }
    }
    check_accounts(state, now)
}

/// Nothing that a worker may have is missing from its profile.
fn check_standings(state: &State, now: Now) -> Result<(), Broken> {
    for worker in state.workers.values() {
        let profiles = &state.tenants[&worker.worker.tenant].profiles;
        let Some(standing) = worker.standing else { continue };
        let known = standing.generation == Some(profiles.generation);
        if !known || !(standing.holds.0..standing.holds.1).contains(&now.wall) {
            continue;
        }
        let profile = profiles.all().find(|(id, _)| *id == standing.profile);
        for room in state.projects.values().filter(|r| r.project.tenant == worker.worker.tenant) {
            let picks = room.project.spec.assignment == Assignment::ServerPicks;
            let fits = eligibility::step(state, worker, room, now, 0);
            let step = profile.and_then(|(_, profile)| profile.traits.step(room));
            if picks && fits.is_some_and(|fits| step.is_none_or(|step| step > fits)) {
                return Err(Broken::Worker { worker: worker.worker.id, index: "profile" });
            }
        }
    }
    Ok(())
}

fn check_accounts(state: &State, now: Now) -> Result<(), Broken> {
    let mut accounts: BTreeMap<TenantId, Accounts> = BTreeMap::new();
    for (id, room) in state.projects.iter() {
        let own = accounts.entry(room.project.tenant).or_default();
        own.add(room.account(), room.tally.requester_time, id);
    }
    for (id, tenant) in &state.tenants {
        if tenant.accounts != accounts.remove(id).unwrap_or_default() {
            return Err(Broken::Index { index: "accounts" });
        }
        let ours = state.workers.values().filter(|w| w.worker.tenant == *id);
        if !tenant.present.is_sound(ours, now.engine) {
            return Err(Broken::Index { index: "present workers" });
        }
        if !tenant.parked.is_sound() {
            return Err(Broken::Index { index: "waiting workers" });
        }
        for (profile, of) in tenant.profiles.all() {
            if let Some(index) = of.fault(state, *id, profile) {
                return Err(Broken::Index { index });
            }
            let standing = |w: &&WorkerRoom| w.standing.is_some_and(|s| s.profile == profile);
            let ours = state.workers.values().filter(|w| w.worker.tenant == *id);
            if ours.filter(standing).count() != of.workers as usize {
                return Err(Broken::Index { index: "workers of a profile" });
            }
        }
    }
    Ok(())
}

/// Evidence adds up: of the answers in memory none is missing from its worker's record,
/// an area knows no more than all areas together, and the cached bound is right.
fn check_ratings(state: &State) -> Result<(), Broken> {
    let mut judged: BTreeMap<WorkerId, u32> = BTreeMap::new();
    for lease in state.tasks.iter().flat_map(|task| task.leases.clone()) {
        let counts = lease.counted().is_some_and(|submitted| submitted.judged.is_some());
        *judged.entry(lease.worker).or_default() += u32::from(counts);
    }
    for (id, room) in state.workers.iter() {
        let all = &room.record.rating.record;
        let least = judged.get(&id).copied().unwrap_or_default();
        let sound = |record: &Record| record.agreed <= record.judged() && record.windowed <= 64;
        let within = |area: &Rating| {
            sound(&area.record)
                && area.record.judged() <= all.judged()
                && area.record.pace.answers <= all.pace.answers
        };
        if all.judged() < least || !sound(all) || !room.areas.values().all(within) {
            return Err(Broken::Worker { worker: id, index: "rating" });
        }
        let bound = room.lower_bound.get();
        if bound.is_some_and(|bound| *bound != all.points(Basis::LowerBound)) {
            return Err(Broken::Worker { worker: id, index: "lower bound" });
        }
    }
    Ok(())
}

fn check_workers(state: &State, now: Now) -> Result<(), Broken> {
    let mut live: BTreeMap<WorkerId, BTreeSet<LeaseId>> = BTreeMap::new();
    let mut lapsed: BTreeMap<WorkerId, usize> = BTreeMap::new();
    for lease in state.tasks.iter().flat_map(|t| t.leases.clone()) {
        match lease.state {
            LeaseState::Live => {
                live.entry(lease.worker).or_default().insert(lease.id);
            }
            LeaseState::Expired { .. } if lease.takes_capacity(now.engine) => {
                *lapsed.entry(lease.worker).or_default() += 1;
            }
            _ => {}
        }
    }
    let all: usize = live.values().map(BTreeSet::len).sum();
    if state.live_leases != all as u64 {
        return Err(Broken::Index { index: "live leases" });
    }
    for (id, room) in state.workers.iter() {
        let broken = |index| Err(Broken::Worker { worker: id, index });
        let own = live.remove(&id).unwrap_or_default();
        if room.live != own {
            return broken("live leases");
        }
        let holds = own.len() + lapsed.get(&id).copied().unwrap_or_default();
        if room.holds(now.engine) as usize != holds {
            return broken("lapsed leases");
        }
        for (project, tally) in &room.tallies {
            let n = own.iter().filter(|l| l.task.project == *project).count();
            if tally.live as usize != n {
                return broken("live leases by project");
            }
        }
        let ids = room.requests.iter().map(|(n, r)| (r.request_id.clone(), *n));
        if room.request_ids != ids.collect() {
            return broken("request ids");
        }
    }
    Ok(())
}

fn check_timers(state: &State, now: Now) -> Result<(), Broken> {
    let mut timers = Timers::default();
    for task in state.tasks.iter() {
        for lease in &task.leases {
            match lease.state {
                LeaseState::Live => {
                    timers.set(rings(lease), Timer::Deadline(lease.id));
                    if let Some(at) = lease.claim_by {
                        timers.set(at, Timer::Claim(lease.id));
                    }
                }
                LeaseState::Expired { rests_until, window_ends, released } => {
                    if !released {
                        timers.set(rests_until, Timer::Rested(lease.id));
                    }
                    if !released || lease.draft {
                        timers.set(window_ends, Timer::WindowEnds(lease.id));
                    }
                }
                _ => {}
            }
        }
        if let Some(at) = due(&task.record) {
            timers.set_wall(at, task.record.id);
        }
    }
    for (id, row) in &state.create_keys {
        timers.set(row.until, Timer::CreateKey(Box::new(id.clone())));
    }
    for (id, room) in state.projects.iter() {
        let (throttled, relaxes) = (room.throttled_until, room.relaxes);
        throttled.into_iter().for_each(|at| timers.set(at, Timer::Unthrottled(id)));
        relaxes.into_iter().for_each(|at| timers.set(at, Timer::Relaxed(id)));
        let late = relaxes.is_some_and(|at| at <= now.engine);
        if !late && room.next_relaxed(now.engine) != relaxes {
            return Err(Broken::Project { project: id, index: "relaxation timer" });
        }
    }
    // Untouched tasks wait for the wall clock, too; their runs know when.
    for (id, room) in state.projects.iter() {
        for (task, at) in room.order.untouched_deadlines() {
            timers.set_wall(at, TaskId { project: id, number: task });
        }
    }
    if state.timers.agree(&timers, now) { Ok(()) } else { Err(Broken::Index { index: "timers" }) }
}
