//! What should have happened: a second, naive engine.
//!
//! Plain maps and scans over everything, one function per rule, each rule as a
//! sentence above it. It is given every command in the order of the journal and
//! says what must come of it: the outcome and every row. Nothing is shared with
//! the engine but the words and the language.
//!
//! Invariant: its own rows; `check` says what must be true of them at any time.
//! Not here: which commands there are (`workload/`), disks (`world/`).

mod answers;
mod claims;
mod creates;
mod ends;
mod fit;
mod gap;
mod leases;
mod lookup;
mod pick;
mod projects;
mod ratings;
mod results;
mod rota;
mod rules;
mod tasks;
mod turns;
mod votes;
mod weighing;
mod wishes;
mod workers;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use piecework_core::change::{Change, CreateKeyId, CreateKeyRow, PartitionRow};
use piecework_core::event::{ResultState, TaskResult};
use piecework_core::lease::Lease;
use piecework_core::outcome::Overdue;
use piecework_core::project::{Project, ProjectTally, Sweep, Terms};
use piecework_core::quality::{Crowd, Rating};
use piecework_core::requester::Requester;
use piecework_core::task::{TaskRecord, TaskSpec};
use piecework_core::worker::{LeaseRequest, Worker, WorkerRecord};
use piecework_core::{
    ClientId, Command, EngineTime, LeaseId, Limits, Now, Outcome, Position, ProjectId, Refusal,
    Request, RequesterId, Revision, Sequence, TaskId, TaskNumber, TenantId, WorkerId,
};

use rota::Payer;
pub use written::{Disagreement, Predicted, RowKey};

/// The reference model of one partition.
#[derive(Debug, Clone)]
pub struct Model {
    limits: Limits,
    /// The times of the last command that changed something: what a restart knows.
    logged: Now,
    partition: PartitionRow,
    /// Newest sequence of each tenant's log of worker events.
    tenants: BTreeMap<TenantId, Sequence>,
    requesters: BTreeMap<RequesterId, Requester>,
    projects: BTreeMap<ProjectId, Venture>,
    tasks: BTreeMap<TaskId, Task>,
    workers: BTreeMap<WorkerId, Person>,
    keys: BTreeMap<CreateKeyId, CreateKeyRow>,
    sweeps: BTreeMap<ProjectId, Sweep>,
    results: BTreeMap<TaskId, TaskResult>,
    drafts: BTreeMap<LeaseId, Vec<u8>>,
    /// Of rates: when the next grants are due, in micro-seconds of engine time. Known
    /// in one run of the daemon only.
    next_grants: BTreeMap<Payer, u64>,
    /// Of the command at hand: leases that it got, and whether it is to be asked again.
    stopped: Option<(usize, bool)>,
    /// Per grant, what the engine says of overdue projects.
    said: Vec<Overdue>,
    /// Tenants that had more than a pick looks at in one go.
    much: BTreeSet<TenantId>,
    /// Of the command at hand: when, rows as they were, rows that only come.
    now: Now,
    before: BTreeMap<RowKey, Option<Change>>,
    new: BTreeMap<RowKey, Change>,
}

/// A project with what is counted about it.
#[derive(Debug, Clone)]
struct Venture {
    project: Project,
    terms: BTreeMap<Revision, Terms>,
    last_task: TaskNumber,
    last_sequence: Sequence,
    virtual_time: u64,
    requester_time: u64,
    waiting_since: EngineTime,
    /// Whether picks look at it.
    in_rota: bool,
    /// Its rates are used up: out of the rota until a tick says so.
    throttled: Option<EngineTime>,
    /// Grants that it stood back for while it was overdue.
    passes: u8,
    granted: u64,
    expired: u64,
    returned: u64,
    revoked: u64,
    p75_ms: u64,
    p50_ms: u64,
    /// What is known of the crowd, by field, in one run of the daemon only; and the
    /// answers that its last refinement has counted.
    crowds: BTreeMap<u16, Crowd>,
    refined_through: EngineTime,
    /// Counts of the tasks that a deletion has taken away already.
    gone: ProjectTally,
}

/// A task with all its leases, the first one first.
#[derive(Debug, Clone)]
struct Task {
    spec: Arc<TaskSpec>,
    record: TaskRecord,
    /// Whether it has a record of its own: from its first change on.
    touched: bool,
    leases: Vec<Lease>,
    /// When it was last seen whether its places rest: at a change, at the tick that
    /// ends a rest, at a restart.
    looked: EngineTime,
}

/// A worker with its past.
#[derive(Debug, Clone)]
struct Person {
    worker: Worker,
    record: WorkerRecord,
    /// What its answers are worth by skill.
    areas: BTreeMap<String, Rating>,
    requests: BTreeMap<u32, LeaseRequest>,
    answers: BTreeMap<ProjectId, u32>,
    p75_ms: BTreeMap<ProjectId, u64>,
}

impl Model {
    /// A model that knows nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Model {
        Model {
            limits,
            logged: Now::default(),
            partition: PartitionRow::default(),
            tenants: BTreeMap::new(),
            requesters: BTreeMap::new(),
            projects: BTreeMap::new(),
            tasks: BTreeMap::new(),
            workers: BTreeMap::new(),
            keys: BTreeMap::new(),
            sweeps: BTreeMap::new(),
            results: BTreeMap::new(),
            drafts: BTreeMap::new(),
            next_grants: BTreeMap::new(),
            stopped: None,
            said: Vec::new(),
            much: BTreeSet::new(),
            now: Now::default(),
            before: BTreeMap::new(),
            new: BTreeMap::new(),
        }
    }

    /// Applies the next command of the journal's order and says what must come of it.
    ///
    /// `position`: what it gets if it changes anything. `outcome`: what the engine
    /// said, of which two things count, where there is more than a pick looks at in one
    /// go: where it stopped to go on later, and whom it found to be overdue.
    /// Refused commands and reads may be given, too: they change nothing.
    pub fn apply(
        &mut self,
        position: Position,
        now: Now,
        request: &Request,
        outcome: &Result<Outcome, Refusal>,
    ) -> Predicted {
        self.now = now;
        self.stopped = match outcome {
            Ok(Outcome::Leased(leased)) => Some((leased.grants.len(), leased.unfinished)),
            _ => None,
        };
        self.said = match outcome {
            Ok(Outcome::Leased(leased)) => leased.overdue.clone(),
            _ => Vec::new(),
        };
        let outcome = self.decide(request);
        self.tidy_leases();
        let rows = self.written();
        if !rows.is_empty() {
            self.logged = now;
        }
        Predicted { position, outcome, rows }
    }

    fn decide(&mut self, request: &Request) -> Result<Outcome, Refusal> {
        let tenant = request.tenant;
        match &request.command {
            Command::CreateRequester(c) => self.create_requester(tenant, c),
            Command::UpdateRequester(c) => self.update_requester(tenant, c),
            Command::CreateProject(c) => self.create_project(tenant, c),
            Command::UpdateProject(c) => self.update_project(tenant, c),
            Command::SteerProject(c) => self.steer_project(tenant, c),
            Command::InspectProject { project } => self.inspect_project(tenant, project),
            Command::InspectTask(task) => self.find_task(tenant, task).map(Outcome::Task),
            Command::CreateTasks(c) => self.create_tasks(tenant, c),
            Command::UpdateTasks(c) => Ok(self.update_tasks(tenant, c)),
            Command::CancelTasks(c) => Ok(self.cancel_tasks(tenant, c)),
            Command::RequeueTasks(c) => Ok(self.requeue_tasks(tenant, c)),
            Command::ResolveTask(c) => self.resolve(tenant, c),
            Command::Learn(c) => Ok(self.learn(tenant, c)),
            Command::Refine(c) => Ok(self.refine(tenant, c)),
            Command::CreateWorker(c) => self.create_worker(tenant, c),
            Command::UpdateWorker(c) => self.update_worker(tenant, c),
            Command::GrantSkill(c) => self.grant_skill(tenant, c),
            Command::RevokeSkill { worker, skill } => self.revoke_skill(tenant, worker, skill),
            Command::SuspendWorker { worker, reason } => self.suspend(tenant, worker, reason),
            Command::ReinstateWorker { worker } => self.reinstate(tenant, worker),
            Command::InspectWorker { worker } => {
                self.find_worker(tenant, worker).map(|id| self.seen(id))
            }
            Command::Lease(c) => self.lease_tasks(tenant, c),
            Command::Extend(c) => self.extend(tenant, c),
            Command::Submit(c) => self.submit(tenant, c),
            Command::Return(c) => self.give_back(tenant, c),
            Command::Claim(c) => self.claim(tenant, c),
            Command::ShowLife(c) => self.show_life(tenant, c),
            Command::SaveDraft(c) => self.save_draft(tenant, c),
            Command::Explain(_) => panic!("the model explains nothing"),
            Command::Tick => Ok(self.tick()),
            Command::Sweep { project } => Ok(self.sweep(*project)),
            Command::Restarted => Ok(self.restarted()),
        }
    }

    /// What must be true at any time.
    ///
    /// # Errors
    /// The first thing that is not, with the task or worker.
    pub fn check(&self) -> Result<(), String> {
        // At most one grant in ten is overdue, and the longest wait comes first.
        if let Some(venture) = self.projects.values().find(|v| v.passes > 9) {
            return Err(format!("{} stood back {} times", venture.project.name, venture.passes));
        }
        for (id, task) in &self.tasks {
            let (counted, live, wanted) = (task.counted(), task.live(), task.record.order.wanted);
            if counted + live > usize::from(wanted) {
                return Err(format!("{id}: {counted} counted and {live} live for {wanted} places"));
            }
            let mut people = BTreeSet::new();
            for (lease, number) in task.leases.iter().zip(1..) {
                if lease.id != (LeaseId { task: *id, number }) {
                    return Err(format!(
                        "{} stands where lease {number} of {id} belongs",
                        lease.id
                    ));
                }
                let there = lease.is_live() || lease.counted().is_some();
                if there && !people.insert(lease.worker) {
                    return Err(format!(
                        "worker {} has two answers or leases on {id}",
                        lease.worker
                    ));
                }
            }
        }
        Ok(())
    }

    /// What is not final yet: open tasks, live leases. Empty: everything has drained.
    #[must_use]
    pub fn unfinished(&self) -> Vec<String> {
        self.unfinished_of(&|_, _| true)
    }

    /// The same of projects that somebody `cares` for, by tenant and name.
    #[must_use]
    pub fn unfinished_of(&self, cares: &dyn Fn(TenantId, &ClientId) -> bool) -> Vec<String> {
        let mut left = Vec::new();
        for (id, task) in &self.tasks {
            let project = &self.projects[&id.project].project;
            if !cares(project.tenant, &project.name) {
                continue;
            }
            if task.record.state.is_open() {
                left.push(format!("{id} of {} ({:?}) is open", project.name, project.state));
            }
            let live = task.leases.iter().filter(|l| l.is_live());
            left.extend(live.map(|l| format!("{} of worker {} lives", l.id, l.worker)));
        }
        left
    }

    /// The newest result of every task that has one; those of deleted projects are gone.
    #[must_use]
    pub fn results(&self) -> &BTreeMap<TaskId, TaskResult> {
        &self.results
    }

    /// Every lease there ever was, save those of deleted projects, ascending by name.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.tasks.values().flat_map(|task| &task.leases)
    }

    /// Tasks whose newest result is an answer, and all results.
    #[must_use]
    pub fn answered(&self) -> (usize, usize) {
        let is_final = |r: &&TaskResult| matches!(r.state, ResultState::Final { .. });
        (self.results.values().filter(is_final).count(), self.results.len())
    }

    /// The row of this key as it is now, if there is one.
    #[must_use]
    pub fn row(&self, key: &RowKey) -> Option<Change> {
        self.row_of(key)
    }
}
