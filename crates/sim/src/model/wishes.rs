//! What a worker asks of its work, and how long that is expected to take.

use piecework_core::outcome::NoWork;
use piecework_core::task::TaskOrder;
use piecework_core::wishes::Wishes;
use piecework_core::{Millis, ProjectId, Refusal, TaskId, TenantId, WorkerId};

use super::Model;

/// Answers in a project from which on a worker's own pace is known there.
const OWN_ANSWERS: u32 = 5;
/// The same for everybody's.
const ALL_ANSWERS: u64 = 20;

/// Wishes with their names looked up; the default wishes nothing.
#[derive(Default)]
pub(super) struct Wanted {
    only: Vec<ProjectId>,
    except: Vec<ProjectId>,
    max_payload_bytes: Option<u32>,
    min_hourly_micros: Option<i64>,
    /// What is left of the time box.
    pub(super) left: Option<Millis>,
}

impl Wanted {
    /// Whether anything of this project is wanted.
    pub(super) fn names(&self, project: ProjectId) -> bool {
        (self.only.is_empty() || self.only.contains(&project)) && !self.except.contains(&project)
    }
}

/// The largest number of so many bits.
fn largest(bits: u8) -> u64 {
    u64::try_from((1_u128 << bits) - 1).expect("at most 64 bits")
}

/// How many bits a number takes.
pub(super) fn bits(number: u64) -> u8 {
    (0..=64).find(|bits| number <= largest(*bits)).expect("64 bits hold any")
}

impl Model {
    pub(super) fn wanted(&self, tenant: TenantId, wishes: &Wishes) -> Result<Wanted, Refusal> {
        let find = |name| self.find_project(tenant, name);
        Ok(Wanted {
            only: wishes.projects.iter().map(find).collect::<Result<_, _>>()?,
            except: wishes.except.iter().map(find).collect::<Result<_, _>>()?,
            max_payload_bytes: wishes.max_payload_bytes,
            min_hourly_micros: wishes.min_hourly_micros,
            left: wishes.within,
        })
    }

    /// How long an answer is expected to take: by the worker's own pace in the project
    /// after five answers there, else by everybody's after twenty, else as the task
    /// declares, rounded up to a class, else as the project does.
    pub(super) fn expected(
        &self,
        who: WorkerId,
        project: ProjectId,
        order: &TaskOrder,
    ) -> Option<Millis> {
        let (person, venture) = (&self.workers[&who], &self.projects[&project]);
        let answers = person.answers.get(&project).copied().unwrap_or(0);
        let tally = self.tally(project).expect("a project that was found");
        if answers >= OWN_ANSWERS {
            return person.p75_ms.get(&project).copied().map(Millis);
        }
        if tally.counted + tally.kept >= ALL_ANSWERS {
            return Some(Millis(venture.p75_ms));
        }
        if order.duration_class > 0 {
            return Some(Millis(largest(order.duration_class)));
        }
        venture.project.spec.terms.expected.filter(|expected| expected.0 > 0)
    }

    /// The wish because of which a project, or something that waits in it, is left out:
    /// of several the first in the order projects, size, pay, time.
    pub(super) fn unwanted(
        &self,
        wanted: &Wanted,
        who: WorkerId,
        project: ProjectId,
    ) -> Option<NoWork> {
        let waits = |(id, _): &(TaskId, _)| self.place(*id).is_some();
        let orders = self.tasks_of(project).filter(waits).map(|(_, facts)| facts.record.order);
        let orders: Vec<TaskOrder> = orders.collect();
        if !wanted.names(project) {
            return (!orders.is_empty()).then_some(NoWork::LeftOut);
        }
        let none = Wanted::default;
        let wishes = [
            (NoWork::TooLarge, Wanted { max_payload_bytes: wanted.max_payload_bytes, ..none() }),
            (NoWork::PaysLess, Wanted { min_hourly_micros: wanted.min_hourly_micros, ..none() }),
            (NoWork::TakesLonger, Wanted { left: wanted.left, ..none() }),
        ];
        let hides = |wish: &Wanted| orders.iter().any(|o| !self.admits(wish, who, project, o));
        wishes.into_iter().find_map(|(why, wish)| hides(&wish).then_some(why))
    }

    /// Whether the wishes admit a task: its payload's class lies below the wish, its
    /// reward comes to as much an hour at the expected pace, and it is expected to be
    /// done within what is left of the time box.
    pub(super) fn admits(
        &self,
        wanted: &Wanted,
        who: WorkerId,
        project: ProjectId,
        order: &TaskOrder,
    ) -> bool {
        if wanted.max_payload_bytes.is_some_and(|most| largest(order.size_class) > u64::from(most))
        {
            return false;
        }
        if wanted.min_hourly_micros.is_none() && wanted.left.is_none() {
            return true;
        }
        let Some(expected) = self.expected(who, project, order) else { return false };
        let reward = self.projects[&project].project.spec.terms.reward.micros;
        let hourly = i128::from(reward) * 3_600_000 / i128::from(expected.0.max(1));
        wanted.min_hourly_micros.is_none_or(|least| hourly >= i128::from(least))
            && wanted.left.is_none_or(|left| expected <= left)
    }
}
