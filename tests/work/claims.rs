//! A push that nobody acknowledges does not strand a task.

use std::time::Duration;

use piecework_client::proto::v1::work_response::reply;
use piecework_client::proto::v1::{LeasePolicy, LeaseState, Project};

use crate::harness::work::{draft, signs};
use crate::harness::{Daemon, wire};

const SHORT: [(&str, &str); 1] = [("PIECEWORK_TIMES__CLAIM_WITHIN_MS", "400")];

/// P6, the second half.
#[tokio::test]
async fn p06_a_push_that_nobody_acknowledges_returns_without_blame() {
    let daemon = Daemon::with(&SHORT).await;
    let platform = daemon.platform();
    // Once let go by somebody to blame, the task would be lost.
    let project = platform
        .project_with("p", |project| Project {
            lease_policy: Some(LeasePolicy { max_attempts: 1, ..LeasePolicy::default() }),
            ..project
        })
        .await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    platform.tasks(&project, &["a"]).await;
    let lost = work.pushed(&ann).await;
    // Its tab is open, and the push is lost all the same.
    let told = work.does(signs(&[&ann], &[])).await.expect("alive");
    assert!(matches!(told, reply::Outcome::Extensions(told) if told.extensions.len() == 1));
    work.does(crate::harness::work::capacity(&ann, 0)).await.expect("no more");

    let lease = platform.lease(&ben, &project).await;
    assert_eq!(&lease.payload[..], b"a", "leased to another");
    let ended = work.ended().await;
    assert_eq!((&ended.lease, ended.state()), (&lost[0].name, LeaseState::Returned));
    platform.submit(&ben, &lease.name, "a").await;
    let tasks = platform.stats(&project).await.tasks.expect("counts");
    assert_eq!((tasks.done, tasks.failed), (1, 0), "no attempt was counted");
}

#[tokio::test]
async fn what_is_acknowledged_in_any_way_stays() {
    let daemon = Daemon::with(&SHORT).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    let mut work = platform.synced_work(&[(&ann, 4)]).await;
    platform.tasks(&project, &["a", "b", "c", "d"]).await;
    let mut leases = Vec::new();
    while leases.len() < 4 {
        leases.extend(work.pushed(&ann).await);
    }
    work.does(crate::harness::work::capacity(&ann, 0)).await.expect("no more");
    work.ack(&leases[..1]).await;
    work.does(signs(&[], &[&leases[1].name])).await.expect("alive");
    work.does(draft(&ann, &leases[2].name, b"half")).await.expect("saved");
    // The fourth is the control: it goes back, and the others do not.
    let ended = work.ended().await;
    assert_eq!((&ended.lease, ended.state()), (&leases[3].name, LeaseState::Returned));
    let mut left: Vec<String> =
        platform.leases(&ann).await.into_iter().map(|lease| lease.name).collect();
    left.sort();
    let mut expected: Vec<String> = leases[..3].iter().map(|l| l.name.clone()).collect();
    expected.sort();
    assert_eq!(left, expected);
}

/// A stream that goes away takes no work with it.
#[tokio::test]
async fn a_stream_that_is_gone_is_granted_nothing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let mut work = platform.synced_work(&[(&ann, 5)]).await;
    work.out = None;
    work.end().await.expect("a good end");
    platform.tasks(&project, &["a"]).await;
    let lease = platform.lease(&ben, &project).await;
    assert_eq!(&lease.payload[..], b"a");
    let stats = platform.stats(&project).await;
    assert_eq!((stats.live_leases, stats.returns), (1, 0));
}

/// Times of the test, not of the claim.
#[tokio::test]
async fn a_bundle_has_one_deadline() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let long = |minutes: u64| {
        move |project: Project| Project {
            lease_policy: Some(LeasePolicy {
                duration: wire(Duration::from_secs(60 * minutes)),
                ..LeasePolicy::default()
            }),
            ..project
        }
    };
    let short = platform.project_with("short", long(5)).await;
    let longer = platform.project_with("longer", long(30)).await;
    platform.tasks(&short, &["a"]).await;
    platform.tasks(&longer, &["b"]).await;
    let ann = platform.worker("ann").await;
    let request = piecework_client::proto::v1::LeaseRequest {
        worker: ann.clone(),
        count: 5,
        ..Default::default()
    };
    let leases = platform.client.dispatch().lease(request).await.expect("leases").into_inner();
    let left: Vec<i64> =
        leases.leases.iter().map(|l| l.remaining.as_ref().expect("a time").seconds).collect();
    assert_eq!(left, [1_800, 1_800]);
}
