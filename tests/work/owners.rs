//! The newest `Hello` owns a worker.

use piecework_client::proto::v1::{ErrorReason as Reason, LeaseState};
use tonic::Code;

use crate::harness::work::capacity;
use crate::harness::{Daemon, refused};

#[tokio::test]
async fn the_newest_hello_gets_a_workers_leases_and_news() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let mut older = platform.synced_work(&[(&ann, 1), (&ben, 1)]).await;
    let mut newer = platform.synced_work(&[(&ann, 1)]).await;
    let told = older.does(capacity(&ann, 5)).await;
    refused(told, Code::FailedPrecondition, Reason::WorkerTakenOver, "");

    platform.tasks(&project, &["a", "b", "c"]).await;
    let anns = newer.pushed(&ann).await;
    let bens = older.pushed(&ben).await;
    newer.ack(&anns).await;
    older.ack(&bens).await;

    // What ends is told where the worker is now; the older stream goes on for ben.
    platform.submit(&ann, &anns[0].name, "a").await;
    platform.submit(&ben, &bens[0].name, "a").await;
    let ended = newer.ended().await;
    assert_eq!((&ended.lease, ended.state()), (&anns[0].name, LeaseState::Submitted));
    let ended = older.ended().await;
    assert_eq!((&ended.lease, ended.state()), (&bens[0].name, LeaseState::Submitted));
    let stats = platform.stats(&project).await;
    assert_eq!(stats.live_leases, 1, "one task was left, for one of the two");
}

/// Work that was lost on the way to a stream that lost its worker is not stranded.
#[tokio::test]
async fn a_worker_that_changes_streams_often_holds_no_more_than_it_wants() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 40).await;
    let ann = platform.worker("ann").await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(platform.work(&[(&ann, 2)]).await);
    }
    let last = streams.last_mut().expect("ten");
    let mut held = last.synced(&ann).await.len();
    while held < 2 {
        held += last.pushed(&ann).await.len();
    }
    assert_eq!(held, 2);
    crate::harness::wait_until("what could not be sent has gone back", async || {
        (platform.leases(&ann).await.len() == 2).then_some(())
    })
    .await;
}
