//! What a decided task does to the ratings of those who answered it, and when they are told.
//!
//! Called inside the edit of a task that has its result.
//!
//! Not here: what a judgement is worth (`quality/judgement.rs`, `quality/record.rs`).

use crate::WorkerId;
use crate::engine::apply::finish::tell_worker;
use crate::engine::edit::Edit;
use crate::engine::{Changes, State};
use crate::event::WorkerEvent;
use crate::lease::LeaseState;
use crate::quality;

/// Judged answers between two published ratings.
const PUBLISH_EVERY: u32 = 20;

/// Moves the ratings of those who answered, by what this task says of them now.
pub(super) fn rate(state: &mut State, changes: &mut Changes, edit: &mut Edit) {
    for (lease, agrees) in quality::judge(&edit.task.leases) {
        let worker = edit.task.leases[lease.number as usize - 1].worker;
        let LeaseState::Submitted(submitted) = &mut edit.lease(lease.number).state else {
            continue;
        };
        let was = std::mem::replace(&mut submitted.judged, agrees);
        if was == agrees {
            continue;
        }
        let room = state.worker_room_mut(worker);
        let record = &mut room.record;
        record.judged = record.judged - u32::from(was.is_some()) + u32::from(agrees.is_some());
        record.agreed =
            record.agreed - u32::from(was == Some(true)) + u32::from(agrees == Some(true));
        changes.worker(worker);
        state.wake(worker);
        state.stands_anew(worker);
        publish(state, changes, worker);
    }
}

/// Ratings are told in batches: one after each answer would tell which were right.
fn publish(state: &mut State, changes: &mut Changes, worker: WorkerId) {
    let room = state.worker_room_mut(worker);
    let tenant = room.worker.tenant;
    let (judged, agreed) = (room.record.judged, room.record.agreed);
    if judged < room.record.published + PUBLISH_EVERY {
        return;
    }
    room.record.published = judged;
    room.record.published_agreed = agreed;
    let rating_milli = quality::rating_milli(judged, agreed);
    let what = WorkerEvent::RatingPublished { rating_milli, judged };
    tell_worker(state, changes, tenant, worker, what);
}
