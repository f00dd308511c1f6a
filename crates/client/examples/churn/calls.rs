//! The calls that the load makes.

use piecework_client::Client;
use piecework_client::proto::v1;

use super::Failure;

/// `requesters/{id}`.
pub(crate) async fn create_requester(client: &Client, id: &str) -> Result<(), Failure> {
    let request = v1::CreateRequesterRequest {
        requester_id: id.into(),
        requester: Some(v1::Requester::default()),
        ..Default::default()
    };
    client.requesters().create_requester(request).await?;
    Ok(())
}

/// `workers/{id}`, a person. Returns its name.
pub(crate) async fn create_worker(client: &Client, id: &str) -> Result<String, Failure> {
    let request = v1::CreateWorkerRequest {
        worker_id: id.into(),
        worker: Some(v1::Worker { kind: v1::WorkerKind::Human.into(), ..Default::default() }),
        ..Default::default()
    };
    client.workers().create_worker(request).await?;
    Ok(format!("workers/{id}"))
}

/// Leases a task and answers it. False: there was none. `round`: never twice the
/// same for a worker.
pub(crate) async fn lease_and_answer(
    client: &Client,
    worker: &str,
    round: u64,
) -> Result<bool, Failure> {
    let request = v1::LeaseRequest {
        worker: worker.into(),
        count: 1,
        request_id: format!("r{round}"),
        ..Default::default()
    };
    let mut dispatch = client.dispatch();
    let leased = dispatch.lease(request).await?.into_inner();
    let Some(lease) = leased.leases.first() else { return Ok(false) };
    let answer = v1::Answer {
        lease: lease.name.clone(),
        answer: "done".into(),
        content_type: "text/plain".into(),
    };
    let request = v1::SubmitAnswersRequest {
        worker: worker.into(),
        answers: vec![answer],
        ..Default::default()
    };
    let submitted = dispatch.submit_answers(request).await?.into_inner();
    let outcome = submitted.results.first().and_then(|r| r.outcome.as_ref());
    match outcome {
        Some(v1::submit_answer_result::Outcome::Receipt(_)) => Ok(true),
        _ => Err(format!("an answer was refused: {outcome:?}").into()),
    }
}
