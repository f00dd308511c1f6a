//! The best place for a worker: by looking at every place there is.

use piecework_core::outcome::{NoWork, Overdue};
use piecework_core::project::{Assignment, ProjectState};
use piecework_core::task::TaskOrder;
use piecework_core::{EngineTime, ProjectId, Refusal, TaskId, TaskNumber, TenantId, WorkerId};

use super::Model;
use super::turns::{RunnersUp, Turn};
use super::wishes::Wanted;

/// Projects and places that a pick looks at in one go.
const LOOKS_MAX: usize = 256;

/// What a pick chose.
pub(super) struct Picked {
    pub(super) task: TaskId,
    pub(super) runners_up: RunnersUp,
    /// What it means to who waits too long.
    pub(super) overdue: Overdue,
}

/// A place's rank inside its project.
type Rank = (bool, i16, u64, EngineTime, TaskNumber);

/// First-lapsed places; the higher priority; the earlier deadline bucket (2¹⁶ ms); who
/// is ready for longer; the smaller number.
fn rank(lapsed: bool, order: &TaskOrder, number: TaskNumber) -> Rank {
    let deadline = order.deadline.map_or(u64::MAX, |at| at.0 / 65_536);
    (!lapsed, -i16::from(order.priority), deadline, order.ready_at, number)
}

impl Model {
    /// By turn the first candidate that has a ready place; where none has, the first
    /// that has a resting one. But an overdue candidate may get the grant instead.
    ///
    /// `said`: what the engine says of overdue projects.
    pub(super) fn pick(
        &self,
        tenant: TenantId,
        who: WorkerId,
        wanted: &Wanted,
        said: Option<Overdue>,
    ) -> Option<Picked> {
        let mut candidates = self.candidates(tenant, who, wanted);
        candidates.sort_by_key(|(turn, _)| *turn);
        let with = |rests: bool| {
            let best = |(turn, step): &(Turn, usize)| {
                Some((*turn, self.best_place(who, wanted, turn.project, *step, rests)?))
            };
            candidates.iter().filter_map(best).collect::<Vec<_>>()
        };
        let ready = with(false);
        let ((turn, task), overdue) = match ready.first() {
            None => (*with(true).first()?, Overdue::Nobody),
            Some(normal) => {
                let waited = self.overdue(&ready, normal.0.project);
                let said = said.filter(|_| self.much.contains(&tenant));
                self.with_gap(*normal, &waited, said)
            }
        };
        let turns: Vec<Turn> = candidates.iter().map(|(turn, _)| *turn).collect();
        Some(Picked { task, runners_up: RunnersUp::of(&turn, &turns), overdue })
    }

    /// Projects of the rota, where the daemon picks, that the wishes name and that the
    /// worker fits at some step.
    fn candidates(&self, tenant: TenantId, who: WorkerId, wanted: &Wanted) -> Vec<(Turn, usize)> {
        let here = self.projects.iter().filter(|(id, venture)| {
            let about = &venture.project;
            venture.in_rota
                && about.tenant == tenant
                && about.spec.assignment == Assignment::ServerPicks
                && wanted.names(**id)
        });
        here.filter_map(|(id, _)| Some((self.turn(*id), self.step(who, *id).ok()?))).collect()
    }

    fn best_place(
        &self,
        who: WorkerId,
        wanted: &Wanted,
        project: ProjectId,
        step: usize,
        rests: bool,
    ) -> Option<TaskId> {
        let mut best: Option<(Rank, TaskId)> = None;
        for (task, facts) in self.tasks_of(project) {
            let order = &facts.record.order;
            let rank = rank(facts.record.lapsed, order, task.number);
            if best.is_none_or(|(least, _)| rank < least)
                && self.place(task) == Some(rests)
                && self.is_old_enough(task, step)
                && self.admits(wanted, who, project, order)
                && self.been(who, task).is_none()
            {
                best = Some((rank, task));
            }
        }
        best.map(|(_, task)| task)
    }

    /// Whether there may be more to look at than a pick looks at in one go.
    pub(super) fn is_much(&self, tenant: TenantId) -> bool {
        let own = |id: ProjectId| self.projects[&id].project.tenant == tenant;
        let tasks = self.tasks.keys().filter(|task| own(task.project)).count();
        self.projects.len() + tasks > LOOKS_MAX
    }

    /// Why there is nothing, counted over the tenant's projects.
    pub(super) fn why_none(
        &self,
        tenant: TenantId,
        who: WorkerId,
        wanted: &Wanted,
    ) -> Vec<(NoWork, u32)> {
        let mut counts = std::collections::BTreeMap::new();
        for (id, venture) in &self.projects {
            let about = &venture.project;
            let gone = about.state == ProjectState::Deleting;
            if about.tenant != tenant || gone {
                continue;
            }
            let why = if about.spec.assignment == Assignment::WorkerPicks {
                NoWork::WorkerPicks
            } else {
                match self.step(who, *id) {
                    Err((why, _)) => why,
                    Ok(_) if self.throttled_until(*id).is_some() => NoWork::Throttled,
                    Ok(_) => self.unwanted(wanted, who, *id).unwrap_or(NoWork::NothingReady),
                }
            };
            // Of what was not asked for, only what could be had without the wish.
            if !wanted.names(*id) && why != NoWork::LeftOut {
                continue;
            }
            *counts.entry(why).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// The first step of a project's relaxation at which the worker satisfies every
    /// rule; step 0 is the project's own. Where there is none, the rule that it breaks
    /// at step 0.
    pub(super) fn step(&self, who: WorkerId, id: ProjectId) -> Result<usize, (NoWork, Refusal)> {
        let spec = &self.projects[&id].project.spec;
        let Some(first) = self.unfit(who, id, &spec.requirements) else { return Ok(0) };
        let fits = |step: &piecework_core::relaxation::Relaxation| {
            self.unfit(who, id, &step.requirements).is_none()
        };
        spec.relaxation.iter().position(fits).map(|at| at + 1).ok_or(first)
    }

    /// At a step a worker may have what has been ready for as long as the step says.
    pub(super) fn is_old_enough(&self, task: TaskId, step: usize) -> bool {
        let Some(step) = step.checked_sub(1) else { return true };
        let after = self.projects[&task.project].project.spec.relaxation[step].after;
        self.now.engine - self.tasks[&task].record.order.ready_at >= after
    }
}
