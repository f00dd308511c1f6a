//! Answers to questions about why: they change nothing.
//!
//! Work is bounded: at most ten thousand workers, projects or places are looked at in
//! one answer, which then says so.

use std::collections::BTreeMap;

use crate::command::TaskRef;
use crate::engine::apply::explain_rating;
use crate::engine::{ProjectRoom, State, Stop, Task, WorkerRoom, text};
use crate::explanation::{
    Explanation, Offer, Offers, Question, TaskExplained, WorkerExplained, rounded,
};
use crate::lease::LeaseState;
use crate::limits::{EXPLAIN_MAX, OFFER_LOOKS_MAX};
use crate::matching::eligibility;
use crate::matching::explain::{self, Reasons};
use crate::matching::order::{Class, Spot};
use crate::matching::wishes::{self, Wanted};
use crate::outcome::NoWork;
use crate::project::Assignment;
use crate::task::TaskState;
use crate::wishes::Wishes;
use crate::{
    ClientId, EngineTime, Millis, Money, Now, Outcome, ProjectId, Refusal, TaskId, TenantId,
};

pub(super) fn explain(
    state: &State,
    now: Now,
    tenant: TenantId,
    question: &Question,
) -> Result<Outcome, Stop> {
    let answer = match question {
        Question::Task { task, worker } => {
            Explanation::Task(Box::new(why_waits(state, now, tenant, task, worker.as_ref())?))
        }
        Question::Worker { worker } => {
            let worker = state.worker(tenant, worker)?;
            Explanation::Worker(Box::new(why_idle(state, now, worker)))
        }
        Question::Offers { worker, wishes } => {
            Explanation::Offers(offers(state, now, tenant, worker, wishes)?)
        }
        Question::Rating { worker, as_worker } => Explanation::Rating(Box::new(
            explain_rating::rating(state, now, tenant, worker, *as_worker)?,
        )),
        Question::Forecast { project } => {
            Explanation::Forecast(state.project(tenant, project)?.flow.forecast(now.engine))
        }
    };
    Ok(Outcome::Explained(Box::new(answer)))
}

fn why_waits(
    state: &State,
    now: Now,
    tenant: TenantId,
    reference: &TaskRef,
    only: Option<&ClientId>,
) -> Result<TaskExplained, Stop> {
    let id = state.find(tenant, reference)?;
    let only = only.map(|name| state.worker(tenant, name)).transpose()?;
    let task = state.task(id)?;
    let name = text(&reference.task);
    let mut told = standing(state, now, id, task.as_deref(), &name);
    if told.blocked.is_some() {
        return Ok(told);
    }
    let mut reasons = Reasons::default();
    let mut look = |worker: &WorkerRoom| {
        told.workers += 1;
        match explain::hinders(state, worker, (id, task.as_deref(), &name), now) {
            Ok(()) => told.could_lease += 1,
            Err(refusal) => reasons.add(refusal, 0),
        }
    };
    match only {
        Some(worker) => look(worker),
        None => {
            let mut present = state.present(tenant, now.engine);
            present.by_ref().take(EXPLAIN_MAX).for_each(look);
            told.truncated = present.next().is_some();
        }
    }
    told.obstacles = reasons.counted();
    told.nearest = explain::nearest(&told.obstacles);
    Ok(told)
}

/// What is true of a task, whoever asks for it.
fn standing(state: &State, now: Now, id: TaskId, task: Option<&Task>, name: &str) -> TaskExplained {
    let room = state.project_room(id.project);
    let order = task.map(|task| task.record.order).or(room.order.untouched(id.number));
    let order = order.unwrap_or_else(|| panic!("{id} is neither touched nor untouched"));
    let spot = task.map_or_else(|| room.order.spot_of_untouched(id.number), |task| task.spot);
    let (ready, rests) = match spot {
        Spot::Nowhere => (false, None),
        Spot::Ready(_) => (true, None),
        Spot::Resting(_) => (false, task.and_then(|task| rest_of(task, now.engine))),
    };
    let (ahead, ahead_at_least) = match spot {
        Spot::Ready(key) => room.order.ahead_of(key, EXPLAIN_MAX),
        Spot::Nowhere | Spot::Resting(_) => (0, false),
    };
    let free = task.map_or(Ok(()), |task| explain::is_free(state, room, task, name));
    TaskExplained {
        state: task.map_or(TaskState::Open, |task| task.record.state),
        wanted: order.wanted,
        counted: task.map_or(0, Task::counted),
        live: task.map_or(0, Task::live),
        assignment: room.project.spec.assignment,
        blocked: free.err().or_else(|| explain::stands_still(state, room, now)),
        ready_for: ready.then(|| now.engine - order.ready_at),
        rests_for: rests,
        ahead,
        ahead_at_least,
        relaxation: explain::to_come(room, now.engine - order.ready_at),
        workers: 0,
        could_lease: 0,
        obstacles: Vec::new(),
        nearest: None,
        truncated: false,
    }
}

/// Until fewer expired leases rest than there are free places.
fn rest_of(task: &Task, now: EngineTime) -> Option<Millis> {
    let mut rests: Vec<EngineTime> = task
        .leases
        .iter()
        .filter_map(|lease| match lease.state {
            LeaseState::Expired { rests_until, released: false, .. } => Some(rests_until),
            _ => None,
        })
        .filter(|until| *until > now)
        .collect();
    rests.sort_unstable();
    let free = usize::from(task.record.order.wanted - task.counted() - task.live());
    rests.get(rests.len().checked_sub(free)?).map(|until| *until - now)
}

fn why_idle(state: &State, now: Now, worker: &WorkerRoom) -> WorkerExplained {
    let mut told = WorkerExplained {
        present: worker.is_present(now.engine),
        holds: worker.holds(now.engine),
        capacity: eligibility::capacity(worker),
        blocked: eligibility::room(worker, now).err(),
        projects: 0,
        could_lease: 0,
        nothing_ready: 0,
        unwished: Vec::new(),
        obstacles: Vec::new(),
        truncated: false,
    };
    let (mut reasons, mut looks) = (Reasons::default(), EXPLAIN_MAX);
    let (any, mut unwished) = (Wanted::default(), BTreeMap::new());
    let wanted = worker.asked.as_deref().unwrap_or(&any);
    let mut rooms = open_projects(state, worker.worker.tenant);
    for room in rooms.by_ref().take(EXPLAIN_MAX) {
        told.projects += 1;
        match lacks(state, worker, room, now) {
            Err(refusal) => reasons.add(refusal, room.order.waiting()),
            Ok(age) => {
                let wish = wish_against(worker, room, wanted);
                let asked = |class| admits(worker, room, wanted, class);
                let could = wish != Some(NoWork::LeftOut)
                    && has_place(state, worker, (room, age), now, asked, &mut looks);
                let would = wish.filter(|_| {
                    !could && has_place(state, worker, (room, age), now, |_| true, &mut looks)
                });
                match would {
                    _ if could => told.could_lease += 1,
                    Some(wish) => *unwished.entry(wish).or_insert(0) += 1,
                    None => told.nothing_ready += 1,
                }
            }
        }
    }
    told.truncated = rooms.next().is_some() || looks == 0;
    told.obstacles = reasons.counted();
    told.unwished = unwished.into_iter().collect();
    told
}

/// The wish that leaves out something that waits where the daemon picks.
fn wish_against(worker: &WorkerRoom, room: &ProjectRoom, wanted: &Wanted) -> Option<NoWork> {
    match room.project.spec.assignment {
        Assignment::ServerPicks => wanted.leaves_out(worker, room),
        Assignment::WorkerPicks => None,
    }
}

/// Whether the wishes admit tasks of this class. Whoever names the task judges it by
/// itself.
fn admits(worker: &WorkerRoom, room: &ProjectRoom, wanted: &Wanted, class: Class) -> bool {
    match room.project.spec.assignment {
        Assignment::ServerPicks => wanted.admits_class(worker, room, class, wanted.within()),
        Assignment::WorkerPicks => true,
    }
}

/// Projects of a tenant that are neither cancelled nor on their way out, those first
/// whose rules changed last.
fn open_projects(state: &State, tenant: TenantId) -> impl Iterator<Item = &ProjectRoom> {
    let tenant = state.tenants.get(&tenant).into_iter();
    let ours = tenant.flat_map(|tenant| tenant.profiles.newest_first());
    ours.map(|id| state.project_room(id)).filter(|room| !room.is_cancelled())
}

/// How old a task must be for the worker, or why it may have none now at any age.
fn lacks(
    state: &State,
    worker: &WorkerRoom,
    room: &ProjectRoom,
    now: Now,
) -> Result<Millis, Refusal> {
    if let Some(age) = explain::asks_age(state, worker, room, now) {
        return explain::throttled(state, room, now).map_or(Ok(age), Err);
    }
    let fits = eligibility::fits(state, worker, room, now);
    fits.map(|()| Millis(0)).map_err(|unfit| unfit.refusal(&worker.worker.name, &room.project.name))
}

fn has_place(
    state: &State,
    worker: &WorkerRoom,
    here: (&ProjectRoom, Millis),
    now: Now,
    admits: impl Fn(Class) -> bool,
    looks: &mut usize,
) -> bool {
    first_class(state, worker, here, now, admits, looks).is_some()
}

/// The class of the first place that a worker may have, ready or resting; `looks`:
/// how many places may still be looked at.
fn first_class(
    state: &State,
    worker: &WorkerRoom,
    (room, age): (&ProjectRoom, Millis),
    now: Now,
    admits: impl Fn(Class) -> bool,
    looks: &mut usize,
) -> Option<Class> {
    let orders = [room.order.ready_for(worker.worker.id, &admits), room.order.resting(&admits)];
    for mut places in orders {
        for _ in 0..OFFER_LOOKS_MAX {
            let Some(key) = places.head() else { break };
            *looks = looks.checked_sub(1)?;
            let task = state.tasks.get(&room.task(key.task));
            let been = task.map(|task| eligibility::been(state, worker, &task, now.engine));
            if now.engine - key.ready_at() >= age && been.is_none_or(|been| been.is_ok()) {
                return Some(key.class);
            }
            places.pass(false);
        }
    }
    None
}

fn offers(
    state: &State,
    now: Now,
    tenant: TenantId,
    name: &ClientId,
    asked: &Wishes,
) -> Result<Offers, Stop> {
    let worker = state.worker(tenant, name)?;
    let wanted = Wanted::of(state, tenant, asked)?;
    let mut rooms = open_projects(state, tenant);
    let (mut listed, mut looks) = (Vec::new(), EXPLAIN_MAX);
    for room in rooms.by_ref().take(EXPLAIN_MAX) {
        if wanted.admits_project(room.project.id) {
            let offer = offer(state, now, worker, room, &wanted, &mut looks);
            // Those that the worker may have in the order of their turns.
            let later = (offer.lacks.is_some(), offer.waiting == 0);
            let turn = (offer.lacks.is_none()).then(|| state.turn_of(room));
            listed.push(((later, turn, room.project.id), offer));
        }
    }
    listed.sort_unstable_by_key(|(key, _): &((_, _, ProjectId), Offer)| *key);
    let offers = listed.into_iter().map(|(_, offer)| offer).collect();
    Ok(Offers { offers, truncated: rooms.next().is_some() || looks == 0 })
}

fn offer(
    state: &State,
    now: Now,
    worker: &WorkerRoom,
    room: &ProjectRoom,
    wanted: &Wanted,
    looks: &mut usize,
) -> Offer {
    let project = &room.project;
    let (reward, assignment) = (project.spec.terms.reward, project.spec.assignment);
    let (lacks, age) = match lacks(state, worker, room, now) {
        Ok(age) => (None, age),
        Err(refusal) => (Some(refusal), Millis(0)),
    };
    let admits = |class| admits(worker, room, wanted, class);
    let first = first_class(state, worker, (room, age), now, admits, looks);
    let pace = wishes::pace(worker, room, first.map_or(0, |class| class.duration));
    let hourly = pace.filter(|_| reward.micros > 0).map(|pace| {
        let micros = wishes::hourly(reward, pace.expected);
        Money { micros: i64::try_from(micros).unwrap_or(i64::MAX), ..reward }
    });
    let waiting = match first {
        Some(_) => rounded(room.order.waiting_of(admits, OFFER_LOOKS_MAX).max(1)),
        None => 0,
    };
    Offer {
        project: project.name.clone(),
        title: project.spec.title.clone(),
        assignment,
        reward,
        pace,
        hourly,
        waiting,
        lacks,
    }
}
