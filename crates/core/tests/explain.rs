//! Questions and their answers: what is open to a worker, and why something waits.

use std::collections::BTreeMap;

use piecework_core::command::{
    CreateProject, CreateRequester, CreateTasks, CreateWorker, GrantSkill, LeaseTasks, NewTask,
    Steer, SteerProject, SubmitAnswers, SubmitItem, TaskKey, TaskRef,
};
use piecework_core::explanation::{
    Explanation, Offer, PaceSource, Question, TaskExplained, WorkerExplained,
};
use piecework_core::forecast::{Forecast, Outlook};
use piecework_core::limits::{LEASE_DEFAULT, TIER_DEFAULT, WHY_NONE_MAX};
use piecework_core::outcome::{Leased, NoWork};
use piecework_core::project::{
    Aggregation, Assignment, LeasePolicy, ProjectSpec, Requirements, Terms,
};
use piecework_core::relaxation::Relaxation;
use piecework_core::schema::{Answer, Schema};
use piecework_core::wishes::Wishes;
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{
    ClientId, Command, Currency, Engine, EngineTime, Fingerprint, LeaseId, Limits, Millis, Money,
    Now, Outcome, Position, Refusal, Request, Step, TaskNumber, TenantId, WallTime,
};

fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("a client id")
}

fn spec(skills: &[(&str, u8)], expected: Option<u64>) -> ProjectSpec {
    let skills = skills.iter().map(|(skill, level)| ((*skill).to_owned(), *level)).collect();
    ProjectSpec {
        title: "Cats".to_owned(),
        terms: Terms {
            instructions: BTreeMap::new(),
            schema: Schema::default(),
            aggregation: Aggregation::First,
            reward: Money { micros: 50_000, currency: Currency::new("EUR").expect("a code") },
            lease: LeasePolicy::of(LEASE_DEFAULT),
            expected: expected.map(Millis::from_secs),
        },
        requirements: Requirements { skills, ..Requirements::default() },
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: 1_000,
        tier: TIER_DEFAULT,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// One engine and its clock, with a requester.
struct Hall {
    engine: Engine,
    now: Now,
    position: Position,
}

impl Hall {
    fn new() -> Hall {
        let now = Now { engine: EngineTime(1_000), wall: WallTime(1_000) };
        let mut hall = Hall { engine: Engine::new(Limits::default()), now, position: Position(0) };
        let name = Some(id("acme"));
        hall.act(Command::CreateRequester(CreateRequester { name, ..CreateRequester::default() }));
        hall
    }

    fn act(&mut self, command: Command) -> Outcome {
        let request = Request { tenant: TenantId::DEFAULT, command };
        match self.engine.apply(self.position.next(), self.now, &request) {
            Step::Done { outcome, changes } => {
                if !changes.is_empty() {
                    self.position = self.position.next();
                }
                self.engine.check(self.now).expect("sound indexes");
                outcome.unwrap_or_else(|no| panic!("{request:?}: {no}"))
            }
            Step::NeedCold(tasks) => panic!("{tasks:?} are cold"),
        }
    }

    fn wait(&mut self, time: Millis) {
        self.now.engine = self.now.engine + time;
        self.now.wall = WallTime(self.now.wall.0 + time.0);
    }

    fn project(&mut self, name: &str, spec: ProjectSpec) {
        let (name, requester) = (Some(id(name)), id("acme"));
        self.act(Command::CreateProject(Box::new(CreateProject {
            name,
            requester,
            spec,
            key: None,
        })));
    }

    fn tasks(&mut self, project: &str, count: usize, payload: usize) {
        let task = NewTask {
            name: None,
            payload: vec![b'x'; payload],
            content_type: String::new(),
            priority: 0,
            deadline: None,
            overlap: None,
            expected: None,
            labels: BTreeMap::new(),
            content: Fingerprint::default(),
        };
        let tasks = vec![task; count];
        self.act(Command::CreateTasks(CreateTasks { project: id(project), tasks, key: None }));
    }

    fn worker(&mut self, name: &str, skills: &[(&str, u8)]) {
        let spec = WorkerSpec {
            kind: WorkerKind::Human,
            region: String::new(),
            device: String::new(),
            capacity: Some(50),
            identity_cluster: String::new(),
            requester: None,
            labels: BTreeMap::new(),
        };
        let create = CreateWorker { name: Some(id(name)), spec, requester: None, key: None };
        self.act(Command::CreateWorker(create));
        for (skill, level) in skills {
            let (worker, skill) = (id(name), (*skill).to_owned());
            let grant = GrantSkill { worker, skill, level: *level, expires: None };
            self.act(Command::GrantSkill(grant));
        }
    }

    fn ask(&mut self, worker: &str, wishes: Wishes, count: u32) -> Leased {
        let ask = LeaseTasks { count, wishes, ..LeaseTasks::any(id(worker)) };
        loop {
            match self.act(Command::Lease(ask.clone())) {
                Outcome::Leased(Leased { unfinished: true, .. }) => {}
                Outcome::Leased(leased) => return leased,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Asks for work, so that the worker is present; returns what it got.
    fn lease(&mut self, worker: &str, wishes: Wishes, count: u32) -> Vec<LeaseId> {
        self.ask(worker, wishes, count).grants.iter().map(|g| g.lease.id).collect()
    }

    /// Why a worker gets nothing.
    fn nothing(&mut self, worker: &str, wishes: Wishes) -> Vec<(NoWork, u32)> {
        let leased = self.ask(worker, wishes, 1);
        assert_eq!(leased.grants, []);
        leased.none_because
    }

    fn answer(&mut self, worker: &str, lease: LeaseId) {
        let items = vec![SubmitItem { lease, answer: Answer::default() }];
        self.act(Command::Submit(SubmitAnswers { worker: id(worker), items }));
    }

    fn explain(&mut self, question: Question) -> Explanation {
        match self.act(Command::Explain(question)) {
            Outcome::Explained(told) => *told,
            other => panic!("{other:?}"),
        }
    }

    fn why_waits(&mut self, project: &str, number: u32) -> TaskExplained {
        let task = TaskRef { project: id(project), task: TaskKey::Number(TaskNumber(number)) };
        match self.explain(Question::Task { task, worker: None }) {
            Explanation::Task(told) => *told,
            other => panic!("{other:?}"),
        }
    }

    fn why_idle(&mut self, worker: &str) -> WorkerExplained {
        match self.explain(Question::Worker { worker: id(worker) }) {
            Explanation::Worker(told) => *told,
            other => panic!("{other:?}"),
        }
    }

    fn offers(&mut self, worker: &str, wishes: Wishes) -> Vec<Offer> {
        match self.explain(Question::Offers { worker: id(worker), wishes }) {
            Explanation::Offers(told) => told.offers,
            other => panic!("{other:?}"),
        }
    }

    fn forecast(&mut self, project: &str) -> Forecast {
        match self.explain(Question::Forecast { project: id(project) }) {
            Explanation::Forecast(told) => told,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_waiting_task_tells_how_many_lack_what_and_who_lacks_least() {
    let mut hall = Hall::new();
    hall.project("cats", spec(&[("lang:fi", 70), ("maps", 10)], None));
    hall.tasks("cats", 5, 1);
    hall.worker("ann", &[("lang:fi", 60), ("maps", 50)]);
    hall.worker("bob", &[("lang:fi", 20), ("maps", 50)]);
    hall.worker("cid", &[("lang:fi", 90)]);
    hall.worker("away", &[("lang:fi", 69), ("maps", 50)]);
    assert_eq!(hall.why_waits("cats", 3).workers, 0, "nobody is present");
    for worker in ["ann", "bob", "cid"] {
        assert_eq!(hall.lease(worker, Wishes::default(), 1), []);
    }
    let told = hall.why_waits("cats", 3);
    assert_eq!((told.workers, told.could_lease, told.ahead), (3, 0, 1), "{told:?}");
    let counts: Vec<u32> = told.obstacles.iter().map(|o| o.count).collect();
    assert_eq!(counts, [2, 1]);
    let Some(Refusal::SkillMissing { worker, skill, needed, has, .. }) = told.nearest else {
        panic!("{told:?}")
    };
    assert_eq!((worker.as_str(), skill.as_str(), needed, has), ("ann", "lang:fi", 70, 60));
    hall.wait(Millis::from_secs(61));
    assert_eq!(hall.why_waits("cats", 3).workers, 0, "all have left");
    assert_eq!(hall.why_waits("cats", 3).ready_for, Some(Millis::from_secs(61)));
}

#[test]
fn what_stands_in_everybodys_way_is_told_first() {
    let mut hall = Hall::new();
    hall.project("cats", spec(&[], None));
    hall.tasks("cats", 1, 1);
    hall.worker("ann", &[]);
    let lease = hall.lease("ann", Wishes::default(), 1)[0];
    let told = hall.why_waits("cats", 1);
    assert!(matches!(told.blocked, Some(Refusal::TaskFull { .. })), "{told:?}");
    assert_eq!((told.live, told.workers), (1, 0));
    hall.answer("ann", lease);
    assert!(matches!(hall.why_waits("cats", 1).blocked, Some(Refusal::TaskDone { .. })));
    hall.tasks("cats", 1, 1);
    let pause = SteerProject { project: id("cats"), to: Steer::Pause, etag: None };
    hall.act(Command::SteerProject(pause));
    assert!(matches!(hall.why_waits("cats", 2).blocked, Some(Refusal::ProjectPaused { .. })));
}

#[test]
fn an_idle_worker_learns_what_holds_back_most() {
    let mut hall = Hall::new();
    hall.project("open", spec(&[], None));
    hall.project("empty", spec(&[], None));
    hall.project("few", spec(&[("maps", 1)], None));
    for project in ["many", "more"] {
        hall.project(project, spec(&[("lang:fi", 70)], None));
        hall.tasks(project, 300, 1);
    }
    hall.tasks("few", 2, 1);
    hall.tasks("open", 2, 1);
    hall.worker("ann", &[("lang:fi", 40)]);
    let told = hall.why_idle("ann");
    assert_eq!((told.projects, told.could_lease, told.nothing_ready), (5, 1, 1), "{told:?}");
    assert!(!told.present && told.blocked.is_none());
    let counted: Vec<_> = told.obstacles.iter().map(|o| (o.count, o.waiting)).collect();
    assert_eq!(counted, [(2, 600), (1, 2)]);
    assert_eq!(hall.lease("ann", Wishes::default(), 9).len(), 2);
    assert_eq!(hall.why_idle("ann").could_lease, 0);
}

#[test]
fn offers_tell_pay_per_hour_by_the_best_evidence_there_is() {
    let mut hall = Hall::new();
    hall.project("cats", spec(&[], Some(100)));
    hall.project("maps", spec(&[("maps", 1)], None));
    hall.tasks("cats", 47, 1);
    hall.worker("ann", &[]);
    let offers = hall.offers("ann", Wishes::default());
    let [cats, maps] = &offers[..] else { panic!("{offers:?}") };
    // 0.05 for 100 s are 1.80 an hour.
    assert_eq!(cats.hourly.map(|m| m.micros), Some(1_800_000));
    assert_eq!(cats.pace.map(|p| p.source), Some(PaceSource::Declared));
    assert_eq!((cats.waiting, cats.lacks.is_none()), (20, true));
    assert!(matches!(maps.lacks, Some(Refusal::SkillMissing { needed: 1, has: 0, .. })));
    for _ in 0..5 {
        let lease = hall.lease("ann", Wishes::default(), 1)[0];
        hall.wait(Millis::from_secs(20));
        hall.answer("ann", lease);
    }
    let cats = hall.offers("ann", Wishes::among(vec![id("cats")])).remove(0);
    assert_eq!(cats.pace.map(|p| p.source), Some(PaceSource::Worker));
    assert_eq!(cats.pace.map(|p| p.expected <= Millis::from_secs(20)), Some(true), "{cats:?}");
    let except = Wishes { except: vec![id("cats"), id("maps")], ..Wishes::default() };
    assert_eq!(hall.offers("ann", except), []);
}

#[test]
fn wishes_choose_by_project_size_pay_and_what_is_left_of_the_box() {
    let mut hall = Hall::new();
    hall.project("small", spec(&[], Some(180)));
    hall.project("large", spec(&[], Some(60)));
    hall.tasks("small", 9, 10);
    hall.tasks("large", 9, 900);
    hall.worker("ann", &[]);
    let of = |leases: &[LeaseId]| leases.iter().map(|l| l.task.project.0).collect::<Vec<_>>();
    let except = Wishes { except: vec![id("small")], ..Wishes::default() };
    assert_eq!(of(&hall.lease("ann", except, 2)), [2, 2]);
    let small = Wishes { max_payload_bytes: Some(100), ..Wishes::default() };
    assert_eq!(of(&hall.lease("ann", small.clone(), 2)), [1, 1]);
    assert_eq!(hall.offers("ann", small)[1].waiting, 0, "nothing small waits in large");
    // 0.05 for 180 s is 1 an hour, for 60 s it is 3.
    let paid = Wishes { min_hourly_micros: Some(2_000_000), ..Wishes::default() };
    assert_eq!(of(&hall.lease("ann", paid, 2)), [2, 2]);
    // Seven minutes hold two of three minutes and one of one, or the like.
    let boxed = Wishes { within: Some(Millis::from_mins(7)), ..Wishes::default() };
    let got = hall.lease("ann", boxed, 9);
    let minutes: u64 = of(&got).iter().map(|p| if *p == 1 { 3 } else { 1 }).sum();
    assert!((5..=7).contains(&minutes), "{got:?}");
    let none = Wishes { within: Some(Millis::from_secs(59)), ..Wishes::default() };
    assert_eq!(hall.lease("ann", none, 1), []);
}

#[test]
fn an_empty_answer_counts_a_thousand_projects_and_those_asked_for_first() {
    let mut hall = Hall::new();
    hall.worker("ann", &[]);
    hall.project("oldest", spec(&[("maps", 1)], None));
    for n in 1..=WHY_NONE_MAX {
        hall.project(&format!("p{n}"), spec(&[], None));
    }
    assert_eq!(hall.nothing("ann", Wishes::default()), [(NoWork::NothingReady, 1_000)]);
    let wish = Wishes::among(vec![id("oldest")]);
    assert_eq!(hall.nothing("ann", wish), [(NoWork::Skill, 1)]);
}

#[test]
fn no_wish_hides_behind_nothing_ready() {
    let mut hall = Hall::new();
    hall.project("quick", spec(&[], Some(60)));
    hall.project("slow", spec(&[], Some(600)));
    hall.project("unknown", spec(&[], None));
    hall.project("empty", spec(&[], Some(60)));
    hall.project("skilled", spec(&[("maps", 1)], Some(60)));
    for (project, payload) in [("quick", 900), ("slow", 10), ("unknown", 10), ("skilled", 10)] {
        hall.tasks(project, 1, payload);
    }
    hall.worker("ann", &[]);
    let told = |wishes: Wishes, hall: &mut Hall| {
        let none = hall.nothing("ann", wishes);
        let idle = hall.why_idle("ann");
        let wishes: Vec<_> = none.iter().copied().filter(|(why, _)| idle_tells(*why)).collect();
        assert_eq!(idle.unwished, wishes, "{none:?}");
        assert_eq!((idle.could_lease, idle.obstacles.len()), (0, 1), "{idle:?}");
        none
    };
    let small = Wishes { max_payload_bytes: Some(8), ..Wishes::default() };
    let large = (NoWork::TooLarge, 3);
    let (skill, nothing) = ((NoWork::Skill, 1), (NoWork::NothingReady, 1));
    assert_eq!(told(small, &mut hall), [skill, large, nothing]);
    let paid = Wishes { min_hourly_micros: Some(5_000_000), ..Wishes::default() };
    assert_eq!(told(paid, &mut hall), [skill, (NoWork::PaysLess, 3), nothing]);
    let boxed = Wishes { within: Some(Millis::from_secs(59)), ..Wishes::default() };
    assert_eq!(told(boxed, &mut hall), [skill, (NoWork::TakesLonger, 3), nothing]);
    let except = Wishes { except: vec![id("quick"), id("slow")], ..Wishes::default() };
    let except = Wishes { max_payload_bytes: Some(8), ..except };
    let some = [skill, (NoWork::LeftOut, 2), (NoWork::TooLarge, 1), nothing];
    assert_eq!(told(except, &mut hall), some);
    let among = Wishes::among(vec![id("empty")]);
    assert_eq!(told(among, &mut hall), [(NoWork::LeftOut, 3), nothing]);
    // Of a project that waits with small and large, the large is told.
    hall.tasks("quick", 1, 4);
    let small = Wishes { max_payload_bytes: Some(8), ..Wishes::default() };
    assert_eq!(hall.lease("ann", small.clone(), 9).len(), 1);
    assert_eq!(told(small, &mut hall), [skill, large, nothing]);
    // After a minute of absence nobody knows what it wished.
    hall.wait(Millis::from_secs(61));
    hall.worker("bob", &[]);
    hall.lease("bob", Wishes::among(vec![id("empty")]), 1);
    let idle = hall.why_idle("ann");
    assert_eq!((idle.unwished, idle.could_lease), (vec![], 3));
}

fn idle_tells(why: NoWork) -> bool {
    use NoWork::{LeftOut, PaysLess, TakesLonger, TooLarge};
    matches!(why, LeftOut | TooLarge | PaysLess | TakesLonger)
}

#[test]
fn who_waits_for_work_is_present_for_as_long_as_that_takes() {
    let mut hall = Hall::new();
    hall.project("cats", spec(&[("maps", 1)], None));
    hall.tasks("cats", 1, 1);
    for worker in ["ann", "bob"] {
        hall.worker(worker, &[]);
        hall.nothing(worker, Wishes::default());
    }
    let ann = hall.engine.park(hall.now, TenantId::DEFAULT, &id("ann")).expect("a worker");
    assert_eq!(hall.why_waits("cats", 1).workers, 2, "nobody twice");
    hall.wait(Millis::from_mins(9));
    assert_eq!(hall.why_waits("cats", 1).workers, 1);
    assert!(hall.why_idle("ann").present && !hall.why_idle("bob").present);
    hall.nothing("ann", Wishes::default());
    assert_eq!(hall.why_waits("cats", 1).workers, 1, "it asks while it waits");
    hall.engine.unpark(hall.now, ann);
    hall.nothing("ann", Wishes::default());
    assert_eq!(hall.why_waits("cats", 1).workers, 1, "nobody twice");
    hall.wait(Millis::from_secs(61));
    assert_eq!(hall.why_waits("cats", 1).workers, 0);
}

#[test]
fn a_throttled_project_is_told_alike_by_every_answer() {
    let mut hall = Hall::new();
    hall.project("cats", ProjectSpec { grants_per_minute: 2, ..spec(&[], None) });
    hall.tasks("cats", 3, 1);
    hall.worker("ann", &[]);
    assert_eq!(hall.lease("ann", Wishes::default(), 9).len(), 1);
    assert_eq!(hall.nothing("ann", Wishes::default()), [(NoWork::Throttled, 1)]);
    let cats = Refusal::Throttled { project: id("cats"), remaining: Millis::from_secs(30) };
    assert_eq!(hall.why_waits("cats", 2).blocked, Some(cats.clone()));
    assert_eq!(hall.offers("ann", Wishes::default())[0].lacks, Some(cats.clone()));
    let idle = hall.why_idle("ann");
    assert_eq!((idle.could_lease, idle.nothing_ready), (0, 0), "{idle:?}");
    assert_eq!(idle.obstacles.iter().map(|o| &o.nearest).collect::<Vec<_>>(), [&cats]);
    hall.wait(Millis::from_secs(30));
    hall.act(Command::Tick);
    assert_eq!(hall.why_waits("cats", 2).blocked, None);
    assert_eq!(hall.offers("ann", Wishes::default())[0].lacks, None);
    assert_eq!(hall.why_idle("ann").could_lease, 1);
    assert_eq!(hall.lease("ann", Wishes::default(), 9).len(), 1);
}

#[test]
fn the_step_in_force_is_that_of_the_longest_waiting_task() {
    let mut hall = Hall::new();
    let step =
        |mins| Relaxation { after: Millis::from_mins(mins), requirements: Requirements::default() };
    let relaxation = vec![step(10), step(20)];
    for project in ["cats", "dogs"] {
        let skilled = spec(&[("maps", 1)], None);
        hall.project(project, ProjectSpec { relaxation: relaxation.clone(), ..skilled });
    }
    hall.tasks("cats", 2, 1);
    let relaxed = |hall: &Hall| hall.engine.relaxed(hall.now.engine);
    let of = |hall: &mut Hall, name: &str| match hall
        .act(Command::InspectProject { project: id(name) })
    {
        Outcome::ProjectStats(stats) => stats.relaxation_step,
        other => panic!("{other:?}"),
    };
    hall.wait(Millis(10 * 60_000 - 1));
    assert_eq!((relaxed(&hall), of(&mut hall, "cats")), ([0; 8], 0));
    hall.wait(Millis(1));
    assert_eq!((relaxed(&hall), of(&mut hall, "cats")), ([1, 0, 0, 0, 0, 0, 0, 0], 1));
    hall.tasks("dogs", 1, 1);
    hall.wait(Millis::from_mins(10));
    hall.tasks("cats", 1, 1);
    assert_eq!(relaxed(&hall), [1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!((of(&mut hall, "cats"), of(&mut hall, "dogs")), (2, 1));
    let pause = SteerProject { project: id("cats"), to: Steer::Pause, etag: None };
    hall.act(Command::SteerProject(pause));
    assert_eq!(relaxed(&hall), [1, 0, 0, 0, 0, 0, 0, 0], "a paused project grants nothing");
}

#[test]
fn a_forecast_follows_the_last_fifteen_minutes_of_engine_time() {
    let mut hall = Hall::new();
    hall.project("cats", spec(&[], None));
    assert_eq!(hall.forecast("cats").outlook, Outlook::Idle);
    hall.tasks("cats", 1_000, 1);
    assert_eq!(hall.forecast("cats").outlook, Outlook::Learning);
    hall.wait(Millis::from_mins(2));
    let told = hall.forecast("cats");
    assert_eq!((told.outlook, told.arrived, told.places), (Outlook::Growing, 1_000, 1_000));
    hall.worker("ann", &[]);
    hall.wait(Millis::from_mins(15));
    for _ in 0..15 {
        for lease in hall.lease("ann", Wishes::default(), 20) {
            hall.answer("ann", lease);
        }
        hall.wait(Millis::from_mins(1));
    }
    let told = hall.forecast("cats");
    assert_eq!((told.arrived, told.places), (0, 700));
    let Outlook::Clears { within } = told.outlook else { panic!("{told:?}") };
    // 20 a minute; the running minute has only begun.
    assert!((30..=40).contains(&(within.0 / 60_000)), "{told:?}");
}
