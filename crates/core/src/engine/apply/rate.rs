//! What answers do to the ratings of those who gave them, and when these are told.
//!
//! The time of an answer counts when it is taken; how right it is, when its task is
//! decided, and anew whenever that is decided again. Both count for all skill areas
//! together and for each skill that the project's own requirements ask for. Evidence
//! fades at each change; no timer lets it fade, so matching looks at a rating as of its
//! last change.
//!
//! Not here: what a judgement is worth (`quality/judgement.rs`, `quality/record.rs`).

use crate::engine::apply::finish::tell_worker;
use crate::engine::edit::Edit;
use crate::engine::{Changes, ProjectRoom, State, WorkerRoom};
use crate::event::WorkerEvent;
use crate::lease::{Judged, LeaseState};
use crate::limits::{AREAS_PER_WORKER_MAX, PACE_ANSWERS_PROJECT, RATING_BATCH};
use crate::planted::{self, Mistake};
use crate::project::Aggregation;
use crate::quality::{self, Basis, Published, Rating, Record};
use crate::{Millis, ProjectId, WorkerId};

/// The time of a counted answer against the median of its project, once that is known.
/// Called before the answer itself moves the median.
pub(super) fn time(
    state: &mut State,
    changes: &mut Changes,
    worker: WorkerId,
    project: ProjectId,
    took: Millis,
) {
    let room = state.project_room(project);
    if room.tally.counted + room.tally.kept < PACE_ANSWERS_PROJECT {
        return;
    }
    let median = Millis(room.tally.p50_ms);
    let areas = areas(state.worker_room(worker), room);
    change(state, changes, worker, &areas, |record| record.time(took, median));
}

/// Moves the ratings of those who answered, by what this task says of them now.
pub(super) fn rate(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    let project = edit.id().project;
    let counted = edit.task.leases.iter().filter(|lease| lease.counted().is_some());
    let Some(newest) = counted.map(|lease| lease.revision).max() else { return };
    let terms = state.project_room(project).terms(newest);
    // Where answers are collected none is right or wrong, and nobody is judged.
    if terms.aggregation == Aggregation::Collect && !planted::is(Mistake::CollectedJudged) {
        return;
    }
    for (lease, says) in quality::judge(&edit.task.leases, &terms.schema) {
        let lease = &edit.task.leases[lease.number as usize - 1];
        let (number, worker) = (lease.id.number, lease.worker);
        let was = lease.counted().and_then(|submitted| submitted.judged.clone());
        if was.as_ref().map(|judged| judged.says) == says {
            continue;
        }
        let is = says.map(|says| Judged {
            says,
            areas: areas(state.worker_room(worker), state.project_room(project)),
        });
        if let Some(Judged { says, areas }) = was.filter(|_| !planted::is(Mistake::JudgedTwice)) {
            change(state, changes, worker, &areas, |r| r.unjudge(says.by_agreement()));
        }
        if let Some(Judged { says, areas }) = &is {
            change(state, changes, worker, areas, |r| r.judge(says.by_agreement()));
        }
        if let LeaseState::Submitted(submitted) = &mut edit.lease(number).state {
            submitted.judged = is;
        }
        publish(state, changes, worker);
    }
}

/// The skill areas in which an answer of this project counts for this worker.
fn areas(worker: &WorkerRoom, project: &ProjectRoom) -> Vec<String> {
    let skills = project.project.spec.requirements.skills.keys();
    let mut free = AREAS_PER_WORKER_MAX.saturating_sub(worker.areas.len());
    let mut has_room = |skill: &&String| {
        let known = worker.areas.contains_key(*skill);
        let opens = !known && free > 0;
        free -= usize::from(opens);
        known || opens
    };
    skills.filter(|skill| has_room(skill)).cloned().collect()
}

/// Changes a worker's record in all skill areas together and in each of these, faded
/// until now.
fn change(
    state: &mut State,
    changes: &mut Changes,
    worker: WorkerId,
    areas: &[String],
    change: impl Fn(&mut Record),
) {
    let (now, half_life) = (changes.now.engine, state.limits.rating_half_life);
    let apply = |rating: &mut Rating| {
        rating.fade(now, half_life);
        change(&mut rating.record);
    };
    let room = state.worker_room_mut(worker);
    let was = (room.judged(), room.points(Basis::Mean));
    apply(&mut room.record.rating);
    let is = (room.judged(), room.points(Basis::Mean));
    let bound_in_use = room.lower_bound.take().is_some();
    changes.worker(worker);
    for skill in areas {
        apply(room.areas.entry(skill.clone()).or_default());
        changes.area(worker, skill);
    }
    if was != is || bound_in_use {
        state.stands_anew(worker);
        state.wake(worker);
    }
}

/// Ratings are told in batches: one after each answer would tell which were right.
fn publish(state: &mut State, changes: &mut Changes, worker: WorkerId) {
    let room = state.worker_room_mut(worker);
    let is_due = |rating: &Rating| {
        rating.record.judged() >= rating.published.judged.saturating_add(RATING_BATCH)
    };
    for (skill, rating) in room.areas.iter_mut().filter(|(_, rating)| is_due(rating)) {
        rating.published = Published::of(&rating.record);
        changes.area(worker, skill);
    }
    let rating = &mut room.record.rating;
    if !is_due(rating) {
        return;
    }
    rating.published = Published::of(&rating.record);
    let (judged, bulletin) = (rating.published.judged, rating.published.bulletin());
    let what = WorkerEvent::RatingPublished { rating_milli: bulletin.overall_milli, judged };
    let tenant = room.worker.tenant;
    changes.worker(worker);
    tell_worker(state, changes, tenant, worker, what);
}
