//! Push and poll draw from one ordered backlog.

use std::time::Duration;

use piecework_client::proto::v1::LeaseRequest;
use piecework_client::proto::v1::work_request::Frame as Asked;
use piecework_client::proto::v1::work_request::Submit;

use crate::harness::{Daemon, answer, get, in_time, time_passes, wait_until, wire};

/// Whoever has been idle longest gets the next task, however it waits.
#[tokio::test]
async fn pushed_and_polled_workers_see_one_order() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let workers = platform.workers(["w0", "w1", "w2", "w3", "w4", "w5"]).await;
    platform.numbered_tasks(&project, workers.len()).await;
    // The last one made is idle longest: neither the names nor the numbers decide.
    for worker in workers.iter().rev() {
        platform.answer_one(worker, &project, "a").await;
        time_passes(Duration::from_millis(10)).await;
    }

    // Every second one polls, the others are pushed to.
    let mut polls = Vec::new();
    for worker in workers.iter().skip(1).step_by(2).cloned() {
        let (client, project) = (platform.client.clone(), project.clone());
        polls.push(tokio::spawn(async move {
            let request = LeaseRequest {
                worker: worker.clone(),
                wait: wire(Duration::from_secs(60)),
                projects: vec![project],
                ..LeaseRequest::default()
            };
            let leased = client.dispatch().lease(request).await.expect("an answer").into_inner();
            (leased.leases.into_iter().next().expect("a lease").payload, worker)
        }));
    }
    let pushed: Vec<(&str, u32)> = workers.iter().step_by(2).map(|w| (w.as_str(), 1)).collect();
    let mut work = platform.synced_work(&pushed).await;
    wait_until("all six wait", async || {
        let page = get(daemon.metrics(), "/metrics").await;
        (page.value("piecework_waiting_lease_calls") == 6.0).then_some(())
    })
    .await;

    platform.tasks(&project, &["x1", "x2", "x3", "x4", "x5", "x6"]).await;
    let mut got = Vec::new();
    for (worker, _) in &pushed {
        let leases = work.pushed(worker).await;
        got.push((leases[0].payload.clone(), (*worker).to_owned()));
    }
    for poll in polls {
        got.push(in_time("a poll ends", poll).await.expect("no panic"));
    }
    got.sort();
    let order: Vec<&str> = got.iter().map(|(_, worker)| worker.as_str()).collect();
    let expected: Vec<&str> = workers.iter().rev().map(String::as_str).collect();
    assert_eq!(order, expected, "longest idle first, pushed or polled");
}

/// With an answer goes the request for what comes next. Where the answer is refused, what
/// was leased for its place is the worker's no more, and anybody may have it.
#[tokio::test]
async fn a_refused_answer_makes_no_room() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["a", "b"]).await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    let held = work.pushed(&ann).await.remove(0);

    for _ in 0..20 {
        let wrong = Some(answer(&held.name, "no label of the schema"));
        let told = work.does(Asked::Submit(Submit { worker: ann.clone(), answer: wrong })).await;
        assert!(told.is_err(), "{told:?}");
        wait_until("what was leased for it has gone back", async || {
            (platform.stats(&project).await.live_leases == 1).then_some(())
        })
        .await;
        assert_eq!(platform.leases(&ann).await[0].name, held.name);
    }
    let other = platform.lease(&ben, &project).await;
    assert_eq!((&held.payload[..], &other.payload[..]), (&b"a"[..], &b"b"[..]));

    platform.tasks(&project, &["c"]).await;
    work.submit(&ann, &held.name, "a").await;
    let next = work.pushed(&ann).await;
    assert_eq!(next.iter().map(|lease| &lease.payload[..]).collect::<Vec<_>>(), [b"c"]);
}
