//! Plays a plan against a world: every move becomes a command, every grant is held
//! against the brute-force pick.

use piecework_core::change::Change;
use piecework_core::command::{
    CancelTasks, CreateKey, CreateProject, CreateRequester, CreateTasks, CreateWorker,
    ExtendLeases, GrantSkill, LeaseTasks, NewTask, ReturnItem, ReturnLeases, Steer, SteerProject,
    SubmitAnswers, SubmitItem, TaskKey, TaskRef, UpdateProject, UpdateTask, UpdateWorker,
};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::project::{Project, ProjectState};
use piecework_core::submission::Verdict;
use piecework_core::task::TaskState;
use piecework_core::wishes::Wishes;
use piecework_core::{
    ClientId, Command, EngineTime, Fingerprint, Millis, Now, Outcome, ProjectId, Refusal, TenantId,
    WallTime, WorkerId,
};

use super::brute;
use super::cast::tiny_limits;
use super::late;
use super::said::said;
use super::seen::Seen;
use super::{Move, Plan, ProjectPlan, Steering, TaskPlan, Which, WorkerPlan};
use crate::world::{Did, Rows, World};

pub(super) const TENANT: TenantId = TenantId::DEFAULT;

/// What was done, to be done again.
pub(super) struct Entry {
    pub(super) now: Now,
    /// `None`: the daemon restarted.
    pub(super) command: Option<Command>,
    pub(super) did: Did,
}

/// A history under way.
pub(super) struct Player {
    pub(super) world: World,
    pub(super) now: Now,
    pub(super) past: Vec<Entry>,
    pub(super) seen: Seen,
}

/// Plays a plan, then once more without ever forgetting a task, then asks an engine
/// rebuilt from the rows the same questions as the first.
pub(crate) fn play(plan: &Plan) -> Seen {
    let now = Now { engine: EngineTime(1_000), wall: WallTime(1_000_000) };
    let world = World::new(tiny_limits());
    let mut player = Player { world, now, past: Vec::new(), seen: Seen::default() };
    player.cast(plan);
    for (number, step) in plan.moves.iter().enumerate() {
        player.play(step);
        if number % 8 == 0 {
            player.world.check_rebuilt(player.now);
        }
    }
    player.ring();
    player.world.check_rebuilt(player.now);
    player.replay();
    player.probe();
    player.seen.fetched = player.world.fetched;
    player.seen
}

pub(super) fn id(prefix: &str, number: impl std::fmt::Display) -> ClientId {
    ClientId::new(&format!("{prefix}{number}")).expect("an id of letters and digits")
}

impl Player {
    fn cast(&mut self, plan: &Plan) {
        for n in 0..plan.requesters {
            let name = Some(id("r", n));
            // The last one's projects may use no tier but the default and worse.
            let tier_ceiling = if n + 1 == plan.requesters { 2 } else { 0 };
            let weight = 100 * (u32::from(n) + 1);
            let requester =
                CreateRequester { name, weight, tier_ceiling, ..CreateRequester::default() };
            self.act(Command::CreateRequester(requester));
        }
        for (n, project) in plan.projects.iter().enumerate() {
            let requester = id("r", n % usize::from(plan.requesters));
            let (name, spec) = (Some(id("p", n)), project.spec());
            let project = CreateProject { name, requester, spec, key: None };
            self.act(Command::CreateProject(Box::new(project)));
            self.upload(u8::try_from(n).unwrap_or_default(), &plan.tasks, None);
        }
        for (n, worker) in plan.workers.iter().enumerate() {
            let requester = worker.own().map(|r| id("r", r % plan.requesters));
            let (name, spec) = (Some(id("w", n)), worker.spec(None));
            self.act(Command::CreateWorker(CreateWorker { name, spec, requester, key: None }));
        }
    }

    pub(super) fn act(&mut self, command: Command) -> Did {
        let did = self.world.step(self.now, TENANT, command.clone());
        self.notice(&command, &did);
        let entry = Entry { now: self.now, command: Some(command), did: did.clone() };
        self.past.push(entry);
        did
    }

    /// Rings what is due, as the writer does.
    pub(super) fn ring(&mut self) {
        for _ in 0..10_000 {
            let due = self.world.engine.next_due();
            let engine = due.engine.is_some_and(|at| at <= self.now.engine);
            if !engine && due.wall.is_none_or(|at| at > self.now.wall) {
                return self.check_claims();
            }
            self.act(Command::Tick);
        }
        panic!("timers ring without end");
    }

    fn notice(&mut self, command: &Command, did: &Did) {
        self.seen.expiries += did.expired.len() as u64;
        for changed in &did.changes {
            match &changed.change {
                Change::Task(task) => match task.state {
                    TaskState::Done { .. } => self.seen.done += 1,
                    TaskState::Failed { .. } => self.seen.failed += 1,
                    TaskState::Cancelled => self.seen.cancels += 1,
                    TaskState::Open => {}
                },
                Change::Event(event) => self.seen.event(&event.what),
                Change::Submission(s) => {
                    self.seen.late += u64::from(s.verdict == Verdict::CountedLate);
                }
                _ => {}
            }
        }
        self.notice_unclaimed(command, did);
        if let (Command::Return(_), false) = (command, did.changes.is_empty()) {
            self.seen.returns += 1;
        }
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.world.rows
    }

    fn project(&self, index: u8) -> Project {
        let known: Vec<&Project> = self.rows().projects.values().collect();
        let other = || Project { name: id("gone", 1), ..known_project(&self.past) };
        known.get(usize::from(index) % known.len().max(1)).map_or_else(other, |p| (*p).clone())
    }

    fn worker(&self, index: u8) -> WorkerId {
        let known: Vec<WorkerId> = self.rows().workers.keys().copied().collect();
        known[usize::from(index) % known.len()]
    }

    pub(super) fn name(&self, worker: WorkerId) -> ClientId {
        self.rows().workers[&worker].name.clone()
    }

    /// A task by its own id where it has one.
    fn task(&self, index: u16) -> Option<TaskRef> {
        let known = self.rows().specs.len();
        let (_, spec) = self.rows().specs.iter().nth(usize::from(index).checked_rem(known)?)?;
        let project = self.rows().projects.get(&spec.id.project)?.name.clone();
        let task = match &spec.name {
            Some(name) if index.is_multiple_of(2) => TaskKey::Named(name.clone()),
            _ => TaskKey::Number(spec.id.number),
        };
        Some(TaskRef { project, task })
    }

    pub(super) fn lease(&self, which: Which) -> Option<Lease> {
        let (index, fits): (u16, fn(&Lease) -> bool) = match which {
            Which::Live(index) => (index, Lease::is_live),
            Which::Lapsed(index) => (index, |l| matches!(l.state, LeaseState::Expired { .. })),
            Which::Any(index) => (index, |_| true),
        };
        let known: Vec<&Lease> = self.rows().leases.values().filter(|l| fits(l)).collect();
        known.get(usize::from(index).checked_rem(known.len())?).map(|l| (*l).clone())
    }

    fn play(&mut self, step: &Move) {
        match step {
            Move::Wait { engine, wall, ring } => {
                self.now.engine = self.now.engine + Millis(*engine);
                self.now.wall = WallTime(self.now.wall.0 + wall);
                if *ring {
                    self.ring();
                }
            }
            Move::WaitForTimer => {
                let due = self.world.engine.next_due().engine.unwrap_or_default();
                self.now.engine = self.now.engine.max(due);
                self.ring();
            }
            Move::Lease { worker, count, wish, request } => {
                self.ask(*worker, *count, *wish, *request);
            }
            Move::LeaseLapsed { worker } => {
                if let Some(project) = self.resting() {
                    self.ask(*worker, 1, Some(project), None);
                }
            }
            Move::LeaseNamed { worker, task, request } => self.ask_for(*worker, *task, *request),
            Move::Submit { .. } | Move::Return { .. } | Move::Extend { .. } => self.work(step),
            Move::Show { lease, what } => self.show(*lease, *what),
            Move::CreateTasks { project, tasks, key } => self.upload(*project, tasks, *key),
            Move::UpdateTask { .. } | Move::CancelTask { .. } | Move::Requeue { .. } => {
                self.change_task(step);
            }
            Move::Steer { project, how } => self.steer(*project, *how),
            Move::Sweep => {
                if let Some(project) = self.world.engine.sweep_due() {
                    self.act(Command::Sweep { project });
                }
            }
            Move::UpdateProject { project, with } => self.update_project(*project, with),
            Move::Suspend { .. }
            | Move::Reinstate { .. }
            | Move::Grant { .. }
            | Move::Revoke { .. } => {
                self.manage(step);
            }
            Move::UpdateWorker { worker, with } => self.update_worker(*worker, with),
            Move::Restart => {
                self.world.check_rebuilt(self.now);
                let did = self.world.restart(self.now, TENANT);
                self.past.push(Entry { now: self.now, command: None, did });
                self.seen.restarts += 1;
            }
            Move::Retry { which } => self.retry(*which),
        }
    }

    /// The index of a project where a place rests.
    fn resting(&self) -> Option<u8> {
        let rests = |l: &&Lease| match l.state {
            LeaseState::Expired { rests_until, released, .. } => {
                !released && self.now.engine < rests_until
            }
            _ => false,
        };
        let lease = self.rows().leases.values().rfind(rests)?;
        let at = self.rows().projects.keys().position(|p| *p == lease.id.task.project)?;
        u8::try_from(at).ok()
    }

    /// A pick, held against the brute-force one.
    fn ask(&mut self, worker: u8, count: u8, wish: Option<u8>, request: Option<u8>) {
        self.ring();
        let worker = self.worker(worker);
        let projects: Vec<ClientId> = wish.map(|w| self.project(w).name).into_iter().collect();
        // A project that is being deleted has lost its name, perhaps to another.
        let named = |p: &&Project| projects.contains(&p.name) && p.state != ProjectState::Deleting;
        let wished: Vec<ProjectId> =
            self.rows().projects.values().filter(named).map(|p| p.id).collect();
        let content = Fingerprint::of(&[format!("{count} {projects:?}").as_bytes()]);
        let request_id = request.map(|r| id("q", r));
        let known = self.remembers(worker, request_id.as_ref());
        let offers = brute::offers(self.rows(), &self.world.limits, worker, &wished, self.now);
        let room = brute::room(self.rows(), worker, self.now);
        let before = self.rows().tallies.clone();
        let open = self.explained_as_open(worker, &wished);
        let count = count.into();
        let name = self.name(worker);
        let claim = self.pushes();
        let did = self.act(Command::Lease(LeaseTasks {
            worker: name,
            count,
            wishes: Wishes::among(projects),
            task: None,
            claim,
            request_id,
            content,
        }));
        let Ok(Outcome::Leased(leased)) = &did.outcome else { return };
        if !known {
            self.judge_explained(&open, leased);
        }
        // During the grace places rest on: no timer rings.
        if known || self.now.engine < self.rows().partition.grace_until {
            return;
        }
        let first = leased.grants.first().map(|g| g.lease.id.task);
        assert!(leased.grants.len() <= room, "more leases than room");
        if room > 0 {
            self.judge_pick(&offers, first);
        }
        let Some(first) = first else { return };
        self.judge_turn(&offers, first.project, &before);
    }

    fn remembers(&self, worker: WorkerId, request: Option<&ClientId>) -> bool {
        let mut known = self.rows().requests.values();
        known.any(|r| r.worker == worker && Some(&r.request_id) == request)
    }

    /// A task by name; granted only where the naive rules agree.
    fn ask_for(&mut self, worker: u8, task: u16, request: Option<u8>) {
        let Some(task) = self.task(task) else { return };
        let worker = self.worker(worker);
        let content = Fingerprint::of(&[format!("{task:?}").as_bytes()]);
        let request_id = request.map(|r| id("q", r));
        let known = self.remembers(worker, request_id.as_ref());
        let rows = self.rows().clone();
        let open = self.explains_as_open(worker, &task);
        let (count, name) = (1, self.name(worker));
        let task = Some(task);
        let did = self.act(Command::Lease(LeaseTasks {
            worker: name,
            count,
            wishes: Wishes::default(),
            task,
            claim: false,
            request_id,
            content,
        }));
        let picks = matches!(did.outcome, Err(Refusal::ServerPicks { .. }));
        if !known && !picks {
            assert_eq!(did.outcome.is_ok(), open == Some(true), "explained otherwise: {did:?}");
        }
        let Ok(Outcome::Leased(leased)) = &did.outcome else { return };
        let Some(grant) = leased.grants.first().filter(|_| !known) else { return };
        let task = grant.lease.id.task;
        assert!(brute::room(&rows, worker, self.now) > 0, "no room");
        let project = &rows.projects[&task.project];
        assert!(brute::fits(&rows, &rows.workers[&worker], project, self.now), "a hard rule");
        assert!(!brute::been(&rows, &self.world.limits, worker, task, self.now), "has been there");
        assert!(brute::place(&rows, task, self.now).is_some(), "{task} has no place");
    }

    fn work(&mut self, step: &Move) {
        match *step {
            Move::Submit { lease, stranger, answer } => {
                let Some(lease) = self.lease(lease) else { return };
                let worker = if stranger { self.worker(answer) } else { lease.worker };
                let item = SubmitItem { lease: lease.id, answer: said(answer) };
                let fate = late::fate(self.rows(), worker, &item, self.now);
                let terms = (lease.id.task.project, lease.revision);
                let reward = self.rows().terms.get(&terms).map(|t| t.reward.micros);
                let (worker, items) = (self.name(worker), vec![item]);
                let did = self.act(Command::Submit(SubmitAnswers { worker, items }));
                let Ok(Outcome::Submitted(receipts)) = &did.outcome else {
                    panic!("no verdict: {did:?}");
                };
                assert_eq!(late::came(&receipts[0]), fate, "an answer under {}", lease.id);
                if let Ok(receipt) = &receipts[0] {
                    let pays = receipt.verdict != Verdict::KeptUnpaid;
                    assert_eq!(Some(receipt.payable.micros), if pays { reward } else { Some(0) });
                }
            }
            Move::Return { lease, reason } => {
                let Some(lease) = self.lease(lease) else { return };
                let items = vec![ReturnItem { lease: lease.id, reason }];
                let worker = self.name(lease.worker);
                self.act(Command::Return(ReturnLeases { worker, items }));
            }
            Move::Extend { lease, by } => {
                let Some(lease) = self.lease(lease) else { return };
                let (worker, by) = (self.name(lease.worker), by.map(|ms| Millis(ms.into())));
                self.act(Command::Extend(ExtendLeases { worker, leases: vec![lease.id], by }));
            }
            _ => {}
        }
    }

    fn upload(&mut self, project: u8, plans: &[TaskPlan], key: Option<u8>) {
        let project = self.project(project).name;
        let wall = self.now.wall;
        let tasks: Vec<NewTask> = plans.iter().map(|plan| new_task(plan, wall)).collect();
        let content = Fingerprint::of(&[format!("{tasks:?}").as_bytes()]);
        let key = key.map(|k| CreateKey { request_id: id("k", k), content });
        self.act(Command::CreateTasks(CreateTasks { project, tasks, key }));
    }

    fn change_task(&mut self, step: &Move) {
        let wall = self.now.wall.0;
        match *step {
            Move::UpdateTask { task, overlap, priority, deadline } => {
                let Some(task) = self.task(task) else { return };
                let deadline = deadline.map(|d| d.map(|ms| WallTime(wall + u64::from(ms))));
                self.act(Command::UpdateTasks(vec![UpdateTask {
                    task,
                    overlap,
                    priority,
                    deadline,
                }]));
            }
            Move::CancelTask { task, revoke } => {
                let Some(task) = self.task(task) else { return };
                self.act(Command::CancelTasks(CancelTasks {
                    tasks: vec![task],
                    revoke_leases: revoke,
                }));
            }
            Move::Requeue { task } => {
                let Some(task) = self.task(task) else { return };
                self.act(Command::RequeueTasks(vec![task]));
            }
            _ => {}
        }
    }

    fn steer(&mut self, project: u8, how: Steering) {
        let project = self.project(project).name;
        let to = match how {
            Steering::Pause => Steer::Pause,
            Steering::Resume => Steer::Resume,
            Steering::Close => Steer::Close,
            Steering::Cancel(revoke_leases) => Steer::Cancel { revoke_leases },
            Steering::Delete => Steer::Delete,
        };
        self.act(Command::SteerProject(SteerProject { project, to, etag: None }));
    }

    fn update_project(&mut self, project: u8, with: &ProjectPlan) {
        let old = self.project(project);
        let spec = with.over(&old.spec.terms.schema);
        let (project, etag) = (old.name, old.version);
        self.act(Command::UpdateProject(Box::new(UpdateProject { project, spec, etag })));
    }

    fn manage(&mut self, step: &Move) {
        let wall = self.now.wall.0;
        let skill = String::from("skill");
        let command = match *step {
            Move::Suspend { worker } => {
                let worker = self.name(self.worker(worker));
                Command::SuspendWorker { worker, reason: "because".into() }
            }
            Move::Reinstate { worker } => {
                Command::ReinstateWorker { worker: self.name(self.worker(worker)) }
            }
            Move::Grant { worker, level, lasts } => {
                let worker = self.name(self.worker(worker));
                let expires = lasts.map(|ms| WallTime(wall + u64::from(ms)));
                Command::GrantSkill(GrantSkill { worker, skill, level, expires })
            }
            Move::Revoke { worker } => {
                Command::RevokeSkill { worker: self.name(self.worker(worker)), skill }
            }
            _ => return,
        };
        self.act(command);
    }

    /// Everything but the cluster: who is the same person does not change.
    fn update_worker(&mut self, worker: u8, with: &WorkerPlan) {
        let old = self.rows().workers[&self.worker(worker)].clone();
        let spec = with.spec(Some(old.spec.identity_cluster));
        let (worker, requester, etag) = (old.name, None, Some(old.version));
        self.act(Command::UpdateWorker(UpdateWorker { worker, spec, requester, etag }));
    }
}

/// Any project that ever was: for calls that name one that is gone.
fn known_project(past: &[Entry]) -> Project {
    let made = past.iter().find_map(|entry| match &entry.did.outcome {
        Ok(Outcome::Project(project)) => Some((**project).clone()),
        _ => None,
    });
    made.expect("every history has projects")
}

fn new_task(plan: &TaskPlan, wall: WallTime) -> NewTask {
    // A retry by name has the same content: only unnamed tasks have deadlines.
    let deadline = plan.deadline.filter(|_| plan.named.is_none());
    let mut task = NewTask {
        name: plan.named.map(|n| id("t", n)),
        payload: vec![0; plan.bytes.into()],
        content_type: String::new(),
        priority: plan.priority,
        deadline: deadline.map(|ms| WallTime(wall.0 + 8 * u64::from(ms))),
        overlap: plan.overlap,
        expected: None,
        labels: Default::default(),
        content: Fingerprint::default(),
    };
    task.content = Fingerprint::of(&[format!("{task:?}").as_bytes()]);
    task
}
