//! A platform's live connection keeps no closed tab's lease.

use piecework_client::proto::v1::{ErrorReason as Reason, LeaseState};
use tonic::Code;

use crate::harness::work::signs;
use crate::harness::{Daemon, refused, wait_until};
use piecework_client::proto::v1::work_response::reply;

#[tokio::test]
async fn who_is_named_in_no_life_sign_loses_its_lease_on_time() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.hasty_project("p").await;
    platform.tasks(&project, &["a", "b", "c"]).await;
    let [ann, ben, eve] = platform.workers(["ann", "ben", "eve"]).await;
    let mut work = platform.synced_work(&[(&ann, 1), (&ben, 1), (&eve, 0)]).await;
    let anns = work.pushed(&ann).await;
    let bens = work.pushed(&ben).await;
    work.ack(&[anns[0].clone(), bens[0].clone()]).await;
    work.does(crate::harness::work::capacity(&ben, 0)).await.expect("no more for ben");

    // Three leases' length of life behind the same stream, all of it ann's.
    let mut ended = None;
    for _ in 0..12 {
        let told = work.does(signs(&[&ann], &[])).await;
        let Ok(reply::Outcome::Extensions(told)) = told else { panic!("{told:?}") };
        let extended: Vec<&str> = told.extensions.iter().map(|e| e.lease.as_str()).collect();
        assert_eq!(extended, [&anns[0].name], "only ann showed life");
        ended = match ended {
            Some(ended) => Some(ended),
            None => {
                tokio::time::timeout(std::time::Duration::from_millis(250), work.ended()).await.ok()
            }
        };
    }
    let ended = ended.expect("ben's lease ended in time");
    assert_eq!((ended.worker.as_str(), &ended.lease), (ben.as_str(), &bens[0].name));
    assert_eq!(ended.state(), LeaseState::Expired);
    assert_eq!(platform.leases(&ann).await[0].name, anns[0].name);
    assert_eq!(platform.leases(&ben).await, []);

    // A heartbeat for a lost lease says so; with a good one beside it, what is good.
    let told = work.does(signs(&[], &[&bens[0].name])).await;
    refused(told, Code::FailedPrecondition, Reason::LeaseEnded, "");
    let told = work.does(signs(&[], &[&bens[0].name, &anns[0].name])).await;
    let Ok(reply::Outcome::Extensions(told)) = told else { panic!("{told:?}") };
    assert_eq!(told.extensions[0].lease, anns[0].name);
    let stats = wait_until("the counts agree", async || {
        let stats = platform.stats(&project).await;
        (stats.live_leases == 1).then_some(stats)
    });
    assert_eq!(stats.await.expiries, 1);
}
