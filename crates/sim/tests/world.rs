//! Single stories of a simulated daemon, step by step: what a run once found.

use std::collections::BTreeMap;
use std::time::Duration;

use piecework_core::command::{
    CancelTasks, CreateProject, CreateRequester, CreateTasks, CreateWorker, LeaseTasks, NewTask,
    SubmitAnswers, SubmitItem, TaskKey, TaskRef,
};
use piecework_core::limits::{LEASE_DEFAULT, TIER_DEFAULT};
use piecework_core::project::{
    Aggregation, Assignment, LeasePolicy, ProjectSpec, Requirements, Terms,
};
use piecework_core::schema::{Answer, Schema};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Fingerprint, LeaseId, Limits, Money, Outcome, Refusal, Request, TaskNumber,
    TenantId,
};
use piecework_sim::world::{Crash, Heard, Sizes, Step, Tables, World};

/// More rounds than any story here needs.
const ROUNDS_MAX: u32 = 40;

fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("a client id")
}

fn requester(name: &str) -> Command {
    Command::CreateRequester(CreateRequester { name: Some(id(name)), ..Default::default() })
}

fn project() -> Command {
    let terms = Terms {
        instructions: BTreeMap::new(),
        schema: Schema::default(),
        aggregation: Aggregation::First,
        reward: Money::NONE,
        lease: LeasePolicy::of(LEASE_DEFAULT),
        expected: None,
    };
    let spec = ProjectSpec {
        title: String::new(),
        terms,
        requirements: Requirements::default(),
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: 100,
        tier: TIER_DEFAULT,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    };
    let (name, requester) = (Some(id("p")), id("r"));
    Command::CreateProject(Box::new(CreateProject { name, requester, spec, key: None }))
}

fn tasks(count: usize) -> Command {
    let task = NewTask {
        name: None,
        payload: Vec::new(),
        content_type: String::new(),
        priority: 0,
        deadline: None,
        overlap: None,
        expected: None,
        labels: BTreeMap::new(),
        content: Fingerprint::default(),
    };
    Command::CreateTasks(CreateTasks { project: id("p"), tasks: vec![task; count], key: None })
}

fn task(number: u32) -> TaskRef {
    TaskRef { project: id("p"), task: TaskKey::Number(TaskNumber(number)) }
}

fn cancel(number: u32) -> Command {
    Command::CancelTasks(CancelTasks { tasks: vec![task(number)], revoke_leases: false })
}

fn worker() -> Command {
    let spec = WorkerSpec {
        kind: WorkerKind::Human,
        region: String::new(),
        device: String::new(),
        capacity: Some(9),
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    };
    Command::CreateWorker(CreateWorker { name: Some(id("w")), spec, requester: None, key: None })
}

fn leases(outcome: &Outcome) -> Vec<LeaseId> {
    match outcome {
        Outcome::Leased(leased) => leased.grants.iter().map(|grant| grant.lease.id).collect(),
        other => panic!("{other:?}"),
    }
}

/// A daemon, and the calls that were sent to it.
struct Play {
    world: World,
    calls: u64,
}

impl Play {
    fn new() -> Play {
        let sizes = Sizes {
            segment_bytes: 64 * 1024,
            ready_segments: 2,
            queued_groups: 2,
            overlay_bytes: 16 * 1024,
            snapshot_file_bytes: 16 * 1024,
        };
        let world = World::new(7, sizes, Limits::default()).expect("a fresh daemon");
        Play { world, calls: 0 }
    }

    fn step(&mut self, step: &Step) -> Vec<(u64, Heard)> {
        self.world.perform(step).unwrap_or_else(|failure| panic!("{step}: {failure}"))
    }

    fn send(&mut self, command: Command) -> u64 {
        self.calls += 1;
        let request = Request { tenant: TenantId::DEFAULT, command };
        self.step(&Step::Send { call: self.calls, request, wait: Duration::ZERO });
        self.calls
    }

    fn turn(&mut self) {
        self.turn_over(100);
    }

    fn turn_over(&mut self, most: usize) {
        self.step(&Step::Turn { passed_ms: 1, stepped_ms: 0, most });
    }

    /// Who is answered once the last turn is durable.
    fn answered(&mut self) -> Vec<u64> {
        self.step(&Step::Sync { idle: false });
        self.step(&Step::Deliver { lost: false }).into_iter().map(|(call, _)| call).collect()
    }

    /// Turns and syncs until a call is answered.
    fn answer(&mut self, call: u64) -> Result<Outcome, Refusal> {
        for _ in 0..ROUNDS_MAX {
            self.turn();
            self.step(&Step::Cold);
            self.step(&Step::Sync { idle: false });
            self.step(&Step::Keeper);
            let heard = self.step(&Step::Deliver { lost: false });
            let told = heard.into_iter().find(|(of, _)| *of == call).map(|(_, heard)| heard);
            match told {
                Some(Heard::Told(told)) => return told.outcome,
                Some(Heard::Lost) => panic!("call {call} was lost"),
                None => {}
            }
        }
        panic!("call {call} has no answer after {ROUNDS_MAX} rounds");
    }

    fn ask(&mut self, command: Command) -> Outcome {
        let call = self.send(command);
        self.answer(call).expect("nothing refuses it")
    }

    fn until(&mut self, step: &Step, done: impl Fn(&World) -> bool) {
        for _ in 0..ROUNDS_MAX {
            if done(&self.world) {
                return;
            }
            self.step(step);
        }
        panic!("{step}: not done after {ROUNDS_MAX} of them");
    }
}

/// What was fetched stays until the command is done, also when that asks for more.
#[test]
fn a_bulk_command_over_a_forgotten_and_a_settled_task_in_memory_is_answered() {
    let mut play = Play::new();
    for command in [requester("r"), project(), tasks(3), cancel(1)] {
        play.ask(command);
    }
    // Task 1 leaves memory once its end is visible; of task 2 that is not durable yet.
    play.turn();
    play.send(cancel(2));
    play.turn();
    let requeue = play.send(Command::RequeueTasks(vec![task(1), task(2)]));
    play.turn();
    // While task 1 is away, task 2 leaves memory, too.
    play.step(&Step::Sync { idle: false });
    play.turn();
    match play.answer(requeue) {
        Ok(Outcome::TasksChanged(items)) => {
            let refused =
                |item: &Result<_, Refusal>| matches!(item, Err(Refusal::TaskNotFailed { .. }));
            assert!(items.len() == 2 && items.iter().all(refused), "{items:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// Pages whose record of how far they go is lost cannot be filled from a snapshot.
#[test]
fn tables_without_the_record_of_their_reach_are_made_anew() {
    let mut play = Play::new();
    for number in 0..20 {
        play.ask(requester(&format!("r-{number}")));
    }
    play.until(&Step::Checkpoint, |world| world.events().checkpoints == 1);
    play.until(&Step::Snapshot { rots: false }, |world| world.events().snapshots == 1);
    play.ask(requester("later"));
    // The first of all keys is that record.
    let crash = Crash { tables: Tables::LoseKey(0), ..Crash::default() };
    play.step(&Step::Crash(crash));
    let again = play.send(requester("later"));
    assert!(matches!(play.answer(again), Ok(Outcome::Requester(_))));
    let new = play.send(requester("new"));
    assert!(matches!(play.answer(new), Ok(Outcome::Requester(_))));
}

/// P13: a full lane refuses what comes next before anything happens and leaves the
/// others open; finished work goes before leases, leases before new tasks.
#[test]
fn p13_overload_refuses_before_any_effect_and_takes_answers_first() {
    let mut play = Play::new();
    for command in [requester("r"), project(), tasks(2), worker()] {
        play.ask(command);
    }
    let ask = |request: &str| {
        let request_id = Some(id(request));
        Command::Lease(LeaseTasks { request_id, ..LeaseTasks::any(id("w")) })
    };
    let first = leases(&play.ask(ask("first")))[0];

    let inspect = || Command::InspectProject { project: id("p") };
    let mut waiting = Vec::new();
    while play.world.events().turned_away == 0 {
        waiting.push(play.send(inspect()));
        assert!(waiting.len() < 100_000, "the lane has no bound");
    }
    waiting.pop();
    play.send(ask("second"));
    assert_eq!(play.world.events().turned_away, 2, "a lease waits in the same lane");
    let create = play.send(tasks(1));
    let item = SubmitItem { lease: first, answer: Answer::default() };
    let submit = Command::Submit(SubmitAnswers { worker: id("w"), items: vec![item] });
    let submit = play.send(submit);
    assert_eq!(play.world.events().turned_away, 2, "its neighbours take more");

    play.turn_over(1);
    assert_eq!(play.answered(), [submit]);
    play.turn_over(waiting.len());
    assert_eq!(play.answered(), waiting);
    play.turn_over(1);
    assert_eq!(play.answered(), [create]);
    // What was refused left no trace: its first lease is the first of its task.
    let second = leases(&play.ask(ask("second")));
    assert_eq!(second, [LeaseId { task: second[0].task, number: 1 }]);
    assert_ne!(second[0].task, first.task);
}
