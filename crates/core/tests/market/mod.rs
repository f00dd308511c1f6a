//! An engine with requesters, projects and workers, and short ways to make them ask.
//!
//! Not here: what a grant should be (`naive.rs`), who is woken (`waiting.rs`).

pub(crate) mod naive;

use std::collections::BTreeMap;

use piecework_core::change::Change;
use piecework_core::command::{
    CreateProject, CreateRequester, CreateTasks, CreateWorker, GrantSkill, LeaseTasks, NewTask,
    ReturnItem, ReturnLeases, Steer, SteerProject, SubmitAnswers, SubmitItem,
};
use piecework_core::lease::{Lease, ReturnReason};
use piecework_core::limits::{CAPACITY_AI_MAX, LEASE_MAX};
use piecework_core::project::{
    Aggregation, Assignment, LeasePolicy, ProjectSpec, ProjectTally, Requirements, Terms,
};
use piecework_core::schema::{Answer, Schema};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Engine, EngineTime, Fingerprint, LeaseId, Limits, Millis, Money, Now,
    Outcome, Position, ProjectId, Refusal, Request, Step, TenantId, WallTime,
};

/// One engine, its clock, and the tallies that a disk would hold.
pub(crate) struct Market {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) tallies: BTreeMap<ProjectId, ProjectTally>,
    position: Position,
    /// Picks that had to go on in another turn.
    pub(crate) unfinished: u64,
}

pub(crate) fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("letters and digits")
}

/// A project of one answer a task for everybody.
pub(crate) fn spec(tier: u8) -> ProjectSpec {
    ProjectSpec {
        title: String::new(),
        terms: Terms {
            instructions: BTreeMap::new(),
            schema: Schema::default(),
            aggregation: Aggregation::First,
            reward: Money::NONE,
            lease: LeasePolicy { max_attempts: u32::MAX, ..LeasePolicy::of(LEASE_MAX) },
            expected: None,
        },
        requirements: Requirements::default(),
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: 100,
        tier,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// Needs this skill.
pub(crate) fn skilled(skill: &str, level: u8) -> Requirements {
    Requirements { skills: BTreeMap::from([(skill.to_owned(), level)]), ..Requirements::default() }
}

impl Market {
    pub(crate) fn new(limits: Limits) -> Market {
        let now = Now { engine: EngineTime(1_000), wall: WallTime(1_000) };
        let (engine, position) = (Engine::new(limits), Position(0));
        Market { engine, now, tallies: BTreeMap::new(), position, unfinished: 0 }
    }

    /// Applies a command; nothing here is ever cold.
    pub(crate) fn act(&mut self, command: Command) -> Result<Outcome, Refusal> {
        let request = Request { tenant: TenantId::DEFAULT, command };
        let Step::Done { outcome, changes } =
            self.engine.apply(self.position.next(), self.now, &request)
        else {
            panic!("{request:?} needs cold tasks")
        };
        if !changes.is_empty() {
            self.position = self.position.next();
        }
        for changed in changes {
            if let Change::ProjectTally(tally) = changed.change {
                self.tallies.insert(tally.project, tally);
            }
        }
        outcome
    }

    /// One `Lease` as the writer tries it for a call that waits.
    pub(crate) fn try_lease(&mut self, command: Command) -> Outcome {
        let request = Request { tenant: TenantId::DEFAULT, command };
        match self.engine.try_lease(self.position.next(), self.now, &request) {
            Step::Done { outcome, changes } => {
                if !changes.is_empty() {
                    self.position = self.position.next();
                }
                outcome.expect("no refusal")
            }
            Step::NeedCold(tasks) => panic!("{tasks:?} are cold"),
        }
    }

    /// Settled tasks leave memory, as they do once they are durable.
    pub(crate) fn forget(&mut self) {
        self.engine.forget(self.position);
    }

    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::DEFAULT
    }

    /// Lets time pass and rings what is due.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now.engine = self.now.engine + Millis(ms);
        self.now.wall = WallTime(self.now.wall.0 + ms);
        while self.engine.next_due().engine.is_some_and(|at| at <= self.now.engine) {
            self.act(Command::Tick).expect("time passes");
        }
    }

    /// Every index agrees with the rows.
    pub(crate) fn check(&self) {
        self.engine.check(self.now).expect("sound indexes");
    }

    pub(crate) fn requester(&mut self, name: &str, weight: u32) {
        self.requester_at(name, weight, 0);
    }

    /// With a limit of grants a minute; 0: none.
    pub(crate) fn requester_at(&mut self, name: &str, weight: u32, grants_per_minute: u32) {
        let name = Some(id(name));
        let requester =
            CreateRequester { name, weight, grants_per_minute, ..CreateRequester::default() };
        self.act(Command::CreateRequester(requester)).expect("a requester");
    }

    pub(crate) fn project(&mut self, name: &str, requester: &str, spec: ProjectSpec) -> ProjectId {
        let (name, requester) = (Some(id(name)), id(requester));
        let create = CreateProject { name, requester, spec, key: None };
        match self.act(Command::CreateProject(Box::new(create))) {
            Ok(Outcome::Project(project)) => project.id,
            other => panic!("no project: {other:?}"),
        }
    }

    pub(crate) fn tasks(&mut self, project: &str, count: usize, priority: i8) {
        let task = NewTask {
            name: None,
            payload: Vec::new(),
            content_type: String::new(),
            priority,
            deadline: None,
            overlap: None,
            expected: None,
            labels: BTreeMap::new(),
            content: Fingerprint::default(),
        };
        let create = CreateTasks { project: id(project), tasks: vec![task; count], key: None };
        self.act(Command::CreateTasks(create)).expect("tasks");
    }

    pub(crate) fn worker(&mut self, name: &str) {
        let spec = WorkerSpec {
            kind: WorkerKind::Ai,
            region: String::new(),
            device: String::new(),
            capacity: Some(CAPACITY_AI_MAX),
            identity_cluster: String::new(),
            requester: None,
            labels: BTreeMap::new(),
        };
        let create = CreateWorker { name: Some(id(name)), spec, requester: None, key: None };
        self.act(Command::CreateWorker(create)).expect("a worker");
    }

    pub(crate) fn skill(&mut self, worker: &str, skill: &str, level: u8) {
        let (worker, skill) = (id(worker), skill.to_owned());
        let grant = GrantSkill { worker, skill, level, expires: None };
        self.act(Command::GrantSkill(grant)).expect("a skill");
    }

    pub(crate) fn steer(&mut self, project: &str, to: Steer) {
        let steer = SteerProject { project: id(project), to, etag: None };
        self.act(Command::SteerProject(steer)).expect("a state");
    }

    /// One lease for this worker, if there is one; asks on where it was not finished.
    pub(crate) fn ask(&mut self, worker: &str, among: &[&str]) -> Option<Lease> {
        let mut command = LeaseTasks::any(id(worker));
        command.wishes.projects = among.iter().map(|name| id(name)).collect();
        loop {
            match self.act(Command::Lease(command.clone())) {
                Ok(Outcome::Leased(leased)) if leased.unfinished => self.unfinished += 1,
                Ok(Outcome::Leased(leased)) => {
                    return leased.grants.into_iter().next().map(|grant| grant.lease);
                }
                other => panic!("no answer: {other:?}"),
            }
        }
    }

    pub(crate) fn submit(&mut self, worker: &str, lease: LeaseId) {
        let answer = Answer::default();
        let items = vec![SubmitItem { lease, answer }];
        let submit = SubmitAnswers { worker: id(worker), items };
        self.act(Command::Submit(submit)).expect("a verdict");
    }

    pub(crate) fn give_back(&mut self, worker: &str, lease: LeaseId, reason: ReturnReason) {
        let items = vec![ReturnItem { lease, reason }];
        let give = ReturnLeases { worker: id(worker), items };
        self.act(Command::Return(give)).expect("taken back");
    }
}
