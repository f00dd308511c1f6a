//! `churn`: work at a given rate that comes and goes: projects are made, worked off and
//! deleted, so that no more is kept after an hour than after a minute.
//!
//! Calls of workers are due by the clock, as in `mixed.rs`; projects come when they are
//! needed and go when newer ones are enough.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::{CloseProjectRequest, DeleteProjectRequest};
use piecework_client::{CallError, Client};
use tokio::time::{Instant, interval};

use super::mixed;
use super::pour::{self, Pour, batch_max};
use super::report::{Report, Unit, rounded};
use super::schedule::Schedule;
use super::setup::{Ground, Work};
use super::stretch::{Load, Stretch, Tally, measure};
use super::subject::Subject;
use super::{Clients, closed, enough_workers};
use crate::session::answer;

/// How often it is looked whether more is needed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The refusal of a project that still has open tasks or leases.
const NOT_DRAINED: &str = "PROJECT_NOT_DRAINED";

/// Projects are made, worked off at a given rate, and deleted: what is kept stays the same
#[derive(Debug, Args)]
pub(super) struct Churn {
    /// Cycles a second, of all clients together
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// Tasks of each project; the next project comes when fewer are open
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    tasks: u64,
    /// Projects that stay before the oldest is deleted
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    kept: u32,
    /// How long is measured, in seconds
    #[arg(long, value_name = "N", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    #[command(flatten)]
    clients: Clients,
    #[command(flatten)]
    work: Work,
}

/// Who makes projects and deletes them.
#[derive(Debug)]
struct Requester {
    connections: Vec<Client>,
    ground: Ground,
    work: Work,
    /// Of each project.
    tasks: u64,
    kept: usize,
    /// The oldest first.
    projects: VecDeque<String>,
    made: u32,
    deleted: Arc<Mutex<u32>>,
}

impl Churn {
    pub(super) fn check(&self) -> Result<()> {
        self.clients.check()?;
        enough_workers(&self.work, self.clients.clients, "--clients")
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.clients.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let deleted = Arc::new(Mutex::new(0));
        let mut requester = Requester {
            connections: connections.clone(),
            ground: ground.clone(),
            work: self.work.clone(),
            tasks: self.tasks,
            kept: self.kept as usize,
            projects: ground.projects.iter().cloned().collect(),
            made: self.work.projects,
            deleted: Arc::clone(&deleted),
        };
        requester.fill("first").await?;
        let workers = ground.workers(&connections[0], self.clients.clients, 1).await?;
        let hands = closed::hands(&connections, workers, 1).await?;
        let length = Some(Duration::from_secs(self.seconds));
        let many = u64::from(self.clients.clients);
        let measured = measure(subject, "cycles", length, |stretch| {
            let mut all: Vec<Load> = Vec::new();
            for (which, hand) in (0..).zip(hands) {
                let schedule = Schedule::new(stretch, self.rate as f64, which, many);
                all.push(Box::pin(mixed::work(hand, schedule, Arc::clone(stretch))));
            }
            all.push(Box::pin(requester.keep_up(Arc::clone(stretch))));
            all
        })
        .await?;
        let held = measured.tally.done as f64 / (self.rate * self.seconds) as f64;
        let deleted = *deleted.lock().unwrap_or_else(PoisonError::into_inner);
        let report = self.clients.told(Report::of("churn", &ground.run));
        Ok(self
            .work
            .told(report, &ground)
            .with("rate", self.rate)
            .with("tasks_per_project", self.tasks)
            .with("projects_kept", self.kept)
            .measured(subject, Unit::Cycle, &measured)
            .with("refused", measured.tally.refused)
            .with("rate_held", rounded(held, 4))
            .with("projects_deleted", deleted))
    }
}

impl Requester {
    /// Brings the tasks of the newest projects and closes them.
    async fn fill(&mut self, name: &str) -> Result<()> {
        let (tasks, batch) = (self.tasks, batch_max(self.work.payload));
        let tasks = tasks * self.ground.projects.len() as u64;
        pour::all_silently(
            &self.connections,
            Pour::new(name, &self.ground, &self.work, tasks, batch),
        )
        .await?;
        for name in self.ground.projects.clone() {
            answer(self.client().projects().close_project(CloseProjectRequest { name }).await)?;
        }
        Ok(())
    }

    async fn keep_up(mut self, stretch: Arc<Stretch>) -> Result<Tally> {
        let mut look = interval(LOOK_EVERY);
        while !stretch.is_over(Instant::now()) {
            look.tick().await;
            let wanted = u64::from(self.made) * self.tasks * u64::from(self.work.overlap);
            let left = wanted.saturating_sub(stretch.done()) / u64::from(self.work.overlap);
            if left < self.tasks {
                self.next().await?;
            }
        }
        Ok(Tally::new())
    }

    /// One more project, and one less of the oldest that are done.
    async fn next(&mut self) -> Result<()> {
        let name = self.ground.add(&self.client(), &self.work, self.made).await?;
        self.ground.projects = vec![name.clone()];
        self.projects.push_back(name);
        self.made += 1;
        self.fill(&format!("project-{}", self.made)).await?;
        while self.projects.len() > self.kept {
            let Some(name) = self.projects.front().cloned() else { break };
            let request = DeleteProjectRequest { name, ..DeleteProjectRequest::default() };
            match answer(self.client().projects().delete_project(request).await) {
                Ok(_) => self.projects.pop_front(),
                // Somebody still works at it: the next time.
                Err(CallError::Refused(refused)) if refused.reason == NOT_DRAINED => break,
                Err(error) => return Err(error.into()),
            };
            *self.deleted.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        Ok(())
    }

    fn client(&self) -> Client {
        self.connections[0].clone()
    }
}
