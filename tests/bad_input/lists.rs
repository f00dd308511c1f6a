//! Tokens, filters and positions that are not the daemon's, or not of this list.

use piecework_client::proto::v1::{
    ErrorReason as Reason, EventType, GetResultRequest, GetStatusRequest, GetSubmissionRequest,
    GetTaskRequest, ListEventsRequest, ListResultsRequest, ListSubmissionsRequest,
    ListTasksRequest, WatchEventsRequest, WatchResultsRequest,
};
use tonic::Code;

use crate::harness::{Daemon, Platform, next_result, refused};

/// Two projects with three results each.
async fn two_projects(platform: &Platform) -> [String; 2] {
    let ann = platform.worker("ann").await;
    let projects = [platform.project("p").await, platform.project("q").await];
    for project in &projects {
        platform.numbered_tasks(project, 3).await;
        platform.work_off(&ann, project, "a").await;
    }
    projects
}

#[tokio::test]
async fn a_resume_token_belongs_to_its_own_log_and_types() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [p, q] = two_projects(&platform).await;
    let token = next_result(&mut platform.watch(&p, "").await).await.resume_token;
    let before = platform.picture().await;

    let results = |parent: &str, token: &str| {
        let request = WatchResultsRequest {
            parent: parent.to_owned(),
            resume_token: token.to_owned(),
            include_provisional: false,
        };
        let mut service = platform.client.results();
        async move { service.watch_results(request).await.map(drop) }
    };
    let events = |parent: &str, types: &[EventType], token: &str| {
        let request = WatchEventsRequest {
            parent: parent.to_owned(),
            types: types.iter().map(|kind| (*kind).into()).collect(),
            resume_token: token.to_owned(),
        };
        let mut service = platform.client.events();
        async move { service.watch_events(request).await.map(drop) }
    };
    let wrong = Reason::ResumeTokenInvalid;
    refused(results(&q, &token).await, Code::InvalidArgument, wrong, "resume_token");
    refused(events(&p, &[], &token).await, Code::InvalidArgument, wrong, "resume_token");
    refused(events("workers/-", &[], &token).await, Code::InvalidArgument, wrong, "resume_token");
    let mut flipped = token.clone().into_bytes();
    flipped[12] = if flipped[12] == b'0' { b'1' } else { b'0' };
    let flipped = String::from_utf8(flipped).unwrap();
    for malformed in ["x", "0", "00ff", &token[2..], &token.to_uppercase(), &flipped, "\u{feff}"] {
        let told = results(&p, malformed).await;
        refused(told, Code::InvalidArgument, wrong, "resume_token");
    }
    // The result events of EventService are the same log with the same types.
    events(&p, &[EventType::Result], &token).await.expect("a stream");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_log_is_asked_only_for_what_it_has() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [p, _] = two_projects(&platform).await;
    let watch = |parent: &str, types: Vec<i32>| {
        let request =
            WatchEventsRequest { parent: parent.to_owned(), types, resume_token: String::new() };
        let mut service = platform.client.events();
        async move { service.watch_events(request).await.map(drop) }
    };
    let worker = vec![EventType::Worker.into()];
    let told = watch(&p, worker).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "types[0]");
    for unknown in [0, 77] {
        let told = watch(&p, vec![EventType::Result.into(), unknown]).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, "types[1]");
    }
    for parent in ["projects/-", "workers/ann", "p"] {
        let told = watch(parent, Vec::new()).await;
        refused(told, Code::InvalidArgument, Reason::NameMalformed, "parent");
    }
    let told = watch("projects/unknown", Vec::new()).await;
    refused(told, Code::NotFound, Reason::ProjectNotFound, "");
}

#[tokio::test]
async fn a_page_token_belongs_to_its_own_list_and_filter() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [p, q] = two_projects(&platform).await;
    let first = |parent: &str| ListTasksRequest {
        parent: parent.to_owned(),
        page_size: 2,
        ..ListTasksRequest::default()
    };
    let mut tasks = platform.client.tasks();
    let page_token = tasks.list_tasks(first(&p)).await.unwrap().into_inner().next_page_token;
    assert!(!page_token.is_empty());

    let wrong = Reason::PageTokenInvalid;
    let token = page_token.clone();
    let told = tasks.list_tasks(ListTasksRequest { page_token: token, ..first(&q) }).await;
    refused(told, Code::InvalidArgument, wrong, "page_token");
    let request = ListTasksRequest {
        page_token: page_token.clone(),
        filter: "state = DONE".to_owned(),
        ..first(&p)
    };
    refused(tasks.list_tasks(request).await, Code::InvalidArgument, wrong, "page_token");
    let request = ListTasksRequest { page_token: "7".to_owned(), ..first(&p) };
    refused(tasks.list_tasks(request).await, Code::InvalidArgument, wrong, "page_token");
    let request =
        ListResultsRequest { parent: p.clone(), page_token, ..ListResultsRequest::default() };
    let told = platform.client.results().list_results(request).await;
    refused(told, Code::InvalidArgument, wrong, "page_token");
    let request =
        ListEventsRequest { parent: p, page_token: "zz".into(), ..ListEventsRequest::default() };
    let told = platform.client.events().list_events(request).await;
    refused(told, Code::InvalidArgument, wrong, "page_token");
}

#[tokio::test]
async fn a_filter_names_documented_fields_and_values() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [p, _] = two_projects(&platform).await;
    for filter in ["state", "state = open", "stat = OPEN", "state = OPEN AND state = DONE"] {
        let request = ListTasksRequest {
            parent: p.clone(),
            filter: filter.to_owned(),
            ..ListTasksRequest::default()
        };
        let told = platform.client.tasks().list_tasks(request).await;
        refused(told, Code::InvalidArgument, Reason::FilterInvalid, "filter");
    }
    let request = ListSubmissionsRequest {
        parent: "workers/ann".to_owned(),
        filter: "counted = yes".to_owned(),
        ..ListSubmissionsRequest::default()
    };
    let told = platform.client.submissions().list_submissions(request).await;
    refused(told, Code::InvalidArgument, Reason::FilterInvalid, "filter");
}

#[tokio::test]
async fn what_is_read_must_be_there() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [p, _] = two_projects(&platform).await;
    platform.tasks(&p, &["fresh"]).await;
    let task = |name: &str, min_position: &str| {
        let request =
            GetTaskRequest { name: name.to_owned(), min_position: min_position.to_owned() };
        let mut service = platform.client.tasks();
        async move { service.get_task(request).await.map(drop) }
    };
    for unknown in ["unknown", "~99"] {
        let told = task(&format!("{p}/tasks/{unknown}"), "").await;
        refused(told, Code::NotFound, Reason::TaskNotFound, "");
    }
    let told = task("projects/unknown/tasks/t1", "").await;
    refused(told, Code::NotFound, Reason::ProjectNotFound, "");
    let told = task(&p, "").await;
    refused(told, Code::InvalidArgument, Reason::NameMalformed, "name");
    let told = task(&format!("{p}/tasks/t1"), "yesterday").await;
    refused(told, Code::InvalidArgument, Reason::PositionInvalid, "min_position");

    let name = format!("{p}/tasks/fresh/result");
    let request = GetResultRequest { name, min_position: String::new() };
    let told = platform.client.results().get_result(request).await;
    refused(told, Code::NotFound, Reason::ResultNotFound, "");
    let request =
        GetSubmissionRequest { name: "submissions/1-4-1".into(), min_position: String::new() };
    let told = platform.client.submissions().get_submission(request).await;
    refused(told, Code::NotFound, Reason::SubmissionNotFound, "");
}

#[tokio::test]
async fn a_position_of_a_daemon_that_is_further_on_is_not_reached() {
    let (ahead, behind) = tokio::join!(Daemon::start(), Daemon::start());
    let platform = behind.platform();
    let name = platform.project("p").await;
    two_projects(&ahead.platform()).await;
    let status = ahead.platform().client.admin().get_status(GetStatusRequest {}).await.unwrap();
    let request = ListTasksRequest {
        parent: name,
        min_position: status.into_inner().durable_position,
        ..ListTasksRequest::default()
    };
    let told = platform.client.tasks().list_tasks(request).await;
    let details = refused(told, Code::Unavailable, Reason::PositionNotReached, "min_position");
    assert!(details.retry_info().is_some(), "waiting may help");
}
