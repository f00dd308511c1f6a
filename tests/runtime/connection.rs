//! Connections that break, and daemons that end, under a working runtime.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use piecework_client::proto::v1::{DrainRequest, Verdict};
use piecework_client::{Client, End, Runtime, Stopped, Work};
use tokio::sync::watch;

use crate::harness::{Daemon, Relay, in_time, labelled, wait_until};

use super::Ends;

const TASKS: usize = 40;

/// How the daemon goes away in the middle.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Away {
    Killed,
    Stopped,
    Drained,
}

async fn goes(daemon: &mut Daemon, how: Away) {
    match how {
        Away::Killed => daemon.kill().await,
        Away::Stopped => assert_eq!(daemon.stop().await.code(), Some(0), "{}", daemon.log()),
        Away::Drained => {
            let platform = daemon.platform();
            platform.client.admin().drain(DrainRequest::default()).await.expect("it drains");
            assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
        }
    }
}

#[tokio::test]
async fn daemons_that_go_in_the_middle_lose_nothing_and_each_task_is_done_once() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    platform.numbered_tasks(&project, TASKS).await;
    let relay = Relay::open().await;
    relay.lead_to(Some(daemon.listen()));
    let begun: Arc<Mutex<BTreeMap<Vec<u8>, u32>>> = Arc::default();
    // How many tasks may be finished.
    let (allow, allowed) = watch::channel(0);
    let (beginning, ends) = (Arc::clone(&begun), Ends::default());
    let runtime = Runtime::builder(Client::new(&relay.server()).expect("an address"), &ann)
        .handler(move |task| {
            let (beginning, mut allowed) = (Arc::clone(&beginning), allowed.clone());
            async move {
                let number = {
                    let mut begun = beginning.lock().unwrap();
                    *begun.entry(task.lease.payload.to_vec()).or_default() += 1;
                    begun.len()
                };
                allowed.wait_for(|allowed| *allowed >= number).await.expect("the test goes on");
                Work::Answer(labelled("a"))
            }
        })
        .concurrency(4)
        .at_most(TASKS as u64)
        .report(ends.note());
    let running = tokio::spawn(runtime.run(pending()));
    let started = || begun.lock().unwrap().len();
    for (round, how) in [Away::Killed, Away::Stopped, Away::Drained].into_iter().enumerate() {
        let done = 10 * round;
        wait_until("four are at work", async || (started() == done + 4).then_some(())).await;
        goes(&mut daemon, how).await;
        relay.lead_to(None);
        // Two of them are finished while nobody is there.
        allow.send_replace(done + 2);
        daemon.resume().await;
        relay.lead_to(Some(daemon.listen()));
        wait_until("their answers arrive", async || (ends.all().len() == done + 2).then_some(()))
            .await;
        allow.send_replace(done + 10);
    }
    allow.send_replace(TASKS);
    let stopped = in_time("all is done", running).await.expect("no panic").expect("good order");
    assert_eq!(stopped, Stopped::Drained);
    let counted = |end: &End| matches!(end, End::Done(r) if r.verdict() == Verdict::Counted);
    assert!(ends.all().iter().all(counted), "{ends:?}");
    let begun = begun.lock().unwrap().clone();
    assert!(begun.len() == TASKS && begun.values().all(|times| *times == 1), "{begun:?}");
    let stats = daemon.platform().stats(&project).await;
    // A lease that was on its way when the daemon went may have come back unstarted.
    assert_eq!((stats.counted, stats.expiries), (TASKS as u64, 0), "{stats:?}");
}

#[tokio::test]
async fn a_runtime_asked_to_end_finishes_what_runs_and_returns_what_was_held_before() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    platform.numbered_tasks(&project, 3).await;
    // From an earlier run, which was killed.
    assert_eq!(platform.ask(&ann, &project, 3).await.leases.len(), 3);
    let (at_work, mut is_at_work) = watch::channel(false);
    let (go, gone) = watch::channel(false);
    let (end, ended) = watch::channel(false);
    let ends = Ends::default();
    let wait = async |mut told: watch::Receiver<bool>| {
        let _ = told.wait_for(|told| *told).await;
    };
    let at_work = Arc::new(at_work);
    let runtime = Runtime::builder(platform.client.clone(), &ann)
        .handler(move |_| {
            let (at_work, mut gone) = (Arc::clone(&at_work), gone.clone());
            async move {
                at_work.send_replace(true);
                let _ = gone.wait_for(|gone| *gone).await;
                Work::Answer(labelled("a"))
            }
        })
        .report(ends.note());
    let running = tokio::spawn(async move { runtime.run(wait(ended)).await });
    in_time("one is at work", is_at_work.wait_for(|at_work| *at_work)).await.expect("told");
    end.send_replace(true);
    wait_until("two go back", async || (platform.stats(&project).await.returns == 2).then_some(()))
        .await;
    go.send_replace(true);
    in_time("it ends", running).await.expect("no panic").expect("in good order");
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.returns, stats.live_leases), (1, 2, 0), "{stats:?}");
    // They were never begun, so the worker gets them again.
    assert_eq!(platform.ask(&ann, &project, 3).await.leases.len(), 2);
}
