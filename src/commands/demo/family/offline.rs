//! An offline bundle: leased at home, answered on the train, submitted in bulk at the station.

use std::time::Duration;

use anyhow::{Result, ensure};
use piecework_client::proto::v1::dispatch_service_client::DispatchServiceClient;
use piecework_client::proto::v1::return_lease_result::Outcome as Returned;
use piecework_client::proto::v1::submit_answer_result::Outcome as Taken;
use piecework_client::proto::v1::{
    Answer, LeaseRequest, LeaseReturn, ReturnLeasesRequest, ReturnReason, SubmitAnswersRequest,
};
use piecework_client::{Client, Refused, Retry, from_proto, request_id};
use tokio::time::sleep;

use super::bursts::seen;
use super::notebook::Notebook;
use super::road::Road;

type Dispatch = DispatchServiceClient<tonic::transport::Channel>;

const BUNDLE: u32 = 12;
/// Of these, tasks that turn out not to be for this worker.
const RETURNED: usize = 2;
/// How long one picture takes.
const LOOK: Duration = Duration::from_millis(100);

/// What came of the bundle.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offline {
    pub(super) leased: usize,
    pub(super) taken: usize,
    pub(super) returned: usize,
    /// Calls that failed while there was no network.
    pub(super) failed_calls: u64,
}

/// One worker, one bundle.
pub(super) async fn work(
    road: &Road,
    notebook: &Notebook,
    project: &str,
    worker: &str,
) -> Result<Offline> {
    let client = Client::new(&road.server())?;
    let request = LeaseRequest {
        worker: worker.to_owned(),
        count: BUNDLE,
        request_id: request_id(),
        projects: vec![project.to_owned()],
        ..LeaseRequest::default()
    };
    let retry = Retry::within(Duration::from_secs(10));
    let lease = |mut s: Dispatch, r| async move { s.lease(r).await };
    let leases = retry.send(&client.dispatch(), &request, lease).await?.leases;
    let ends: Vec<Duration> = leases.iter().map(|lease| from_proto(lease.remaining)).collect();
    ensure!(ends.iter().max() == ends.iter().min(), "a bundle has one deadline, not {ends:?}");

    road.cut();
    let mut answers = Vec::new();
    for lease in leases.iter().skip(RETURNED) {
        sleep(LOOK).await;
        let answer = seen(&lease.payload);
        notebook.finished(&lease.name, &answer);
        answers.push(Answer { lease: lease.name.clone(), answer, content_type: String::new() });
    }
    let request = SubmitAnswersRequest { worker: worker.to_owned(), answers, next: None };
    let failed = client.dispatch().submit_answers(request.clone()).await;
    road.mend();

    let submit = |mut s: Dispatch, r| async move { s.submit_answers(r).await };
    let reply = retry.send(&client.dispatch(), &request, submit).await?;
    let mut offline = Offline {
        leased: leases.len(),
        failed_calls: u64::from(failed.is_err()),
        ..Offline::default()
    };
    for (item, result) in request.answers.iter().zip(reply.results) {
        match result.outcome {
            Some(Taken::Receipt(_)) => {
                notebook.acknowledged(&item.lease);
                offline.taken += 1;
            }
            Some(Taken::Error(status)) => {
                notebook.refused(&item.lease, &Refused::from(&status).reason);
            }
            None => {}
        }
    }
    let reason = ReturnReason::NotForMe.into();
    let back =
        |lease: &str| LeaseReturn { lease: lease.to_owned(), reason, comment: String::new() };
    let returns = leases.iter().take(RETURNED).map(|lease| back(&lease.name)).collect();
    let request = ReturnLeasesRequest { worker: worker.to_owned(), returns };
    let give_back = |mut s: Dispatch, r| async move { s.return_leases(r).await };
    let reply = retry.send(&client.dispatch(), &request, give_back).await?;
    let is_back = |outcome: &Option<Returned>| matches!(outcome, Some(Returned::Returned(_)));
    offline.returned = reply.results.iter().filter(|result| is_back(&result.outcome)).count();
    Ok(offline)
}
