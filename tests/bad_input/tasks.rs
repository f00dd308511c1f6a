//! Requests about tasks that are refused.

use piecework_client::proto::v1::{
    CancelTasksRequest, CreateTasksRequest, ErrorReason as Reason, NewTask, Project,
    RequeueTasksRequest, TaskUpdate, UpdateTasksRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::harness::{Daemon, Outcome, Platform, refused};

fn good(id: &str) -> NewTask {
    NewTask { task_id: id.to_owned(), payload: "x".into(), ..NewTask::default() }
}

fn many(parent: &str, tasks: Vec<NewTask>) -> CreateTasksRequest {
    CreateTasksRequest { parent: parent.to_owned(), tasks, request_id: String::new() }
}

#[tokio::test]
async fn one_bad_task_is_told_its_field_and_its_neighbours_succeed() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project =
        platform.project_with("p", |project| Project { payload_bytes_max: 10, ..project }).await;
    let roomy = platform.project("roomy").await;
    platform.tasks(&project, &["known"]).await;

    let sized = |bytes: usize| NewTask { payload: vec![b'x'; bytes].into(), ..good("bad") };
    let overlap = NewTask { overlap: 1_001, ..good("bad") };
    let empty = NewTask { payload: "".into(), ..good("bad") };
    let priority = NewTask { priority: 101, ..good("bad") };
    let (invalid, limit) = (Reason::FieldInvalid, Reason::LimitExceeded);
    let argument = Code::InvalidArgument;
    let wrong = [
        (&project, empty, argument, invalid, "tasks[1].payload"),
        (&project, sized(11), argument, limit, "tasks[1].payload"),
        (&roomy, sized(65_537), argument, limit, "tasks[1].payload"),
        (&project, overlap, argument, invalid, "tasks[1].overlap"),
        (&project, priority, argument, invalid, "tasks[1].priority"),
        (&project, good("a b"), argument, invalid, "tasks[1].task_id"),
        (&project, good("~7"), argument, invalid, "tasks[1].task_id"),
        (
            &project,
            NewTask { priority: 1, ..good("known") },
            Code::AlreadyExists,
            Reason::IdTaken,
            "",
        ),
    ];
    for (round, (project, bad, code, reason, field)) in wrong.into_iter().enumerate() {
        let [before, after] = [format!("before-{round}"), format!("after-{round}")];
        let request = many(project, vec![good(&before), bad, good(&after)]);
        let reply = platform.client.tasks().create_tasks(request).await.expect("an answer");
        let [first, bad, last] = reply.into_inner().results.try_into().expect("three outcomes");
        assert_eq!(first.outcome().unwrap().name, format!("{project}/tasks/{before}"));
        refused(bad.outcome(), code, reason, field);
        assert_eq!(last.outcome().unwrap().name, format!("{project}/tasks/{after}"));
    }
    let names = platform.list_tasks(&project, "").await;
    assert!(!names.iter().any(|task| task.task_id == "bad"));
    assert_eq!(names.len() + platform.list_tasks(&roomy, "").await.len(), 1 + 2 * 8);
    // Numbers are dense: a refused task takes none.
    assert!(names.iter().zip(1..).all(|(task, number)| task.number == number));
}

#[tokio::test]
async fn a_call_that_is_wrong_as_a_whole_creates_nothing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let mut tasks = platform.client.tasks();
    let before = platform.picture().await;

    let told = tasks.create_tasks(many("projects/unknown", vec![good("t")])).await;
    refused(told, Code::NotFound, Reason::ProjectNotFound, "");
    let told = tasks.create_tasks(many("p", vec![good("t")])).await;
    refused(told, Code::InvalidArgument, Reason::NameMalformed, "parent");
    let told = tasks.create_tasks(many(&project, Vec::new())).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "tasks");
    let told = tasks.create_tasks(many(&project, vec![good(""); 1_001])).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "tasks");
    let request =
        CreateTasksRequest { request_id: "a b".to_owned(), ..many(&project, vec![good("t")]) };
    let told = tasks.create_tasks(request).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "request_id");
    // Over the 4 MiB of a message: the transport says so, before us.
    let heavy = NewTask { payload: vec![0; 65_536].into(), ..good("") };
    let status = tasks.create_tasks(many(&project, vec![heavy; 70])).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_request_id_is_not_for_other_tasks() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let mut tasks = platform.client.tasks();
    let request = CreateTasksRequest {
        request_id: "r1".to_owned(),
        ..many(&project, vec![good(""), good("")])
    };
    tasks.create_tasks(request.clone()).await.expect("created");
    let before = platform.picture().await;
    let other = NewTask { payload: "y".into(), ..good("") };
    let request = CreateTasksRequest { tasks: vec![good(""), other], ..request };
    let told = tasks.create_tasks(request).await;
    refused(told, Code::AlreadyExists, Reason::RequestIdReused, "");
    assert_eq!(platform.picture().await, before);
}

async fn changed(
    platform: &Platform,
    parent: &str,
    update: TaskUpdate,
    path: &str,
) -> Result<(), tonic_types::pb::Status> {
    let update_mask = Some(FieldMask { paths: vec![path.to_owned()] });
    let updates = vec![TaskUpdate { update_mask, ..update }];
    let request = UpdateTasksRequest { parent: parent.to_owned(), updates };
    let reply = platform.client.tasks().update_tasks(request).await.expect("an answer");
    reply.into_inner().results.into_iter().next().expect("one item").outcome().map(drop)
}

#[tokio::test]
async fn a_wrong_change_of_a_task_changes_nothing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let [name] = platform.tasks(&project, &["t"]).await.try_into().expect("one");
    for id in ["ann", "bob"] {
        let worker = platform.worker(id).await;
        platform.lease(&worker, &project).await;
    }
    let before = platform.picture().await;

    let update = TaskUpdate { name, ..TaskUpdate::default() };
    for overlap in [0, 1_001] {
        let told =
            changed(&platform, &project, TaskUpdate { overlap, ..update.clone() }, "overlap");
        refused(told.await, Code::InvalidArgument, Reason::FieldInvalid, "updates[0].overlap");
    }
    let one = TaskUpdate { overlap: 1, ..update.clone() };
    let told = changed(&platform, &project, one, "overlap").await;
    refused(told, Code::FailedPrecondition, Reason::OverlapTooLow, "updates[0].overlap");
    let told = changed(&platform, &project, update.clone(), "colour").await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "updates[0].update_mask");
    let unknown = TaskUpdate { name: format!("{project}/tasks/unknown"), ..update.clone() };
    let told = changed(&platform, &project, unknown, "priority").await;
    refused(told, Code::NotFound, Reason::TaskNotFound, "");
    let elsewhere = TaskUpdate { name: "projects/q/tasks/t".to_owned(), ..update };
    let told = changed(&platform, &project, elsewhere, "priority").await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "updates[0].name");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn an_open_task_cannot_be_requeued_nor_a_done_one_cancelled() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let names = platform.tasks(&project, &["done", "open"]).await;
    let worker = platform.worker("ann").await;
    platform.answer_one(&worker, &project, "a").await;
    let before = platform.picture().await;

    let parent = project.clone();
    let request = RequeueTasksRequest { parent, names: names.clone() };
    let reply = platform.client.tasks().requeue_tasks(request).await.expect("an answer");
    for item in reply.into_inner().results {
        refused(item.outcome(), Code::FailedPrecondition, Reason::TaskNotFailed, "");
    }
    let request =
        CancelTasksRequest { parent: project, names: vec![names[0].clone()], revoke_leases: true };
    let reply = platform.client.tasks().cancel_tasks(request).await.expect("an answer");
    for item in reply.into_inner().results {
        refused(item.outcome(), Code::FailedPrecondition, Reason::TaskDone, "");
    }
    assert_eq!(platform.picture().await, before);
}
