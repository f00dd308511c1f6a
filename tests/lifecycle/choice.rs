//! Who may have which task: workers who pick, skills, kinds, quotas, clusters.

use piecework_client::proto::v1::{
    Assignment, CreateWorkerRequest, EmptyCause, ErrorReason as Reason, GrantSkillRequest, Lease,
    LeaseRequest, Project, Requester, Requirements, SkillRequirement, UpdateRequesterRequest,
    Worker, WorkerKind,
};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::harness::{Daemon, Platform, refused};

async fn pick(platform: &Platform, worker: &str, task: &str) -> Result<Lease, Status> {
    let request = LeaseRequest {
        worker: worker.to_owned(),
        task: task.to_owned(),
        ..LeaseRequest::default()
    };
    let reply = platform.client.dispatch().lease(request).await?.into_inner();
    Ok(reply.leases.into_iter().next().expect("a named task is leased or refused"))
}

#[tokio::test]
async fn workers_pick_where_the_project_lets_them() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let assignment = Assignment::WorkerPicks.into();
    let project = platform.project_with("p", |project| Project { assignment, ..project }).await;
    let tasks = platform.numbered_tasks(&project, 3).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let nothing = platform.ask(&ann, &project, 1).await;
    assert_eq!(nothing.empty_reasons[0].cause(), EmptyCause::WorkerPicks);

    let lease = pick(&platform, &ann, &tasks[2]).await.expect("free");
    assert_eq!((&lease.task, &lease.payload[..]), (&tasks[2], &b"t3"[..]));
    let precondition = Code::FailedPrecondition;
    refused(pick(&platform, &bob, &tasks[2]).await, precondition, Reason::TaskFull, "");
    refused(pick(&platform, &ann, &tasks[2]).await, precondition, Reason::AlreadyAnswered, "");
    platform.submit(&ann, &lease.name, "a").await;
    refused(pick(&platform, &bob, &tasks[2]).await, precondition, Reason::TaskDone, "");
    let unknown = format!("{project}/tasks/unknown");
    refused(pick(&platform, &bob, &unknown).await, Code::NotFound, Reason::TaskNotFound, "");
    // By its number as well as by its id.
    let lease = pick(&platform, &bob, &format!("{project}/tasks/~2")).await.expect("free");
    assert_eq!(lease.task, tasks[1]);
}

#[tokio::test]
async fn hard_rules_hold_and_say_what_is_missing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let only = |requirements: Requirements| {
        move |project| Project { requirements: Some(requirements), ..project }
    };
    let skill = SkillRequirement { skill: "lang:fi".to_owned(), min_level: 50 };
    let skilled = Requirements { skills: vec![skill], ..Requirements::default() };
    let kinds = vec![WorkerKind::Ai.into()];
    let [needs_skill, needs_ai, has_quota, needs_region] = [
        platform.project_with("skill", only(skilled)).await,
        platform.project_with("ai", only(Requirements { kinds, ..Requirements::default() })).await,
        platform
            .project_with("quota", only(Requirements { quota_per_worker: 1, ..Default::default() }))
            .await,
        platform
            .project_with(
                "region",
                only(Requirements { regions: vec!["FI".to_owned()], ..Requirements::default() }),
            )
            .await,
    ];
    for project in [&needs_skill, &needs_ai, &has_quota, &needs_region] {
        platform.numbered_tasks(project, 2).await;
    }
    let ann = platform.worker("ann").await;
    let why = async |project: &str| {
        let reply = platform.ask(&ann, project, 1).await;
        assert!(reply.leases.is_empty(), "{project}");
        reply.empty_reasons[0].cause()
    };
    assert_eq!(why(&needs_skill).await, EmptyCause::SkillMissing);
    assert_eq!(why(&needs_ai).await, EmptyCause::KindMismatch);
    assert_eq!(why(&needs_region).await, EmptyCause::RegionMismatch);
    platform.lease(&ann, &has_quota).await;
    assert_eq!(why(&has_quota).await, EmptyCause::QuotaReached);

    let request = GrantSkillRequest {
        name: ann.clone(),
        skill: "lang:fi".to_owned(),
        level: 50,
        ..GrantSkillRequest::default()
    };
    platform.client.workers().grant_skill(request).await.expect("granted");
    platform.lease(&ann, &needs_skill).await;
}

#[tokio::test]
async fn capacity_bounds_what_a_worker_holds() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 10).await;
    let create = |id: &str, capacity: u32, cluster: &str| {
        let request = CreateWorkerRequest {
            worker: Some(Worker {
                kind: WorkerKind::Human.into(),
                capacity,
                identity_cluster: cluster.to_owned(),
                ..Worker::default()
            }),
            worker_id: id.to_owned(),
            request_id: String::new(),
        };
        let mut workers = platform.client.workers();
        async move { workers.create_worker(request).await.expect("created") }
    };
    create("newcomer", 0, "").await;
    create("three", 3, "").await;
    for (worker, room) in [("workers/newcomer", 1), ("workers/three", 3)] {
        assert_eq!(platform.ask(worker, &project, 10).await.leases.len(), room);
        let full = platform.ask(worker, &project, 10).await;
        assert_eq!(full.empty_reasons[0].cause(), EmptyCause::CapacityReached);
    }
    assert_eq!(platform.get_worker("workers/three").await.live_leases, 3);
}

#[tokio::test]
async fn an_account_of_the_same_person_never_gets_the_same_task() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    platform.tasks(&project, &["t"]).await;
    for id in ["one", "two"] {
        let worker = Worker {
            kind: WorkerKind::Human.into(),
            identity_cluster: "same".to_owned(),
            ..Worker::default()
        };
        let request = CreateWorkerRequest {
            worker: Some(worker),
            worker_id: id.to_owned(),
            request_id: String::new(),
        };
        platform.client.workers().create_worker(request).await.expect("created");
    }
    platform.answer_one("workers/one", &project, "a").await;
    let nothing = platform.ask("workers/two", &project, 1).await;
    assert_eq!(nothing.empty_reasons[0].cause(), EmptyCause::NoTasks);
    let other = platform.worker("other").await;
    platform.answer_one(&other, &project, "a").await;
}

#[tokio::test]
async fn a_requesters_lists_keep_workers_away_until_they_are_changed() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let assignment = Assignment::WorkerPicks.into();
    let picked = platform.project_with("picked", |p| Project { assignment, ..p }).await;
    let project = platform.project("p").await;
    let [named, _] = platform.numbered_tasks(&picked, 2).await.try_into().expect("two tasks");
    platform.numbered_tasks(&project, 2).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let set = async |platform: &Platform, blocked: &[&String], allowed: &[&String]| {
        let list = |names: &[&String]| names.iter().map(|name| (*name).clone()).collect();
        let requester = Requester {
            name: "requesters/acme".to_owned(),
            blocked_workers: list(blocked),
            allowed_workers: list(allowed),
            ..Requester::default()
        };
        let paths = ["blocked_workers", "allowed_workers"].map(str::to_owned).to_vec();
        let request = UpdateRequesterRequest {
            requester: Some(requester),
            update_mask: Some(FieldMask { paths }),
        };
        platform.client.requesters().update_requester(request).await.expect("changed");
    };
    set(&platform, &[&ann], &[]).await;
    for _ in 0..2 {
        let platform = daemon.platform();
        let nothing = platform.ask(&ann, &project, 1).await;
        assert_eq!(nothing.empty_reasons[0].cause(), EmptyCause::Blocked);
        let told = pick(&platform, &ann, &named).await;
        let details = refused(told, Code::FailedPrecondition, Reason::WorkerBlocked, "");
        let keys = &details.error_info().expect("details").metadata;
        assert_eq!((keys.get("worker"), keys.get("project")), (Some(&ann), Some(&picked)));
        daemon.restart().await;
    }
    let platform = daemon.platform();
    platform.answer_one(&bob, &project, "a").await;
    set(&platform, &[], &[&ann]).await;
    let nothing = platform.ask(&bob, &project, 1).await;
    assert_eq!(nothing.empty_reasons[0].cause(), EmptyCause::Blocked);
    platform.answer_one(&ann, &project, "a").await;
}
