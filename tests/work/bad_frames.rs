//! What a stream refuses: an operation alone where that is enough, the whole stream
//! where its client cannot be understood.

use piecework_client::proto::v1::work_request as pb;
use piecework_client::proto::v1::work_request::Frame as Asked;
use piecework_client::proto::v1::{ErrorReason as Reason, LeaseReturn, WorkRequest};
use tonic::Code;

use crate::harness::work::{Work, capacity, draft, present, signs};
use crate::harness::{Daemon, Platform, answer, refused};

#[tokio::test]
async fn a_refused_operation_leaves_the_stream_open() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["a"]).await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let bens = platform.lease(&ben, &project).await.name;
    let mut work = platform.synced_work(&[(&ann, 1)]).await;

    // The first is -1, as a number without a sign; the second is one more than anybody may hold.
    for wrong in [u32::MAX, 10_001] {
        let told = work.does(capacity(&ann, wrong)).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, "set_capacity.capacity");
    }
    for of_ben in [
        capacity(&ben, 1),
        signs(&[&ben], &[]),
        draft(&ben, &bens, b"x"),
        Asked::Submit(pb::Submit { worker: ben.clone(), answer: Some(answer(&bens, "a")) }),
        Asked::ReturnLease(pb::Return { worker: ben.clone(), lease_return: None }),
    ] {
        let told = work.does(of_ben).await;
        refused(told, Code::FailedPrecondition, Reason::WorkerNotNamed, "");
    }
    // Another worker's lease does not exist.
    for (of_ben, field) in [
        (draft(&ann, &bens, b"x"), ""),
        (signs(&[], &[&bens]), ""),
        (Asked::Ack(pb::Ack { leases: vec![bens.clone()] }), ""),
        (Asked::Submit(pb::Submit { worker: ann.clone(), answer: Some(answer(&bens, "a")) }), ""),
    ] {
        let told = work.does(of_ben).await;
        refused(told, Code::NotFound, Reason::LeaseNotFound, field);
    }
    for (bad, field) in [
        (Asked::Submit(pb::Submit { worker: ann.clone(), answer: None }), "submit.answer"),
        (signs(&[], &["leases/x"]), "life_signs.leases[0]"),
        (capacity("ann", 1), "set_capacity.worker"),
        (
            Asked::ReturnLease(pb::Return {
                worker: ann.clone(),
                lease_return: Some(LeaseReturn { lease: bens.clone(), ..LeaseReturn::default() }),
            }),
            "return_lease.lease_return.reason",
        ),
    ] {
        let told = work.does(bad).await.expect_err("refused");
        let details = tonic_types::RpcStatusExt::get_error_details(&told);
        let violations = &details.bad_request().expect("a field").field_violations;
        assert_eq!(violations[0].field, field);
    }
    let names = vec!["leases/1-1-1".to_owned(); 1_001];
    let told = work.does(Asked::Ack(pb::Ack { leases: names })).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "ack.leases");

    // It still works.
    platform.tasks(&project, &["b"]).await;
    assert_eq!(&work.pushed(&ann).await[0].payload[..], b"b");
}

async fn ends(work: &mut Work, code: Code, reason: Reason, field: &str) {
    refused(work.end().await, code, reason, field);
}

#[tokio::test]
async fn a_frame_that_cannot_be_understood_ends_the_stream() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let ann = platform.worker("ann").await;
    let invalid = Code::InvalidArgument;
    let again = Asked::Hello(pb::Hello { workers: vec![present(&ann, 1)] });

    let mut work = platform.silent_work().await;
    work.send(1, capacity(&ann, 1));
    ends(&mut work, invalid, Reason::FieldInvalid, "hello").await;

    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    work.send(0, again);
    ends(&mut work, invalid, Reason::FieldInvalid, "hello").await;

    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    let nothing = WorkRequest { op_id: 1, frame: None };
    work.out.as_ref().expect("open").send(nothing).expect("sent");
    ends(&mut work, invalid, Reason::FieldInvalid, "frame").await;

    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    work.send(0, capacity(&ann, 1));
    ends(&mut work, invalid, Reason::FieldInvalid, "op_id").await;

    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    work.does(capacity(&ann, 1)).await.expect("done");
    work.send(1, capacity(&ann, 1));
    ends(&mut work, invalid, Reason::FieldInvalid, "op_id").await;
}

#[tokio::test]
async fn a_hello_that_cannot_be_ends_the_stream() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let ann = platform.worker("ann").await;
    let invalid = Code::InvalidArgument;
    let hello = async |platform: &Platform, workers: &[(&str, u32)]| {
        let mut work = platform.silent_work().await;
        work.hello(workers);
        work.end().await
    };
    let field = "hello.workers[0].capacity";
    refused(hello(&platform, &[(&ann, u32::MAX)]).await, invalid, Reason::FieldInvalid, field);
    refused(hello(&platform, &[]).await, invalid, Reason::FieldInvalid, "hello.workers");
    let twice = [(ann.as_str(), 1), (ann.as_str(), 1)];
    let field = "hello.workers[1].worker";
    refused(hello(&platform, &twice).await, invalid, Reason::FieldInvalid, field);
    let field = "hello.workers[0].worker";
    refused(hello(&platform, &[("ann", 1)]).await, invalid, Reason::NameMalformed, field);
    let gone = hello(&platform, &[("workers/gone", 1)]).await;
    refused(gone, Code::NotFound, Reason::WorkerNotFound, "");

    let mut wish = present(&ann, 1);
    wish.projects = vec!["projects/gone".to_owned()];
    let mut work = platform.silent_work().await;
    work.send(0, Asked::Hello(pb::Hello { workers: vec![wish] }));
    refused(work.end().await, Code::NotFound, Reason::ProjectNotFound, "");
}
