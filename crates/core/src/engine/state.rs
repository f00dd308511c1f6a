//! The engine's tables, and looking things up in them.
//!
//! Rows and indexes change together: task rows only in `edit.rs`, project and
//! worker rows only through the methods here.
//!
//! Not here: decisions (`apply/`), loading (`restore.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::change::{CreateKeyId, CreateKeyRow, PartitionRow};
use crate::command::{TaskKey, TaskRef};
use crate::engine::Stop;
use crate::engine::parked::{Parked, Stir};
use crate::engine::presence::Present;
use crate::engine::timers::{Timer, Timers};
use crate::forecast::Flow;
use crate::lease::Lease;
use crate::limits::TIER_DEFAULT;
use crate::matching::fairness::{Account, Accounts, Turn};
use crate::matching::order::{Order, Spot};
use crate::matching::overdue::Late;
use crate::matching::pick::Resume;
use crate::matching::profile::ProfileId;
use crate::matching::profiles::{Profiles, Standing};
use crate::matching::rate::Paid;
use crate::matching::wishes::Wanted;
use crate::planted::{self, Mistake};
use crate::project::{Project, ProjectState, ProjectTally, Requirements, Sweep, Terms};
use crate::requester::Requester;
use crate::task::TaskRecord;
use crate::worker::{LeaseRequest, WorkTally, Worker, WorkerRecord};
use crate::{
    ClientId, EngineTime, Fingerprint, LeaseId, Limits, Millis, Now, Position, ProjectId, Refusal,
    RequesterId, Revision, Sequence, TaskId, TaskNumber, TenantId, WorkerId,
};

/// All that decisions need.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) partition: PartitionRow,
    pub(crate) tenants: BTreeMap<TenantId, TenantRoom>,
    pub(crate) requesters: BTreeMap<RequesterId, Requester>,
    pub(crate) projects: BTreeMap<ProjectId, ProjectRoom>,
    pub(crate) workers: BTreeMap<WorkerId, WorkerRoom>,
    /// Touched tasks that are not settled, or not yet forgotten.
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) create_keys: BTreeMap<CreateKeyId, CreateKeyRow>,
    pub(crate) sweeps: BTreeMap<ProjectId, Sweep>,
    pub(crate) timers: Timers,
    /// Settled tasks and the position that settled them, oldest first.
    pub(crate) settled: VecDeque<(Position, TaskId)>,
    /// Tasks that a cold command waits for: they stay once they are here.
    pub(crate) pins: BTreeMap<TaskId, u32>,
    /// Requesters' grants against their limits.
    pub(crate) paid: BTreeMap<RequesterId, Paid>,
    /// Projects in which waiting workers may find something new.
    pub(crate) stirred: BTreeMap<ProjectId, Stir>,
    /// Waiting workers whose own affairs changed.
    pub(crate) own: BTreeSet<WorkerId>,
    /// Nobody hears why an answer is empty: the call waits on.
    pub(crate) quiet: bool,
    pub(crate) live_leases: u64,
    pub(crate) totals: Totals,
}

/// Tasks of all projects, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// In state OPEN.
    pub open: u64,
    /// In state DONE.
    pub done: u64,
    /// In state FAILED.
    pub failed: u64,
    /// In state CANCELLED.
    pub cancelled: u64,
}

impl Totals {
    /// Takes a project's old counts out and its new ones in.
    pub(crate) fn replace(&mut self, old: &ProjectTally, new: &ProjectTally) {
        self.open = self.open + new.open - old.open;
        self.done = self.done + new.done - old.done;
        self.failed = self.failed + new.failed - old.failed;
        self.cancelled = self.cancelled + new.cancelled - old.cancelled;
    }
}

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
    /// By fingerprint of a task's own id: its number and its content.
    pub(crate) names: BTreeMap<Fingerprint, (TaskNumber, Fingerprint)>,
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

    /// Counted answers that it still wants.
    pub(crate) fn places(&self) -> u64 {
        if !self.record.state.is_open() {
            return 0;
        }
        u64::from(self.record.order.wanted.saturating_sub(self.counted()))
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

impl State {
    pub(crate) fn requester(
        &self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<RequesterId, Refusal> {
        let found = self.tenants.get(&tenant).and_then(|t| t.requesters.get(name));
        found.copied().ok_or_else(|| Refusal::RequesterNotFound { requester: name.clone() })
    }

    pub(crate) fn project(
        &self,
        tenant: TenantId,
        name: &ClientId,
    ) -> Result<&ProjectRoom, Refusal> {
        let found = self.tenants.get(&tenant).and_then(|t| t.projects.get(name));
        found
            .and_then(|id| self.projects.get(id))
            .ok_or_else(|| Refusal::ProjectNotFound { project: name.clone() })
    }

    pub(crate) fn worker(&self, tenant: TenantId, name: &ClientId) -> Result<&WorkerRoom, Refusal> {
        let found = self.tenants.get(&tenant).and_then(|t| t.workers.get(name));
        found
            .and_then(|id| self.workers.get(id))
            .ok_or_else(|| Refusal::WorkerNotFound { worker: name.clone() })
    }

    /// A project that is known to exist, because a row points at it.
    pub(crate) fn project_room(&self, id: ProjectId) -> &ProjectRoom {
        self.projects.get(&id).unwrap_or_else(|| panic!("row of unknown project {id}"))
    }

    pub(crate) fn project_room_mut(&mut self, id: ProjectId) -> &mut ProjectRoom {
        self.projects.get_mut(&id).unwrap_or_else(|| panic!("row of unknown project {id}"))
    }

    /// A worker that is known to exist, because a row points at it.
    pub(crate) fn worker_room(&self, id: WorkerId) -> &WorkerRoom {
        self.workers.get(&id).unwrap_or_else(|| panic!("row of unknown worker {id}"))
    }

    pub(crate) fn worker_room_mut(&mut self, id: WorkerId) -> &mut WorkerRoom {
        self.workers.get_mut(&id).unwrap_or_else(|| panic!("row of unknown worker {id}"))
    }

    /// The number of the task that a client named.
    pub(crate) fn find(&self, tenant: TenantId, task: &TaskRef) -> Result<TaskId, Refusal> {
        let project = self.project(tenant, &task.project)?;
        let number = match &task.task {
            TaskKey::Named(id) => {
                let key = Fingerprint::of(&[id.as_str().as_bytes()]);
                project.names.get(&key).map(|(number, _)| *number)
            }
            TaskKey::Number(number) => Some(*number),
        };
        number
            .filter(|n| (1..=project.tally.last_task.0).contains(&n.0))
            .map(|n| project.task(n))
            .ok_or_else(|| Refusal::TaskNotFound {
                project: task.project.clone(),
                task: text(&task.task),
            })
    }

    /// A touched task in memory; `Ok(None)` when nobody touched it.
    ///
    /// # Errors
    /// `Stop::Cold` when it is settled and only storage knows it.
    pub(crate) fn task(&self, id: TaskId) -> Result<Option<&Task>, Stop> {
        if let Some(task) = self.tasks.get(&id) {
            return Ok(Some(task));
        }
        match self.project_room(id.project).order.untouched(id.number) {
            Some(_) => Ok(None),
            None => Err(Stop::Cold(vec![id])),
        }
    }

    /// Finds every task that is settled and not in memory.
    ///
    /// # Errors
    /// `Stop::Cold` with all of them: a bulk command asks once.
    pub(crate) fn warm(&self, tasks: impl Iterator<Item = TaskId>) -> Result<(), Stop> {
        let cold: Vec<TaskId> = tasks.filter(|id| self.task(*id).is_err()).collect();
        if cold.is_empty() { Ok(()) } else { Err(Stop::Cold(cold)) }
    }

    /// A lease's task, if a lease of that name may exist for this tenant.
    pub(crate) fn leased_task(&self, tenant: TenantId, lease: LeaseId) -> Option<TaskId> {
        let project = self.projects.get(&lease.task.project)?;
        let known = (1..=project.tally.last_task.0).contains(&lease.task.number.0);
        let touched = project.order.untouched(lease.task.number).is_none();
        let gone = project.project.state == ProjectState::Deleting;
        (project.project.tenant == tenant && known && touched && !gone).then_some(lease.task)
    }

    /// A project whose rows are gone: nothing is left of it, its times included, so
    /// that a restart changes nobody's turn.
    pub(crate) fn drop_project(&mut self, id: ProjectId) {
        let Some(room) = self.projects.remove(&id) else { return };
        self.totals.replace(&room.tally, &ProjectTally::default());
        let tenant = room.project.tenant;
        let account = room.account();
        let timer = room.throttled_until;
        timer.into_iter().for_each(|at| self.timers.clear(at, Timer::Unthrottled(id)));
        room.relaxes.into_iter().for_each(|at| self.timers.clear(at, Timer::Relaxed(id)));
        let tenant = self.tenant_mut(tenant);
        tenant.accounts.remove(account, room.tally.requester_time, id);
        tenant.profiles.remove_rules(&room.project.spec);
        tenant.profiles.drop_project(room.stamp, id);
        tenant.profiles.reseat(account, tenant.accounts.time(account));
    }

    /// A project stands in an account: at its birth, and when everything is loaded.
    pub(crate) fn open_account(&mut self, id: ProjectId) {
        let room = self.project_room(id);
        let (tenant, tier) = (room.project.tenant, self.tier(&room.project));
        let time = room.tally.requester_time;
        let account = Account { tier, requester: room.project.requester };
        self.project_room_mut(id).tier = tier;
        self.tenant_mut(tenant).accounts.add(account, time, id);
    }

    /// A project takes its times along to the tier that it now stands in. False: it
    /// stands there already.
    pub(crate) fn move_account(&mut self, id: ProjectId) -> bool {
        let room = self.project_room(id);
        if room.tier == self.tier(&room.project) {
            return false;
        }
        let (tenant, account) = (room.project.tenant, room.account());
        let time = room.tally.requester_time;
        let tenant = self.tenant_mut(tenant);
        tenant.accounts.remove(account, time, id);
        tenant.profiles.reseat(account, tenant.accounts.time(account));
        self.open_account(id);
        true
    }

    /// The tier that a project may use.
    pub(crate) fn tier(&self, project: &Project) -> u8 {
        if planted::is(Mistake::TierIgnored) {
            return TIER_DEFAULT;
        }
        self.requesters[&project.requester].tier(&project.spec)
    }

    /// A requester's share.
    pub(crate) fn weight(&self, requester: RequesterId) -> u32 {
        self.requesters[&requester].weight
    }

    /// Whose turn a project is.
    pub(crate) fn turn_of(&self, room: &ProjectRoom) -> Turn {
        let account = room.account();
        let accounts = self.tenants.get(&room.project.tenant).map(|tenant| &tenant.accounts);
        Turn {
            tier: account.tier,
            requester_time: accounts.map_or(0, |accounts| accounts.time(account)),
            requester: account.requester,
            project_time: room.tally.virtual_time,
            project: room.project.id,
        }
    }

    /// A lease of this worker, whose task is warm; any other does not exist for it.
    pub(crate) fn lease_of(
        &self,
        tenant: TenantId,
        worker: &ClientId,
        id: LeaseId,
    ) -> Result<(&WorkerRoom, &Task, &Lease), Refusal> {
        let room = self.worker(tenant, worker)?;
        let task = self.leased_task(tenant, id).and_then(|task| self.tasks.get(&task));
        let lease = task.and_then(|task| Some((task, task.lease(id.number)?)));
        match lease {
            Some((task, lease)) if lease.worker == room.worker.id => Ok((room, task, lease)),
            _ => Err(Refusal::LeaseNotFound { worker: worker.clone(), lease: id }),
        }
    }

    pub(crate) fn tenant_mut(&mut self, tenant: TenantId) -> &mut TenantRoom {
        self.tenants.entry(tenant).or_default()
    }
}

/// A task's name inside its project, as people read it.
pub(crate) fn text(key: &TaskKey) -> String {
    match key {
        TaskKey::Named(id) => id.to_string(),
        TaskKey::Number(number) => format!("~{number}"),
    }
}
