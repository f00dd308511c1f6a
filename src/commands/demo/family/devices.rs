//! Drafts: begun on the phone, finished on the tablet, and never shown to anybody else.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use piecework_client::proto::v1::submit_answer_result::Outcome;
use piecework_client::proto::v1::{
    Answer, Lease, LeaseRequest, LeaseReturn, ListLeasesRequest, ReturnLeasesRequest, ReturnReason,
    SaveDraftRequest, SubmitAnswersRequest,
};
use piecework_client::{Client, request_id};

use super::bursts::seen;
use super::notebook::Notebook;
use crate::session::answer;

/// What came of the drafts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Devices {
    /// Drafts saved on the phone.
    pub(super) saved: usize,
    /// Of those, found on the tablet.
    pub(super) taken_up: usize,
    /// Shown to another worker who got the task next.
    pub(super) leaked: usize,
}

const TASKS: u32 = 4;

/// `worker` changes devices; `next` gets a task that `worker` gave back with a draft.
pub(super) async fn work(
    server: &str,
    notebook: &Notebook,
    project: &str,
    worker: &str,
    next: &str,
) -> Result<Devices> {
    // A connection of its own for each device.
    let phone = Client::new(server)?;
    let leases = lease(&phone, worker, project, TASKS).await?;
    let mut devices = Devices::default();
    for (number, lease) in leases.iter().enumerate() {
        for words in ["once", "once upon a time"] {
            let request = SaveDraftRequest {
                worker: worker.to_owned(),
                lease: lease.name.clone(),
                draft: draft(number, words),
            };
            answer(phone.dispatch().save_draft(request).await)?;
        }
        devices.saved += 1;
    }
    drop(phone);

    let tablet = Client::new(server)?;
    let request = ListLeasesRequest { worker: worker.to_owned(), ..ListLeasesRequest::default() };
    let held = answer(tablet.dispatch().list_leases(request).await)?.leases;
    let is_ours = |lease: &&Lease| leases.iter().any(|ours| ours.name == lease.name);
    let mut held: Vec<&Lease> = held.iter().filter(is_ours).collect();
    held.sort_by_key(|lease| leases.iter().position(|ours| ours.name == lease.name));
    for (number, lease) in held.iter().enumerate() {
        devices.taken_up += usize::from(lease.draft == draft(number, "once upon a time"));
    }
    let (given_up, kept) = held.split_last().context("no lease was found again")?;
    let request = ReturnLeasesRequest {
        worker: worker.to_owned(),
        returns: vec![LeaseReturn {
            lease: given_up.name.clone(),
            reason: ReturnReason::NotForMe.into(),
            comment: String::new(),
        }],
    };
    answer(tablet.dispatch().return_leases(request).await)?;
    for lease in kept {
        submit(&tablet, notebook, worker, lease).await?;
    }
    let again = lease(&tablet, next, project, TASKS).await?;
    let same = again.iter().find(|lease| lease.payload == given_up.payload);
    ensure!(same.is_some(), "the task that was given back is offered to nobody");
    devices.leaked = again.iter().filter(|lease| !lease.draft.is_empty()).count();
    for lease in &again {
        submit(&tablet, notebook, next, lease).await?;
    }
    Ok(devices)
}

fn draft(number: usize, words: &str) -> Bytes {
    format!("{words} ({number})").into()
}

async fn lease(client: &Client, worker: &str, project: &str, count: u32) -> Result<Vec<Lease>> {
    let request = LeaseRequest {
        worker: worker.to_owned(),
        count,
        request_id: request_id(),
        projects: vec![project.to_owned()],
        ..LeaseRequest::default()
    };
    Ok(answer(client.dispatch().lease(request).await)?.leases)
}

async fn submit(client: &Client, notebook: &Notebook, worker: &str, lease: &Lease) -> Result<()> {
    let done = seen(&lease.payload);
    notebook.finished(&lease.name, &done);
    let request = SubmitAnswersRequest {
        worker: worker.to_owned(),
        answers: vec![Answer {
            lease: lease.name.clone(),
            answer: done,
            content_type: String::new(),
        }],
        next: None,
    };
    let reply = answer(client.dispatch().submit_answers(request).await)?;
    let outcome = reply.results.into_iter().next().and_then(|result| result.outcome);
    ensure!(matches!(outcome, Some(Outcome::Receipt(_))), "the answer was not taken: {outcome:?}");
    notebook.acknowledged(&lease.name);
    Ok(())
}
