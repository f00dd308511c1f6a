//! `intake`: tasks come in, a thousand to a call, some calls under way at a time.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::pour::{self, Pour, batch_max};
use super::report::{Report, Unit};
use super::setup::{Ground, Work};
use super::stretch::measure;
use super::subject::Subject;
use super::{CONNECTIONS, at_most};
use crate::failure::input;

/// Tasks are created, many to a call
#[derive(Debug, Args)]
pub(super) struct Intake {
    /// Tasks to create
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
    /// Tasks in a call
    #[arg(long, value_name = "N", default_value_t = pour::BATCH_MAX,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(pour::BATCH_MAX)))]
    batch: u32,
    /// Calls under way at a time
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// Connections that they share; by default 4, or as many as there are clients
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: Option<u32>,
    #[command(flatten)]
    work: Work,
}

impl Intake {
    pub(super) fn check(&self) -> Result<()> {
        let (batch, payload, most) = (self.batch, self.work.payload, batch_max(self.work.payload));
        if batch > most {
            return Err(input(format!(
                "--batch {batch} of --payload {payload} bytes is more than the 4 MiB of one call; \
                 name at most {most}"
            )));
        }
        at_most(("--connections", self.connections()), ("--clients", self.clients))
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let tasks = Arc::new(Pour::new("intake", &ground, &self.work, self.tasks, self.batch));
        let clients = connections.iter().cycle().take(self.clients as usize);
        let measured = measure(subject, "tasks", None, |stretch| {
            let one = |client: &piecework_client::Client| {
                pour::pour(Arc::clone(&tasks), client.clone(), Arc::clone(stretch))
            };
            clients.map(one).collect()
        })
        .await?;
        let report = Report::of("intake", &ground.run)
            .with("clients", self.clients)
            .with("connections", self.connections())
            .with("batch", self.batch);
        let report = self.work.told(report, &ground).measured(subject, Unit::Task, &measured);
        let grown = measured.after.server_rss.zip(measured.before.server_rss);
        let each = grown.map(|(after, before)| after.saturating_sub(before) / self.tasks);
        Ok(report.with("calls_put_off", measured.tally.refused).with("server_bytes_per_task", each))
    }

    fn connections(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS.min(self.clients))
    }
}
