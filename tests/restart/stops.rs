//! SIGTERM: an end in good order, within ten seconds, whoever is connected.

use std::time::Duration;

use piecework_client::proto::v1::{
    EmptyCause, ErrorReason as Reason, EventType, LeaseRequest, WatchEventsRequest,
};
use tonic::Code;

use crate::harness::{Daemon, get, in_time, next_result, refused, wait_until, wire};

#[tokio::test]
async fn open_streams_and_waiting_calls_do_not_hold_up_a_stop() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    platform.tasks(&project, &["t"]).await;
    platform.answer_one(&ann, &project, "a").await;
    let mut idle = platform.watch(&project, "").await;
    next_result(&mut idle).await;
    // A reader that never reads.
    let request = WatchEventsRequest {
        parent: project.clone(),
        types: vec![EventType::Submission.into()],
        resume_token: String::new(),
    };
    let unread = platform.client.events().watch_events(request).await.unwrap().into_inner();
    let request = LeaseRequest {
        worker: bob,
        wait: wire(Duration::from_secs(60)),
        ..LeaseRequest::default()
    };
    let mut dispatch = daemon.platform().client.dispatch();
    let waiting = tokio::spawn(async move { dispatch.lease(request).await });
    wait_until("the call waits", async || {
        let page = get(daemon.metrics(), "/metrics").await;
        (page.value("piecework_waiting_lease_calls") == 1.0).then_some(())
    })
    .await;
    let before = platform.picture().await;

    let status = daemon.stop().await;
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
    let reply = waiting.await.unwrap().expect("an empty answer").into_inner();
    assert!(reply.leases.is_empty() && reply.empty_reason.contains("drains"), "{reply:?}");
    assert_eq!(reply.empty_reasons[0].cause(), EmptyCause::Draining);
    let end = loop {
        match in_time("the stream ends", idle.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => break status,
        }
    };
    refused(Err::<(), _>(end), Code::Unavailable, Reason::Draining, "");
    drop(unread);
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
}

#[tokio::test]
async fn an_idle_daemon_stops_and_starts_again_and_again() {
    let mut daemon = Daemon::start().await;
    daemon.platform().project("p").await;
    let before = daemon.platform().picture().await;
    for _ in 0..3 {
        assert_eq!(daemon.stop().await.code(), Some(0), "{}", daemon.log());
        daemon.resume().await;
        assert_eq!(daemon.platform().picture().await, before);
    }
}
