//! What needs more rows, or other hands, than a story has: the largest number of
//! projects and of tasks, and what happens to a cold task while it is fetched.

use std::collections::BTreeMap;

use piecework_core::change::{Change, Changed};
use piecework_core::command::{
    CancelTasks, CreateProject, CreateRequester, CreateTasks, CreateWorker, LeaseTasks, NewTask,
    Steer, SteerProject, SubmitAnswers, SubmitItem, TaskKey, TaskRef, UpdateTask,
};
use piecework_core::event::Log;
use piecework_core::image::{ColdTask, ImageRow};
use piecework_core::limits::{LEASE_DEFAULT, PROJECTS_MAX, TIER_DEFAULT};
use piecework_core::project::{
    Aggregation, Assignment, LeasePolicy, Project, ProjectSpec, ProjectTally, Requirements, Terms,
};
use piecework_core::schema::{Answer, Schema};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Engine, Fingerprint, LeaseId, Limits, Money, Now, Outcome, Position,
    ProjectId, Refusal, Request, Restore, Step, TaskId, TaskNumber, TenantId,
};

fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("a client id")
}

fn spec() -> ProjectSpec {
    ProjectSpec {
        title: String::new(),
        terms: Terms {
            instructions: BTreeMap::new(),
            schema: Schema::default(),
            aggregation: Aggregation::First,
            reward: Money::NONE,
            lease: LeasePolicy::of(LEASE_DEFAULT),
            expected: None,
        },
        requirements: Requirements::default(),
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: 100,
        tier: TIER_DEFAULT,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn request(command: Command) -> Request {
    Request { tenant: TenantId::DEFAULT, command }
}

fn create_project(name: &str) -> Command {
    let (name, requester) = (Some(id(name)), id("r"));
    Command::CreateProject(Box::new(CreateProject { name, requester, spec: spec(), key: None }))
}

fn create_task() -> Command {
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
    Command::CreateTasks(CreateTasks { project: id("p"), tasks: vec![task], key: None })
}

/// Applies a command that needs nothing cold.
fn done(engine: &mut Engine, command: Command) -> (Result<Outcome, Refusal>, Vec<Changed>) {
    match engine.apply(Position(1), Now::default(), &request(command)) {
        Step::Done { outcome, changes } => (outcome, changes),
        Step::NeedCold(tasks) => panic!("{tasks:?} are cold"),
    }
}

/// A requester, and its first project if it was made.
fn begun(engine: &mut Engine) -> Option<Project> {
    let name = Some(id("r"));
    let requester = CreateRequester { name, ..CreateRequester::default() };
    done(engine, Command::CreateRequester(requester)).0.expect("a requester");
    match done(engine, create_project("p")).0 {
        Ok(Outcome::Project(project)) => Some(*project),
        _ => None,
    }
}

/// The requester of that project, as its row says.
fn requester() -> ImageRow {
    let name = Some(id("r"));
    let create = CreateRequester { name, ..CreateRequester::default() };
    match done(&mut Engine::new(Limits::default()), Command::CreateRequester(create)).0 {
        Ok(Outcome::Requester(requester)) => ImageRow::Requester(requester),
        other => panic!("no requester: {other:?}"),
    }
}

#[test]
fn a_partition_takes_no_more_projects_than_its_limit() {
    let first = begun(&mut Engine::new(Limits::default())).expect("a project");
    let mut restore = Restore::new(Limits::default(), Now::default());
    restore.row(requester());
    for n in (1..=PROJECTS_MAX).rev() {
        let number = u32::try_from(n).expect("a small limit");
        let (id, name) = (ProjectId(number), id(&format!("full-{n}")));
        restore.row(ImageRow::Project(Box::new(Project { id, name, ..first.clone() })));
    }
    let mut engine = restore.finish();
    assert_eq!(begun(&mut engine), None);
    let (outcome, changes) = done(&mut engine, create_project("one-more"));
    assert!(matches!(outcome, Err(Refusal::TooManyProjects { limit: PROJECTS_MAX, .. })));
    assert_eq!(changes, []);
}

#[test]
fn a_project_whose_task_numbers_are_used_up_takes_no_more_tasks() {
    let project = begun(&mut Engine::new(Limits::default())).expect("a project");
    let used_up = ProjectTally {
        project: project.id,
        last_task: TaskNumber(u32::MAX),
        ..ProjectTally::default()
    };
    let mut restore = Restore::new(Limits::default(), Now::default());
    restore.row(requester());
    restore.row(ImageRow::Project(Box::new(project)));
    restore.row(ImageRow::ProjectTally(used_up));
    match done(&mut restore.finish(), create_task()) {
        (Ok(Outcome::TasksCreated(tasks)), changes) => {
            assert!(matches!(tasks[..], [Err(Refusal::TooManyTasks { limit: u32::MAX, .. })]));
            assert_eq!(changes, []);
        }
        other => panic!("{other:?}"),
    }
}

/// Each platform counts its own workers' events: another's are no gap in them, and
/// nobody can tell from the numbers how busy the others are.
#[test]
fn worker_events_are_numbered_per_tenant() {
    let mut engine = Engine::new(Limits::default());
    let spec = WorkerSpec {
        kind: WorkerKind::Human,
        region: String::new(),
        device: String::new(),
        capacity: None,
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    };
    let worker = CreateWorker { name: Some(id("w")), spec, requester: None, key: None };
    let create = Command::CreateWorker(worker);
    let suspend = Command::SuspendWorker { worker: id("w"), reason: String::new() };
    let reinstate = Command::ReinstateWorker { worker: id("w") };
    let mut numbers: BTreeMap<TenantId, Vec<u64>> = BTreeMap::new();
    let mut seen = |engine: &mut Engine, tenant, command: &Command| {
        let request = Request { tenant, command: command.clone() };
        let Step::Done { outcome, changes } = engine.apply(Position(1), Now::default(), &request)
        else {
            panic!("nothing is cold");
        };
        outcome.expect("nothing refuses it");
        for Changed { tenant: of, change } in changes {
            if let Change::Event(event) = change {
                assert_eq!((of, event.log), (tenant, Log::Workers(tenant)));
                numbers.entry(tenant).or_default().push(event.sequence.0);
            }
        }
    };
    let (here, there) = (TenantId::DEFAULT, TenantId(7));
    for (tenant, command) in [
        (here, &create),
        (there, &create),
        (there, &suspend),
        (here, &suspend),
        (there, &reinstate),
        (here, &reinstate),
        (there, &suspend),
    ] {
        seen(&mut engine, tenant, command);
    }
    assert_eq!(numbers[&here], [1, 2]);
    assert_eq!(numbers[&there], [1, 2, 3]);
}

/// A project with one answered task, the answer's lease, and the task's rows.
fn answered() -> (Engine, SubmitAnswers, ColdTask) {
    let mut engine = Engine::new(Limits::default());
    begun(&mut engine).expect("a project");
    let spec = WorkerSpec {
        kind: WorkerKind::Human,
        region: String::new(),
        device: String::new(),
        capacity: None,
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    };
    let worker = CreateWorker { name: Some(id("w")), spec, requester: None, key: None };
    done(&mut engine, Command::CreateWorker(worker)).0.expect("a worker");
    done(&mut engine, create_task()).0.expect("a task");
    let lease = LeaseTasks::any(id("w"));
    done(&mut engine, Command::Lease(lease)).0.expect("a lease");
    let task = TaskId { project: ProjectId(1), number: TaskNumber(1) };
    let items = vec![SubmitItem { lease: LeaseId { task, number: 1 }, answer: Answer::default() }];
    let submit = SubmitAnswers { worker: id("w"), items };
    let (outcome, changes) = done(&mut engine, Command::Submit(submit.clone()));
    outcome.expect("a receipt");
    let (mut record, mut leases) = (None, Vec::new());
    for changed in changes {
        match changed.change {
            Change::Task(task) => record = Some(*task),
            Change::Lease(lease) => leases.push(*lease),
            _ => {}
        }
    }
    let cold = ColdTask { record: record.expect("the task is touched"), leases };
    engine.forget(Position(1));
    (engine, submit, cold)
}

/// The retry waits for its cold task while the project is deleted, step by step.
/// Whenever the rows arrive, the answer is that there is no such lease.
#[test]
fn a_task_that_is_fetched_while_its_project_is_deleted_is_gone() {
    for steps in 0..=2 {
        let (mut engine, submit, cold) = answered();
        let retry = request(Command::Submit(submit));
        let asked = match engine.apply(Position(2), Now::default(), &retry) {
            Step::NeedCold(tasks) => tasks,
            Step::Done { outcome, .. } => panic!("not cold: {outcome:?}"),
        };
        for to in [Steer::Close, Steer::Delete] {
            let steer = SteerProject { project: id("p"), to, etag: None };
            done(&mut engine, Command::SteerProject(steer)).0.expect("a flag");
        }
        for _ in 0..steps {
            done(&mut engine, Command::Sweep { project: ProjectId(1) }).0.expect("a step");
        }
        engine.warm(Now::default(), cold);
        match engine.apply(Position(3), Now::default(), &retry) {
            Step::Done { outcome: Ok(Outcome::Submitted(items)), .. } => {
                assert!(matches!(items[..], [Err(Refusal::LeaseNotFound { .. })]));
            }
            other => panic!("{other:?}"),
        }
        engine.unpin(&asked);
        engine.forget(Position(3));
        assert_eq!(engine.check(Now::default()), Ok(()));
    }
}

/// The retry waits for its cold task; meanwhile the task is reopened and cancelled.
/// What was fetched before that must not come into memory.
#[test]
fn a_task_that_changes_while_it_is_fetched_is_not_overwritten() {
    let (mut engine, submit, cold) = answered();
    let retry = request(Command::Submit(submit));
    let Step::NeedCold(asked) = engine.apply(Position(2), Now::default(), &retry) else {
        panic!("a settled task is cold");
    };
    let task = TaskRef { project: id("p"), task: TaskKey::Number(TaskNumber(1)) };
    let reopen = |overlap| {
        let (task, overlap) = (task.clone(), Some(overlap));
        Command::UpdateTasks(vec![UpdateTask { task, overlap, priority: None, deadline: None }])
    };
    let Step::NeedCold(also) = engine.apply(Position(2), Now::default(), &request(reopen(2)))
    else {
        panic!("a settled task is cold for everybody");
    };
    engine.warm(Now::default(), cold.clone());
    done(&mut engine, reopen(2)).0.expect("done tasks can be reopened");
    engine.unpin(&also);
    let cancel = CancelTasks { tasks: vec![task.clone()], revoke_leases: false };
    done(&mut engine, Command::CancelTasks(cancel)).0.expect("open tasks can be cancelled");
    engine.forget(Position(9));

    engine.warm(Now::default(), cold);
    done(&mut engine, retry.command).0.expect("the first receipt");
    match done(&mut engine, reopen(3)).0 {
        Ok(Outcome::TasksChanged(items)) => {
            assert!(matches!(items[..], [Err(Refusal::TaskCancelled { .. })]), "{items:?}");
        }
        other => panic!("{other:?}"),
    }
    engine.unpin(&asked);
    assert_eq!(engine.check(Now::default()), Ok(()));
}
