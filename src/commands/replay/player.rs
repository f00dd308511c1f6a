//! The recorded answers, given again in their order.
//!
//! A row waits for the row before it of the same task, since ties go to the
//! value that was answered first, and for the row before it of the same
//! worker. Everything else runs side by side, within a window over the file.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use piecework_client::proto::v1::submit_answer_result::Outcome;
use piecework_client::proto::v1::{
    Answer, ErrorReason, Lease, LeaseRequest, LeaseState, SubmitAnswersRequest,
};
use piecework_client::{CallError, Client, Refused, Retry};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::recording::{Recording, Row};
use super::{ids, setup};
use crate::failure::one_line;

/// Rows that may be on their way at a time.
const WINDOW: usize = 64;

/// What came of all rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Played {
    /// Second answers of a worker to a task, refused by the daemon.
    pub(super) refused: u64,
    /// Rows that an earlier run of the same project had played.
    pub(super) earlier: u64,
}

/// What came of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Refused,
    Earlier,
}

/// Everything a row needs.
#[derive(Debug)]
struct Stage {
    client: Client,
    retry: Retry,
    project: String,
    /// Begins every request id: another run of the same recording is another set of requests.
    run: String,
    tasks: Vec<String>,
    workers: Vec<String>,
    answers: Vec<String>,
}

/// Resolves when a row is over; an error when it was given up.
type Over = oneshot::Receiver<()>;

/// Plays all rows.
///
/// # Errors
/// The daemon refused what it should have taken, or was gone for too long.
pub(super) async fn play(
    client: &Client,
    retry: Retry,
    recording: &Recording,
    project: &str,
    bar: &ProgressBar,
) -> Result<Played> {
    let stage = Arc::new(Stage::new(client, retry, recording, project));
    let window = Arc::new(Semaphore::new(WINDOW));
    let mut by_task: Vec<Option<Over>> = Vec::new();
    by_task.resize_with(recording.tasks.len(), || None);
    let mut by_worker: Vec<Option<Over>> = Vec::new();
    by_worker.resize_with(recording.workers.len(), || None);
    let mut running = JoinSet::new();
    let mut played = Played::default();
    for &row in &recording.rows {
        let permit = Arc::clone(&window).acquire_owned().await?;
        while let Some(ended) = running.try_join_next() {
            played.add(ended??, bar);
        }
        let (task_over, after_task) = oneshot::channel();
        let (worker_over, after_worker) = oneshot::channel();
        let before =
            [by_task[row.task].replace(after_task), by_worker[row.worker].replace(after_worker)];
        let stage = Arc::clone(&stage);
        running.spawn(async move {
            for over in before.into_iter().flatten() {
                over.await.context("an earlier row was given up")?;
            }
            let line = row.line;
            let outcome = stage.play(row).await.with_context(|| format!("labels.csv:{line}"))?;
            // The last row of a task or worker has nobody who waits for it.
            let _ = (task_over.send(()), worker_over.send(()));
            drop(permit);
            anyhow::Ok(outcome)
        });
    }
    while let Some(ended) = running.join_next().await {
        played.add(ended??, bar);
    }
    Ok(played)
}

impl Played {
    fn add(&mut self, outcome: Fate, bar: &ProgressBar) {
        match outcome {
            Fate::Taken => {}
            Fate::Refused => self.refused += 1,
            Fate::Earlier => self.earlier += 1,
        }
        bar.inc(1);
    }
}

impl Stage {
    fn new(client: &Client, retry: Retry, recording: &Recording, project: &str) -> Self {
        let set = ids::set(&recording.name);
        let task = |source: &str| format!("{project}/tasks/{}", ids::task(source).id);
        let worker = |source: &String| format!("workers/{}", ids::worker(&set, source).id);
        Self {
            client: client.clone(),
            retry,
            project: project.to_owned(),
            run: blake3::hash(project.as_bytes()).to_hex()[..16].to_owned(),
            tasks: recording.tasks.iter().map(|t| task(&t.source)).collect(),
            workers: recording.workers.iter().map(worker).collect(),
            answers: recording.choices.iter().map(|choice| setup::answer(choice)).collect(),
        }
    }

    async fn play(&self, row: Row) -> Result<Fate> {
        let request = LeaseRequest {
            worker: self.workers[row.worker].clone(),
            count: 1,
            wait: None,
            request_id: format!("{}-row-{}", self.run, row.line),
            projects: Vec::new(),
            task: self.tasks[row.task].clone(),
        };
        let leased = self
            .retry
            .send(&self.client.dispatch(), &request, |mut s, r| async move { s.lease(r).await })
            .await;
        match leased {
            Ok(reply) => match reply.leases.into_iter().next() {
                Some(lease) => self.submit(row, lease).await,
                None => bail!("no lease in {}: {}", self.project, reply.empty_reason),
            },
            Err(CallError::Refused(refused)) if is_taken(&refused) => {
                Ok(if row.is_repeat { Fate::Refused } else { Fate::Earlier })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn submit(&self, row: Row, lease: Lease) -> Result<Fate> {
        if matches!(lease.state(), LeaseState::Returned | LeaseState::Revoked) {
            bail!("{} was taken away", lease.name);
        }
        let answer = self.answers[row.choice].clone();
        let request = SubmitAnswersRequest {
            worker: lease.worker,
            answers: vec![Answer {
                lease: lease.name,
                answer: answer.into(),
                content_type: String::new(),
            }],
            next: None,
        };
        let dispatch = self.client.dispatch();
        let reply = self
            .retry
            .send(&dispatch, &request, |mut s, r| async move { s.submit_answers(r).await })
            .await?;
        match reply.results.into_iter().next().and_then(|result| result.outcome) {
            Some(Outcome::Receipt(_)) => Ok(Fate::Taken),
            Some(Outcome::Error(status)) => bail!("{}", one_line(&Refused::from(&status))),
            None => bail!("the daemon did not say what became of the answer"),
        }
    }
}

/// The worker has answered this task, or nobody can any more.
fn is_taken(refused: &Refused) -> bool {
    [ErrorReason::AlreadyAnswered, ErrorReason::TaskDone, ErrorReason::TaskFull]
        .into_iter()
        .any(|reason| refused.is(reason))
}
