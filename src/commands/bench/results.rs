//! `results`: finished tasks are delivered from the beginning, as fast as they are read.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use piecework_client::proto::v1::watch_results_response::Frame;
use piecework_client::proto::v1::{GetProjectStatsRequest, WatchResultsRequest};
use piecework_client::{CallError, Client};
use prost::Message;
use tokio::time::Instant;

use super::report::{Report, Unit, per_second};
use super::setup::{Ground, Work};
use super::stretch::{Stretch, Tally, measure};
use super::subject::Subject;
use super::{CONNECTIONS, at_most, closed, pour};
use crate::session::answer;

/// Results of finished tasks are read from the beginning; the times are until the first one
#[derive(Debug, Args)]
pub(super) struct Results {
    /// Tasks done beforehand
    #[arg(long, value_name = "N", default_value_t = 200_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
    /// Watchers, each of which reads all results of a project
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// Connections that they share; by default 4, or as many as there are clients
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: Option<u32>,
    #[command(flatten)]
    work: Work,
}

impl Results {
    pub(super) fn check(&self) -> Result<()> {
        at_most(("--connections", self.connections()), ("--clients", self.clients))
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        pour::beforehand(&connections, &ground, &self.work, self.tasks).await?;
        closed::finish_all(&connections, &ground, &self.work, self.tasks).await?;

        let mut watched = Vec::new();
        let clients = connections.iter().cycle().zip(ground.projects.iter().cycle());
        for (client, project) in clients.take(self.clients as usize) {
            watched.push((client.clone(), project.clone(), finished(client, project).await?));
        }
        let measured = measure(subject, "results", None, |stretch| {
            let one = |(client, project, count)| read(client, project, count, Arc::clone(stretch));
            watched.into_iter().map(one).collect()
        })
        .await?;
        let report = Report::of("results", &ground.run)
            .with("clients", self.clients)
            .with("connections", self.connections());
        let report = self.work.told(report, &ground).with("tasks", self.tasks);
        let bytes = measured.tally.bytes;
        Ok(report
            .measured(subject, Unit::Result, &measured)
            .with("bytes", bytes)
            .with("bytes_per_second", per_second(bytes, measured.took)))
    }

    fn connections(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS.min(self.clients))
    }
}

/// How many tasks of a project are done.
async fn finished(client: &Client, project: &str) -> Result<u64> {
    let request = GetProjectStatsRequest { name: project.into(), min_position: String::new() };
    let stats = answer(client.projects().get_project_stats(request).await)?.stats;
    let tasks = stats.and_then(|stats| stats.tasks).context("a project without counts")?;
    Ok(tasks.done)
}

/// So many results of a project, from the first.
async fn read(client: Client, project: String, count: u64, stretch: Arc<Stretch>) -> Result<Tally> {
    let (mut tally, begun) = (Tally::new(), Instant::now());
    let request = WatchResultsRequest { parent: project, ..WatchResultsRequest::default() };
    let mut stream = answer(client.results().watch_results(request).await)?;
    while tally.done < count {
        let message = stream.message().await.map_err(CallError::from)?;
        let message = message.context("the daemon ended a stream of results")?;
        let Some(Frame::Result(_)) = &message.frame else { continue };
        if tally.done == 0 {
            tally.took(begun.elapsed());
        }
        tally.bytes += message.encoded_len() as u64;
        tally.done += 1;
        stretch.add(1);
    }
    Ok(tally)
}
