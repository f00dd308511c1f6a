//! Leases that run out, answers that come late, and time that is bought.

use std::time::Duration;

use piecework_client::from_proto;
use piecework_client::proto::v1::{
    CancelTasksRequest, ErrorReason as Reason, ExtendLeasesRequest, LateExtra, LatePolicy,
    LeasePolicy, Project, TaskState, Verdict,
};
use tonic::Code;

use crate::harness::{Daemon, Outcome, Platform, label_of, refused, wait_until, wire};

async fn expired(platform: &Platform, project: &str, count: u64) {
    wait_until("leases expire", async || {
        (platform.stats(project).await.expiries >= count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_expired_lease_goes_to_the_next_worker_and_its_answer_is_superseded() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.hasty_project("p").await;
    let task = platform.tasks(&project, &["t"]).await.remove(0);
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let anns = platform.lease(&ann, &project).await;
    // Bob's long poll is woken by the expiry itself.
    let bobs = platform.lease(&bob, &project).await;
    assert_eq!(bobs.payload, anns.payload);
    assert_ne!(bobs.name, anns.name, "a lease's name is never reused");
    let before = platform.picture().await;
    let told = platform.try_submit(&ann, &anns.name, "a").await;
    let details = refused(told, Code::FailedPrecondition, Reason::LeaseSuperseded, "");
    let info = details.error_info().expect("details");
    assert_eq!(info.metadata.get("lease"), Some(&anns.name));
    assert_eq!(platform.picture().await, before);

    platform.submit(&bob, &bobs.name, "b").await;
    let told = platform.try_submit(&ann, &anns.name, "a").await;
    refused(told, Code::FailedPrecondition, Reason::TaskDone, "");
    assert_eq!(label_of(&platform.results(&project).await[0].answer), "b");
    let task = platform.task(&task).await;
    assert_eq!((task.state(), task.counted), (TaskState::Done, 1));
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.kept, stats.expiries), (1, 0, 1));
}

#[tokio::test]
async fn a_late_answer_counts_while_its_place_is_free() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.hasty_project("p").await;
    platform.tasks(&project, &["t"]).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let lease = platform.lease(&ann, &project).await;
    expired(&platform, &project, 1).await;
    assert!(platform.ask(&ann, &project, 1).await.leases.is_empty(), "Ann is barred from it");
    let receipt = platform.submit(&ann, &lease.name, "a").await;
    assert_eq!(receipt.verdict(), Verdict::CountedLate);
    assert_eq!(platform.submit(&ann, &lease.name, "a").await, receipt);
    assert!(platform.ask(&bob, &project, 1).await.leases.is_empty(), "the task is done");
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.counted_late), (1, 1));
}

#[tokio::test]
async fn a_late_answer_to_a_cancelled_task_is_refused() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.hasty_project("p").await;
    let names = platform.tasks(&project, &["t"]).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await;
    expired(&platform, &project, 1).await;
    let request = CancelTasksRequest { parent: project.clone(), names, revoke_leases: false };
    platform.client.tasks().cancel_tasks(request).await.expect("cancelled");
    let before = platform.picture().await;
    let told = platform.try_submit(&ann, &lease.name, "a").await;
    refused(told, Code::FailedPrecondition, Reason::TaskCancelled, "");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_project_that_refuses_late_answers_says_so() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let policy = LeasePolicy {
        duration: wire(Duration::from_secs(1)),
        late: LatePolicy::Refuse.into(),
        ..LeasePolicy::default()
    };
    let project = platform
        .project_with("p", |project| Project { lease_policy: Some(policy), ..project })
        .await;
    platform.tasks(&project, &["t"]).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await;
    expired(&platform, &project, 1).await;
    let before = platform.picture().await;
    let told = platform.try_submit(&ann, &lease.name, "a").await;
    refused(told, Code::FailedPrecondition, Reason::LateWindowOver, "");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn an_extra_late_answer_is_kept_where_the_project_says_so() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let keeping = |extra: LateExtra| LeasePolicy {
        duration: wire(Duration::from_secs(1)),
        late_window: wire(Duration::from_secs(3600)),
        late_grace: wire(Duration::ZERO),
        late_extra: extra.into(),
        ..LeasePolicy::default()
    };
    let kinds = [
        ("paid", LateExtra::KeepPayable, Verdict::KeptPayable),
        ("unpaid", LateExtra::KeepUnpaid, Verdict::KeptUnpaid),
    ];
    for (id, extra, verdict) in kinds {
        let policy = Some(keeping(extra));
        let project =
            platform.project_with(id, |project| Project { lease_policy: policy, ..project }).await;
        platform.tasks(&project, &["t"]).await;
        let [ann, bob] = platform.workers(["ann", "bob"]).await;
        let anns = platform.lease(&ann, &project).await;
        let bobs = platform.lease(&bob, &project).await;
        platform.submit(&bob, &bobs.name, "b").await;
        let receipt = platform.submit(&ann, &anns.name, "a").await;
        assert_eq!(receipt.verdict(), verdict);
        let stats = platform.stats(&project).await;
        assert_eq!((stats.counted, stats.kept), (1, 1));
        assert_eq!(label_of(&platform.results(&project).await[0].answer), "b");
    }
}

#[tokio::test]
async fn an_extended_lease_lives_on_up_to_the_longest_hold() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    // One second, to be held for a minute at most.
    let project = platform.hasty_project("p").await;
    platform.numbered_tasks(&project, 2).await;
    let ann = platform.worker("ann").await;
    let leases = platform.ask(&ann, &project, 2).await.leases;
    let [kept, lapsing] = leases.as_slice() else { panic!("two leases") };
    let extend = |name: &str, seconds: u64| {
        let request = ExtendLeasesRequest {
            worker: ann.clone(),
            leases: vec![name.to_owned()],
            duration: wire(Duration::from_secs(seconds)),
        };
        let mut dispatch = platform.client.dispatch();
        async move {
            let reply = dispatch.extend_leases(request).await.expect("an answer").into_inner();
            reply.results.into_iter().next().expect("one item").outcome()
        }
    };
    let extension = extend(&kept.name, 3_600).await.expect("extended");
    let remaining = from_proto(extension.remaining);
    assert!(remaining > Duration::from_secs(50) && remaining <= Duration::from_secs(60));
    // Shorter than what is left: it keeps what it has.
    let again = from_proto(extend(&kept.name, 1).await.expect("extended").remaining);
    assert!(again > Duration::from_secs(50), "{again:?}");

    expired(&platform, &project, 1).await;
    let told = extend(&lapsing.name, 10).await;
    refused(told, Code::FailedPrecondition, Reason::LeaseEnded, "");
    assert_eq!(platform.submit(&ann, &kept.name, "a").await.verdict(), Verdict::Counted);
    assert_eq!(platform.stats(&project).await.expiries, 1);
}

#[tokio::test]
async fn a_task_that_nobody_finishes_fails_after_its_attempts() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let policy = LeasePolicy {
        duration: wire(Duration::from_secs(1)),
        late_grace: wire(Duration::ZERO),
        max_attempts: 2,
        ..LeasePolicy::default()
    };
    let project = platform
        .project_with("p", |project| Project { lease_policy: Some(policy), ..project })
        .await;
    let task = platform.tasks(&project, &["t"]).await.remove(0);
    for id in ["ann", "bob"] {
        let worker = platform.worker(id).await;
        platform.lease(&worker, &project).await;
    }
    let failed = wait_until("the task fails", async || {
        Some(platform.task(&task).await).filter(|task| task.state() == TaskState::Failed)
    })
    .await;
    assert_eq!(failed.attempts, 2);
    assert_eq!(failed.failure_cause().as_str_name(), "FAILURE_CAUSE_ATTEMPTS_EXHAUSTED");
}
