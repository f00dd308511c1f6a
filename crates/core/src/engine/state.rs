//! The engine's tables, and looking things up in them.
//!
//! Rows and indexes change together: task rows only in `edit.rs`, project and
//! worker rows only through the methods here.
//!
//! Not here: decisions (`apply/`), loading (`restore.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::change::{CreateKeyId, CreateKeyRow, PartitionRow};
use crate::command::{TaskKey, TaskRef};
use crate::engine::Stop;
use crate::engine::dense::Rooms;
use crate::engine::parked::Stir;
use crate::engine::rooms::{ProjectRoom, TenantRoom, WorkerRoom};
use crate::engine::tasks::{Found, Tasks};
use crate::engine::timers::{Timer, Timers};
use crate::lease::Lease;
use crate::limits::TIER_DEFAULT;
use crate::matching::fairness::{Account, Turn};
use crate::matching::rate::Paid;
use crate::planted::{self, Mistake};
use crate::project::{Project, ProjectState, ProjectTally, Sweep};
use crate::requester::Requester;
use crate::{
    ClientId, Fingerprint, LeaseId, Limits, Position, ProjectId, Refusal, RequesterId, TaskId,
    TenantId, WorkerId,
};

/// All that decisions need.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) partition: PartitionRow,
    pub(crate) tenants: BTreeMap<TenantId, TenantRoom>,
    pub(crate) requesters: BTreeMap<RequesterId, Requester>,
    pub(crate) projects: Rooms<ProjectId, ProjectRoom>,
    pub(crate) workers: Rooms<WorkerId, WorkerRoom>,
    /// Touched tasks that are not settled, or not yet forgotten.
    pub(crate) tasks: Tasks,
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
                project.names.get(key).map(|own| own.number)
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
    pub(crate) fn task(&self, id: TaskId) -> Result<Option<Found<'_>>, Stop> {
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
        let untouched = |id: &TaskId| self.project_room(id.project).order.untouched(id.number);
        let known = |id: &TaskId| self.tasks.contains(id) || untouched(id).is_some();
        let cold: Vec<TaskId> = tasks.filter(|id| !known(id)).collect();
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
    ) -> Result<Held<'_>, Refusal> {
        let room = self.worker(tenant, worker)?;
        let task = self.leased_task(tenant, id).and_then(|task| self.tasks.get(&task));
        let of =
            |task: &Found<'_>| task.lease(id.number).is_some_and(|l| l.worker == room.worker.id);
        let task = task.filter(of);
        let unknown = || Refusal::LeaseNotFound { worker: worker.clone(), lease: id };
        task.map(|task| Held { worker: room, task, number: id.number }).ok_or_else(unknown)
    }

    pub(crate) fn tenant_mut(&mut self, tenant: TenantId) -> &mut TenantRoom {
        self.tenants.entry(tenant).or_default()
    }
}

/// A lease that its worker named, with its task.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(crate) worker: &'a WorkerRoom,
    pub(crate) task: Found<'a>,
    number: u32,
}

impl Held<'_> {
    pub(crate) fn lease(&self) -> &Lease {
        self.task.lease(self.number).expect("it was found in its task")
    }
}

/// A task's name inside its project, as people read it.
pub(crate) fn text(key: &TaskKey) -> String {
    match key {
        TaskKey::Named(id) => id.to_string(),
        TaskKey::Number(number) => format!("~{number}"),
    }
}
