//! The recorded answers, given again in their order.
//!
//! A worker's leases are asked for in file order, and a task's answers are
//! submitted in file order, since ties go to the value that was answered
//! first. Between the two a worker may hold several leases; so prolific
//! workers do not make one long chain of the whole file.
//!
//! A row only ever waits for earlier rows, so the earliest can always go on.

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

/// Rows looked at at a time: enough that a file in the order of its workers
/// still has several workers in it.
const WINDOW: usize = 4_096;
/// Calls at a time.
const CALLS_MAX: usize = 128;
/// The same where a task may be sure before its last label.
const DYNAMIC_CALLS_MAX: usize = 4;
/// Leases of a worker at a time, within the capacity that it is created with.
const LEASES_MAX: usize = 64;

/// What came of all rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Played {
    /// Second answers of a worker to a task, refused by the daemon.
    pub(super) refused: u64,
    /// Rows that an earlier run of the same project had played.
    pub(super) earlier: u64,
    /// Labels of tasks that were sure without them.
    pub(super) saved: u64,
}

/// What came of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Refused,
    /// An earlier run had played it.
    Earlier,
    /// Its task was sure without it.
    Saved,
}

/// What came of asking for a row's lease.
#[derive(Debug)]
enum Leased {
    Lease(Box<Lease>),
    /// The worker has answered it, or no place is free.
    Taken,
    /// The task is done.
    Done,
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
    /// For each worker, the leases that it may still take.
    hands: Vec<Semaphore>,
    calls: Semaphore,
    /// A task that is sure takes no more, so that each of its labels waits for the one before.
    is_dynamic: bool,
}

/// Resolves when an earlier row has come so far; to an error when it was given up.
type Before = Option<oneshot::Receiver<()>>;

/// Where a row stands in the two orders.
#[derive(Debug)]
struct Turn {
    /// The worker's row before has its lease.
    worker_before: Before,
    leased: oneshot::Sender<()>,
    /// The task's row before is submitted.
    task_before: Before,
    submitted: oneshot::Sender<()>,
}

/// Plays all rows.
///
/// # Errors
/// The daemon refused what it should have taken, or was gone for too long.
pub(super) async fn play(
    client: &Client,
    retry: Retry,
    recording: &Recording,
    is_dynamic: bool,
    project: &str,
    bar: &ProgressBar,
) -> Result<Played> {
    let mut stage = Stage::new(client, retry, recording, project);
    if is_dynamic {
        stage.is_dynamic = true;
        // Refinements keep up, as they would with people.
        stage.calls = Semaphore::new(DYNAMIC_CALLS_MAX);
    }
    let stage = Arc::new(stage);
    let window = Arc::new(Semaphore::new(WINDOW));
    let mut by_task: Vec<Before> = Vec::new();
    by_task.resize_with(recording.tasks.len(), || None);
    let mut by_worker: Vec<Before> = Vec::new();
    by_worker.resize_with(recording.workers.len(), || None);
    let mut running = JoinSet::new();
    let mut played = Played::default();
    for &row in &recording.rows {
        let permit = Arc::clone(&window).acquire_owned().await?;
        while let Some(ended) = running.try_join_next() {
            played.add(ended??, bar);
        }
        let (leased, after_lease) = oneshot::channel();
        let (submitted, after_submit) = oneshot::channel();
        let turn = Turn {
            worker_before: by_worker[row.worker].replace(after_lease),
            leased,
            task_before: by_task[row.task].replace(after_submit),
            submitted,
        };
        let stage = Arc::clone(&stage);
        running.spawn(async move {
            let fate = stage.play(row, turn).await;
            drop(permit);
            fate.with_context(|| format!("labels.csv:{}", row.line))
        });
    }
    while let Some(ended) = running.join_next().await {
        played.add(ended??, bar);
    }
    Ok(played)
}

async fn wait_for(before: &mut Before) -> Result<()> {
    match before.take() {
        Some(before) => before.await.context("an earlier row was given up"),
        None => Ok(()),
    }
}

impl Played {
    fn add(&mut self, outcome: Fate, bar: &ProgressBar) {
        match outcome {
            Fate::Taken => {}
            Fate::Refused => self.refused += 1,
            Fate::Earlier => self.earlier += 1,
            Fate::Saved => self.saved += 1,
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
            hands: recording.workers.iter().map(|_| Semaphore::new(LEASES_MAX)).collect(),
            calls: Semaphore::new(CALLS_MAX),
            is_dynamic: false,
        }
    }

    async fn play(&self, row: Row, mut turn: Turn) -> Result<Fate> {
        wait_for(&mut turn.worker_before).await?;
        let _hand = self.hands[row.worker].acquire().await?;
        if row.is_repeat || self.is_dynamic {
            // The worker's first answer must be in, or this lease would be its first.
            wait_for(&mut turn.task_before).await?;
        }
        let lease = self.lease(row).await?;
        // The last row of a worker or task has nobody who waits for it.
        let _ = turn.leased.send(());
        wait_for(&mut turn.task_before).await?;
        let fate = match lease {
            Leased::Lease(lease) => {
                self.submit(row, *lease).await?;
                Fate::Taken
            }
            Leased::Done if self.is_dynamic => Fate::Saved,
            Leased::Taken | Leased::Done if row.is_repeat => Fate::Refused,
            Leased::Taken | Leased::Done => Fate::Earlier,
        };
        let _ = turn.submitted.send(());
        Ok(fate)
    }

    /// The row's lease; none where the worker has answered, or nobody can any more.
    async fn lease(&self, row: Row) -> Result<Leased> {
        let request = LeaseRequest {
            worker: self.workers[row.worker].clone(),
            count: 1,
            wait: None,
            request_id: format!("{}-row-{}", self.run, row.line),
            projects: Vec::new(),
            task: self.tasks[row.task].clone(),
            ..LeaseRequest::default()
        };
        let _call = self.calls.acquire().await?;
        let leased = self
            .retry
            .send(&self.client.dispatch(), &request, |mut s, r| async move { s.lease(r).await })
            .await;
        match leased {
            Ok(reply) => match reply.leases.into_iter().next() {
                Some(lease) => Ok(Leased::Lease(Box::new(lease))),
                None => bail!("no lease in {}: {}", self.project, reply.empty_reason),
            },
            Err(CallError::Refused(refused)) if refused.is(ErrorReason::TaskDone) => {
                Ok(Leased::Done)
            }
            Err(CallError::Refused(refused)) if is_taken(&refused) => Ok(Leased::Taken),
            Err(error) => Err(error.into()),
        }
    }

    async fn submit(&self, row: Row, lease: Lease) -> Result<()> {
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
        let _call = self.calls.acquire().await?;
        let reply = self
            .retry
            .send(&dispatch, &request, |mut s, r| async move { s.submit_answers(r).await })
            .await?;
        match reply.results.into_iter().next().and_then(|result| result.outcome) {
            Some(Outcome::Receipt(_)) => Ok(()),
            Some(Outcome::Error(status)) => bail!("{}", one_line(&Refused::from(&status))),
            None => bail!("the daemon did not say what became of the answer"),
        }
    }
}

/// The worker has answered this task, or nobody can any more.
fn is_taken(refused: &Refused) -> bool {
    [ErrorReason::AlreadyAnswered, ErrorReason::TaskFull]
        .into_iter()
        .any(|reason| refused.is(reason))
}
