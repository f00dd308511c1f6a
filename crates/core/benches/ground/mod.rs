//! An engine that holds what `piecework bench` makes, and what was asked of it so far.
//!
//! One project with a choice to make and payloads of 256 bytes, a hundred workers, and
//! tasks created a thousand a call. Everything is decided in the same order at the same
//! times, so that two runs count the same instructions. The benches of `storage` and
//! `server` include this file too.
//!
//! Not here: what is counted (the benches themselves).

use std::collections::BTreeMap;

use piecework_core::change::Changed;
use piecework_core::command::{
    CreateProject, CreateRequester, CreateTasks, CreateWorker, LeaseTasks, NewTask, SubmitAnswers,
    SubmitItem,
};
use piecework_core::lease::Grant;
use piecework_core::limits::{CAPACITY_AI_MAX, LEASE_DEFAULT, PAYLOAD_BYTES_MAX, TIER_DEFAULT};
use piecework_core::project::{
    Aggregation, Assignment, LeasePolicy, ProjectSpec, Requirements, Terms,
};
use piecework_core::schema::{Answer, Content, Field, FieldKind, Member, Schema};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Engine, EngineTime, Fingerprint, LeaseId, Limits, Millis, Money, Now,
    Outcome, Position, Request, Step, TenantId, WallTime,
};

/// Workers there are.
pub(crate) const WORKERS: usize = 100;
/// Tasks of one call.
pub(crate) const TASKS: usize = 1_000;
/// Calls that have created tasks.
const CALLS: usize = 10;
/// One answer in so many is another than the rest.
const OTHER_EVERY: usize = 8;
const PAYLOAD_BYTES: usize = 256;
/// A piece for which glibc tidies up.
const LARGE_BYTES: usize = 64 * 1024;

/// What was made, on a heap that is tidy: glibc puts freed pieces together when the next
/// large one is asked for, which is to be here and not where instructions are counted.
pub(crate) fn tidied<T>(made: T) -> T {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
    made
}

/// What was asked, and what it changed.
pub(crate) struct Decided {
    pub(crate) request: Request,
    pub(crate) changes: Vec<Changed>,
}

/// An engine, its clock and its history.
pub(crate) struct Ground {
    engine: Engine,
    pub(crate) now: Now,
    /// Of the last command that changed anything.
    pub(crate) position: Position,
    /// Every command so far that changed anything.
    pub(crate) history: Vec<Decided>,
    answers: usize,
}

impl Ground {
    /// With ten thousand tasks, numbered from 1; every worker has answered five.
    pub(crate) fn warm() -> Ground {
        let now = Now { engine: EngineTime(1_000), wall: WallTime(1_700_000_000_000) };
        let engine = Engine::new(Limits::default());
        let position = Position(0);
        let mut ground = Ground { engine, now, position, history: Vec::new(), answers: 0 };
        let name = Some(id("r"));
        ground.ask(Command::CreateRequester(CreateRequester { name, ..Default::default() }));
        let (name, requester, spec) = (Some(id("p")), id("r"), spec());
        let create = CreateProject { name, requester, spec, key: None };
        ground.ask(Command::CreateProject(Box::new(create)));
        (0..CALLS).for_each(|_| _ = ground.ask(tasks()));
        (0..WORKERS).for_each(|number| _ = ground.ask(new_worker(number)));
        for number in (0..5).flat_map(|_| 0..WORKERS) {
            let held = ground.lease(number, 1);
            ground.submit(number, &held);
        }
        ground
    }

    /// Decides one command a millisecond after the last; settled tasks leave memory,
    /// as they do once they are durable.
    pub(crate) fn ask(&mut self, command: Command) -> Outcome {
        let request = Request { tenant: TenantId::DEFAULT, command };
        let Step::Done { outcome, changes } = self.decide(&request) else {
            panic!("nothing is cold here")
        };
        self.engine.forget(self.position);
        if !changes.is_empty() {
            self.history.push(Decided { request, changes });
        }
        outcome.expect("no refusal")
    }

    /// The same without a word about it: what the daemon's writer does for each command.
    pub(crate) fn decide(&mut self, request: &Request) -> Step {
        self.now.engine = self.now.engine + Millis(1);
        self.now.wall = WallTime(self.now.wall.0 + 1);
        let step = self.engine.apply(self.position.next(), self.now, request);
        if let Step::Done { changes, .. } = &step
            && !changes.is_empty()
        {
            self.position = self.position.next();
        }
        step
    }

    /// A worker takes `count` leases and gets as many.
    pub(crate) fn lease(&mut self, worker: usize, count: u32) -> Vec<Grant> {
        let Outcome::Leased(leased) = self.ask(lease_tasks(worker, count)) else {
            panic!("no leases")
        };
        assert_eq!(leased.grants.len(), count as usize, "there is enough for everybody");
        leased.grants
    }

    /// It answers all of them.
    pub(crate) fn submit(&mut self, worker: usize, held: &[Grant]) {
        let submit = self.answers(worker, held);
        self.ask(submit);
    }

    /// The command of its answers.
    pub(crate) fn answers(&mut self, worker: usize, held: &[Grant]) -> Command {
        let items = held.iter().map(|grant| self.answer(grant.lease.id)).collect();
        Command::Submit(SubmitAnswers { worker: worker_id(worker), items })
    }

    fn answer(&mut self, lease: LeaseId) -> SubmitItem {
        self.answers += 1;
        let label = if self.answers.is_multiple_of(OTHER_EVERY) { "b" } else { "a" };
        let bytes = format!("{{\"label\":\"{label}\"}}").into_bytes();
        let content_type = "application/json".to_owned();
        let fingerprint = Fingerprint::of(&[content_type.as_bytes(), &bytes]);
        let content = Content::Object(BTreeMap::from([("label".to_owned(), Member::text(label))]));
        let answer = Answer { bytes, content_type, content, fingerprint, meaning: fingerprint };
        SubmitItem { lease, answer }
    }
}

/// The command of a worker that asks for so many leases.
pub(crate) fn lease_tasks(worker: usize, count: u32) -> Command {
    Command::Lease(LeaseTasks { count, ..LeaseTasks::any(worker_id(worker)) })
}

/// The command that creates a thousand tasks.
pub(crate) fn tasks() -> Command {
    let task = NewTask {
        name: None,
        payload: vec![b'x'; PAYLOAD_BYTES],
        content_type: String::new(),
        priority: 0,
        deadline: None,
        overlap: None,
        expected: None,
        labels: BTreeMap::new(),
        content: Fingerprint::default(),
    };
    Command::CreateTasks(CreateTasks { project: id("p"), tasks: vec![task; TASKS], key: None })
}

/// The name of a worker.
pub(crate) fn worker_id(number: usize) -> ClientId {
    id(&format!("w{number}"))
}

fn new_worker(number: usize) -> Command {
    let spec = WorkerSpec {
        kind: WorkerKind::Ai,
        region: String::new(),
        device: String::new(),
        capacity: Some(CAPACITY_AI_MAX),
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    };
    let name = Some(worker_id(number));
    Command::CreateWorker(CreateWorker { name, spec, requester: None, key: None })
}

/// As the daemon fills in what `piecework bench` leaves out.
fn spec() -> ProjectSpec {
    let choices = ["a", "b"].map(str::to_owned).to_vec();
    let label =
        Field { name: "label".to_owned(), kind: FieldKind::Choice(choices), required: true };
    ProjectSpec {
        title: "Load".to_owned(),
        terms: Terms {
            instructions: BTreeMap::new(),
            schema: Schema { fields: vec![label] },
            aggregation: Aggregation::Refined,
            reward: Money::NONE,
            lease: LeasePolicy::of(LEASE_DEFAULT),
            expected: None,
        },
        requirements: Requirements::default(),
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: u32::try_from(PAYLOAD_BYTES_MAX).expect("some KiB"),
        tier: TIER_DEFAULT,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("letters and digits")
}
