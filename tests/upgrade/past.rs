//! A life worth keeping: some of everything, and what was promised to whom.

use std::time::Duration;

use piecework_client::proto::v1::{
    Assignment, CancelTasksRequest, CreateTasksRequest, GrantSkillRequest, Lease, LeasePolicy,
    LeaseRequest, LeaseReturn, Money, NewTask, PauseProjectRequest, Project, ReturnLeasesRequest,
    ReturnReason, SuspendWorkerRequest, Verdict,
};

use crate::harness::{Outcome, Platform, wait_until, wire};

const CATS: &str = "projects/cats";
const HASTY: &str = "projects/hasty";
const CROWD: [&str; 4] = ["workers/ann", "workers/bob", "workers/cid", "workers/eve"];

/// Projects, workers with ratings, tasks in every state.
pub(super) async fn first_half(platform: &Platform) {
    let reward = Some(Money { currency: "EUR".to_owned(), micros: 20_000 });
    let cats = |project| Project {
        overlap: 3,
        reward,
        labels: [("team".to_owned(), "vision".to_owned())].into(),
        ..project
    };
    platform.project_with("cats", cats).await;
    platform.hasty_project("hasty").await;
    let picks = |project| Project { assignment: Assignment::WorkerPicks.into(), ..project };
    platform.project_with("picks", picks).await;
    platform.workers(["ann", "bob", "cid", "eve"]).await;
    platform.numbered_tasks(CATS, 25).await;
    // Ann, Bob and Cid agree; Eve comes too late for most, so that all get ratings.
    for (worker, label) in CROWD.iter().zip(["a", "a", "b"]) {
        platform.work_off(worker, CATS, label).await;
    }
    let request = GrantSkillRequest {
        name: CROWD[3].to_owned(),
        skill: "lang:fi".to_owned(),
        level: 70,
        expire_in: None,
    };
    platform.client.workers().grant_skill(request).await.expect("granted");
    let long: String =
        (0..3_000_u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let task = |id: &str, payload: &str| NewTask {
        task_id: id.to_owned(),
        payload: payload.to_owned().into(),
        labels: [("batch".to_owned(), "7".to_owned())].into(),
        priority: -3,
        ..NewTask::default()
    };
    let tasks = vec![task("long", &long), task("broken", "broken"), task("withdrawn", "withdrawn")];
    platform.new_tasks("projects/picks", tasks).await;
    for worker in &CROWD[..3] {
        let lease = pick(platform, worker, "projects/picks/tasks/broken").await;
        give_back(platform, worker, &lease.name, ReturnReason::BrokenTask).await;
    }
    let request = CancelTasksRequest {
        parent: "projects/picks".to_owned(),
        names: vec!["projects/picks/tasks/withdrawn".to_owned()],
        revoke_leases: false,
    };
    platform.client.tasks().cancel_tasks(request).await.expect("cancelled");
    platform.tasks(HASTY, &["late", "lapsed"]).await;
}

/// Leases in every state, a pause, a suspension, creates by request id alone.
pub(super) async fn second_half(platform: &Platform) {
    let [ann, bob, cid, eve] = CROWD;
    let late = platform.lease(ann, HASTY).await;
    platform.lease(bob, HASTY).await;
    wait_until("both run out", async || (platform.stats(HASTY).await.expiries == 2).then_some(()))
        .await;
    assert_eq!(platform.submit(ann, &late.name, "c").await.verdict(), Verdict::CountedLate);
    platform.tasks(CATS, &["t26", "t27", "t28", "t29"]).await;
    create_again(platform).await;
    held(platform).await;
    let given = platform.lease(bob, CATS).await;
    give_back(platform, bob, &given.name, ReturnReason::OutOfTime).await;
    platform.answer_one(cid, CATS, "c").await;
    let request = SuspendWorkerRequest { name: cid.to_owned(), reason: "too fast".to_owned() };
    platform.client.workers().suspend_worker(request).await.expect("suspended");
    platform.project_with("paused", patient).await;
    platform.tasks("projects/paused", &["p1", "p2"]).await;
    platform.lease(eve, "projects/paused").await;
    let request = PauseProjectRequest { name: "projects/paused".to_owned() };
    platform.client.projects().pause_project(request).await.expect("paused");
}

/// Old keys have their old outcomes.
pub(super) async fn promises_hold(platform: &Platform) {
    let before = platform.list_tasks(CATS, "").await.len();
    create_again(platform).await;
    assert_eq!(platform.list_tasks(CATS, "").await.len(), before, "nothing was created twice");
    let live = platform.leases(CROWD[3]).await;
    let again = held(platform).await;
    assert!(live.iter().any(|lease| lease.name == again.name), "{live:?}");
    // A receipt of a task that was settled long ago, word for word.
    let submissions = platform.submissions(CROWD[0], "").await;
    let first = submissions.first().expect("an answer");
    let receipt = platform.submit(CROWD[0], &first.lease, "a").await;
    assert_eq!((receipt.submit_time, receipt.verdict()), (first.submit_time, first.verdict()));
}

/// An old lease is answered, a new one granted and answered; the log grows by that.
pub(super) async fn work_goes_on(platform: &Platform) {
    let [ann, .., eve] = CROWD;
    let entries = platform.events(CATS).await.len() as u64;
    let old = held(platform).await;
    assert_eq!(platform.submit(eve, &old.name, "a").await.verdict(), Verdict::Counted);
    let receipt = platform.answer_one(ann, CATS, "a").await;
    assert_eq!(receipt.verdict(), Verdict::Counted);
    platform.tasks(CATS, &["of-this-release"]).await;
    let events = platform.events(CATS).await;
    assert!(events.len() as u64 >= entries + 2);
    assert!(events.iter().zip(1..).all(|(event, sequence)| event.sequence == sequence));
}

fn patient(project: Project) -> Project {
    let policy = LeasePolicy {
        duration: wire(Duration::from_secs(7 * 24 * 3_600)),
        ..LeasePolicy::default()
    };
    Project { lease_policy: Some(policy), ..project }
}

/// The same call whenever it is made: tasks known by the request id and their place.
async fn create_again(platform: &Platform) {
    let task = |text: &str| NewTask { payload: text.to_owned().into(), ..NewTask::default() };
    let request = CreateTasksRequest {
        parent: CATS.to_owned(),
        tasks: vec![task("first"), task("second")],
        request_id: "once".to_owned(),
    };
    let reply = platform.client.tasks().create_tasks(request).await.expect("tasks").into_inner();
    let names = reply.results.into_iter().map(|item| item.outcome().expect("a task").name);
    assert_eq!(names.collect::<Vec<_>>(), ["projects/cats/tasks/~30", "projects/cats/tasks/~31"]);
}

/// Eve's lease in cats, by its request id.
async fn held(platform: &Platform) -> Lease {
    let request = LeaseRequest {
        worker: CROWD[3].to_owned(),
        projects: vec![CATS.to_owned()],
        request_id: "held".to_owned(),
        ..LeaseRequest::default()
    };
    let reply = platform.client.dispatch().lease(request).await.expect("leases").into_inner();
    reply.leases.into_iter().next().expect("a lease")
}

async fn pick(platform: &Platform, worker: &str, task: &str) -> Lease {
    let (worker, task) = (worker.to_owned(), task.to_owned());
    let request = LeaseRequest { worker, task, ..LeaseRequest::default() };
    let reply = platform.client.dispatch().lease(request).await.expect("leases").into_inner();
    reply.leases.into_iter().next().expect("a lease")
}

async fn give_back(platform: &Platform, worker: &str, lease: &str, reason: ReturnReason) {
    let returned =
        LeaseReturn { lease: lease.to_owned(), reason: reason.into(), ..LeaseReturn::default() };
    let request = ReturnLeasesRequest { worker: worker.to_owned(), returns: vec![returned] };
    let reply = platform.client.dispatch().return_leases(request).await.expect("returned");
    reply.into_inner().results.remove(0).outcome().expect("returned");
}
