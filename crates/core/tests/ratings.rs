//! Ratings through the engine's commands: what they say of a crowd that is known, and of
//! people's real times.
//!
//! Not here: the formulas alone (`crowd.rs`), single rules (`cases/quality`).

#![expect(clippy::disallowed_methods, reason = "recordings are files")]
#![expect(clippy::disallowed_macros, reason = "a recording that is missing is told")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use piecework_core::change::Change;
use piecework_core::command::{
    CreateProject, CreateRequester, CreateTasks, CreateWorker, LeaseTasks, NewTask, SubmitAnswers,
    SubmitItem, TaskKey, TaskRef,
};
use piecework_core::limits::LEASE_MAX;
use piecework_core::project::{
    Aggregation, Assignment, LeasePolicy, ProjectSpec, ProjectTally, Requirements, Terms,
};
use piecework_core::quality::{Basis, Rating};
use piecework_core::schema::{Answer, Content, Field, FieldKind, Member, Schema, Text};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Engine, EngineTime, Fingerprint, LeaseId, Limits, Money, Now, Outcome,
    Position, ProjectId, Request, Step, TaskNumber, TenantId, WallTime, WorkerId,
};

/// One engine that forgets nothing, and the rows that these tests look at.
struct Platform {
    engine: Engine,
    now: Now,
    position: Position,
    ratings: BTreeMap<WorkerId, Rating>,
    tallies: BTreeMap<ProjectId, ProjectTally>,
}

impl Platform {
    fn new() -> Platform {
        let limits = Limits::default();
        let mut platform = Platform {
            engine: Engine::new(limits),
            now: Now { engine: EngineTime(1_000), wall: WallTime(1_000) },
            position: Position(0),
            ratings: BTreeMap::new(),
            tallies: BTreeMap::new(),
        };
        let requester = CreateRequester { name: Some(id("acme")), ..CreateRequester::default() };
        platform.act(Command::CreateRequester(requester));
        platform
    }

    fn act(&mut self, command: Command) -> Outcome {
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
            match changed.change {
                Change::WorkerRecord(record) => {
                    self.ratings.insert(record.worker, record.rating);
                }
                Change::ProjectTally(tally) => {
                    self.tallies.insert(tally.project, tally);
                }
                _ => {}
            }
        }
        outcome.unwrap_or_else(|refusal| panic!("{request:?}: {refusal}"))
    }

    fn at(&mut self, engine_ms: u64) {
        self.now = Now { engine: EngineTime(engine_ms), wall: WallTime(engine_ms) };
    }

    fn project(&mut self, name: &str, overlap: u16, choices: &[&str]) -> ProjectId {
        let choices = choices.iter().map(ToString::to_string).collect();
        let label =
            Field { name: "label".into(), kind: FieldKind::Choice(choices), required: true };
        let spec = ProjectSpec {
            title: String::new(),
            terms: Terms {
                instructions: BTreeMap::new(),
                schema: Schema { fields: vec![label] },
                aggregation: Aggregation::Majority,
                reward: Money::NONE,
                lease: LeasePolicy::of(LEASE_MAX),
                expected: None,
            },
            requirements: Requirements::default(),
            overlap,
            dynamic: None,
            assignment: Assignment::WorkerPicks,
            payload_bytes_max: 100,
            tier: 2,
            grants_per_minute: 0,
            relaxation: Vec::new(),
            labels: BTreeMap::new(),
        };
        let (name, requester) = (Some(id(name)), id("acme"));
        match self.act(Command::CreateProject(Box::new(CreateProject {
            name,
            requester,
            spec,
            key: None,
        }))) {
            Outcome::Project(project) => project.id,
            other => panic!("no project: {other:?}"),
        }
    }

    fn tasks(&mut self, project: &str, count: usize) {
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
        let create = CreateTasks { project: id(project), tasks: vec![task; count], key: None };
        self.act(Command::CreateTasks(create));
    }

    fn worker(&mut self, name: &str) -> WorkerId {
        let spec = WorkerSpec {
            kind: WorkerKind::Ai,
            region: String::new(),
            device: String::new(),
            capacity: Some(10_000),
            identity_cluster: String::new(),
            requester: None,
            labels: BTreeMap::new(),
        };
        let create = CreateWorker { name: Some(id(name)), spec, requester: None, key: None };
        match self.act(Command::CreateWorker(create)) {
            Outcome::Worker(view) => view.worker.id,
            other => panic!("no worker: {other:?}"),
        }
    }

    fn lease(&mut self, worker: &str, project: &str, number: u32) -> LeaseId {
        let task = TaskRef { project: id(project), task: TaskKey::Number(TaskNumber(number)) };
        let command = LeaseTasks { task: Some(task), ..LeaseTasks::any(id(worker)) };
        match self.act(Command::Lease(command)) {
            Outcome::Leased(leased) => leased.grants[0].lease.id,
            other => panic!("no lease: {other:?}"),
        }
    }

    fn submit(&mut self, worker: &str, lease: LeaseId, label: &str) {
        let said = Member::Text(Text::new(label.to_owned()));
        let fingerprint = Fingerprint::of(&[label.as_bytes()]);
        let answer = Answer {
            bytes: label.as_bytes().to_vec(),
            content_type: "application/json".to_owned(),
            content: Content::Object(BTreeMap::from([("label".to_owned(), said)])),
            fingerprint,
            meaning: fingerprint,
        };
        let items = vec![SubmitItem { lease, answer }];
        self.act(Command::Submit(SubmitAnswers { worker: id(worker), items }));
    }

    fn answer(&mut self, worker: &str, project: &str, number: u32, label: &str) {
        let lease = self.lease(worker, project, number);
        self.submit(worker, lease, label);
        self.engine.forget(self.position);
    }
}

fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("letters and digits")
}

/// splitmix64, evenly from 0 to 1.
fn share(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Beside each of them two who are always right: what is measured is the road from an
/// answer to the interval, not how well a crowd knows the truth.
#[test]
fn a_rating_holds_the_true_accuracy_nine_times_in_ten() {
    const WORKERS: u32 = 240;
    const ANSWERS: u32 = 30;
    let (mut platform, mut dice) = (Platform::new(), 5_u64);
    platform.worker("right");
    platform.worker("right-too");
    platform.project("p", 3, &["cat", "dog"]);
    platform.tasks("p", usize::try_from(ANSWERS).expect("few"));
    let (mut held, mut proved) = (0, 0);
    for number in 0..WORKERS {
        let name = format!("w{number}");
        let project = format!("p{number}");
        platform.project(&project, 3, &["cat", "dog"]);
        platform.tasks(&project, usize::try_from(ANSWERS).expect("few"));
        let (worker, accuracy) = (platform.worker(&name), 0.55 + 0.4 * share(&mut dice));
        for task in 1..=ANSWERS {
            let is_right = share(&mut dice) < accuracy;
            platform.answer(&name, &project, task, if is_right { "cat" } else { "dog" });
            platform.answer("right", &project, task, "cat");
            platform.answer("right-too", &project, task, "cat");
        }
        let record = platform.ratings[&worker].record;
        assert_eq!(record.judged(), ANSWERS);
        let standing = record.standing();
        held += u32::from(standing.low <= accuracy && accuracy <= standing.high);
        proved += u32::from(f64::from(record.points(Basis::LowerBound)) <= 100.0 * accuracy);
    }
    let percent = |count: u32| 100.0 * f64::from(count) / f64::from(WORKERS);
    assert!((85.0..=95.0).contains(&percent(held)), "{} % held", percent(held));
    assert!(percent(proved) >= 90.0, "{} % at least as good as proved", percent(proved));
    // The two who are right against one each, who is not always: shares of one half
    // judge nobody, and where the others agree they judge for certain.
    assert!(platform.ratings[&WorkerId(1)].record.standing().accuracy > 0.99);
}

/// One answer of a recording: task, worker, label, started, submitted (in seconds).
type Timed = (String, String, String, u64, u64);

fn recording() -> Option<Vec<Timed>> {
    let data = match std::env::var_os("PIECEWORK_CROWD_DATA") {
        Some(data) => PathBuf::from(data),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/crowd"),
    };
    let file = data.join("music_pref_trace/labels.csv");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no recording {}", file.display());
        return None;
    };
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("task,worker,label,started,submitted"));
    let timed = lines.map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let [task, worker, label, started, submitted] = cells[..] else { panic!("{line}") };
        let second = |text: &str| text.parse().expect("a second");
        (task.into(), worker.into(), label.into(), second(started), second(submitted))
    });
    Some(timed.collect())
}

/// What the engine estimated over a recording, answer by answer, in the order of time.
fn replayed(answers: &[Timed]) -> (Platform, Vec<ProjectTally>, BTreeMap<String, WorkerId>) {
    let mut platform = Platform::new();
    let project = platform.project("p", 1_000, &["a", "b", "s"]);
    let mut tasks: BTreeMap<&str, u32> = BTreeMap::new();
    for (task, ..) in answers {
        let next = u32::try_from(tasks.len()).expect("few tasks") + 1;
        tasks.entry(task).or_insert(next);
    }
    platform.tasks("p", tasks.len());
    let mut workers = BTreeMap::new();
    for (_, worker, ..) in answers {
        if !workers.contains_key(worker) {
            workers.insert(worker.clone(), platform.worker(&format!("w{worker}")));
        }
    }
    // (second, whether it is an end, which): an end and a begin in one second go in
    // this order, so that nothing ends before it begins.
    let begins = answers.iter().zip(0..).map(|(answer, which)| (answer.3, false, which));
    let ends = answers.iter().zip(0..).map(|(answer, which)| (answer.4, true, which));
    let mut happens: Vec<(u64, bool, usize)> = begins.chain(ends).collect();
    happens.sort_unstable();
    let start = happens[0].0;
    let (mut held, mut course) = (BTreeMap::new(), Vec::new());
    for (second, ends, which) in happens {
        platform.at(1_000 + (second - start) * 1_000);
        let (task, worker, label, ..) = &answers[which];
        let name = format!("w{worker}");
        if ends {
            let lease = held.remove(&which).expect("it has begun");
            platform.submit(&name, lease, label);
            course.push(platform.tallies[&project]);
        } else {
            held.insert(which, platform.lease(&name, "p", tasks[task.as_str()]));
        }
    }
    (platform, course, workers)
}

#[test]
fn on_real_times_speed_and_pace_are_what_the_recording_says() {
    let Some(answers) = recording() else { return };
    let (platform, course, workers) = replayed(&answers);
    let mut took: Vec<u64> = answers.iter().map(|answer| (answer.4 - answer.3) * 1_000).collect();
    took.sort_unstable();
    let middle = |of: fn(&ProjectTally) -> u64| {
        let mut course: Vec<u64> = course.iter().map(of).collect();
        course.sort_unstable();
        course[course.len() / 2]
    };
    for (percent, estimate) in [(50, middle(|tally| tally.p50_ms)), (75, middle(|t| t.p75_ms))] {
        let exact = took[took.len() * percent / 100];
        let off = estimate.abs_diff(exact) * 100 / exact;
        assert!(off <= 25, "{percent} %: {estimate} ms, exactly {exact} ms");
    }
    // Speeds by the exact median, for whoever answered often enough.
    let median = took[took.len() / 2] as f64;
    let mut pairs = Vec::new();
    for (name, id) in &workers {
        let own = answers.iter().filter(|answer| answer.1 == *name);
        let log =
            |answer: &Timed| (median / ((answer.4 - answer.3).max(1) as f64 * 1_000.0)).log2();
        let logs: Vec<f64> = own.map(|answer| log(answer).clamp(-2.0, 2.0)).collect();
        if logs.len() >= 20 {
            let exact = 50.0 + 50.0 * logs.iter().sum::<f64>() / (logs.len() as f64 + 4.0);
            let told = platform.ratings[id].record.standing().speed.expect("timed answers");
            pairs.push((exact.clamp(0.0, 100.0), told));
        }
    }
    let off = pairs.iter().map(|(exact, told)| (exact - told).abs()).sum::<f64>();
    let off = off / pairs.len() as f64;
    println!("{} workers, {off:.1} points off on average: {pairs:.0?}", pairs.len());
    assert!(pairs.len() >= 20 && off <= 12.0, "{} workers, {off} points off", pairs.len());
    // The quickest and the slowest third are where they belong.
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let third = pairs.len() / 3;
    let mean = |of: &[(f64, f64)]| of.iter().map(|(_, told)| told).sum::<f64>() / of.len() as f64;
    let (slow, quick) = (mean(&pairs[..third]), mean(&pairs[pairs.len() - third..]));
    assert!(quick > slow + 20.0, "quick {quick}, slow {slow}");
}
