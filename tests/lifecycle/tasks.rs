//! The order of tasks, changes of them, and tasks that fail.

use std::time::{Duration, SystemTime};

use piecework_client::proto::v1::{
    ChangedTask, ErrorReason as Reason, FailureCause, LeaseReturn, NewTask, RequeueTasksRequest,
    ResultState, ReturnLeasesRequest, ReturnReason, TaskState, TaskUpdate, UpdateTasksRequest,
};
use prost_types::FieldMask;
use tonic::Code;
use tonic_types::pb;

use crate::harness::{Daemon, Outcome, Platform, label_of, next_result, refused, wait_until};

#[tokio::test]
async fn higher_priorities_are_granted_first_and_then_older_tasks() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let task = |id: &'static str, priority: i32| NewTask {
        task_id: id.to_owned(),
        payload: id.into(),
        priority,
        ..NewTask::default()
    };
    let tasks = [("low", -100), ("first", 0), ("second", 0), ("high", 100), ("raised", -50)];
    let tasks = tasks.map(|(id, priority)| task(id, priority)).to_vec();
    platform.new_tasks(&project, tasks).await;
    let update = TaskUpdate { priority: 7, ..TaskUpdate::default() };
    change(&platform, &project, "raised", update, "priority").await.expect("changed");
    let ann = platform.worker("ann").await;
    let mut order = Vec::new();
    for _ in 0..5 {
        let payload = platform.lease(&ann, &project).await.payload;
        order.push(String::from_utf8(payload.to_vec()).unwrap());
    }
    assert_eq!(order, ["high", "raised", "first", "second", "low"]);
}

async fn change(
    platform: &Platform,
    project: &str,
    id: &str,
    update: TaskUpdate,
    path: &str,
) -> Result<ChangedTask, pb::Status> {
    let update = TaskUpdate {
        name: format!("{project}/tasks/{id}"),
        update_mask: Some(FieldMask { paths: vec![path.to_owned()] }),
        ..update
    };
    let request = UpdateTasksRequest { parent: project.to_owned(), updates: vec![update] };
    let reply = platform.client.tasks().update_tasks(request).await.expect("an answer");
    reply.into_inner().results.remove(0).outcome()
}

#[tokio::test]
async fn a_raised_overlap_opens_a_done_task_and_revises_its_result() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["t"]).await;
    let workers = platform.workers(["ann", "bob", "cid"]).await;
    platform.answer_one(&workers[0], &project, "a").await;
    let mut stream = platform.watch(&project, "").await;
    let first = next_result(&mut stream).await.result.unwrap();
    assert_eq!((first.revision, label_of(&first.answer).as_str()), (1, "a"));

    let overlap = |overlap| TaskUpdate { overlap, ..TaskUpdate::default() };
    let changed = change(&platform, &project, "t", overlap(3), "overlap").await.expect("changed");
    assert_eq!((changed.state(), changed.overlap, changed.counted), (TaskState::Open, 3, 1));
    assert_eq!(label_of(&platform.results(&project).await[0].answer), "a", "the first one stands");
    for worker in &workers[1..] {
        platform.answer_one(worker, &project, "b").await;
    }
    let second = next_result(&mut stream).await;
    assert_eq!(second.previous_sequence, first.sequence);
    let second = second.result.unwrap();
    assert_eq!((second.revision, label_of(&second.answer).as_str()), (2, "b"));
    assert_eq!(platform.results(&project).await, [second]);
}

#[tokio::test]
async fn an_overlap_lowered_to_what_has_counted_ends_the_task() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let task =
        NewTask { task_id: "t".to_owned(), payload: "x".into(), overlap: 5, ..NewTask::default() };
    platform.new_tasks(&project, vec![task]).await;
    let ann = platform.worker("ann").await;
    platform.answer_one(&ann, &project, "a").await;
    let one = TaskUpdate { overlap: 1, ..TaskUpdate::default() };
    let changed = change(&platform, &project, "t", one, "overlap").await.expect("changed");
    assert_eq!(changed.state(), TaskState::Done);
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert!(!result.incomplete);
}

#[tokio::test]
async fn a_broken_task_fails_and_can_be_requeued() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let task = platform.tasks(&project, &["t"]).await.remove(0);
    for worker in platform.workers(["ann", "bob", "cid"]).await {
        let lease = platform.lease(&worker, &project).await.name;
        let reason = ReturnReason::BrokenTask.into();
        let returns = vec![LeaseReturn { lease, reason, comment: "no picture".to_owned() }];
        let request = ReturnLeasesRequest { worker, returns };
        let reply = platform.client.dispatch().return_leases(request).await.expect("an answer");
        reply.into_inner().results.remove(0).outcome().expect("returned");
    }
    let failed = platform.task(&task).await;
    assert_eq!(failed.state(), TaskState::Failed);
    assert_eq!(failed.failure_cause(), FailureCause::BrokenTask);
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!((result.state(), result.answer.len()), (ResultState::Failed, 0));

    let requeue = || {
        let request = RequeueTasksRequest { parent: project.clone(), names: vec![task.clone()] };
        let mut tasks = platform.client.tasks();
        async move {
            let reply = tasks.requeue_tasks(request).await.expect("an answer").into_inner();
            reply.results.into_iter().next().expect("one item").outcome()
        }
    };
    assert_eq!(requeue().await.expect("requeued").state(), TaskState::Open);
    refused(requeue().await, Code::FailedPrecondition, Reason::TaskNotFailed, "");
    let dan = platform.worker("dan").await;
    platform.answer_one(&dan, &project, "c").await;
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!((result.state(), result.revision), (ResultState::Final, 2));
    assert_eq!(platform.task(&task).await.state(), TaskState::Done);
}

#[tokio::test]
async fn a_task_ends_at_its_deadline() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let soon = SystemTime::now() + Duration::from_secs(2);
    let task = |id: &str, overlap| NewTask {
        task_id: id.to_owned(),
        payload: "x".into(),
        deadline: Some(soon.into()),
        overlap,
        ..NewTask::default()
    };
    let names = platform.new_tasks(&project, vec![task("begun", 2), task("unseen", 1)]).await;
    let ann = platform.worker("ann").await;
    platform.answer_one(&ann, &project, "a").await;
    wait_until("both have ended", async || {
        let tasks = platform.stats(&project).await.tasks.unwrap_or_default();
        (tasks.open == 0).then_some(())
    })
    .await;
    let [begun, unseen] = [platform.task(&names[0]).await, platform.task(&names[1]).await];
    assert_eq!((begun.state(), begun.incomplete), (TaskState::Done, true));
    assert_eq!(unseen.state(), TaskState::Failed);
    assert_eq!(unseen.failure_cause(), FailureCause::Deadline);
    let results = platform.results(&project).await;
    assert_eq!(results.iter().map(|result| result.incomplete).collect::<Vec<_>>(), [true, false]);
}
