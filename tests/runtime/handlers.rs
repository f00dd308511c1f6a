//! What handlers do to their leases, and what is done to them.

use std::future::pending;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use piecework_client::proto::v1::{
    ErrorReason as Reason, ReturnReason, SuspendWorkerRequest, Verdict,
};
use piecework_client::{End, Ended, Runtime, Stopped, Work, WorkError, from_proto};
use tokio::sync::oneshot;

use crate::harness::{Daemon, in_time, labelled, wait_until};

use super::Ends;

/// A second is how long a lease of a hasty project lasts.
const LONG: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_handler_that_blocks_its_thread_keeps_its_lease() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.hasty_project("p").await;
    let ann = platform.worker("ann").await;
    platform.tasks(&project, &["t"]).await;
    let (go, gate) = mpsc::channel();
    // Watches from another thread: this one is about to be blocked.
    let (observed, server) = (project.clone(), daemon.server());
    let observer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let client = piecework_client::Client::new(&server).expect("an address");
            let platform = crate::harness::Platform { client };
            let now = async || from_proto(platform.status().await.engine_time);
            wait_until("the lease is out", async || {
                (platform.stats(&observed).await.live_leases == 1).then_some(())
            })
            .await;
            let begun = now().await;
            wait_until("its time is long over", async || {
                (now().await > begun + LONG).then_some(())
            })
            .await;
            let stats = platform.stats(&observed).await;
            assert_eq!((stats.expiries, stats.live_leases), (0, 1), "{stats:?}");
            go.send(()).expect("the handler waits");
        });
    });
    let gate = Arc::new(Mutex::new(gate));
    let ends = Ends::default();
    let runtime = Runtime::builder(platform.client.clone(), &ann)
        .handler(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.lock().expect("one handler").recv().expect("it may go on");
                Work::Answer(labelled("a"))
            }
        })
        .at_most(1)
        .report(ends.note());
    assert_eq!(in_time("it is done", runtime.run(pending())).await.unwrap(), Stopped::Drained);
    observer.join().expect("the lease was kept");
    let [End::Done(receipt)] = &ends.all()[..] else { panic!("{ends:?}") };
    assert_eq!(receipt.verdict(), Verdict::Counted);
    assert_eq!(platform.stats(&project).await.expiries, 0);
}

#[tokio::test]
async fn a_handler_past_its_hard_deadline_is_cancelled_and_its_lease_goes_back() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    platform.tasks(&project, &["t"]).await;
    let (ends, dropped) = (Ends::default(), Arc::new(Mutex::new(None)));
    let guard = Arc::clone(&dropped);
    let (tell, is_dropped) = oneshot::channel::<()>();
    *dropped.lock().unwrap() = Some(tell);
    let runtime = Runtime::builder(platform.client.clone(), &ann)
        .handler(move |_| {
            // Goes with the handler.
            let mine = guard.lock().unwrap().take();
            async move {
                let _mine = mine;
                pending().await
            }
        })
        .task_within(Duration::from_millis(100))
        .at_most(1)
        .report(ends.note());
    in_time("it is over", runtime.run(pending())).await.expect("in good order");
    assert_eq!(ends.all(), [End::Returned(ReturnReason::OutOfTime)]);
    in_time("the handler is dropped", is_dropped).await.expect_err("dropped, not told");
    assert_eq!(platform.stats(&project).await.returns, 1);
    assert!(platform.leases(&ann).await.is_empty());
}

#[tokio::test]
async fn a_revoked_lease_cancels_its_handler() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    platform.tasks(&project, &["t"]).await;
    let ends = Ends::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let runtime =
        Runtime::builder(platform.client.clone(), &ann).handler(|_| pending()).report(ends.note());
    let running = tokio::spawn(runtime.run(async {
        let _ = stopped.await;
    }));
    wait_until("the lease is out", async || {
        (platform.stats(&project).await.live_leases == 1).then_some(())
    })
    .await;
    let request = SuspendWorkerRequest { name: ann, reason: "a test".to_owned() };
    platform.client.workers().suspend_worker(request).await.expect("suspended");
    wait_until("the runtime hears of it", async || (!ends.all().is_empty()).then_some(())).await;
    assert!(matches!(&ends.all()[..], [End::Ended(Ended::Revoked(_))]), "{ends:?}");
    stop.send(()).expect("it runs");
    in_time("it ends", running).await.expect("no panic").expect("in good order");
}

#[tokio::test]
async fn answers_that_are_none_and_handlers_that_panic_give_the_task_to_others() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    platform.tasks(&project, &["no-choice", "panic", "a"]).await;
    let ends = Ends::default();
    let runtime = Runtime::builder(platform.client.clone(), &ann)
        .handler(|task| async move {
            let payload = String::from_utf8(task.lease.payload.to_vec()).expect("text");
            assert_ne!(payload, "panic");
            Work::Answer(labelled(&payload))
        })
        // All at once: beside a refused answer nothing is left that would be leased.
        .concurrency(3)
        .idle_within(Duration::ZERO)
        .report(ends.note());
    let stopped = in_time("it is over", runtime.run(pending())).await.expect("in good order");
    let Stopped::Idle(why) = stopped else { panic!("{stopped:?}") };
    assert!(why.contains("no task"), "{why}");
    let mut kinds: Vec<String> = ends
        .all()
        .iter()
        .map(|end| match end {
            End::Done(receipt) => receipt.verdict().as_str_name().to_owned(),
            End::Refused(refused) => refused.reason.clone(),
            End::Returned(reason) => reason.as_str_name().to_owned(),
            End::Ended(_) | End::Unanswered => format!("{end:?}"),
        })
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["ANSWER_INVALID", "RETURN_REASON_NOT_FOR_ME", "VERDICT_COUNTED"]);
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.returns, stats.live_leases), (1, 2, 0));
}

#[tokio::test]
async fn a_worker_that_the_daemon_does_not_know_is_told_so() {
    let daemon = Daemon::start().await;
    let client = daemon.platform().client;
    let runtime = Runtime::builder(client, "workers/nobody").handler(|_| pending());
    let error = in_time("it is refused", runtime.run(pending())).await.unwrap_err();
    let WorkError::Refused(error) = error else { panic!("{error:?}") };
    assert!(error.is(Reason::WorkerNotFound), "{error}");
}
