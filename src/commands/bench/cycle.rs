//! `cycle`: each worker answers one task and gets the next, one call a cycle.

use anyhow::Result;
use clap::Args;

use super::report::{Report, Unit};
use super::setup::{Ground, Work};
use super::subject::Subject;
use super::{Clients, Span, closed, pour};

/// Cycles a second that no machine is expected to exceed: so many tasks are created.
const RATE_MAX: u64 = 100_000;

/// One call a cycle: it takes an answer, counts it, and leases the next task
#[derive(Debug, Args)]
pub(super) struct Cycle {
    #[command(flatten)]
    clients: Clients,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    work: Work,
}

impl Cycle {
    pub(super) fn check(&self) -> Result<()> {
        self.clients.check()?;
        super::enough_workers(&self.work, self.clients.clients, "--clients")
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.clients.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let open = self.span.open(RATE_MAX, &self.work);
        pour::beforehand(&connections, &ground, &self.work, open).await?;
        let workers = ground.workers(&connections[0], self.clients.clients, 1).await?;
        let hands = closed::hands(&connections, workers, 1).await?;
        let measured = closed::run(subject, self.span.length(), hands).await?;
        let report = self.clients.told(Report::of("cycle", &ground.run));
        let report = self.work.told(report, &ground).with("open", open);
        Ok(report.measured(subject, Unit::Cycle, &measured).with("refused", measured.tally.refused))
    }
}
