//! One pick: the best place for one worker, or why there is none.
//!
//! Walks the projects in turn, never tasks: a project's first place that the
//! worker may have is found from the worker's cursor. Places that rest after an
//! expiry are looked at only when nothing else fits.

use std::collections::BTreeMap;

use crate::engine::{ProjectRoom, State, WorkerRoom};
use crate::matching::cursor::SKIPS_BEFORE_CURSOR;
use crate::matching::eligibility::{self, Been};
use crate::matching::order::PlaceKey;
use crate::matching::wishes::Wanted;
use crate::outcome::NoWork;
use crate::project::{Assignment, ProjectState};
use crate::{Now, ProjectId, TaskId, TenantId, WorkerId};

/// What a pick found, and how far the worker's cursor may move.
pub(crate) struct Pick {
    pub(crate) task: Option<TaskId>,
    /// (project, everything before this is excluded for good)
    pub(crate) cursors: Vec<(ProjectId, PlaceKey)>,
}

/// The best place for `worker` among what it wants.
pub(crate) fn pick(
    state: &State,
    tenant: TenantId,
    worker: &WorkerRoom,
    wanted: &Wanted,
    now: Now,
) -> Pick {
    let mut found = Pick { task: None, cursors: Vec::new() };
    let mut resting = Vec::new();
    let Some(room) = state.tenants.get(&tenant) else { return found };
    for id in room.rota.in_turn() {
        let Some(project) = state.projects.get(&id).filter(|_| wanted.admits_project(id)) else {
            continue;
        };
        if !wanted.admits_class(worker, project, (0, 0), wanted.within()) {
            continue;
        }
        if project.project.spec.assignment == Assignment::WorkerPicks
            || eligibility::fits(worker, project, now).is_err()
        {
            continue;
        }
        if let Some(key) = first_ready(state, project, worker, now, &mut found.cursors) {
            found.task = Some(project.task(key.task));
            return found;
        }
        resting.push(project);
    }
    // Nothing else fits: sooner than planned, a place that rests.
    found.task = resting.into_iter().find_map(|project| {
        let mut keys = project.order.resting();
        keys.find(|key| may(state, project, worker, *key, now).is_ok())
            .map(|key| project.task(key.task))
    });
    found
}

fn first_ready(
    state: &State,
    project: &ProjectRoom,
    worker: &WorkerRoom,
    now: Now,
    cursors: &mut Vec<(ProjectId, PlaceKey)>,
) -> Option<PlaceKey> {
    let (mut skips, mut excluded_so_far, mut cursor) = (0, true, None);
    for key in project.order.ready_for(worker.worker.id) {
        match may(state, project, worker, key, now) {
            Ok(()) => {
                if skips > SKIPS_BEFORE_CURSOR {
                    let until = if excluded_so_far { Some(key) } else { cursor };
                    cursors.extend(until.map(|key| (project.project.id, key)));
                }
                return Some(key);
            }
            Err(Been::There(_)) => {
                skips += 1;
                if excluded_so_far {
                    cursor = Some(key);
                }
            }
            // A lease or a bar ends: the cursor must not pass it.
            Err(Been::Here | Been::Barred(_)) => excluded_so_far = false,
        }
    }
    if skips > SKIPS_BEFORE_CURSOR {
        cursors.extend(cursor.map(|key| (project.project.id, key)));
    }
    None
}

fn may(
    state: &State,
    project: &ProjectRoom,
    worker: &WorkerRoom,
    key: PlaceKey,
    now: Now,
) -> Result<(), Been> {
    match state.tasks.get(&project.task(key.task)) {
        Some(task) => eligibility::been(state, worker, task, now.engine),
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
            match eligibility::fits(worker, project, now) {
                Ok(()) => NoWork::NothingReady,
                Err(unfit) => unfit.no_work(),
            }
        };
        *counts.entry(why).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}
