//! A call made again has the first outcome, also by another process.

use std::time::Duration;

use piecework_client::proto::v1::{
    CreateProjectRequest, CreateTasksRequest, CreateWorkerRequest, CreatedTask, LeaseRequest,
    LeaseState, NewTask, Project, Worker, WorkerKind,
};

use crate::harness::{Daemon, Outcome, Platform};

async fn create(platform: &Platform, request: &CreateTasksRequest) -> Vec<CreatedTask> {
    let reply = platform.client.tasks().create_tasks(request.clone()).await.expect("tasks");
    reply.into_inner().results.into_iter().map(|result| result.outcome().expect("a task")).collect()
}

fn names(tasks: &[CreatedTask]) -> Vec<&str> {
    tasks.iter().map(|task| task.name.as_str()).collect()
}

#[tokio::test]
async fn tasks_are_created_once_by_id_and_by_request_id() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let task = |id: &str, payload: &'static str| NewTask {
        task_id: id.to_owned(),
        payload: payload.into(),
        ..NewTask::default()
    };
    let by_id = CreateTasksRequest {
        parent: project.clone(),
        tasks: vec![task("t1", "x"), task("t2", "y")],
        request_id: String::new(),
    };
    let by_request = CreateTasksRequest {
        parent: project.clone(),
        tasks: vec![task("", "x"), task("", "x")],
        request_id: "r1".to_owned(),
    };
    let first = [create(&platform, &by_id).await, create(&platform, &by_request).await];
    assert!(first.iter().flatten().all(|task| !task.existed));
    assert_eq!(names(&first[1]), [format!("{project}/tasks/~3"), format!("{project}/tasks/~4")]);
    for is_restarted in [false, true] {
        if is_restarted {
            daemon.restart().await;
        }
        let platform = daemon.platform();
        let again = [create(&platform, &by_id).await, create(&platform, &by_request).await];
        assert!(again.iter().flatten().all(|task| task.existed));
        for (first, again) in first.iter().zip(&again) {
            assert_eq!(names(first), names(again));
        }
        assert_eq!(platform.list_tasks(&project, "").await.len(), 4);
    }
    // Without either, a second call asks for something new.
    let unnamed = CreateTasksRequest { request_id: String::new(), ..by_request };
    create(&daemon.platform(), &unnamed).await;
    assert_eq!(daemon.platform().list_tasks(&project, "").await.len(), 6);
}

#[tokio::test]
async fn projects_and_workers_are_created_once_by_request_id() {
    let mut daemon = Daemon::start().await;
    daemon.platform().project("other").await;
    let project = CreateProjectRequest {
        project: Some(Project {
            requester: "requesters/acme".to_owned(),
            title: "Which one?".to_owned(),
            ..Project::default()
        }),
        project_id: String::new(),
        request_id: "r1".to_owned(),
    };
    let worker = CreateWorkerRequest {
        worker: Some(Worker { kind: WorkerKind::Ai.into(), ..Worker::default() }),
        worker_id: String::new(),
        request_id: "r1".to_owned(),
    };
    let mut made = Vec::new();
    for _ in 0..3 {
        let client = daemon.platform().client;
        let project = client.projects().create_project(project.clone()).await.unwrap();
        let worker = client.workers().create_worker(worker.clone()).await.unwrap();
        let project = project.into_inner().project.unwrap().name;
        made.push((project, worker.into_inner().worker.unwrap().name));
        daemon.restart().await;
    }
    assert!(made[0].0.starts_with("projects/~") && made[0].1.starts_with("workers/~"));
    assert!(made.iter().all(|names| *names == made[0]), "{made:?}");
}

#[tokio::test]
async fn a_lease_call_made_again_gets_the_same_leases() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 10).await;
    let ann = platform.worker("ann").await;
    let request = LeaseRequest {
        worker: ann.clone(),
        count: 3,
        request_id: "r1".to_owned(),
        ..LeaseRequest::default()
    };
    let lease = async |platform: Platform| {
        let mut leases =
            platform.client.dispatch().lease(request.clone()).await.unwrap().into_inner().leases;
        leases.iter_mut().for_each(|lease| {
            // They run while we look.
            (lease.remaining, lease.hold_remaining, lease.expire_time) = (None, None, None);
        });
        leases
    };
    let first = lease(platform.clone()).await;
    assert_eq!(first.len(), 3);
    assert_eq!(lease(platform.clone()).await, first);
    daemon.restart().await;
    let platform = daemon.platform();
    assert_eq!(lease(platform.clone()).await, first);
    assert_eq!(platform.stats(&project).await.live_leases, 3);

    // And how they ended.
    platform.submit(&ann, &first[1].name, "a").await;
    daemon.restart().await;
    let states: Vec<_> = lease(daemon.platform()).await.iter().map(|lease| lease.state()).collect();
    assert_eq!(states, [LeaseState::Live, LeaseState::Submitted, LeaseState::Live]);
}

#[tokio::test]
async fn an_answer_sent_again_has_the_first_receipt_however_late() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 300).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    let receipt = platform.submit(&ann, &lease, "a").await;
    assert_eq!(platform.submit(&ann, &lease, "a").await, receipt);
    daemon.restart().await;
    let platform = daemon.platform();
    assert_eq!(platform.submit(&ann, &lease, "a").await, receipt);
    // Its task is settled and long out of mind.
    assert_eq!(platform.work_off(&ann, &project, "a").await, 299);
    assert_eq!(platform.submit(&ann, &lease, "a").await, receipt);
    assert!(daemon.stop().await.success());
    daemon.resume().await;
    let platform = daemon.platform();
    assert_eq!(platform.submit(&ann, &lease, "a").await, receipt);
    assert_eq!(platform.stats(&project).await.counted, 300);
}

#[tokio::test]
async fn a_restart_expires_nothing_for_a_heartbeat() {
    // The default: 20 seconds of grace.
    let mut daemon = Daemon::with(&[("PIECEWORK_TIMES__RESTART_GRACE_MS", "20000")]).await;
    let platform = daemon.platform();
    let project = platform.hasty_project("p").await;
    platform.tasks(&project, &["t"]).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    let engine_time = async |platform: &Platform| {
        piecework_client::from_proto(platform.status().await.engine_time)
    };
    let before = engine_time(&platform).await;
    daemon.restart().await;
    let platform = daemon.platform();
    // Three times as long as the lease.
    crate::harness::wait_until("engine time goes on", async || {
        (engine_time(&platform).await > before + Duration::from_secs(3)).then_some(())
    })
    .await;
    let receipt = platform.submit(&ann, &lease, "a").await;
    assert_eq!(receipt.verdict().as_str_name(), "VERDICT_COUNTED");
    assert_eq!(platform.stats(&project).await.expiries, 0);
}
