//! An unfinished answer comes back with its lease, and with no other.

use piecework_client::proto::v1::work_response::reply;
use piecework_client::proto::v1::{
    ErrorReason as Reason, LeaseReturn, ReturnLeasesRequest, ReturnReason, SaveDraftRequest,
};
use tonic::Code;

use crate::harness::work::draft;
use crate::harness::{Daemon, refused};

#[tokio::test]
async fn a_draft_survives_another_device_and_a_crash_and_is_nobody_elses() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, ben] = platform.workers(["ann", "ben"]).await;
    let mut work = platform.synced_work(&[(&ann, 1)]).await;
    platform.tasks(&project, &["a"]).await;
    let lease = work.pushed(&ann).await.remove(0);
    assert_eq!(&lease.draft[..], b"");
    let told = work.does(draft(&ann, &lease.name, b"half an answer")).await;
    assert_eq!(told, Ok(reply::Outcome::Ok(())));

    // The connection is lost; the other device has it.
    drop(work);
    let mut other = platform.work(&[(&ann, 1)]).await;
    let held = other.synced(&ann).await;
    assert_eq!((&held[0].name, &held[0].draft[..]), (&lease.name, &b"half an answer"[..]));

    daemon.restart().await;
    let platform = daemon.platform();
    assert_eq!(&platform.leases(&ann).await[0].draft[..], b"half an answer");
    let mut work = platform.work(&[(&ann, 1)]).await;
    assert_eq!(&work.synced(&ann).await[0].draft[..], b"half an answer");

    // The unary way, and none at all.
    let save = |text: &'static [u8]| SaveDraftRequest {
        worker: ann.clone(),
        lease: lease.name.clone(),
        draft: text.into(),
    };
    platform.client.dispatch().save_draft(save(b"more")).await.expect("saved");
    assert_eq!(&platform.leases(&ann).await[0].draft[..], b"more");
    platform.client.dispatch().save_draft(save(b"")).await.expect("saved");
    assert_eq!(&platform.leases(&ann).await[0].draft[..], b"");
    platform.client.dispatch().save_draft(save(b"last")).await.expect("saved");

    // Given back: the next worker begins anew.
    let returned = LeaseReturn {
        lease: lease.name.clone(),
        reason: ReturnReason::NotForMe.into(),
        comment: String::new(),
    };
    let request = ReturnLeasesRequest { worker: ann.clone(), returns: vec![returned] };
    platform.client.dispatch().return_leases(request).await.expect("returned");
    let next = platform.lease(&ben, &project).await;
    assert_eq!((&next.payload[..], &next.draft[..]), (&b"a"[..], &b""[..]));
    let late = platform.client.dispatch().save_draft(save(b"too late")).await;
    refused(late, Code::FailedPrecondition, Reason::LeaseEnded, "");
    let theirs = SaveDraftRequest { lease: next.name, ..save(b"not mine") };
    let theirs = platform.client.dispatch().save_draft(theirs).await;
    refused(theirs, Code::NotFound, Reason::LeaseNotFound, "");
}

#[tokio::test]
async fn a_draft_as_large_as_may_be_comes_back_whole() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["a"]).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await;
    let mut work = platform.work(&[(&ann, 0)]).await;
    let whole = vec![7; 262_144];
    work.does(draft(&ann, &lease.name, &whole)).await.expect("saved");
    assert_eq!(platform.leases(&ann).await[0].draft, whole);
    let larger = vec![7; 262_145];
    let told = work.does(draft(&ann, &lease.name, &larger)).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "save_draft.draft");
    let larger =
        SaveDraftRequest { worker: ann.clone(), lease: lease.name.clone(), draft: larger.into() };
    let told = platform.client.dispatch().save_draft(larger).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "draft");
    assert_eq!(platform.leases(&ann).await[0].draft, whole, "the last good one stays");
}
