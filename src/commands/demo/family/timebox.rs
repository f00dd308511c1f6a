//! "I have seven minutes": only what fits, and nothing that must be back later.

use std::time::Duration;

use anyhow::{Result, ensure};
use piecework_client::proto::v1::{
    Answer, LeaseRequest, SubmitAnswersRequest, submit_answer_result::Outcome,
};
use piecework_client::{Client, Refused, from_proto, request_id, to_proto};

use super::bursts::seen;
use super::notebook::Notebook;
use crate::session::answer;

/// The box. The tasks are real minutes long, though nobody here works that long on them.
pub(super) const BOX: Duration = Duration::from_secs(7 * 60);
/// How long the project says that one answer takes.
pub(super) const STORY: Duration = Duration::from_secs(2 * 60);
/// Beyond the box a lease may last by its project's grace: at most a minute.
const GRACE_MAX: Duration = Duration::from_secs(60);

/// What came of the box.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimeBox {
    pub(super) asked_for: u32,
    pub(super) granted: usize,
    /// The last deadline of them, seconds from the grant.
    pub(super) ends_within: u64,
}

/// One worker asks for many tasks, and gets as many as fit.
pub(super) async fn work(
    client: &Client,
    notebook: &Notebook,
    project: &str,
    worker: &str,
) -> Result<TimeBox> {
    let request = LeaseRequest {
        worker: worker.to_owned(),
        count: 10,
        request_id: request_id(),
        projects: vec![project.to_owned()],
        within: Some(to_proto(BOX)),
        ..LeaseRequest::default()
    };
    let asked_for = request.count;
    let leases = answer(client.dispatch().lease(request).await)?.leases;
    let last = leases.iter().map(|lease| from_proto(lease.remaining)).max().unwrap_or_default();
    let fit = usize::try_from(BOX.as_secs() / STORY.as_secs())?;
    ensure!(leases.len() == fit, "{} tasks were granted, {fit} fit", leases.len());
    ensure!(last <= BOX + GRACE_MAX, "a deadline lies beyond the box: {last:?}");

    let mut answers = Vec::new();
    for lease in &leases {
        let answer = seen(&lease.payload);
        notebook.finished(&lease.name, &answer);
        answers.push(Answer { lease: lease.name.clone(), answer, content_type: String::new() });
    }
    let request = SubmitAnswersRequest { worker: worker.to_owned(), answers, next: None };
    let reply = answer(client.dispatch().submit_answers(request).await)?;
    for (lease, result) in leases.iter().zip(reply.results) {
        match result.outcome {
            Some(Outcome::Receipt(_)) => notebook.acknowledged(&lease.name),
            Some(Outcome::Error(status)) => {
                notebook.refused(&lease.name, &Refused::from(&status).reason);
            }
            None => {}
        }
    }
    Ok(TimeBox { asked_for, granted: leases.len(), ends_within: last.as_secs() })
}
