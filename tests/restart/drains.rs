//! `Drain`: the road of SIGTERM, taken by an operator's call.

use std::time::Duration;

use piecework_client::from_proto;
use piecework_client::proto::v1::{
    DaemonState, DrainRequest, EmptyCause, ErrorReason as Reason, ExtendLeasesRequest, LeaseRequest,
};
use tonic::transport::Endpoint;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::harness::{Daemon, Outcome, get, in_time, piecework_at, refused, wait_until, wire};

/// A call that is open until it is dropped.
async fn watch_health(daemon: &Daemon) -> Streaming<HealthCheckResponse> {
    let channel = Endpoint::from_shared(daemon.server()).expect("an address").connect_lazy();
    let watching = HealthClient::new(channel).watch(HealthCheckRequest::default()).await;
    watching.expect("a stream").into_inner()
}

async fn next_health(watching: &mut Streaming<HealthCheckResponse>) -> ServingStatus {
    let frame = in_time("the state of health", watching.message()).await.expect("a stream");
    frame.expect("a frame").status()
}

#[tokio::test]
async fn a_draining_daemon_takes_answers_and_grants_nothing_until_its_callers_have_gone() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, bob, cid] = platform.workers(["ann", "bob", "cid"]).await;
    platform.tasks(&project, &["t1", "t2"]).await;
    let held = platform.lease(&ann, &project).await;
    let other = platform.lease(&ann, &project).await;
    let mut waiting = platform.client.dispatch();
    let request = LeaseRequest {
        worker: bob,
        wait: wire(Duration::from_secs(60)),
        ..LeaseRequest::default()
    };
    let waiting = tokio::spawn(async move { waiting.lease(request).await });
    wait_until("the call waits", async || {
        let page = get(daemon.metrics(), "/metrics").await;
        (page.value("piecework_waiting_lease_calls") == 1.0).then_some(())
    })
    .await;
    let mut watching = watch_health(&daemon).await;
    assert_eq!(next_health(&mut watching).await, ServingStatus::Serving);

    let drain = async |seconds| {
        let within = wire(Duration::from_secs(seconds));
        let reply =
            platform.client.admin().drain(DrainRequest { within }).await.expect("it drains");
        from_proto(reply.into_inner().remaining)
    };
    let remaining = drain(60).await;
    assert!(remaining.as_secs() >= 50 && remaining.as_secs() <= 60, "{remaining:?}");
    let reply = in_time("the call ends", waiting).await.expect("no panic").expect("an answer");
    let reply = reply.into_inner();
    assert!(reply.leases.is_empty() && reply.empty_reason.contains("drains"), "{reply:?}");
    assert_eq!(reply.empty_reasons[0].cause(), EmptyCause::Draining);
    assert_eq!(next_health(&mut watching).await, ServingStatus::NotServing);
    assert_eq!(get(daemon.metrics(), "/readyz").await.status, 503);

    assert_eq!(platform.status().await.state(), DaemonState::Draining);
    let request = LeaseRequest { worker: cid, ..LeaseRequest::default() };
    let refusal = platform.client.dispatch().lease(request).await;
    let details = refused(refusal, Code::Unavailable, Reason::Draining, "");
    assert!(details.retry_info().is_some());
    let receipt = platform.submit(&ann, &held.name, "a").await;
    let request =
        ExtendLeasesRequest { worker: ann.clone(), leases: vec![other.name], duration: None };
    let extended = platform.client.dispatch().extend_leases(request).await.expect("an answer");
    extended.into_inner().results.remove(0).outcome().expect("it is extended");
    assert!(drain(1).await.as_secs() >= 20, "the first call's time stands");
    let server = daemon.server();
    let shown = piecework_at(&server, &["admin", "drain", "-o", "json"]).await.ended(0).json();
    assert!(shown["remaining"].as_str().is_some_and(|left| left.ends_with('s')), "{shown}");

    drop(watching);
    assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
    piecework_at(&server, &["admin", "drain"]).await.ended(4);
    daemon.resume().await;
    let platform = daemon.platform();
    assert_eq!(platform.submit(&ann, &held.name, "a").await, receipt);
    assert_eq!(platform.leases(&ann).await.len(), 1);
    assert_eq!(platform.stats(&project).await.expiries, 0);
}

#[tokio::test]
async fn a_drain_ends_an_idle_daemon_from_the_command_line() {
    let mut daemon = Daemon::start().await;
    daemon.platform().project("p").await;
    let before = daemon.platform().picture().await;
    for args in [&["admin", "drain"][..], &["admin", "drain", "--within", "30s"]] {
        let ran = piecework_at(&daemon.server(), args).await.ended(0);
        assert!(ran.stdout.contains("ends within"), "{}", ran.stdout);
        assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
        daemon.resume().await;
        assert_eq!(daemon.platform().picture().await, before);
    }
}

#[tokio::test]
async fn a_drain_of_no_length_or_of_hours_is_refused() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let wrong = [(0, 0), (-1, 0), (3_601, 0), (1, 2_000_000_000)];
    for (seconds, nanos) in wrong {
        let within = Some(prost_types::Duration { seconds, nanos });
        let reply = platform.client.admin().drain(DrainRequest { within }).await;
        refused(reply, Code::InvalidArgument, Reason::FieldInvalid, "within");
    }
    piecework_at(&daemon.server(), &["admin", "drain", "--within", "0s"]).await.ended(2);
    assert_eq!(platform.status().await.state(), DaemonState::Serving);
}
