//! What the counted answers of a task say together, by its project's method, and what
//! a finished task teaches of the crowd.
//!
//! What is learned lives in memory alone: a start begins with an unknown crowd, until
//! the refiner has gone through the answers again. Decisions are rows.
//!
//! Not here: the methods (`quality`), what follows from it (`finish.rs`).

use crate::command::FieldOpinion;
use crate::engine::{ProjectRoom, State, Task};
use crate::event::Method;
use crate::planted::{self, Mistake};
use crate::project::Aggregation;
use crate::quality::{self, Crowd, Overlap, Verdicts};
use crate::task::TaskOrder;
use crate::{Revision, WorkerId};

/// What a task's answers say, and how its fields came to say so.
pub(super) struct Weighed {
    pub(super) verdicts: Verdicts,
    /// What is owed for the answers is in the currency of these terms.
    pub(super) revision: Revision,
    pub(super) method: Method,
    learnt: Vec<Posterior>,
}

/// What the crowd's model said of a field.
struct Posterior {
    field: u16,
    votes: Vec<(WorkerId, u16)>,
    classes: Vec<f64>,
}

/// Weighs a task's counted answers. `given`: fields of which a refinement has an
/// opinion, which then holds.
///
/// Cost: answers × fields × choices.
pub(super) fn weigh(state: &mut State, task: &Task, given: &[FieldOpinion]) -> Weighed {
    let room = state.project_room_mut(task.record.id.project);
    let revisions = task.leases.iter().filter(|l| l.counted().is_some()).map(|l| l.revision);
    let revision = revisions.max().unwrap_or(room.project.revision);
    let terms = room.pinned(revision);
    let mut crowds = std::mem::take(&mut room.crowds);
    let mut learnt = Vec::new();
    let mut opine = |field: u16, classes: u16, votes: &[(WorkerId, u16)]| {
        if let Some(known) = given.iter().find(|opinion| opinion.field == field) {
            return Some((known.class, known.confidence_ppm));
        }
        let opinion = match terms.aggregation {
            Aggregation::First
            | Aggregation::Majority
            | Aggregation::Collect
            | Aggregation::DawidSkene => return None,
            Aggregation::Weighted => {
                let of = |(worker, class): &(WorkerId, u16)| (accuracy(state, *worker), *class);
                let votes: Vec<(f64, u16)> = votes.iter().map(of).collect();
                quality::weighted(&votes, classes)?
            }
            Aggregation::Online | Aggregation::Refined => {
                let crowd = crowds.entry(field).or_insert_with(|| Crowd::new(classes));
                if !quality::can_model(crowd.workers() + votes.len(), classes) {
                    return None;
                }
                let opinion = crowd.opinion(votes);
                let (votes, classes) = (votes.to_vec(), opinion.posterior.clone());
                learnt.push(Posterior { field, votes, classes });
                opinion
            }
        };
        Some((opinion.answer, opinion.confidence_ppm()))
    };
    let method = terms.aggregation;
    let verdicts = quality::aggregate(&task.leases, &terms.schema, revision, method, &mut opine);
    state.project_room_mut(task.record.id.project).crowds = crowds;
    let method = Method::of(method, !given.is_empty());
    Weighed { verdicts, revision, method, learnt }
}

/// Learns from a task that has become final, apart from votes that the last refinement
/// has counted.
pub(super) fn learn(state: &mut State, task: &Task, weighed: &Weighed) {
    let room = state.project_room_mut(task.record.id.project);
    for posterior in &weighed.learnt {
        let Some(crowd) = room.crowds.get_mut(&posterior.field) else { continue };
        let new = |worker: WorkerId| {
            let own = task.leases.iter().filter(|lease| lease.worker == worker);
            let times = own.filter_map(|lease| Some(lease.granted + lease.counted()?.took));
            let counted = times.max().is_some_and(|at| at <= room.refined_through);
            !counted || planted::is(Mistake::LearnedTwice)
        };
        let votes: Vec<(WorkerId, u16)> =
            posterior.votes.iter().copied().filter(|(worker, _)| new(*worker)).collect();
        crowd.learn(&votes, &posterior.classes);
    }
}

/// How many answers a task of this order buys; `None`: as many as it wants.
pub(super) fn overlap(room: &ProjectRoom, order: &TaskOrder) -> Option<Overlap> {
    let dynamic = room.project.spec.dynamic.filter(|_| order.most > 0)?;
    // Another overlap of the project is none of a task that is there already.
    let min = room.project.spec.overlap.min(order.wanted);
    Some(Overlap { min, max: order.most, target_ppm: dynamic.target_ppm })
}

fn accuracy(state: &State, worker: WorkerId) -> f64 {
    state.worker_room(worker).record.rating.record.accuracy()
}
