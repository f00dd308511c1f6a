//! `bundle`: workers answer a bundle in one call and get the next bundle with it.

use anyhow::Result;
use clap::Args;

use super::report::{Report, Unit};
use super::setup::{Ground, Work};
use super::subject::Subject;
use super::{Clients, Span, closed, enough_workers, pour};

/// Cycles a second that no machine is expected to exceed: so many tasks are created.
const RATE_MAX: u64 = 300_000;

/// Tasks are leased and answered in bundles, one call a bundle
#[derive(Debug, Args)]
pub(super) struct Bundle {
    #[command(flatten)]
    clients: Clients,
    /// Tasks in a bundle
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    size: u32,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    work: Work,
}

impl Bundle {
    pub(super) fn check(&self) -> Result<()> {
        self.clients.check()?;
        enough_workers(&self.work, self.clients.clients, "--clients")
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.clients.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let open = self.span.open(RATE_MAX, &self.work);
        pour::beforehand(&connections, &ground, &self.work, open).await?;
        let workers = ground.workers(&connections[0], self.clients.clients, self.size).await?;
        let hands = closed::hands(&connections, workers, self.size).await?;
        let measured = closed::run(subject, self.span.length(), hands).await?;
        let report = self.clients.told(Report::of("bundle", &ground.run)).with("size", self.size);
        let report = self.work.told(report, &ground).with("open", open);
        let refused = measured.tally.refused;
        Ok(report.measured(subject, Unit::Cycle, &measured).with("refused", refused))
    }
}
