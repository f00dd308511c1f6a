//! Lists, pages, filters, positions, the status, health and reflection.

use std::collections::BTreeSet;

use piecework_client::proto::v1::{
    CreateTasksRequest, GetResultRequest, GetSubmissionRequest, GetTaskRequest, ListLeasesRequest,
    ListResultsRequest, ListTasksRequest, NewTask, Project, ResultState,
};
use tonic::Streaming;
use tonic::transport::Endpoint;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::harness::{Daemon, wait_until};

#[tokio::test]
async fn tasks_are_listed_by_number_in_pages_and_by_state() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 25).await;
    let ann = platform.worker("ann").await;
    for lease in platform.ask(&ann, &project, 7).await.leases {
        platform.submit(&ann, &lease.name, "a").await;
    }
    let mut request =
        ListTasksRequest { parent: project.clone(), page_size: 10, ..ListTasksRequest::default() };
    let (mut sizes, mut numbers) = (Vec::new(), Vec::new());
    loop {
        let page = platform.client.tasks().list_tasks(request.clone()).await.unwrap().into_inner();
        sizes.push(page.tasks.len());
        assert!(page.tasks.iter().all(|task| task.payload.is_empty()), "payloads stay behind");
        numbers.extend(page.tasks.iter().map(|task| task.number));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
    assert_eq!(platform.list_tasks(&project, "state = DONE").await.len(), 7);
    assert_eq!(platform.list_tasks(&project, "state=OPEN").await.len(), 18);
    assert!(platform.list_tasks(&project, "state = FAILED").await.is_empty());
    let stats = platform.stats(&project).await;
    assert_eq!(stats.tasks.map(|tasks| (tasks.open, tasks.done)), Some((18, 7)));
    assert_eq!(stats.untouched, 18);
}

#[tokio::test]
async fn submissions_are_read_by_task_by_worker_and_by_name() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let tasks = platform.numbered_tasks(&project, 3).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let mut receipts = Vec::new();
    for worker in [&bob, &ann] {
        for _ in 0..3 {
            receipts.push(platform.answer_one(worker, &project, "b").await);
        }
    }
    let of_task = platform.submissions(&tasks[1], "").await;
    assert_eq!(of_task.iter().map(|s| &s.worker).collect::<Vec<_>>(), [&bob, &ann]);
    assert!(of_task.iter().all(|s| s.task == tasks[1] && s.counted));
    let of_worker = platform.submissions(&ann, "counted = true").await;
    let names: Vec<_> = of_worker.iter().map(|s| &s.name).collect();
    assert_eq!(names, receipts[3..].iter().map(|r| &r.submission).collect::<Vec<_>>());
    assert!(platform.submissions(&ann, "counted = false").await.is_empty());

    let name = receipts[0].submission.clone();
    let request = GetSubmissionRequest { name, min_position: String::new() };
    let read = platform.client.submissions().get_submission(request).await.unwrap().into_inner();
    let submission = read.submission.unwrap();
    assert_eq!(submission, platform.submissions(&bob, "").await[0]);
    assert_eq!(&submission.answer[..], br#"{"label":"b"}"#);
    assert_eq!(submission.submit_time, receipts[0].submit_time);
}

#[tokio::test]
async fn results_are_listed_by_task_and_read_by_name() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 5).await;
    let ann = platform.worker("ann").await;
    let mut leases = platform.ask(&ann, &project, 3).await.leases;
    leases.reverse();
    for lease in leases {
        platform.submit(&ann, &lease.name, "a").await;
    }
    let results = platform.results(&project).await;
    assert_eq!(results.iter().map(|r| r.task_number).collect::<Vec<_>>(), [1, 2, 3]);
    let request = |filter: &str| ListResultsRequest {
        parent: project.clone(),
        filter: filter.to_owned(),
        ..ListResultsRequest::default()
    };
    for (filter, count) in [("state = FINAL", 3), ("state = FAILED", 0)] {
        let page = platform.client.results().list_results(request(filter)).await.unwrap();
        assert_eq!(page.into_inner().results.len(), count);
    }
    let name = format!("{project}/tasks/t2/result");
    let request = GetResultRequest { name, min_position: String::new() };
    let read = platform.client.results().get_result(request).await.unwrap().into_inner();
    assert_eq!(read.result.as_ref(), Some(&results[1]));
    assert_eq!(results[1].state(), ResultState::Final);
}

#[tokio::test]
async fn a_worker_that_lost_its_connection_lists_its_leases() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 3).await;
    let ann = platform.worker("ann").await;
    let granted = platform.ask(&ann, &project, 3).await.leases;
    platform.submit(&ann, &granted[0].name, "a").await;
    // Another connection, the same worker.
    let platform = daemon.platform();
    let request = ListLeasesRequest { worker: ann, ..ListLeasesRequest::default() };
    let listed = platform.client.dispatch().list_leases(request).await.unwrap().into_inner();
    let names = |leases: &[piecework_client::proto::v1::Lease]| -> Vec<_> {
        leases.iter().map(|lease| (lease.name.clone(), lease.payload.clone())).collect()
    };
    assert_eq!(names(&listed.leases), names(&granted[1..]));
    assert!(listed.leases.iter().all(|lease| lease.remaining.unwrap().seconds > 500));
}

#[tokio::test]
async fn a_read_at_a_position_sees_what_was_written_there() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    for number in 1..=20 {
        let request = CreateTasksRequest {
            parent: project.clone(),
            tasks: vec![NewTask { payload: "x".into(), ..NewTask::default() }],
            request_id: String::new(),
        };
        let created = platform.client.tasks().create_tasks(request).await.unwrap().into_inner();
        let name = format!("{project}/tasks/~{number}");
        // Over another connection.
        let request = GetTaskRequest { name, min_position: created.position };
        let read = daemon.platform().client.tasks().get_task(request).await.expect("it is there");
        assert_eq!(read.into_inner().task.unwrap().number, number);
    }
}

#[tokio::test]
async fn the_status_counts_and_names_the_version() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 3).await;
    let ann = platform.worker("ann").await;
    platform.lease(&ann, &project).await;
    // Counts are told once a second.
    let status = wait_until("the status follows", async || {
        Some(platform.status().await).filter(|status| status.live_leases == 1)
    })
    .await;
    assert_eq!(status.state().as_str_name(), "DAEMON_STATE_SERVING");
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    let counts = (status.requesters, status.projects, status.workers, status.live_leases);
    assert_eq!(counts, (1, 1, 1, 1));
    assert_eq!(status.tasks.map(|tasks| tasks.open), Some(3));
    assert!(status.journal.is_some_and(|journal| journal.bytes > 0 && journal.segments > 0));
    assert!(!status.durable_position.is_empty());
}

#[tokio::test]
async fn health_and_reflection_answer() {
    let daemon = Daemon::start().await;
    let channel = Endpoint::from_shared(daemon.server()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "piecework.v1.DispatchService", "piecework.v1.EventService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let reply: HealthCheckResponse = health.check(request).await.unwrap().into_inner();
        assert_eq!(reply.status(), ServingStatus::Serving, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(channel);
    let asked = tokio_stream::iter([ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    }]);
    let mut stream: Streaming<_> =
        reflection.server_reflection_info(asked).await.unwrap().into_inner();
    let reply = stream.message().await.unwrap().expect("a message").message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = reply else { panic!("{reply:?}") };
    let names: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["ProjectService", "TaskService", "DispatchService", "AdminService"] {
        assert!(names.contains(&format!("piecework.v1.{service}")), "{names:?}");
    }
}
