//! Why a worker got nothing, counted over projects of its tenant.
//!
//! No more than [`WHY_NONE_MAX`] projects are looked at: those that the worker asked
//! for, then those whose rules changed last. Of many projects that is a sample, the
//! one in which most is still going on.
//!
//! Hard rules come first. Then a wish is the reason wherever it leaves out something
//! that waits: "nothing ready" never hides one. A project that was not asked for
//! counts only where the worker could have something of it.
//!
//! Not here: the pick that found nothing (`pick.rs`).

use std::collections::BTreeMap;

use crate::engine::{ProjectRoom, State, WorkerRoom};
use crate::limits::WHY_NONE_MAX;
use crate::matching::eligibility::{self, Unfit};
use crate::matching::explain::throttled;
use crate::matching::wishes::Wanted;
use crate::outcome::NoWork;
use crate::project::{Assignment, ProjectState};
use crate::{Now, WorkerId};

/// The reasons of an empty answer, ascending, and for how many projects each is the
/// first. Cost: bounded, see above.
pub(crate) fn why_none(
    state: &State,
    worker: WorkerId,
    wanted: &Wanted,
    now: Now,
) -> Vec<(NoWork, u32)> {
    let mut counts = BTreeMap::new();
    let worker = state.worker_room(worker);
    let tenant = worker.worker.tenant;
    let newest = state.tenants[&tenant].profiles.newest_first();
    let others = newest.filter(|id| !wanted.projects().contains(id));
    let all = wanted.projects().iter().copied().chain(others);
    for id in all.take(WHY_NONE_MAX) {
        // One that was asked for may be gone.
        let Some(project) = state.projects.get(&id) else { continue };
        let gone = project.project.state == ProjectState::Deleting;
        let why = why(state, worker, project, wanted, now);
        if !gone && (wanted.admits_project(id) || why == NoWork::LeftOut) {
            *counts.entry(why).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}

fn why(
    state: &State,
    worker: &WorkerRoom,
    project: &ProjectRoom,
    wanted: &Wanted,
    now: Now,
) -> NoWork {
    if project.project.spec.assignment == Assignment::WorkerPicks {
        return NoWork::WorkerPicks;
    }
    if eligibility::step(state, worker, project, now, 0).is_none() {
        let unfit = eligibility::fits(state, worker, project, now).err();
        return unfit.map_or(NoWork::NothingReady, Unfit::no_work);
    }
    if throttled(state, project, now).is_some() {
        return NoWork::Throttled;
    }
    wanted.leaves_out(worker, project).unwrap_or(NoWork::NothingReady)
}
