//! One pick: the best place for one worker, or why there is none.
//!
//! Candidates in the order of their turns; the first that has a ready place for the
//! worker is the normal choice. A project that has waited for longer than the bound
//! is overdue: it stands back for nine grants of others and gets the tenth. Places
//! that rest after an expiry are looked at only when no candidate has a ready one.
//!
//! Not here: what a grant changes (`engine/apply/lease.rs`).

use std::collections::BTreeMap;

use crate::engine::{ProjectRoom, State, WorkerRoom};
use crate::limits::PASSES_MAX;
use crate::matching::eligibility::{self, Been};
use crate::matching::fairness::{RunnersUp, Turn};
use crate::matching::order::{Class, PlaceKey};
use crate::matching::places::Places;
use crate::matching::wishes::Wanted;
use crate::outcome::NoWork;
use crate::project::{Assignment, ProjectState};
use crate::{Millis, Now, ProjectId, TaskId, TenantId, WorkerId};

/// What a pick found, and what it leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Pick {
    pub(crate) task: Option<TaskId>,
    /// Of that task: what it takes of a time box.
    pub(crate) duration_class: u8,
    pub(crate) runners_up: RunnersUp,
    /// An overdue project that stood back once more.
    pub(crate) passed: Option<ProjectId>,
    /// (project, everything before this is excluded for good)
    pub(crate) cursors: Vec<(ProjectId, PlaceKey)>,
}

/// Who asks, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) worker: &'a WorkerRoom,
    pub(crate) wanted: &'a Wanted,
    /// What is left of the worker's time box; `None`: no box.
    pub(crate) left: Option<Millis>,
    pub(crate) now: Now,
}

impl Ask<'_> {
    fn admits(&self, project: &ProjectRoom, class: Class) -> bool {
        self.wanted.admits_class(self.worker, project, class, self.left)
    }
}

/// The best place for a worker, by its wishes.
pub(crate) fn pick(state: &State, ask: Ask<'_>) -> Pick {
    let mut found = Pick::default();
    let now = ask.now;
    let turns = candidates(state, ask);
    let ready = |turn: &Turn, found: &mut Pick| {
        first_ready(state, state.project_room(turn.project), ask, &mut found.cursors)
    };
    let normal = turns.iter().find_map(|turn| Some((turn, ready(turn, &mut found)?)));
    let chosen = match normal {
        Some((normal, key)) => {
            let mut overdue: Vec<_> = turns
                .iter()
                .map(|turn| (state.project_room(turn.project).tally.waiting_since, turn.project))
                .zip(&turns)
                .filter(|((since, _), _)| now.engine - *since >= state.limits.service_gap)
                .collect();
            overdue.sort_unstable_by_key(|(since, _)| *since);
            let mut overdue = overdue.into_iter().map(|(_, turn)| turn);
            let overdue = overdue.find_map(|turn| Some((turn, ready(turn, &mut found)?)));
            let (turn, key) = match overdue.filter(|(turn, _)| turn.project != normal.project) {
                Some((turn, key)) if state.project_room(turn.project).passes >= PASSES_MAX => {
                    (turn, key)
                }
                Some((turn, _)) => {
                    found.passed = Some(turn.project);
                    (normal, key)
                }
                None => (normal, key),
            };
            Some((turn, key))
        }
        // Nothing else fits: sooner than planned, a place that rests.
        None => turns.iter().find_map(|turn| {
            let project = state.project_room(turn.project);
            let mut places = project.order.resting(|class| ask.admits(project, class));
            Some((turn, first(state, project, ask, &mut places)?))
        }),
    };
    if let Some((turn, key)) = chosen {
        found.task = Some(TaskId { project: turn.project, number: key.task });
        found.duration_class = key.class.duration;
        found.runners_up = runners_up(&turns, turn);
    }
    found
}

/// Every project in the rota that fits the worker, in the order of their turns.
fn candidates(state: &State, ask: Ask<'_>) -> Vec<Turn> {
    let tenant = ask.worker.worker.tenant;
    let rooms = state.projects.values().filter(|room| room.project.tenant == tenant);
    let asked = |room: &&ProjectRoom| ask.wanted.admits_project(room.project.id);
    let offers = |room: &&ProjectRoom| {
        room.in_rota && room.project.spec.assignment == Assignment::ServerPicks
    };
    let fits = |room: &&ProjectRoom| eligibility::fits(state, ask.worker, room, ask.now).is_ok();
    let rooms = rooms.filter(asked).filter(offers).filter(fits);
    let mut turns: Vec<Turn> = rooms.map(|room| state.turn_of(room)).collect();
    turns.sort_unstable();
    turns
}

fn runners_up(turns: &[Turn], winner: &Turn) -> RunnersUp {
    let tier = turns.iter().filter(|turn| turn.tier == winner.tier);
    let other = tier.clone().find(|turn| turn.requester != winner.requester);
    let mut own = tier.filter(|turn| turn.requester == winner.requester);
    RunnersUp {
        requester: other.map(|turn| (turn.requester_time, turn.requester)),
        project: own.find(|turn| turn.project != winner.project).map(|turn| turn.project_time),
    }
}

fn first_ready(
    state: &State,
    project: &ProjectRoom,
    ask: Ask<'_>,
    cursors: &mut Vec<(ProjectId, PlaceKey)>,
) -> Option<PlaceKey> {
    let admits = |class| ask.admits(project, class);
    let mut places = project.order.ready_for(ask.worker.worker.id, admits);
    let found = first(state, project, ask, &mut places);
    cursors.extend(places.cursors().map(|key| (project.project.id, key)));
    found
}

/// The first of these places that the worker may have.
fn first(
    state: &State,
    project: &ProjectRoom,
    ask: Ask<'_>,
    places: &mut Places<'_>,
) -> Option<PlaceKey> {
    loop {
        let key = places.head()?;
        match may(state, project, ask, key) {
            Ok(()) => return Some(key),
            Err(been) => places.pass(matches!(been, Been::There(_))),
        }
    }
}

fn may(state: &State, project: &ProjectRoom, ask: Ask<'_>, key: PlaceKey) -> Result<(), Been> {
    match state.tasks.get(&project.task(key.task)) {
        Some(task) => eligibility::been(state, ask.worker, task, ask.now.engine),
        None => Ok(()),
    }
}

/// Why no project has anything for this worker: counted over the open projects.
pub(crate) fn why_none(
    state: &State,
    tenant: TenantId,
    worker: WorkerId,
    wanted: &Wanted,
    now: Now,
) -> Vec<(NoWork, u32)> {
    let mut counts = BTreeMap::new();
    let Some(worker) = state.workers.get(&worker) else { return Vec::new() };
    for project in state.projects.values() {
        let ours = project.project.tenant == tenant;
        let asked = wanted.admits_project(project.project.id);
        let gone = project.project.state == ProjectState::Deleting;
        if !ours || !asked || gone {
            continue;
        }
        let why = if project.project.spec.assignment == Assignment::WorkerPicks {
            NoWork::WorkerPicks
        } else {
            match eligibility::fits(state, worker, project, now) {
                Ok(()) => NoWork::NothingReady,
                Err(unfit) => unfit.no_work(),
            }
        };
        *counts.entry(why).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}
