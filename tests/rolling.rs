//! A rolling restart under load: nobody's lease runs out, nothing is lost, nothing
//! counts twice.

mod load;

use std::collections::BTreeSet;

use piecework_client::Client;
use piecework_client::proto::v1::{DrainRequest, LeasePolicy, Project, Verdict};

use self::load::{Load, toil};
use crate::harness::{Daemon, Relay, in_time, wait_until, wire};

const RESTARTS: u64 = 20;
/// What must be answered between two restarts.
const ANSWERS: u64 = 25;

/// By SIGTERM or by `Drain`.
async fn end_in_good_order(daemon: &mut Daemon, by_signal: bool) {
    let status = if by_signal {
        daemon.stop().await
    } else {
        let platform = daemon.platform();
        platform.client.admin().drain(DrainRequest::default()).await.expect("it drains");
        daemon.ended().await
    };
    assert_eq!(status.code(), Some(0), "by signal: {by_signal}\n{}", daemon.log());
}

#[tokio::test]
async fn twenty_restarts_under_load_expire_and_lose_nothing() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform
        .project_with("p", |project| Project {
            // Shorter than the test: who holds a lease over several restarts must have it
            // extended by each of these daemons.
            lease_policy: Some(LeasePolicy {
                duration: wire(std::time::Duration::from_secs(6)),
                max_hold: wire(std::time::Duration::from_secs(600)),
                ..LeasePolicy::default()
            }),
            ..project
        })
        .await;
    let workers = platform.workers(["ann", "bob", "cid", "dan", "eve", "fay"]).await;
    let relay = Relay::open().await;
    relay.lead_to(Some(daemon.listen()));
    let load = Load::new(project.clone());
    let toiling: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(number, worker)| {
            let client = Client::new(&relay.server()).expect("an address");
            // Every third one keeps its leases over several restarts.
            let holds = if number % 3 == 0 { 4 } else { 0 };
            tokio::spawn(toil(load.clone(), client, worker, holds))
        })
        .collect();

    for restart in 0..RESTARTS {
        let (answers, ridden) = (load.answers() + ANSWERS, load.ridden());
        wait_until("they work", async || (load.answers() >= answers).then_some(())).await;
        end_in_good_order(&mut daemon, restart % 2 == 0).await;
        relay.lead_to(None);
        daemon.resume().await;
        relay.lead_to(Some(daemon.listen()));
        load.restarted();
        wait_until("calls were ridden over the restart", async || {
            (load.ridden() > ridden).then_some(())
        })
        .await;
    }
    load.finish();
    for worker in toiling {
        in_time("a worker finishes", worker).await.expect("no call failed for good");
    }

    let platform = daemon.platform();
    let stats = platform.stats(&project).await;
    assert_eq!((stats.expiries, stats.returns, stats.counted_late), (0, 0, 0), "{stats:?}");
    assert_eq!((stats.live_leases, stats.kept), (0, 0), "{stats:?}");
    let (tasks, receipts) = load.told();
    let known: BTreeSet<String> =
        platform.list_tasks(&project, "").await.into_iter().map(|task| task.name).collect();
    assert_eq!(known, tasks, "a task is lost or came twice");
    let leases: BTreeSet<&str> = receipts.iter().map(|receipt| receipt.lease.as_str()).collect();
    assert_eq!(leases.len(), receipts.len(), "a lease was granted twice");
    assert!(receipts.iter().all(|receipt| receipt.verdict() == Verdict::Counted));
    assert_eq!(stats.counted, receipts.len() as u64, "an answer is lost or counts twice");
    assert!(stats.counted >= RESTARTS * ANSWERS);
    assert_eq!(platform.results(&project).await.len(), receipts.len());
}
