//! Tasks come in: calls of a thousand, some at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use bytes::Bytes;
use fastrand::Rng;
use indicatif::ProgressBar;
use piecework_client::proto::v1::create_task_result::Outcome;
use piecework_client::proto::v1::{CreateTasksRequest, NewTask};
use piecework_client::{CallError, Client};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::setup::{Ground, Priorities, Work};
use super::stretch::{Stretch, Tally};
use crate::progress::{self, say};
use crate::session::answer;

/// Tasks in one call, at most.
pub(super) const BATCH_MAX: u32 = 1_000;
/// What a call may carry, with room for what goes around the payloads.
const CALL_BYTES_MAX: u32 = (4 << 20) - (64 << 10);
/// What goes around one payload, bytes.
const AROUND: u32 = 24;
/// Calls under way while a run is set up.
const CALLS: u32 = 4;

/// The most tasks of this payload that one call takes.
pub(super) fn batch_max(payload: u32) -> u32 {
    (CALL_BYTES_MAX / (payload + AROUND)).clamp(1, BATCH_MAX)
}

/// So many tasks, still to be created.
#[derive(Debug)]
pub(super) struct Pour {
    tasks: u64,
    batch: u32,
    projects: Vec<String>,
    payload: Bytes,
    priorities: Priorities,
    /// Of all, where they are equal.
    priority: i32,
    seed: u64,
    own_ids: bool,
    /// Tells its calls, and its own ids, from those of another.
    name: String,
    next: AtomicU64,
}

impl Pour {
    /// `name`: no other one of this run has it. `batch`: tasks in a call, fewer where each
    /// project is to get some.
    pub(super) fn new(name: &str, ground: &Ground, work: &Work, tasks: u64, batch: u32) -> Self {
        let projects = ground.projects.clone();
        let share = tasks.div_ceil(projects.len() as u64).max(1);
        let batch = batch.min(u32::try_from(share).unwrap_or(batch));
        Self {
            tasks,
            batch,
            projects,
            payload: vec![b'x'; work.payload as usize].into(),
            priorities: work.priorities,
            priority: 0,
            seed: work.seed,
            own_ids: work.own_ids,
            name: name.to_owned(),
            next: AtomicU64::new(0),
        }
    }

    /// The same with another priority, where all have the same.
    pub(super) fn at_priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// The next call; none when all have been taken.
    pub(super) fn next_call(&self) -> Option<CreateTasksRequest> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let first = number * u64::from(self.batch);
        let count = self.tasks.checked_sub(first).filter(|left| *left > 0)?;
        let count = count.min(u64::from(self.batch));
        let (payload, priority) = (self.payload.clone(), self.priority);
        let task = NewTask { payload, priority, ..NewTask::default() };
        let mut tasks = vec![task; usize::try_from(count).ok()?];
        if self.priorities == Priorities::Random {
            let mut rng = Rng::with_seed(self.seed ^ number);
            tasks.iter_mut().for_each(|task| task.priority = rng.i32(-100..=100));
        }
        if self.own_ids {
            let ids = (first..).map(|number| format!("{}-{number}", self.name));
            tasks.iter_mut().zip(ids).for_each(|(task, id)| task.task_id = id);
        }
        let turn = usize::try_from(number % self.projects.len() as u64).unwrap_or(0);
        let parent = self.projects[turn].clone();
        Some(CreateTasksRequest { parent, tasks, request_id: format!("{}-{number}", self.name) })
    }
}

/// Sends one call, and again whenever the daemon asks for that: intake is what it puts off
/// first. Returns how many tasks it made, and how often it was put off.
pub(super) async fn send(client: &Client, request: CreateTasksRequest) -> Result<(u64, u64)> {
    let mut put_off = 0;
    let created = loop {
        match answer(client.tasks().create_tasks(request.clone()).await) {
            Err(CallError::Refused(refused)) if refused.retry_after.is_some() => {
                put_off += 1;
                sleep(refused.retry_after.unwrap_or_default()).await;
            }
            other => break other?,
        }
    };
    for result in &created.results {
        if let Some(Outcome::Error(status)) = &result.outcome {
            bail!("a task was refused: {}", status.message);
        }
    }
    Ok((created.results.len() as u64, put_off))
}

/// One call after the other, until the stretch is over or all have been taken.
pub(super) async fn pour(pour: Arc<Pour>, client: Client, stretch: Arc<Stretch>) -> Result<Tally> {
    let mut tally = Tally::new();
    loop {
        let begun = tokio::time::Instant::now();
        if stretch.is_over(begun) {
            break;
        }
        let Some(request) = pour.next_call() else { break };
        let (made, put_off) = send(&client, request).await?;
        tally.refused += put_off;
        tally.took(begun.elapsed());
        tally.done += made;
        stretch.add(made);
    }
    Ok(tally)
}

/// All of them, before a run.
pub(super) async fn beforehand(
    connections: &[Client],
    ground: &Ground,
    work: &Work,
    tasks: u64,
) -> Result<()> {
    say(&format!("creating {tasks} tasks in {} projects", ground.projects.len()));
    let began = Instant::now();
    all(connections, Pour::new("before", ground, work, tasks, batch_max(work.payload))).await?;
    say(&format!("created in {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// All of them, some calls at a time.
pub(super) async fn all(connections: &[Client], pour: Pour) -> Result<()> {
    let bar = progress::bar(pour.tasks, "tasks");
    brought(connections, pour, &bar).await?;
    bar.finish_and_clear();
    Ok(())
}

/// The same, while something else is shown.
pub(super) async fn all_silently(connections: &[Client], pour: Pour) -> Result<()> {
    brought(connections, pour, &ProgressBar::hidden()).await
}

async fn brought(connections: &[Client], pour: Pour, bar: &ProgressBar) -> Result<()> {
    let pour = Arc::new(pour);
    let mut calls = JoinSet::new();
    for client in connections.iter().cycle().take(CALLS as usize) {
        let (pour, client, bar) = (Arc::clone(&pour), client.clone(), bar.clone());
        calls.spawn(async move {
            while let Some(request) = pour.next_call() {
                bar.inc(send(&client, request).await?.0);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = calls.join_next().await {
        done??;
    }
    Ok(())
}
