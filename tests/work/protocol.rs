//! What comes in which order on a stream.

use std::time::Duration;

use piecework_client::from_proto;
use piecework_client::proto::v1::work_request as pb;
use piecework_client::proto::v1::work_request::Frame as Asked;
use piecework_client::proto::v1::work_response::{Frame, reply};
use piecework_client::proto::v1::{LeaseReturn, ReturnReason};

use crate::harness::work::capacity;
use crate::harness::{Daemon, labelled};

#[tokio::test]
async fn a_stream_tells_what_is_held_before_it_pushes_anything() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["a", "b", "c"]).await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let held = platform.lease(&ann, &project).await;

    let mut work = platform.silent_work().await;
    work.hello(&[(&ann, 2), (&ben, 1)]);
    let Frame::Welcome(welcome) = work.next().await else { panic!("no welcome") };
    let time = |duration: Option<prost_types::Duration>| from_proto(duration);
    assert_eq!(time(welcome.heartbeat_interval), Duration::from_secs(20));
    assert_eq!(time(welcome.claim_within), Duration::from_secs(30));
    assert_eq!((welcome.workers_max, welcome.frame_bytes_max), (10_000, 4 << 20));

    let mut synced = Vec::new();
    let mut pushed = Vec::new();
    while pushed.len() < 2 {
        match work.next().await {
            Frame::HeldLeases(frame) => {
                assert!(!synced.contains(&frame.worker), "held after synced");
                let names: Vec<&str> = frame.leases.iter().map(|l| l.name.as_str()).collect();
                let expected = if frame.worker == ann { vec![held.name.as_str()] } else { vec![] };
                assert_eq!(names, expected);
            }
            Frame::Synced(frame) => synced.push(frame.worker),
            Frame::Leases(frame) => {
                assert!(synced.contains(&frame.worker), "pushed before synced");
                assert_eq!(frame.leases.len(), 1, "each has room for one more");
                pushed.push((frame.worker, frame.leases[0].clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    let payloads: Vec<&[u8]> = pushed.iter().map(|(_, lease)| &lease.payload[..]).collect();
    assert!(payloads.contains(&&b"b"[..]) && payloads.contains(&&b"c"[..]), "{payloads:?}");

    // Answered: room again, and the reply is all that is said of the lease.
    platform.tasks(&project, &["d"]).await;
    let (worker, lease) = &pushed[0];
    work.submit(worker, &lease.name, "a").await;
    let next = work.pushed(worker).await;
    assert_eq!(&next[0].payload[..], b"d");
}

#[tokio::test]
async fn replies_come_by_number_and_capacity_is_absolute() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    let mut work = platform.synced_work(&[(&ann, 0)]).await;
    platform.numbered_tasks(&project, 6).await;
    assert_eq!(work.does(capacity(&ann, 3)).await, Ok(reply::Outcome::Ok(())));
    let mut leases = work.pushed(&ann).await;
    while leases.len() < 3 {
        leases.extend(work.pushed(&ann).await);
    }
    assert_eq!(leases.len(), 3);
    // Sent without waiting: an answer, a return, and less room.
    work.does(capacity(&ann, 1)).await.expect("less room");
    let answer = crate::harness::answer(&leases[0].name, "b");
    let submit = Asked::Submit(pb::Submit { worker: ann.clone(), answer: Some(answer) });
    let give_back = |lease: &str| {
        let lease_return = LeaseReturn {
            lease: lease.to_owned(),
            reason: ReturnReason::NotForMe.into(),
            comment: String::new(),
        };
        Asked::ReturnLease(pb::Return { worker: ann.clone(), lease_return: Some(lease_return) })
    };
    let submitted = work.begin(submit);
    let returned = work.begin(give_back(&leases[1].name));
    let again = work.begin(give_back(&leases[1].name));
    assert_eq!(work.reply(again).await, Ok(reply::Outcome::Ok(())));
    assert_eq!(work.reply(returned).await, Ok(reply::Outcome::Ok(())));
    assert!(matches!(work.reply(submitted).await, Ok(reply::Outcome::Receipt(_))));
    let submission = &platform.submissions(&ann, "").await[0];
    assert_eq!(submission.answer, labelled("b"));
    // It still holds one: nothing more comes until that is gone as well.
    work.submit(&ann, &leases[2].name, "a").await;
    assert_eq!(work.pushed(&ann).await.len(), 1);
    assert_eq!(platform.leases(&ann).await.len(), 1);
}

#[tokio::test]
async fn a_bye_ends_a_stream_in_good_order_and_leases_live_on() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["a", "b"]).await;
    let ann = platform.worker("ann").await;
    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    let leases = work.pushed(&ann).await;
    let ack = Asked::Ack(pb::Ack { leases: vec![leases[0].name.clone()] });
    let op_id = work.begin(ack);
    work.send(0, Asked::Bye(pb::Bye {}));
    assert_eq!(work.reply(op_id).await, Ok(reply::Outcome::Ok(())));
    work.end().await.expect("a good end");
    assert_eq!(platform.leases(&ann).await[0].name, leases[0].name);

    // So does a client that only stops sending.
    let mut work = platform.work(&[(&ann, 1)]).await;
    assert_eq!(work.synced(&ann).await.len(), 1);
    work.out = None;
    work.end().await.expect("a good end");
    platform.submit(&ann, &leases[0].name, "a").await;
    assert_eq!(platform.stats(&project).await.live_leases, 0, "nobody asks for more");
}
