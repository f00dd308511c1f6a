//! What a worker's wishes admit: projects, and classes of tasks inside them.
//!
//! Payload sizes and expected durations are looked at by class, a class being the
//! number of bits: wishes select classes and never scan tasks.
//!
//! Not here: hard rules (`eligibility.rs`), the estimates themselves (`pace.rs`).

use std::collections::BTreeSet;

use crate::engine::{ProjectRoom, State, WorkerRoom};
use crate::explanation::{Pace, PaceSource};
use crate::limits::{PACE_ANSWERS_PROJECT, PACE_ANSWERS_WORKER};
use crate::matching::order::Class;
use crate::outcome::NoWork;
use crate::task::TaskOrder;
use crate::wishes::Wishes;
use crate::{ClientId, Millis, Money, ProjectId, Refusal, TenantId};

/// Milliseconds of an hour.
const HOUR_MS: i128 = 3_600_000;

/// So many wished projects are looked at one by one.
const FEW: usize = 64;

/// A worker's wishes with its names looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    projects: BTreeSet<ProjectId>,
    except: BTreeSet<ProjectId>,
    max_payload_bytes: Option<u32>,
    min_hourly_micros: Option<i64>,
    within: Option<Millis>,
}

impl Wanted {
    /// Looks the names up.
    ///
    /// # Errors
    /// A project that does not exist.
    pub(crate) fn of(state: &State, tenant: TenantId, wishes: &Wishes) -> Result<Wanted, Refusal> {
        let find = |names: &[ClientId]| -> Result<BTreeSet<ProjectId>, Refusal> {
            names.iter().map(|name| Ok(state.project(tenant, name)?.project.id)).collect()
        };
        Ok(Wanted {
            projects: find(&wishes.projects)?,
            except: find(&wishes.except)?,
            max_payload_bytes: wishes.max_payload_bytes,
            min_hourly_micros: wishes.min_hourly_micros,
            within: wishes.within,
        })
    }

    /// The only projects that are asked for; empty: any.
    pub(crate) fn projects(&self) -> &BTreeSet<ProjectId> {
        &self.projects
    }

    /// The projects to look at one by one, where there are few.
    pub(crate) fn few(&self) -> Option<&BTreeSet<ProjectId>> {
        (1..=FEW).contains(&self.projects.len()).then_some(&self.projects)
    }

    /// Whether anything of this project may be given.
    pub(crate) fn admits_project(&self, id: ProjectId) -> bool {
        (self.projects.is_empty() || self.projects.contains(&id)) && !self.except.contains(&id)
    }

    /// Whether tasks of this size class may be given: payloads of so many bits of length.
    pub(crate) fn admits_size(&self, size_class: u8) -> bool {
        self.max_payload_bytes.is_none_or(|max| TaskOrder::class_most(size_class) <= u64::from(max))
    }

    /// The wish that keeps work for this reward at this pace from being given, with so
    /// much left of the time box (`None`: no box).
    pub(crate) fn against_pace(
        &self,
        reward: Money,
        pace: Option<Pace>,
        left: Option<Millis>,
    ) -> Option<NoWork> {
        let pays = |min| pace.is_some_and(|pace| hourly(reward, pace.expected) >= i128::from(min));
        if !self.min_hourly_micros.is_none_or(pays) {
            return Some(NoWork::PaysLess);
        }
        let fits = left.is_none_or(|left| pace.is_some_and(|pace| pace.expected <= left));
        (!fits).then_some(NoWork::TakesLonger)
    }

    /// The first wish that keeps tasks of this class of a project from this worker.
    fn against(
        &self,
        worker: &WorkerRoom,
        project: &ProjectRoom,
        class: Class,
        left: Option<Millis>,
    ) -> Option<NoWork> {
        if !self.admits_size(class.size) {
            return Some(NoWork::TooLarge);
        }
        let asks_pace = self.min_hourly_micros.is_some() || left.is_some();
        let reward = project.project.spec.terms.reward;
        let pace = || pace(worker, project, class.duration);
        asks_pace.then(|| self.against_pace(reward, pace(), left)).flatten()
    }

    /// Whether tasks of this class of a project may be given to this worker.
    pub(crate) fn admits_class(
        &self,
        worker: &WorkerRoom,
        project: &ProjectRoom,
        class: Class,
        left: Option<Millis>,
    ) -> bool {
        self.against(worker, project, class, left).is_none()
    }

    /// The first wish that leaves out something that waits in a project; `None`: all
    /// that waits there is admitted. Cost: one look per class.
    pub(crate) fn leaves_out(&self, worker: &WorkerRoom, project: &ProjectRoom) -> Option<NoWork> {
        let mut classes = project.order.classes();
        if !self.admits_project(project.project.id) {
            return classes.next().map(|_| NoWork::LeftOut);
        }
        classes.filter_map(|class| self.against(worker, project, class, self.within)).min()
    }

    /// The time box, before anything was granted in it.
    pub(crate) fn within(&self) -> Option<Millis> {
        self.within
    }
}

/// How long a worker is expected to take for a task of this duration class in a project.
pub(crate) fn pace(worker: &WorkerRoom, project: &ProjectRoom, duration_class: u8) -> Option<Pace> {
    let known = |ms: u64, source| (ms > 0).then_some(Pace { expected: Millis(ms), source });
    let own = worker.tally(project.project.id);
    let all = &project.tally;
    let from_own = (own.answers >= PACE_ANSWERS_WORKER)
        .then(|| known(own.p75_ms, PaceSource::Worker))
        .flatten();
    let from_all = (all.counted + all.kept >= PACE_ANSWERS_PROJECT)
        .then(|| known(all.p75_ms, PaceSource::Project))
        .flatten();
    let declared = project.project.spec.terms.expected.map_or(0, |time| time.0);
    from_own
        .or(from_all)
        .or_else(|| known(TaskOrder::class_most(duration_class), PaceSource::Task))
        .or_else(|| known(declared, PaceSource::Declared))
}

/// What a reward comes to in an hour at this pace, in micro-units.
pub(crate) fn hourly(reward: Money, expected: Millis) -> i128 {
    i128::from(reward.micros) * HOUR_MS / i128::from(expected.0.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    fn euro(micros: i64) -> Money {
        Money { micros, currency: Currency::new("EUR").expect("three capitals") }
    }

    fn seconds(seconds: u64) -> Option<Pace> {
        Some(Pace { expected: Millis::from_secs(seconds), source: PaceSource::Declared })
    }

    #[test]
    fn a_payload_is_admitted_where_the_largest_of_its_class_is() {
        let small = Wanted { max_payload_bytes: Some(20_000), ..Wanted::default() };
        assert!(small.admits_size(TaskOrder::size_class(16_383)));
        assert!(!small.admits_size(TaskOrder::size_class(16_384)), "its class goes up to 32767");
        assert!(small.admits_size(0));
        assert!(Wanted::default().admits_size(64));
    }

    #[test]
    fn pay_and_time_are_measured_by_what_is_expected() {
        let paid = Wanted { min_hourly_micros: Some(9_500_000), ..Wanted::default() };
        // 50,000 micros for 18 s are 10 an hour; for 19 s they are 9.47.
        assert_eq!(paid.against_pace(euro(50_000), seconds(18), None), None);
        let less = Some(NoWork::PaysLess);
        assert_eq!(paid.against_pace(euro(50_000), seconds(19), None), less);
        assert_eq!(paid.against_pace(euro(50_000), None, None), less, "unknown");
        let left = Some(Millis::from_secs(420));
        let (boxed, longer) = (Wanted { within: left, ..Wanted::default() }, NoWork::TakesLonger);
        assert_eq!(boxed.against_pace(euro(0), seconds(420), left), None);
        assert_eq!(boxed.against_pace(euro(0), seconds(421), left), Some(longer));
        assert_eq!(boxed.against_pace(euro(0), None, left), Some(longer), "unknown");
        assert_eq!(Wanted::default().against_pace(euro(0), None, None), None);
    }
}
