//! What the engine writes obeys the laws; each law is broken by one change of it.

use std::collections::BTreeMap;

use piecework_core::change::{Change, Changed};
use piecework_core::command::{
    CancelTasks, CreateProject, CreateRequester, CreateTasks, CreateWorker, FieldOpinion,
    LeaseTasks, NewTask, Refine, RefinedTask, ResolveTask, SubmitAnswers, SubmitItem, TaskKey,
    TaskRef,
};
use piecework_core::event::{Event, Fell, Method, ResultState, TaskResult, What};
use piecework_core::lease::LeaseState;
use piecework_core::limits::{LEASE_DEFAULT, TIER_DEFAULT};
use piecework_core::project::{
    Aggregation, Assignment, DynamicOverlap, LeasePolicy, ProjectSpec, Requirements, Terms,
};
use piecework_core::schema::{Answer, Content, Field, FieldKind, Member, Members, Schema};
use piecework_core::submission::Verdict;
use piecework_core::task::{TaskRecord, TaskState};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Engine, EngineTime, Fingerprint, LeaseId, Limits, Money, Now, Outcome,
    Position, ProjectId, Request, Sequence, Step, TaskId, TaskNumber, TenantId, WallTime, WorkerId,
};

use super::{Broken, Laws};

/// What the commands of a small history changed, one list a command.
type History = Vec<Vec<Changed>>;

/// Task 1 is argued about, bought a third answer, and revised by a refinement; task 2 is
/// resolved, task 3 cancelled.
fn history() -> History {
    let mut play = Play { engine: Engine::new(Limits::default()), history: Vec::new() };
    play.ask(Command::CreateRequester(CreateRequester {
        name: Some(id("r")),
        ..CreateRequester::default()
    }));
    play.ask(project());
    play.ask(Command::CreateTasks(CreateTasks {
        project: id("p"),
        tasks: vec![task(); 3],
        key: None,
    }));
    for worker in ["w1", "w2", "w3"] {
        play.ask(create_worker(worker));
    }
    let [first, second] = ["w1", "w2"].map(|worker| play.lease(worker));
    play.submit("w1", first, "cat");
    play.submit("w2", second, "dog");
    let third = play.lease("w3");
    play.submit("w3", third, "dog");
    let says = |class| FieldOpinion { field: 0, class, confidence_ppm: 990_000 };
    let seen = RefinedTask { task: TaskNumber(1), answers: 3, revision: 2, fields: vec![says(0)] };
    play.ask(Command::Refine(Refine { project: ProjectId(1), tasks: vec![seen] }));
    play.ask(Command::ResolveTask(Box::new(ResolveTask { task: name(2), answer: answer("cat") })));
    play.ask(Command::CancelTasks(CancelTasks { tasks: vec![name(3)], revoke_leases: false }));
    play.history
}

struct Play {
    engine: Engine,
    history: History,
}

impl Play {
    fn ask(&mut self, command: Command) -> Outcome {
        let position = Position(self.history.len() as u64 + 1);
        let now = Now { engine: EngineTime(1_000), wall: WallTime(1_000) };
        let request = Request { tenant: TenantId::DEFAULT, command };
        let Step::Done { outcome, changes } = self.engine.apply(position, now, &request) else {
            panic!("nothing leaves memory here");
        };
        self.history.push(changes);
        outcome.expect("nothing refuses it")
    }

    fn lease(&mut self, worker: &str) -> LeaseId {
        match self.ask(Command::Lease(LeaseTasks::any(id(worker)))) {
            Outcome::Leased(leased) => leased.grants[0].lease.id,
            other => panic!("{other:?}"),
        }
    }

    fn submit(&mut self, worker: &str, lease: LeaseId, label: &str) {
        let item = SubmitItem { lease, answer: answer(label) };
        self.ask(Command::Submit(SubmitAnswers { worker: id(worker), items: vec![item] }));
    }
}

fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("a client id")
}

fn name(number: u32) -> TaskRef {
    TaskRef { project: id("p"), task: TaskKey::Number(TaskNumber(number)) }
}

fn answer(label: &str) -> Answer {
    let fingerprint = Fingerprint::of(&[label.as_bytes()]);
    Answer {
        bytes: label.as_bytes().to_vec(),
        content_type: "application/json".to_owned(),
        content: Content::Object(Members::from([("label".to_owned(), Member::text(label))])),
        fingerprint,
        meaning: fingerprint,
    }
}

fn project() -> Command {
    let kind = FieldKind::Choice(["cat", "dog"].map(str::to_owned).to_vec());
    let schema = Schema { fields: vec![Field { name: "label".into(), kind, required: true }] };
    let terms = Terms {
        instructions: BTreeMap::new(),
        schema,
        aggregation: Aggregation::Majority,
        reward: Money { micros: 7, ..Money::NONE },
        lease: LeasePolicy::of(LEASE_DEFAULT),
        expected: None,
    };
    let spec = ProjectSpec {
        title: String::new(),
        terms,
        requirements: Requirements::default(),
        overlap: 2,
        dynamic: Some(DynamicOverlap { max: 5, target_ppm: 600_000 }),
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

fn task() -> NewTask {
    NewTask {
        name: None,
        payload: Vec::new(),
        content_type: String::new(),
        priority: 0,
        deadline: None,
        overlap: None,
        expected: None,
        labels: BTreeMap::new(),
        content: Fingerprint::default(),
    }
}

fn create_worker(name: &str) -> Command {
    let spec = WorkerSpec {
        kind: WorkerKind::Human,
        region: String::new(),
        device: String::new(),
        capacity: Some(9),
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    };
    Command::CreateWorker(CreateWorker { name: Some(id(name)), spec, requester: None, key: None })
}

/// Which law a history breaks.
fn broken(history: &History) -> Option<Broken> {
    let mut laws = Laws::default();
    history.iter().find_map(|changes| laws.take(changes).err())
}

/// Which law the history breaks once every change has gone through `alter`.
fn after(mut alter: impl FnMut(&mut Change)) -> Option<Broken> {
    let mut history = history();
    history.iter_mut().flatten().for_each(|changed| alter(&mut changed.change));
    broken(&history)
}

fn with_result(mut alter: impl FnMut(&mut TaskResult)) -> Option<Broken> {
    after(|change| {
        if let Change::Event(event) = change
            && let What::Result(result) = &mut event.what
        {
            alter(result);
        }
    })
}

fn with_record(mut alter: impl FnMut(&mut TaskRecord)) -> Option<Broken> {
    after(|change| {
        if let Change::Task(record) = change {
            alter(record);
        }
    })
}

/// The history, and what one more command writes: some row of it once more, altered.
fn then(pick: impl Fn(&Change) -> bool, alter: impl Fn(&mut Change)) -> Option<Broken> {
    let mut history = history();
    let mut last =
        history.iter().flatten().rfind(|c| pick(&c.change)).expect("it is there").clone();
    alter(&mut last.change);
    history.push(vec![last]);
    broken(&history)
}

const ARGUED: TaskId = TaskId { project: ProjectId(1), number: TaskNumber(1) };
const RESOLVED: TaskId = TaskId { project: ProjectId(1), number: TaskNumber(2) };
const CANCELLED: TaskId = TaskId { project: ProjectId(1), number: TaskNumber(3) };

fn results_of(task: TaskId, history: &History) -> Vec<(u32, ResultState)> {
    let told = history.iter().flatten().filter_map(|changed| match &changed.change {
        Change::Event(event) => match &event.what {
            What::Result(result) if result.task == task => Some((result.revision, result.state)),
            _ => None,
        },
        _ => None,
    });
    told.collect()
}

#[test]
fn what_the_engine_writes_is_lawful() {
    let history = history();
    assert_eq!(broken(&history), None);
    let complete = ResultState::Final { incomplete: false };
    let argued = [(1, ResultState::Provisional), (2, complete), (3, complete)];
    assert_eq!(results_of(ARGUED, &history), argued);
    assert_eq!(results_of(RESOLVED, &history), [(1, complete)]);
    assert_eq!(results_of(CANCELLED, &history), []);
}

#[test]
fn a_gap_and_a_repeated_number_break_the_log() {
    for off in [1, 3] {
        let told = after(|change| {
            if let Change::Event(event) = change
                && event.sequence.0 == 2
            {
                event.sequence = Sequence(off);
            }
        });
        assert!(matches!(told, Some(Broken::Gap { last: Sequence(1), .. })), "{told:?}");
    }
}

#[test]
fn a_final_result_changes_only_by_the_next_revision() {
    let reused = with_result(|result| result.revision = result.revision.min(2));
    assert!(matches!(reused, Some(Broken::Revision { task: ARGUED, last: 2, found: 2 })));
    let skipped = with_result(|result| result.revision += 1);
    assert!(matches!(skipped, Some(Broken::Revision { last: 0, found: 2, .. })));
    let back = with_result(|result| {
        if result.revision == 3 {
            result.state = ResultState::Provisional;
        }
    });
    assert!(matches!(back, Some(Broken::Provisional { task: ARGUED, found: 3 })));
    // A record that says another thing, without a word in the log.
    let is_of = |task| move |change: &Change| matches!(change, Change::Task(r) if r.id == task);
    let silently = then(is_of(ARGUED), |change| {
        if let Change::Task(record) = change {
            record.said.as_mut().expect("it says something").answer = Fingerprint(7);
        }
    });
    assert!(matches!(silently, Some(Broken::Rewritten { task: ARGUED, revision: 3 })));
    let elsewhere = with_record(|record| record.result = record.result.map(|at| at.next()));
    assert!(matches!(elsewhere, Some(Broken::Untold { task: ARGUED, newest: 1, kept: 1 })));
    let uncounted = with_record(|record| record.result_revision = record.result_revision.min(1));
    assert!(matches!(uncounted, Some(Broken::Untold { newest: 2, kept: 1, .. })));
}

/// What one more result of a task would be, in its place in the log.
fn one_more(task: TaskId, method: Method) -> Option<Broken> {
    let mut history = history();
    let events = || {
        history.iter().flatten().filter_map(|c| match &c.change {
            Change::Event(event) => Some(&**event),
            _ => None,
        })
    };
    let last = events().map(|event| event.sequence).max().expect("there are some");
    let mut result = events()
        .find_map(|event| match &event.what {
            What::Result(result) if result.task == RESOLVED => Some(result.clone()),
            _ => None,
        })
        .expect("it was resolved");
    (result.task, result.method, result.revision) =
        (task, method, if task == RESOLVED { 2 } else { 1 });
    let event = Event { sequence: last.next(), ..events().next().expect("one").clone() };
    let event = Event { what: What::Result(result), ..event };
    let tenant = TenantId::DEFAULT;
    history.push(vec![Changed { tenant, change: Change::Event(Box::new(event)) }]);
    broken(&history)
}

#[test]
fn nothing_follows_a_cancel_and_only_the_requester_its_own_word() {
    let revived = one_more(CANCELLED, Method::Majority);
    assert!(matches!(revived, Some(Broken::AfterEnd { task: CANCELLED, .. })), "{revived:?}");
    assert_eq!(one_more(RESOLVED, Method::Requester), None);
    let overruled = one_more(RESOLVED, Method::Online);
    assert!(matches!(overruled, Some(Broken::Overruled { task: RESOLVED, revision: 2 })));
    let opened = then(
        |change| matches!(change, Change::Task(record) if record.id == CANCELLED),
        |change| {
            if let Change::Task(record) = change {
                record.state = TaskState::Open;
            }
        },
    );
    let from = TaskState::Cancelled;
    assert_eq!(opened, Some(Broken::Arrow { task: CANCELLED, from, to: TaskState::Open }));
}

#[test]
fn no_answer_counts_twice() {
    let first = LeaseId { task: ARGUED, number: 1 };
    let told = then(
        |change| matches!(change, Change::Submission(answer) if answer.lease == first),
        |_| {},
    );
    assert_eq!(told, Some(Broken::AnsweredTwice { lease: first }));
    let twice_told = then(
        |change| matches!(change, Change::Event(e) if e.what == What::Submitted(first)),
        |change| {
            if let Change::Event(event) = change {
                event.sequence = Sequence(9);
            }
        },
    );
    assert_eq!(twice_told, Some(Broken::AnsweredTwice { lease: first }));
    let altered = then(
        |change| matches!(change, Change::Lease(lease) if lease.id == first),
        |change| {
            if let Change::Lease(lease) = change {
                lease.state = LeaseState::Live;
            }
        },
    );
    assert_eq!(altered, Some(Broken::Unanswered { lease: first }));
    let one_worker = after(|change| {
        if let Change::Lease(lease) = change {
            lease.worker = WorkerId(1);
        }
    });
    assert_eq!(one_worker, Some(Broken::WorkerTwice { task: ARGUED, worker: WorkerId(1) }));
    let counted_again = with_record(|record| {
        if record.last_answer == 3 {
            record.last_answer = 4;
        }
    });
    assert_eq!(counted_again, Some(Broken::Miscounted { task: ARGUED, counted: 3, kept: 4 }));
}

#[test]
fn the_votes_of_a_result_are_the_counted_answers() {
    let twice = with_result(|result| {
        if let Some(vote) = result.answers.first().copied() {
            result.answers.push(vote);
        }
    });
    assert!(matches!(twice, Some(Broken::VotesTwice { .. })), "{twice:?}");
    let by_one = with_result(|result| {
        result.answers.iter_mut().for_each(|vote| vote.worker = WorkerId(1));
    });
    assert!(matches!(by_one, Some(Broken::WorkerTwice { task: ARGUED, .. })), "{by_one:?}");
    let unheard = with_result(|result| {
        result.answers.iter_mut().for_each(|vote| vote.lease.number += 5);
    });
    assert!(matches!(unheard, Some(Broken::VotesUnheard { .. })), "{unheard:?}");
    let left_out = with_result(|result| _ = result.answers.pop());
    assert!(
        matches!(left_out, Some(Broken::FieldOverfull { votes: 2, answers: 1, .. })),
        "{left_out:?}"
    );
    let kept = after(|change| {
        if let Change::Lease(lease) = change
            && let LeaseState::Submitted(answer) = &mut lease.state
        {
            answer.verdict = Verdict::KeptPayable;
        }
    });
    assert!(matches!(kept, Some(Broken::Disagrees { .. })), "{kept:?}");
    let other = with_result(|result| result.answers.reverse());
    assert_eq!(other, Some(Broken::OtherVotes { task: ARGUED, revision: 1 }));
    let overfull = with_result(|result| {
        if let Some(votes) = result.votes.first_mut() {
            votes.fell = Fell::Classes(vec![(0, 1), (1, 3)]);
        }
    });
    assert!(matches!(overfull, Some(Broken::FieldOverfull { votes: 4, answers: 2, .. })));
    let cheaper = with_result(|result| result.cost.micros -= 1);
    assert!(matches!(cheaper, Some(Broken::Cost { told: 13, owed: 14, .. })), "{cheaper:?}");
}

#[test]
fn a_task_buys_until_it_is_sure_and_no_longer() {
    let early = with_result(|result| {
        if result.revision == 2 {
            result.confidence_ppm = 599_999;
        }
    });
    assert!(matches!(early, Some(Broken::Unsure { answers: 3, target: 600_000, .. })), "{early:?}");
    let late = with_result(|result| {
        if result.state == ResultState::Provisional {
            result.confidence_ppm = 600_000;
        }
    });
    assert!(matches!(late, Some(Broken::SureAndOpen { task: ARGUED, revision: 1, .. })));
    let more = with_record(|record| {
        if matches!(record.state, TaskState::Done { .. }) && record.id == ARGUED {
            record.order.wanted += 1;
        }
    });
    assert_eq!(more, Some(Broken::BuysOn { task: ARGUED, taken: 3, wanted: 4 }));
    let stuck = with_record(|record| {
        if record.state.is_open() && record.last_answer == 2 {
            record.order.wanted = record.order.wanted.min(2);
        }
    });
    assert_eq!(stuck, Some(Broken::Stuck { task: ARGUED, counted: 2, wanted: 2 }));
}
