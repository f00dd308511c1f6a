//! Plays a plan against a world and holds every outcome against the promises.

use piecework_core::change::Change;
use piecework_core::command::{
    CancelTasks, CreateKey, CreateProject, CreateRequester, CreateTasks, CreateWorker,
    ExtendLeases, GrantSkill, LeaseTasks, NewTask, ReturnItem, ReturnLeases, Steer, SteerProject,
    SubmitAnswers, SubmitItem, TaskKey, TaskRef, UpdateProject, UpdateTask, UpdateWorker,
};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::outcome::CreatedTask;
use piecework_core::project::{Project, ProjectState};
use piecework_core::schema::Answer;
use piecework_core::submission::Verdict;
use piecework_core::task::TaskState;
use piecework_core::{
    ClientId, Command, EngineTime, Fingerprint, LeaseId, Millis, Now, Outcome, ProjectId, TaskId,
    TenantId, WallTime, WorkerId,
};

use super::brute::{self, Offer};
use super::cast::tiny_limits;
use super::{Move, Plan, ProjectPlan, Steering, TaskPlan, Which, WorkerPlan};
use crate::world::{Did, Rows, World};

const TENANT: TenantId = TenantId::DEFAULT;

/// Answers: mostly the same, so that majorities and ratings come about.
const SAID: [&str; 8] = ["a", "a", "a", "a", "b", "b", "c", "no choice"];

/// How often interesting things happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    expiries: u64,
    late: u64,
    returns: u64,
    cancels: u64,
    done: u64,
    failed: u64,
    retries: u64,
    restarts: u64,
    fetched: u64,
    picks: u64,
    resting_picks: u64,
    empty: u64,
}

impl Seen {
    pub(crate) fn list(&self) -> [(&'static str, u64); 12] {
        [
            ("expiries", self.expiries),
            ("late submits", self.late),
            ("returns", self.returns),
            ("cancels", self.cancels),
            ("tasks done", self.done),
            ("tasks failed", self.failed),
            ("retries", self.retries),
            ("restarts", self.restarts),
            ("cold tasks", self.fetched),
            ("picks", self.picks),
            ("picks of resting places", self.resting_picks),
            ("empty answers", self.empty),
        ]
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        self.expiries += other.expiries;
        self.late += other.late;
        self.returns += other.returns;
        self.cancels += other.cancels;
        self.done += other.done;
        self.failed += other.failed;
        self.retries += other.retries;
        self.restarts += other.restarts;
        self.fetched += other.fetched;
        self.picks += other.picks;
        self.resting_picks += other.resting_picks;
        self.empty += other.empty;
    }
}

/// What was done, to be done again.
struct Entry {
    now: Now,
    /// `None`: the daemon restarted.
    command: Option<Command>,
    did: Did,
}

struct Player {
    world: World,
    now: Now,
    past: Vec<Entry>,
    seen: Seen,
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

fn id(prefix: &str, number: impl std::fmt::Display) -> ClientId {
    ClientId::new(&format!("{prefix}{number}")).expect("an id of letters and digits")
}

impl Player {
    fn cast(&mut self, plan: &Plan) {
        for n in 0..plan.requesters {
            let name = Some(id("r", n));
            let (display_name, labels, key) = (String::new(), Default::default(), None);
            self.act(Command::CreateRequester(CreateRequester { name, display_name, labels, key }));
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

    fn act(&mut self, command: Command) -> Did {
        let did = self.world.step(self.now, TENANT, command.clone());
        self.notice(&command, &did);
        let entry = Entry { now: self.now, command: Some(command), did: did.clone() };
        self.past.push(entry);
        did
    }

    /// Rings what is due, as the writer does.
    fn ring(&mut self) {
        for _ in 0..10_000 {
            let due = self.world.engine.next_due();
            let engine = due.engine.is_some_and(|at| at <= self.now.engine);
            if !engine && due.wall.is_none_or(|at| at > self.now.wall) {
                return;
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
                Change::Submission(s) => {
                    self.seen.late += u64::from(s.verdict == Verdict::CountedLate)
                }
                _ => {}
            }
        }
        if let (Command::Return(_), false) = (command, did.changes.is_empty()) {
            self.seen.returns += 1;
        }
    }

    fn rows(&self) -> &Rows {
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

    fn name(&self, worker: WorkerId) -> ClientId {
        self.rows().workers[&worker].name.clone()
    }

    /// A task by its own id where it has one.
    fn task(&self, index: u16) -> Option<TaskRef> {
        let known = self.rows().specs.len();
        let (_, spec) = self.rows().specs.iter().nth(usize::from(index).checked_rem(known)?)?;
        let project = self.rows().projects.get(&spec.id.project)?.name.clone();
        let task = match &spec.name {
            Some(name) if index % 2 == 0 => TaskKey::Named(name.clone()),
            _ => TaskKey::Number(spec.id.number),
        };
        Some(TaskRef { project, task })
    }

    fn lease(&self, which: Which) -> Option<Lease> {
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
                self.ask(*worker, *count, *wish, *request)
            }
            Move::LeaseNamed { worker, task, request } => self.ask_for(*worker, *task, *request),
            Move::Submit { .. } | Move::Return { .. } | Move::Extend { .. } => self.work(step),
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

    /// A pick, held against the brute-force one.
    fn ask(&mut self, worker: u8, count: u8, wish: Option<u8>, request: Option<u8>) {
        self.ring();
        let worker = self.worker(worker);
        let wished: Vec<ProjectId> = wish.map(|w| self.project(w).id).into_iter().collect();
        let projects: Vec<ClientId> = wish.map(|w| self.project(w).name).into_iter().collect();
        let content = Fingerprint::of(&[format!("{count} {projects:?}").as_bytes()]);
        let request_id = request.map(|r| id("q", r));
        let known = self.remembers(worker, request_id.as_ref());
        let offers = brute::offers(self.rows(), &self.world.limits, worker, &wished, self.now);
        let room = brute::room(self.rows(), worker, self.now);
        let before = self.rows().tallies.clone();
        let count = count.into();
        let name = self.name(worker);
        let did = self.act(Command::Lease(LeaseTasks {
            worker: name,
            count,
            projects,
            task: None,
            request_id,
            content,
        }));
        let Ok(Outcome::Leased(leased)) = &did.outcome else { return };
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
        // The requester's other projects with a place wait for a later virtual time.
        let requester = |p: ProjectId| self.rows().projects[&p].requester;
        let ready = offers.iter().any(|o| o.project == first.project && o.ready.is_some());
        for offer in offers.iter().filter(|o| ready && o.ready.is_some()) {
            if requester(offer.project) == requester(first.project) {
                let turn = |p: ProjectId| (before[&p].virtual_time, p);
                assert!(turn(first.project) <= turn(offer.project), "not {}'s turn", first.project);
            }
        }
    }

    fn judge_pick(&mut self, offers: &[Offer], first: Option<TaskId>) {
        let any_ready = offers.iter().any(|o| o.ready.is_some());
        let Some(task) = first else {
            let nothing = offers.iter().all(|o| o.ready.is_none() && o.resting.is_none());
            assert!(nothing, "an empty answer although there is {offers:?}");
            self.seen.empty += 1;
            return;
        };
        let offer = offers.iter().find(|o| o.project == task.project);
        let offer = offer.unwrap_or_else(|| panic!("{task} breaks a hard rule"));
        let best = if any_ready { offer.ready } else { offer.resting };
        assert_eq!(Some(task.number.0), best.map(|key| key.4), "{task} is not the best: {offer:?}");
        self.seen.picks += 1;
        self.seen.resting_picks += u64::from(!any_ready);
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
        let (count, projects, name) = (1, Vec::new(), self.name(worker));
        let task = Some(task);
        let did = self.act(Command::Lease(LeaseTasks {
            worker: name,
            count,
            projects,
            task,
            request_id,
            content,
        }));
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
                let answer = SAID[usize::from(answer) % SAID.len()];
                let items = vec![SubmitItem { lease: lease.id, answer: said(answer) }];
                let worker = self.name(worker);
                self.act(Command::Submit(SubmitAnswers { worker, items }));
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
        let (project, spec, etag) = (old.name, with.spec(), old.version);
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

    /// P2: the first outcome once more, and no second effect.
    fn retry(&mut self, which: u16) {
        let Some(at) = usize::from(which).checked_rem(self.past.len()) else { return };
        let Some(command) = self.past[at].command.clone() else { return };
        let first = self.past[at].did.outcome.clone();
        let rows = self.rows().clone();
        let now = self.act(command.clone());
        self.seen.retries += 1;
        match (&command, &first, &now.outcome) {
            (Command::Submit(c), Ok(Outcome::Submitted(was)), Ok(Outcome::Submitted(is))) => {
                for ((item, was), is) in c.items.iter().zip(was).zip(is) {
                    if was.is_ok() && alive(&rows, item.lease) {
                        assert_eq!(was, is, "another receipt");
                        assert!(now.changes.is_empty(), "a retried submit changed something");
                    }
                }
            }
            (Command::Return(c), Ok(Outcome::Returned(was)), Ok(Outcome::Returned(is))) => {
                for ((item, was), is) in c.items.iter().zip(was).zip(is) {
                    if was.is_ok() && alive(&rows, item.lease) && !answered(&rows, item.lease) {
                        assert_eq!(was, is, "another answer to a return");
                        assert!(now.changes.is_empty(), "a retried return changed something");
                    }
                }
            }
            (Command::Lease(c), Ok(Outcome::Leased(was)), Ok(Outcome::Leased(is))) => {
                let worker = rows.workers.values().find(|w| w.name == c.worker).map(|w| w.id);
                let request = rows.requests.values().find(|r| {
                    Some(r.worker) == worker && Some(&r.request_id) == c.request_id.as_ref()
                });
                let ids: Vec<LeaseId> = was.grants.iter().map(|g| g.lease.id).collect();
                if request.is_some_and(|r| r.leases == ids) {
                    let ids = ids.into_iter().filter(|l| alive(&rows, *l));
                    assert!(ids.eq(is.grants.iter().map(|g| g.lease.id)), "other leases");
                    assert!(now.changes.is_empty(), "a retried lease changed something");
                }
            }
            (Command::CreateTasks(c), Ok(Outcome::TasksCreated(was)), is) => {
                created_again(&rows, c, was, is);
            }
            _ => {}
        }
    }

    /// The same commands at the same times change the same rows, whether or not
    /// settled tasks ever leave the engine.
    fn replay(&self) {
        let mut again = World::new(tiny_limits());
        again.forgets = false;
        for entry in &self.past {
            let did = match &entry.command {
                Some(command) => again.step(entry.now, TENANT, command.clone()),
                None => again.restart(entry.now, TENANT),
            };
            assert_eq!(did, entry.did, "the same history went another way: {:?}", entry.command);
        }
        assert_eq!(again.rows, self.world.rows, "the same history left other rows");
    }

    /// An engine rebuilt from the rows answers like the one that made them.
    fn probe(&mut self) {
        if self.now.engine < self.rows().partition.grace_until {
            self.now.engine = self.rows().partition.grace_until;
            self.ring();
        }
        let mut second = World::new(tiny_limits());
        second.engine = self.world.rebuilt(self.now);
        second.rows = self.world.rows.clone();
        second.position = self.world.position;
        for command in self.probes() {
            let first = self.world.step(self.now, TENANT, command.clone());
            let second = second.step(self.now, TENANT, command.clone());
            assert_eq!(alike(first), alike(second), "rebuilt, it went otherwise: {command:?}");
        }
        for _ in 0..8 {
            self.now.engine = self.now.engine + Millis(3_000);
            self.now.wall = WallTime(self.now.wall.0 + 3_000);
            let first = self.world.ring(self.now, TENANT);
            let second = second.ring(self.now, TENANT);
            let (first, second) = (first.into_iter().map(alike), second.into_iter().map(alike));
            assert!(first.eq(second), "rebuilt, time went otherwise");
        }
    }

    /// Questions whose answers do not depend on whose turn it is among requesters.
    fn probes(&self) -> Vec<Command> {
        let rows = self.rows();
        let mut probes = Vec::new();
        for lease in rows.leases.values() {
            let worker = self.name(lease.worker);
            let (leases, by) = (vec![lease.id], None);
            probes.push(Command::Extend(ExtendLeases { worker: worker.clone(), leases, by }));
            if lease.id.task.number.0 % 3 == 0 {
                let items = vec![SubmitItem { lease: lease.id, answer: said("b") }];
                probes.push(Command::Submit(SubmitAnswers { worker, items }));
            }
        }
        for project in rows.projects.values() {
            probes.push(Command::InspectProject { project: project.name.clone() });
            for worker in rows.workers.values() {
                let (worker, projects) = (worker.name.clone(), vec![project.name.clone()]);
                let (task, request_id) = (None, Some(id("probe", project.id)));
                let content = Fingerprint::default();
                let lease = LeaseTasks { worker, count: 2, projects, task, request_id, content };
                probes.push(Command::Lease(lease));
            }
        }
        for worker in rows.workers.values() {
            probes.push(Command::InspectWorker { worker: worker.name.clone() });
        }
        probes
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

fn said(choice: &str) -> Answer {
    let bytes = format!("{{\"label\":\"{choice}\"}}").into_bytes();
    let fields = [("label".to_owned(), Some(choice.to_owned()))].into_iter().collect();
    let fingerprint = Fingerprint::of(&[&bytes]);
    Answer { bytes, content_type: "application/json".into(), fields: Some(fields), fingerprint }
}

fn new_task(plan: &TaskPlan, wall: WallTime) -> NewTask {
    // A retry by name has the same content: only unnamed tasks have deadlines.
    let deadline = plan.deadline.filter(|_| plan.named.is_none());
    let mut task = NewTask {
        name: plan.named.map(|n| id("t", n)),
        payload: vec![0; plan.bytes.into()],
        content_type: String::new(),
        priority: plan.priority,
        deadline: deadline.map(|ms| WallTime(wall.0 + u64::from(ms))),
        overlap: plan.overlap,
        expected: None,
        labels: Default::default(),
        content: Fingerprint::default(),
    };
    task.content = Fingerprint::of(&[format!("{task:?}").as_bytes()]);
    task
}

/// Whether a lease's project still has its rows.
fn alive(rows: &Rows, lease: LeaseId) -> bool {
    let project = rows.projects.get(&lease.task.project);
    project.is_some_and(|p| p.state != ProjectState::Deleting) && rows.leases.contains_key(&lease)
}

fn answered(rows: &Rows, lease: LeaseId) -> bool {
    rows.leases.get(&lease).is_some_and(|l| matches!(l.state, LeaseState::Submitted(_)))
}

/// What was made is found again, item by item: by its own id for ever, by the call's
/// request id as long as that is remembered.
fn created_again(
    rows: &Rows,
    cmd: &CreateTasks,
    was: &[Result<CreatedTask, piecework_core::Refusal>],
    is: &Result<Outcome, piecework_core::Refusal>,
) {
    let made = was.iter().find_map(|w| w.as_ref().ok()).map(|w| w.task.project);
    let Some(project) = made.and_then(|p| rows.projects.get(&p)) else { return };
    // Deleted, and another one has its name.
    if project.name != cmd.project || project.state == ProjectState::Deleting {
        return;
    }
    let remembered = rows.create_keys.values().any(|row| {
        let parent = piecework_core::change::Parent::Tasks(project.id);
        row.id.parent == parent
            && cmd.key.as_ref().is_some_and(|key| {
                key.request_id == row.id.request_id && key.content == row.content
            })
    });
    let named = cmd.tasks.iter().all(|task| task.name.is_some());
    let Ok(Outcome::TasksCreated(is)) = is else {
        assert!(!remembered && !named, "a retried create was refused: {is:?}");
        return;
    };
    for ((task, was), is) in cmd.tasks.iter().zip(was).zip(is) {
        let (Ok(was), true) = (was, task.name.is_some() || remembered) else { continue };
        let again = CreatedTask { existed: true, ..was.clone() };
        // The key may be of a later call with the same content.
        let same_call = rows.specs.contains_key(&again.task) && task.name.is_some();
        if same_call {
            assert_eq!(is.as_ref(), Ok(&again), "a retried create made another task");
        } else {
            assert!(is.as_ref().is_ok_and(|c| c.existed), "a retried create made a task");
        }
    }
}

/// Without what a restart may forget: virtual time between requesters.
fn alike(mut did: Did) -> Did {
    for changed in &mut did.changes {
        if let Change::ProjectTally(tally) = &mut changed.change {
            tally.requester_virtual_time = 0;
        }
    }
    if let Ok(Outcome::ProjectStats(stats)) = &mut did.outcome {
        stats.tally.requester_virtual_time = 0;
    }
    did
}
