//! How leases end that the stream did not end, and how streams end.

use std::time::Duration;

use piecework_client::from_proto;
use piecework_client::proto::v1::work_request as pb;
use piecework_client::proto::v1::work_request::Frame as Asked;
use piecework_client::proto::v1::{
    CancelTasksRequest, ErrorReason as Reason, LeaseState, SuspendWorkerRequest,
};
use tonic::Code;

use crate::harness::{Daemon, get, refused, wait_until};

#[tokio::test]
async fn a_lease_that_ends_elsewhere_is_told_at_once_with_its_reason() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let tasks = platform.tasks(&project, &["a", "b", "c"]).await;
    let mut work = platform.synced_work(&[(&ann, 2), (&ben, 1)]).await;
    let mut anns = work.pushed(&ann).await;
    while anns.len() < 2 {
        anns.extend(work.pushed(&ann).await);
    }
    let bens = work.pushed(&ben).await;
    work.ack(&anns).await;
    work.ack(&bens).await;
    let of = |payload: &[u8]| {
        let all = anns.iter().chain(&bens).find(|lease| lease.payload == payload);
        all.expect("leased").clone()
    };

    let request = CancelTasksRequest {
        parent: project.clone(),
        names: vec![tasks[0].clone()],
        revoke_leases: true,
    };
    platform.client.tasks().cancel_tasks(request).await.expect("cancelled");
    let ended = work.ended().await;
    assert_eq!((&ended.lease, ended.state()), (&of(b"a").name, LeaseState::Revoked));
    assert!(ended.reason.contains("cancelled"), "{ended:?}");

    let left = [of(b"b"), of(b"c")];
    for lease in &left {
        let name = lease.worker.clone();
        if platform.leases(&name).await.is_empty() {
            continue;
        }
        let request = SuspendWorkerRequest { name: name.clone(), reason: "too fast".to_owned() };
        platform.client.workers().suspend_worker(request).await.expect("suspended");
        for _ in left.iter().filter(|l| l.worker == name) {
            let ended = work.ended().await;
            assert_eq!((&ended.worker, ended.state()), (&name, LeaseState::Revoked));
            assert!(ended.reason.contains("suspended"), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_daemon_that_stops_tells_every_stream_and_takes_what_is_finished() {
    let mut daemon = Daemon::with(&[("PIECEWORK_SHUTDOWN_WITHIN_MS", "4000")]).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    platform.tasks(&project, &["a", "b"]).await;
    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    let mut other = platform.synced_work(&[(&ben, 1)]).await;
    let anns = work.pushed(&ann).await;
    other.pushed(&ben).await;

    let stopped = daemon.stop();
    let client = async {
        let within = from_proto(work.drained().await.within);
        assert!(within > Duration::ZERO && within < Duration::from_secs(10), "{within:?}");
        other.drained().await;
        let receipt = work.submit(&ann, &anns[0].name, "a").await;
        assert_eq!(receipt.lease, anns[0].name);
        work.send(0, Asked::Bye(pb::Bye {}));
        work.end().await.expect("a good end");
        // The other one does not move: it is told.
        refused(other.end().await, Code::Unavailable, Reason::Draining, "");
    };
    let (status, ()) = tokio::join!(stopped, client);
    assert!(status.success(), "{status}");

    daemon.resume().await;
    let platform = daemon.platform();
    assert_eq!(platform.stats(&project).await.tasks.expect("counts").done, 1);
    assert_eq!(platform.leases(&ben).await.len(), 1, "its lease lives on");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_let_go_and_its_leases_stay() {
    let daemon = Daemon::with(&[("PIECEWORK_TIMES__HEARTBEAT_MS", "150")]).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["a"]).await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let mut silent = platform.synced_work(&[(&ann, 1)]).await;
    let mut alive = platform.synced_work(&[(&ben, 1)]).await;
    let lease = silent.pushed(&ann).await.remove(0);
    silent.ack(std::slice::from_ref(&lease)).await;
    silent.pongs = false;
    let (ended, ()) = tokio::join!(silent.end(), async {
        // Many heartbeats long it only answers pings.
        let quiet = tokio::time::timeout(Duration::from_millis(1_500), alive.read()).await;
        assert!(quiet.is_err(), "{quiet:?}");
    });
    refused(ended, Code::Unavailable, Reason::StreamSilent, "");
    assert_eq!(platform.leases(&ann).await[0].name, lease.name);
}

/// A platform whose streams break and come back leaves nothing behind that waits.
#[tokio::test]
async fn what_a_dropped_stream_asked_for_waits_no_longer() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let waiting = async |calls: f64| {
        wait_until("so many calls wait", async || {
            let page = get(daemon.metrics(), "/metrics").await;
            (page.value("piecework_waiting_lease_calls") == calls).then_some(())
        })
        .await;
    };
    let work = platform.synced_work(&[(&ann, 1), (&ben, 1)]).await;
    waiting(2.0).await;
    drop(work);
    waiting(0.0).await;
}
