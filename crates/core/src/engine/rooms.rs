//! What hangs on a tenant, a project, a worker, a task: its row, and what is derived
//! from it for decisions.
//!
//! Not here: where the rooms stand (`state.rs`), what changes them (`edit.rs`, `apply/`).

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::own_ids::OwnIds;
use crate::engine::parked::Parked;
use crate::engine::presence::Present;
use crate::forecast::Flow;
use crate::lease::Lease;
use crate::matching::fairness::{Account, Accounts};
use crate::matching::order::{Order, Spot};
use crate::matching::overdue::Late;
use crate::matching::pick::Resume;
use crate::matching::profile::ProfileId;
use crate::matching::profiles::{Profiles, Standing};
use crate::matching::rate::Paid;
use crate::matching::wishes::Wanted;
use crate::planted::{self, Mistake};
use crate::project::{Project, ProjectState, ProjectTally, Requirements, Terms};
use crate::quality::{Basis, Crowd, Rating};
use crate::task::{TaskRecord, TaskState};
use crate::worker::{LeaseRequest, WorkTally, Worker, WorkerRecord};
use crate::{
    ClientId, EngineTime, LeaseId, Millis, Now, Position, ProjectId, RequesterId, Revision,
    Sequence, TaskId, TaskNumber, WorkerId,
};

/// A task with more leases than that is never packed.
const PACKED_LEASES_MAX: usize = 16;

/// Names and accounts of one tenant.
#[derive(Debug, Default)]
pub(crate) struct TenantRoom {
    pub(crate) requesters: BTreeMap<ClientId, RequesterId>,
    pub(crate) projects: BTreeMap<ClientId, ProjectId>,
    pub(crate) workers: BTreeMap<ClientId, WorkerId>,
    pub(crate) accounts: Accounts,
    pub(crate) profiles: Profiles,
    pub(crate) present: Present,
    pub(crate) parked: Parked,
    /// Grows whenever somebody may find what was not there before.
    pub(crate) stirs: u64,
    /// Newest sequence of the log of worker events.
    pub(crate) last_worker_event: Sequence,
}

/// A project and what hangs on it.
#[derive(Debug)]
pub(crate) struct ProjectRoom {
    pub(crate) project: Project,
    pub(crate) terms: BTreeMap<Revision, Arc<Terms>>,
    pub(crate) tally: ProjectTally,
    pub(crate) order: Order,
    /// Its tasks by their own ids.
    pub(crate) names: OwnIds,
    /// The tier that it stands in: its own, or its requester's ceiling.
    pub(crate) tier: u8,
    /// Whether picks look at it: it grants and has places.
    pub(crate) in_rota: bool,
    /// Grants of others that it stood back for since it became overdue.
    pub(crate) passes: u8,
    /// What comes and what is worked off.
    pub(crate) flow: Flow,
    /// Its grants against its limit.
    pub(crate) paid: Paid,
    /// Its limit, or its requester's, keeps it out of the rota until then.
    pub(crate) throttled_until: Option<EngineTime>,
    /// When requirements relax for the next of its tasks; rounded up to a second.
    pub(crate) relaxes: Option<EngineTime>,
    /// When its rules last changed, as profiles count.
    pub(crate) stamp: u64,
    /// Profiles that met it out of the rota.
    pub(crate) absent_from: BTreeSet<ProfileId>,
    /// Profiles that it fits, as far as they have judged it.
    pub(crate) fits: BTreeSet<ProfileId>,
    /// What is known of those who answer, by class field of the schema.
    pub(crate) crowds: BTreeMap<u16, Crowd>,
    /// The answers that the last refinement has counted.
    pub(crate) refined_through: EngineTime,
}

/// A worker and what hangs on it.
#[derive(Debug)]
pub(crate) struct WorkerRoom {
    pub(crate) worker: Worker,
    pub(crate) record: WorkerRecord,
    pub(crate) requests: BTreeMap<u32, LeaseRequest>,
    pub(crate) request_ids: BTreeMap<ClientId, u32>,
    pub(crate) live: BTreeSet<LeaseId>,
    /// Expired leases that take capacity until their window ends.
    pub(crate) lapsed: BTreeSet<(EngineTime, LeaseId)>,
    pub(crate) tallies: BTreeMap<ProjectId, Tally>,
    /// Its ratings by skill area.
    pub(crate) areas: BTreeMap<String, Rating>,
    /// Points of its rating by the lower bound, once some project asked for them since
    /// the rating last changed: they are dear.
    pub(crate) lower_bound: OnceCell<u8>,
    /// When its last command came, in this run of the daemon.
    pub(crate) seen: Option<EngineTime>,
    /// Since when it has been present without a gap.
    pub(crate) present_since: EngineTime,
    /// Its profile, as last looked up.
    pub(crate) standing: Option<Standing>,
    /// Whether it waits for work.
    pub(crate) parked: bool,
    /// The wishes of its last call for work, while it is present.
    pub(crate) asked: Option<Box<Wanted>>,
    /// Where a pick stopped that looked at as much as it may.
    pub(crate) resume: Option<Box<Resume>>,
    /// Where its search for overdue projects goes on.
    pub(crate) late: Option<Box<Late>>,
}

/// A worker's doings in one project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) answers: u32,
    pub(crate) live: u32,
    pub(crate) p75_ms: u64,
}

impl Tally {
    /// As its row says; leases are counted as they come in.
    pub(crate) fn of(row: WorkTally) -> Tally {
        Tally { answers: row.answers, live: 0, p75_ms: row.p75_ms }
    }
}

/// A touched task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) record: TaskRecord,
    /// Ascending by number, dense from 1.
    pub(crate) leases: Vec<Lease>,
    pub(crate) spot: Spot,
    /// The newest position that changed it; zero when only storage knows.
    pub(crate) changed: Position,
}

impl Task {
    pub(crate) fn counted(&self) -> u16 {
        let n = self.leases.iter().filter(|l| l.counted().is_some()).count();
        u16::try_from(n).unwrap_or(u16::MAX)
    }

    pub(crate) fn live(&self) -> u16 {
        let n = self.leases.iter().filter(|l| l.is_live()).count();
        u16::try_from(n).unwrap_or(u16::MAX)
    }

    pub(crate) fn lease(&self, number: u32) -> Option<&Lease> {
        self.leases.get((number as usize).checked_sub(1)?)
    }

    /// Whether it was sure before all its leases had ended: their answers count.
    pub(crate) fn awaits_answers(&self) -> bool {
        let sure = self.record.state == TaskState::Done { incomplete: false };
        sure && !self.record.resolved && self.counted() < self.record.order.wanted
    }

    /// Counted answers that it still wants.
    pub(crate) fn places(&self) -> u64 {
        if !self.record.state.is_open() {
            return 0;
        }
        u64::from(self.record.order.wanted.saturating_sub(self.counted()))
    }

    /// Open, and until its deadline time changes nothing of it. A task of many leases never
    /// waits in this sense: looking at them all would be dear.
    pub(crate) fn waits(&self, now: EngineTime) -> bool {
        self.record.state.is_open()
            && self.leases.len() <= PACKED_LEASES_MAX
            && !matches!(self.spot, Spot::Resting(_))
            && !self.leases.iter().any(|l| l.takes_capacity(now) || l.draft)
    }

    /// Nothing will happen to it by itself any more.
    pub(crate) fn is_settled(&self, now: EngineTime) -> bool {
        let waits = |l: &Lease| l.takes_capacity(now) || l.draft;
        !self.record.state.is_open() && !self.leases.iter().any(waits)
    }
}

impl ProjectRoom {
    pub(crate) fn task(&self, number: TaskNumber) -> TaskId {
        TaskId { project: self.project.id, number }
    }

    pub(crate) fn terms(&self, revision: Revision) -> &Terms {
        if revision == self.project.revision {
            return &self.project.spec.terms;
        }
        self.terms.get(&revision).map_or(&self.project.spec.terms, |terms| terms)
    }

    /// The same, to hold on to.
    pub(crate) fn pinned(&self, revision: Revision) -> Arc<Terms> {
        let kept = self.terms.get(&revision).or_else(|| self.terms.get(&self.project.revision));
        kept.map_or_else(|| Arc::new(self.project.spec.terms.clone()), Arc::clone)
    }

    /// Whether its state allows grants.
    pub(crate) fn grants(&self) -> bool {
        matches!(self.project.state, ProjectState::Active | ProjectState::Closed)
            || (self.project.state == ProjectState::Paused && planted::is(Mistake::PauseGrants))
    }

    /// Whether it belongs into the rota: it grants, has places and is not throttled.
    pub(crate) fn wants_turn(&self) -> bool {
        self.grants() && self.order.has_places() && self.throttled_until.is_none()
    }

    pub(crate) fn account(&self) -> Account {
        Account { tier: self.tier, requester: self.project.requester }
    }

    /// What a step asks, and how long a task must have been ready for it; step 0 is
    /// the project's own.
    pub(crate) fn asks(&self, step: u8) -> Option<(&Requirements, Millis)> {
        let spec = &self.project.spec;
        match usize::from(step).checked_sub(1) {
            None => Some((&spec.requirements, Millis(0))),
            Some(at) => spec.relaxation.get(at).map(|step| {
                let at_once = planted::is(Mistake::RelaxationAtOnce);
                (&step.requirements, if at_once { Millis(0) } else { step.after })
            }),
        }
    }

    /// The step that its longest waiting ready task has reached; 0: none.
    pub(crate) fn step_in_force(&self, now: EngineTime) -> u8 {
        let age = self.order.oldest_ready().map(|since| now - since);
        let steps = self.project.spec.relaxation.iter();
        let reached = steps.filter(|step| age.is_some_and(|age| step.after <= age)).count();
        u8::try_from(reached).expect("at most a few steps")
    }

    /// When the next of its tasks reaches a step: at most once a second.
    pub(crate) fn next_relaxed(&self, now: EngineTime) -> Option<EngineTime> {
        let ages = self.project.spec.relaxation.iter().map(|step| step.after);
        let since = EngineTime(now.0 - now.0 % 1_000);
        let next = self.order.next_of_age(ages, since).filter(|_| self.wants_turn());
        next.map(|at| EngineTime(at.0.next_multiple_of(1_000)))
    }

    /// Whether a flag ended all its tasks, whatever their rows still say.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.project.state, ProjectState::Cancelled { .. } | ProjectState::Deleting)
    }
}

impl WorkerRoom {
    /// Judged answers in all skill areas: who has few is a newcomer.
    pub(crate) fn judged(&self) -> u32 {
        self.record.rating.record.judged()
    }

    /// What a minimum rating is compared with: points of accuracy as of the last change
    /// of its record.
    pub(crate) fn points(&self, basis: Basis) -> u8 {
        let record = &self.record.rating.record;
        match basis {
            Basis::Mean => record.points(basis),
            Basis::LowerBound => *self.lower_bound.get_or_init(|| record.points(basis)),
        }
    }

    /// The level of a skill that counts now.
    pub(crate) fn level(&self, skill: &str, now: Now) -> Option<u8> {
        let skill = self.worker.skills.get(skill)?;
        skill.expires.is_none_or(|at| now.wall < at).then_some(skill.level)
    }

    pub(crate) fn tally(&self, project: ProjectId) -> Tally {
        self.tallies.get(&project).copied().unwrap_or_default()
    }

    /// Leases that take its capacity now.
    pub(crate) fn holds(&self, now: EngineTime) -> u32 {
        let after = (EngineTime(now.0 + 1), LeaseId::default());
        let holds = self.live.len() + self.lapsed.range(after..).count();
        u32::try_from(holds).unwrap_or(u32::MAX)
    }

    pub(crate) fn work_tally(&self, project: ProjectId) -> WorkTally {
        let Tally { answers, p75_ms, .. } = self.tally(project);
        WorkTally { worker: self.worker.id, project, answers, p75_ms }
    }
}
