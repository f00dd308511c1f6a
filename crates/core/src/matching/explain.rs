//! Why a worker may not have a task or a project, by the rules of the pick.
//!
//! `hinders` is what decides a named lease, too. Reasons are counted by what would
//! have to change, each with the numbers of its nearest case.
//!
//! Not here: which workers and projects are looked at (`engine/apply/explain.rs`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::engine::{ProjectRoom, State, Task, WorkerRoom};
use crate::explanation::Obstacle;
use crate::matching::eligibility;
use crate::project::ProjectState;
use crate::task::TaskState;
use crate::{Millis, Now, Refusal, TaskId};

/// Whether a worker may be leased a task now; `name`: of the task, for people. The
/// worker's own room, suspension and rest come last, as they do in a lease.
pub(crate) fn hinders(
    state: &State,
    worker: &WorkerRoom,
    (id, task, name): (TaskId, Option<&Task>, &str),
    now: Now,
) -> Result<(), Refusal> {
    let project = state.project_room(id.project);
    let (who, what) = (&worker.worker.name, &project.project.name);
    if let Some(task) = task {
        eligibility::been(state, worker, task, now.engine)
            .map_err(|been| been.refusal(who, what, name.to_owned()))?;
        is_free(state, project, task, name)?;
    }
    let since = match task {
        Some(task) => task.record.order.ready_at,
        None => project.order.untouched(id.number).map_or(now.engine, |order| order.ready_at),
    };
    if asks_age(state, worker, project, now).is_none_or(|after| now.engine - since < after) {
        // The task is not old enough for a later step, if there is one: the first refuses.
        eligibility::fits(state, worker, project, now).map_err(|unfit| unfit.refusal(who, what))?;
    }
    eligibility::room(worker, now)?;
    throttled(state, project, now).map_or(Ok(()), Err)
}

/// Whether a project, or its requester, has had its grants of this minute.
pub(crate) fn throttled(state: &State, project: &ProjectRoom, now: Now) -> Option<Refusal> {
    let (project, free_at) = (&project.project, state.free_at(project.project.id));
    let remaining = (free_at > now.engine).then(|| free_at - now.engine)?;
    Some(Refusal::Throttled { project: project.name.clone(), remaining })
}

/// What keeps a project's tasks from everybody now.
pub(crate) fn stands_still(state: &State, room: &ProjectRoom, now: Now) -> Option<Refusal> {
    let project = room.project.name.clone();
    match room.project.state {
        ProjectState::Paused if !room.grants() => Some(Refusal::ProjectPaused { project }),
        ProjectState::Active | ProjectState::Closed | ProjectState::Paused => {
            throttled(state, room, now)
        }
        ProjectState::Cancelled { .. } | ProjectState::Deleting => {
            Some(Refusal::ProjectCancelled { project })
        }
    }
}

/// How old a task must be for a worker, by the first step of the relaxation that it
/// satisfies; `None`: it satisfies none.
pub(crate) fn asks_age(
    state: &State,
    worker: &WorkerRoom,
    project: &ProjectRoom,
    now: Now,
) -> Option<Millis> {
    let step = eligibility::step(state, worker, project, now, 0)?;
    project.asks(step).map(|(_, after)| after)
}

/// Whether a touched task has a place for anybody.
pub(crate) fn is_free(
    state: &State,
    project: &ProjectRoom,
    task: &Task,
    name: &str,
) -> Result<(), Refusal> {
    let (project, task_name) = (project.project.name.clone(), name.to_owned());
    let wanted = task.record.order.wanted;
    // A task whose attempts are exhausted only waits for the leases that live.
    let free = task.counted() + task.live() < wanted && !state.is_exhausted(task);
    match task.record.state {
        TaskState::Open if free => Ok(()),
        TaskState::Open => Err(Refusal::TaskFull { project, task: task_name, wanted }),
        TaskState::Done { .. } => Err(Refusal::TaskDone { project, task: task_name }),
        TaskState::Failed { .. } => Err(Refusal::TaskFailed { project, task: task_name }),
        TaskState::Cancelled => Err(Refusal::TaskCancelled { project, task: task_name }),
    }
}

/// Counts refusals by what would have to change.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    of: BTreeMap<(&'static str, String), Obstacle>,
}

impl Reasons {
    /// One more case; `waiting`: tasks that it holds back.
    pub(crate) fn add(&mut self, refusal: Refusal, waiting: u64) {
        let (kind, skill) = kind(&refusal);
        match self.of.get_mut(&(kind, skill.to_owned())) {
            None => {
                let key = (kind, skill.to_owned());
                self.of.insert(key, Obstacle { nearest: refusal, count: 1, waiting });
            }
            Some(known) => {
                known.count += 1;
                known.waiting += waiting;
                if distance(&refusal) < distance(&known.nearest) {
                    known.nearest = refusal;
                }
            }
        }
    }

    /// Most cases first.
    pub(crate) fn counted(self) -> Vec<Obstacle> {
        let mut all: Vec<Obstacle> = self.of.into_values().collect();
        all.sort_by_key(|obstacle| Reverse(obstacle.count));
        all
    }
}

/// The nearest of all: whoever lacks least of a number.
pub(crate) fn nearest(obstacles: &[Obstacle]) -> Option<Refusal> {
    let missed = obstacles.iter().filter_map(|o| Some((missing(&o.nearest)?, &o.nearest)));
    missed.min_by_key(|(missing, _)| *missing).map(|(_, nearest)| nearest.clone())
}

/// What would have to change: the rule, and for skills which one.
fn kind(refusal: &Refusal) -> (&'static str, &str) {
    let rule = match refusal {
        Refusal::SkillMissing { skill, .. } => return ("skill", skill),
        Refusal::RatingTooLow { .. } => "rating",
        Refusal::NewcomerRefused { .. } => "newcomer",
        Refusal::KindMismatch { .. } => "kind",
        Refusal::RegionMismatch { .. } => "region",
        Refusal::QuotaReached { .. } => "quota",
        Refusal::OwnRequester { .. } => "own requester",
        Refusal::WorkerBlocked { .. } => "blocked",
        Refusal::WorkerSuspended { .. } => "suspended",
        Refusal::CoolingDown { .. } => "cooling down",
        Refusal::CapacityReached { .. } => "capacity",
        Refusal::AlreadyThere { .. } => "there",
        Refusal::Barred { .. } => "barred",
        Refusal::ProjectPaused { .. } => "paused",
        Refusal::Throttled { .. } => "throttled",
        _ => "other",
    };
    (rule, "")
}

/// How far a worker is from what is asked, where that is a number.
fn missing(refusal: &Refusal) -> Option<u32> {
    match refusal {
        Refusal::SkillMissing { needed, has, .. } | Refusal::RatingTooLow { needed, has, .. } => {
            Some(u32::from(needed.saturating_sub(*has)))
        }
        Refusal::NewcomerRefused { judged, needed, .. } => Some(needed.saturating_sub(*judged)),
        _ => None,
    }
}

/// The same, or how long is left: comparable between cases of one kind.
fn distance(refusal: &Refusal) -> u64 {
    match refusal {
        Refusal::CoolingDown { remaining, .. }
        | Refusal::Barred { remaining, .. }
        | Refusal::Throttled { remaining, .. } => remaining.0,
        refusal => missing(refusal).map_or(0, u64::from),
    }
}

/// In how long each step of a relaxation holds for a task of this age; zero: it does.
pub(crate) fn to_come(project: &ProjectRoom, age: Millis) -> Vec<Millis> {
    let steps = project.project.spec.relaxation.iter();
    steps.map(|step| Millis(step.after.0.saturating_sub(age.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientId;

    fn lacks(worker: &str, skill: &str, has: u8) -> Refusal {
        let id = |text: &str| ClientId::new(text).expect("an id");
        let (project, worker, skill) = (id("cats"), id(worker), skill.to_owned());
        Refusal::SkillMissing { project, worker, skill, needed: 70, has }
    }

    #[test]
    fn reasons_are_counted_by_skill_and_keep_the_nearest_case() {
        let mut reasons = Reasons::default();
        let cases = [("ann", "lang:fi", 20), ("bob", "lang:fi", 60), ("cid", "maps", 65)];
        for (worker, skill, has) in cases {
            reasons.add(lacks(worker, skill, has), 5);
        }
        let counted = reasons.counted();
        let told: Vec<_> = counted.iter().map(|o| (&o.nearest, o.count, o.waiting)).collect();
        let (finnish, maps) = (lacks("bob", "lang:fi", 60), lacks("cid", "maps", 65));
        assert_eq!(told, [(&finnish, 2, 10), (&maps, 1, 5)]);
        assert_eq!(nearest(&counted), Some(maps), "5 levels are less than 10");
    }
}
