//! Pausing, closing, cancelling and deleting projects.

use piecework_client::proto::v1::{
    CancelProjectRequest, CancelTasksRequest, CloseProjectRequest, CreateTasksRequest,
    DeleteProjectRequest, EmptyCause, ErrorReason as Reason, GetProjectRequest, LeaseState,
    NewTask, PauseProjectRequest, Project, ResumeProjectRequest, TaskState, Verdict,
};
use tonic::{Code, Status};

use crate::harness::{Daemon, Outcome, Platform, refused, wait_until};

async fn pause(platform: &Platform, name: &str) -> Result<Project, Status> {
    let request = PauseProjectRequest { name: name.to_owned() };
    let reply = platform.client.projects().pause_project(request).await?;
    Ok(reply.into_inner().project.expect("a project"))
}

async fn close(platform: &Platform, name: &str) -> Result<Project, Status> {
    let request = CloseProjectRequest { name: name.to_owned() };
    let reply = platform.client.projects().close_project(request).await?;
    Ok(reply.into_inner().project.expect("a project"))
}

async fn cancel(platform: &Platform, name: &str, revoke_leases: bool) {
    let request = CancelProjectRequest { name: name.to_owned(), revoke_leases };
    platform.client.projects().cancel_project(request).await.expect("cancelled");
}

async fn delete(platform: &Platform, name: &str) -> Result<(), Status> {
    let request = DeleteProjectRequest { name: name.to_owned(), etag: String::new() };
    platform.client.projects().delete_project(request).await.map(drop)
}

async fn create_one(platform: &Platform, parent: &str) -> Result<(), Status> {
    let tasks = vec![NewTask { payload: "x".into(), ..NewTask::default() }];
    let (parent, request_id) = (parent.to_owned(), String::new());
    let request = CreateTasksRequest { parent, tasks, request_id };
    platform.client.tasks().create_tasks(request).await.map(drop)
}

#[tokio::test]
async fn a_paused_project_grants_nothing_and_takes_answers() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 2).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    let paused = pause(&platform, &project).await.expect("paused");
    assert_eq!(paused.state().as_str_name(), "PROJECT_STATE_PAUSED");
    assert_eq!(pause(&platform, &project).await.expect("paused before").etag, paused.etag);

    let nothing = platform.ask(&ann, &project, 1).await;
    assert!(nothing.leases.is_empty());
    assert_eq!(nothing.empty_reasons[0].cause(), EmptyCause::ProjectStopped);
    assert_eq!(platform.submit(&ann, &lease, "a").await.verdict(), Verdict::Counted);
    create_one(&platform, &project).await.expect("tasks are still taken");
    let request = ResumeProjectRequest { name: project.clone() };
    platform.client.projects().resume_project(request).await.expect("resumed");
    assert_eq!(platform.ask(&ann, &project, 9).await.leases.len(), 2);
}

#[tokio::test]
async fn a_closed_project_drains_and_can_then_be_deleted() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 2).await;
    let ann = platform.worker("ann").await;
    let told = delete(&platform, &project).await;
    refused(told, Code::FailedPrecondition, Reason::ProjectNotDrained, "");
    close(&platform, &project).await.expect("closed");
    let told = create_one(&platform, &project).await;
    refused(told, Code::FailedPrecondition, Reason::ProjectClosed, "");
    let told = pause(&platform, &project).await;
    refused(told, Code::FailedPrecondition, Reason::ProjectClosed, "");
    let told = delete(&platform, &project).await;
    refused(told, Code::FailedPrecondition, Reason::ProjectNotDrained, "");
    assert_eq!(platform.work_off(&ann, &project, "a").await, 2);

    delete(&platform, &project).await.expect("drained");
    let read = || {
        let request = GetProjectRequest { name: project.clone(), min_position: String::new() };
        let mut projects = platform.client.projects();
        async move { projects.get_project(request).await.map(drop) }
    };
    let told = wait_until("its rows are removed", async || {
        read().await.err().filter(|status| status.code() == Code::NotFound)
    })
    .await;
    refused(Err::<(), _>(told), Code::NotFound, Reason::ProjectNotFound, "");
    refused(delete(&platform, &project).await, Code::NotFound, Reason::ProjectNotFound, "");
    // The name is free, and what comes next under it is new.
    platform.project("p").await;
    assert!(platform.list_tasks(&project, "").await.is_empty());
    assert!(platform.events(&project).await.is_empty());
}

#[tokio::test]
async fn a_cancelled_project_pays_for_live_leases_and_counts_none() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 20).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    cancel(&platform, &project, false).await;
    assert!(platform.ask(&ann, &project, 1).await.leases.is_empty());
    let told = create_one(&platform, &project).await;
    refused(told, Code::FailedPrecondition, Reason::ProjectCancelled, "");
    let receipt = platform.submit(&ann, &lease, "a").await;
    assert_eq!(receipt.verdict(), Verdict::KeptPayable);
    wait_until("the sweep is through", async || {
        let tasks = platform.stats(&project).await.tasks.unwrap_or_default();
        ((tasks.open, tasks.cancelled) == (0, 20)).then_some(())
    })
    .await;
    let tasks = platform.list_tasks(&project, "state = CANCELLED").await;
    assert_eq!(tasks.len(), 20);
    assert!(platform.results(&project).await.is_empty());
    delete(&platform, &project).await.expect("nothing is open");
}

#[tokio::test]
async fn a_cancel_that_revokes_takes_no_more_answers() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [project, other] = [platform.project("p").await, platform.project("q").await];
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    platform.numbered_tasks(&project, 2).await;
    let names = platform.numbered_tasks(&other, 2).await;
    let lease = platform.lease(&ann, &project).await.name;
    let others = platform.ask(&bob, &other, 2).await.leases;

    cancel(&platform, &project, true).await;
    let told = platform.try_submit(&ann, &lease, "a").await;
    refused(told, Code::FailedPrecondition, Reason::TaskCancelled, "");
    // A single task: one lease may finish, the other one may not.
    for (name, revoke_leases) in [(&names[0], false), (&names[1], true)] {
        let names = vec![name.clone()];
        let request = CancelTasksRequest { parent: other.clone(), names, revoke_leases };
        let reply = platform.client.tasks().cancel_tasks(request).await.expect("an answer");
        let changed = reply.into_inner().results.remove(0).outcome().expect("cancelled");
        assert_eq!(changed.state(), TaskState::Cancelled);
    }
    let of = |payload: &str| others.iter().find(|lease| lease.payload == payload).expect("held");
    assert_eq!(of("t1").state(), LeaseState::Live);
    let receipt = platform.submit(&bob, &of("t1").name, "a").await;
    assert_eq!(receipt.verdict(), Verdict::KeptPayable);
    let told = platform.try_submit(&bob, &of("t2").name, "a").await;
    refused(told, Code::FailedPrecondition, Reason::TaskCancelled, "");
}
