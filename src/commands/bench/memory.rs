//! `memory`: what an open task costs in RAM: resident memory with some of them, and with twice
//! as many.
//!
//! Payloads lie on disk, behind a cache of fixed size. With the first half it is full, so that
//! what the second half adds is not payloads, where there are tasks enough.

use anyhow::{Result, bail};
use clap::Args;
use piecework_client::Client;
use piecework_client::proto::v1::return_lease_result::Outcome;
use piecework_client::proto::v1::{LeaseRequest, LeaseReturn, ReturnLeasesRequest, ReturnReason};
use tokio::task::JoinSet;

use super::CONNECTIONS;
use super::pour::{self, Pour, batch_max};
use super::report::{NOT_OURS, Report, rounded};
use super::setup::{Ground, Priorities, Work};
use super::subject::Subject;
use crate::failure::input;
use crate::progress::say;
use crate::session::answer;

/// Tasks that are touched at a time: all are leased before the first of them is returned, or it
/// would be leased again.
const TOUCHED_AT_A_TIME: u64 = 100_000;
/// Leases that a worker may hold.
const HELD_MAX: u32 = 10_000;
const WORKERS: u32 = 10;
/// Leases in a call.
const CALL_MAX: u32 = 1_000;
/// The first have this priority, and those that come later a higher one.
const PRIORITY_MIN: i32 = -100;

/// Memory with open tasks and with twice as many: what a task costs
#[derive(Debug, Args)]
pub(super) struct Memory {
    /// Tasks of each half
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    tasks: u64,
    /// Lease each task once and return it
    #[arg(long)]
    touch: bool,
    #[command(flatten)]
    work: Work,
}

impl Memory {
    pub(super) fn check(&self) -> Result<()> {
        let Work { overlap, projects, priorities, .. } = &self.work;
        let is_plain = *overlap == 1 && *projects == 1 && *priorities == Priorities::Equal;
        if self.touch && !is_plain {
            return Err(input(
                "--touch: each task is leased once only in one project, with equal priorities and \
                 one answer for each; leave out --projects, --priorities and --overlap"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(CONNECTIONS)?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let workers = match self.touch {
            true => ground.workers(&connections[0], WORKERS, HELD_MAX).await?,
            false => Vec::new(),
        };
        let mut resident = vec![resident(subject).await?];
        for half in 0..2 {
            say(&format!("creating {} tasks", self.tasks));
            self.fill(&connections, &ground, &workers, half).await?;
            resident.push(self::resident(subject).await?);
        }
        let grown = resident[2].zip(resident[1]).map(|(all, half)| all as f64 - half as f64);
        let each = grown.map(|bytes| rounded(bytes / self.tasks as f64, 1));
        let note = (!subject.is_ours()).then_some(NOT_OURS);
        let report = self.work.told(Report::of("memory", &ground.run), &ground);
        Ok(report
            .with("own_ids", self.work.own_ids)
            .with("touched", self.touch)
            .with("tasks", 2 * self.tasks)
            .with("server_rss_bytes_empty", resident[0])
            .with("server_rss_bytes_half", resident[1])
            .with("server_rss_bytes", resident[2])
            .with("server_bytes_per_task", each)
            .with("note", note))
    }

    /// One half.
    async fn fill(
        &self,
        connections: &[Client],
        ground: &Ground,
        workers: &[String],
        half: u64,
    ) -> Result<()> {
        let batch = batch_max(self.work.payload);
        if !self.touch {
            let name = format!("half-{half}");
            return pour::all(connections, Pour::new(&name, ground, &self.work, self.tasks, batch))
                .await;
        }
        let parts = self.tasks.div_ceil(TOUCHED_AT_A_TIME);
        for part in 0..parts {
            let tasks = TOUCHED_AT_A_TIME.min(self.tasks - part * TOUCHED_AT_A_TIME);
            let number = half * parts + part;
            let priority = PRIORITY_MIN + i32::try_from(number)?;
            let name = format!("part-{number}");
            let pour = Pour::new(&name, ground, &self.work, tasks, batch).at_priority(priority);
            pour::all(connections, pour).await?;
            touch(connections, workers, tasks).await?;
        }
        Ok(())
    }
}

/// Memory of the daemon when it has done with what came before.
async fn resident(subject: &Subject) -> Result<Option<u64>> {
    subject.rests().await;
    Ok(subject.sample().await?.server_rss)
}

/// Leases so many tasks, those that come first, and then returns them all.
async fn touch(connections: &[Client], workers: &[String], tasks: u64) -> Result<()> {
    let each = u32::try_from(tasks.div_ceil(workers.len() as u64))?;
    let mut leasing = JoinSet::new();
    for (worker, client) in workers.iter().zip(connections.iter().cycle()) {
        leasing.spawn(lease(client.clone(), worker.clone(), each));
    }
    let mut held = Vec::new();
    while let Some(one) = leasing.join_next().await {
        held.push(one??);
    }
    let leased: usize = held.iter().map(|(_, leases)| leases.len()).sum();
    if leased as u64 != tasks {
        bail!("{leased} of {tasks} tasks could be leased");
    }
    let mut returning = JoinSet::new();
    for ((worker, leases), client) in held.into_iter().zip(connections.iter().cycle()) {
        returning.spawn(give_back(client.clone(), worker, leases));
    }
    while let Some(one) = returning.join_next().await {
        one??;
    }
    Ok(())
}

/// So many, or as many as there are. Returns the worker too.
async fn lease(client: Client, worker: String, mut left: u32) -> Result<(String, Vec<String>)> {
    let mut leases = Vec::new();
    while left > 0 {
        let count = left.min(CALL_MAX);
        let request = LeaseRequest { worker: worker.clone(), count, ..LeaseRequest::default() };
        let reply = answer(client.dispatch().lease(request).await)?;
        if reply.leases.is_empty() {
            break;
        }
        left = left.saturating_sub(u32::try_from(reply.leases.len())?);
        leases.extend(reply.leases.into_iter().map(|lease| lease.name));
    }
    Ok((worker, leases))
}

async fn give_back(client: Client, worker: String, leases: Vec<String>) -> Result<()> {
    for leases in leases.chunks(CALL_MAX as usize) {
        let back = |lease: &String| LeaseReturn {
            lease: lease.clone(),
            reason: ReturnReason::OutOfTime.into(),
            comment: String::new(),
        };
        let returns = leases.iter().map(back).collect();
        let request = ReturnLeasesRequest { worker: worker.clone(), returns };
        let reply = answer(client.dispatch().return_leases(request).await)?;
        for result in reply.results {
            if let Some(Outcome::Error(status)) = result.outcome {
                bail!("a lease could not be returned: {}", status.message);
            }
        }
    }
    Ok(())
}
