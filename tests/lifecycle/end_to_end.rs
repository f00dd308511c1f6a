//! From a task's creation to its result.

use std::time::{Duration, Instant};

use piecework_client::proto::v1::{
    LeaseRequest, LeaseState, NewTask, NextLease, Project, ResultState, SubmitAnswersRequest,
    TaskState, Verdict,
};

use crate::harness::{Daemon, Outcome, answer, get, label_of, next_result, wait_until, wire};

#[tokio::test]
async fn a_task_goes_from_creation_to_a_watched_result() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let mut stream = platform.watch(&project, "").await;
    let ann = platform.worker("ann").await;
    let task = NewTask {
        task_id: "t".to_owned(),
        payload: r#"{"image": 7}"#.into(),
        content_type: "application/json".to_owned(),
        labels: [("batch".to_owned(), "7".to_owned())].into(),
        ..NewTask::default()
    };
    let name = platform.new_tasks(&project, vec![task]).await.remove(0);
    assert_eq!(platform.task(&name).await.state(), TaskState::Open);

    let lease = platform.lease(&ann, &project).await;
    assert_eq!((lease.worker.as_str(), lease.project.as_str()), (ann.as_str(), project.as_str()));
    assert_eq!(lease.task, "", "a name could tell known answers from others");
    assert_eq!(&lease.payload[..], br#"{"image": 7}"#);
    assert_eq!(lease.content_type, "application/json");
    assert_eq!(lease.instructions["en"], "Choose.");
    assert_eq!(lease.schema.as_ref().unwrap().fields[0].choices, ["a", "b", "c"]);
    assert_eq!((lease.state(), lease.project_revision), (LeaseState::Live, 1));
    assert!((590..=600).contains(&lease.remaining.unwrap().seconds), "ten minutes");
    assert_eq!(platform.task(&name).await.live, 1);

    let receipt = platform.submit(&ann, &lease.name, "b").await;
    assert_eq!(receipt.verdict(), Verdict::Counted);
    assert_eq!(receipt.submission, lease.name.replace("leases", "submissions"));
    let watched = next_result(&mut stream).await;
    let result = watched.result.unwrap();
    assert_eq!(watched.previous_sequence, 0);
    assert_eq!((result.task_id.as_str(), result.task.as_str()), ("t", name.as_str()));
    assert_eq!((result.state(), result.revision), (ResultState::Final, 1));
    assert_eq!((label_of(&result.answer).as_str(), result.confidence), ("b", 1.0));
    assert_eq!(result.task_labels["batch"], "7");
    assert_eq!((result.votes.len(), result.votes[0].worker.as_str()), (1, ann.as_str()));
    assert_eq!(result.votes[0].submission, receipt.submission);
    let task = platform.task(&name).await;
    assert_eq!((task.state(), task.counted, task.live), (TaskState::Done, 1, 0));
    assert!(!task.incomplete);
}

#[tokio::test]
async fn three_answers_make_the_majority() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 3, ..project }).await;
    platform.tasks(&project, &["t"]).await;
    let workers = platform.workers(["ann", "bob", "cid"]).await;
    for (worker, label) in workers.iter().zip(["a", "c", "c"]) {
        assert!(platform.results(&project).await.is_empty(), "two of three are not enough");
        platform.answer_one(worker, &project, label).await;
    }
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!(label_of(&result.answer), "c");
    assert!((result.confidence - 2.0 / 3.0).abs() < 1e-5, "{}", result.confidence);
    let votes: Vec<_> =
        result.field_votes[0].choices.iter().map(|v| (v.choice.as_str(), v.votes)).collect();
    assert_eq!((result.field_votes[0].field.as_str(), votes), ("label", vec![("a", 1), ("c", 2)]));
    assert_eq!(result.votes.len(), 3);
}

#[tokio::test]
async fn a_tie_goes_to_the_answer_given_first() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    platform.tasks(&project, &["t"]).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    // Ann's lease is older, Bob's answer is first.
    let (anns, bobs) = (platform.lease(&ann, &project).await, platform.lease(&bob, &project).await);
    platform.submit(&bob, &bobs.name, "c").await;
    platform.submit(&ann, &anns.name, "a").await;
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!(label_of(&result.answer), "c");
}

#[tokio::test]
async fn no_worker_gets_a_task_twice_and_places_are_never_overshot() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let task = platform.tasks(&project, &["t"]).await.remove(0);
    let [ann, bob, cid] = platform.workers(["ann", "bob", "cid"]).await;
    assert_eq!(platform.ask(&ann, &project, 10).await.leases.len(), 1);
    assert!(platform.ask(&ann, &project, 10).await.leases.is_empty());
    assert_eq!(platform.ask(&bob, &project, 10).await.leases.len(), 1);
    let nothing = platform.ask(&cid, &project, 10).await;
    assert!(nothing.leases.is_empty() && !nothing.empty_reason.is_empty());
    assert_eq!((platform.task(&task).await.live, nothing.empty_reasons.len()), (2, 1));
}

#[tokio::test]
async fn a_long_poll_is_woken_by_new_tasks() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let poll = |worker: &str| {
        let request = LeaseRequest {
            worker: worker.to_owned(),
            wait: wire(Duration::from_secs(60)),
            ..LeaseRequest::default()
        };
        let mut dispatch = platform.client.dispatch();
        tokio::spawn(async move { dispatch.lease(request).await.expect("an answer") })
    };
    let polls = [poll(&ann), poll(&bob)];
    wait_until("both calls wait", async || {
        let page = get(daemon.metrics(), "/metrics").await;
        (page.value("piecework_waiting_lease_calls") == 2.0).then_some(())
    })
    .await;
    let woken = Instant::now();
    platform.numbered_tasks(&project, 2).await;
    for poll in polls {
        assert_eq!(poll.await.unwrap().into_inner().leases.len(), 1);
    }
    assert!(woken.elapsed() < Duration::from_secs(20), "woken, not timed out");
}

#[tokio::test]
async fn a_long_poll_without_work_ends_with_a_reason() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let request = LeaseRequest {
        worker: platform.worker("ann").await,
        wait: wire(Duration::from_millis(300)),
        ..LeaseRequest::default()
    };
    let asked = Instant::now();
    let reply = platform.client.dispatch().lease(request).await.unwrap().into_inner();
    assert!(reply.leases.is_empty() && !reply.empty_reason.is_empty());
    assert!(asked.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn an_answer_may_ask_for_the_next_leases() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 4).await;
    let ann = platform.worker("ann").await;
    let first = platform.lease(&ann, &project).await.name;
    let request = SubmitAnswersRequest {
        worker: ann.clone(),
        answers: vec![answer(&first, "a")],
        next: Some(NextLease {
            count: 2,
            request_id: "r1".to_owned(),
            projects: vec![project],
            ..NextLease::default()
        }),
    };
    let mut dispatch = platform.client.dispatch();
    let reply = dispatch.submit_answers(request.clone()).await.unwrap().into_inner();
    let receipt = reply.results.into_iter().next().unwrap().outcome().expect("taken");
    let next = reply.next.unwrap();
    assert_eq!((next.leases.len(), next.error), (2, None));
    // Retried whole: the same receipt, the same leases.
    let again = dispatch.submit_answers(request).await.unwrap().into_inner();
    assert_eq!(again.results.into_iter().next().unwrap().outcome(), Ok(receipt));
    let names = |leases: Vec<piecework_client::proto::v1::Lease>| -> Vec<String> {
        leases.into_iter().map(|lease| lease.name).collect()
    };
    assert_eq!(names(again.next.unwrap().leases), names(next.leases));
}
