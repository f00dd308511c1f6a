//! `start`: a daemon is killed and started again on all its data, until it grants.
//!
//! What it must read again is what lies between its last checkpoint and the end of the
//! journal, and all open tasks.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use piecework_client::Client;
use piecework_client::proto::v1::LeaseRequest;
use tokio::time::Instant;

use super::report::{Report, rounded};
use super::setup::{Ground, Work};
use super::subject::Subject;
use super::{CONNECTIONS, closed, pour};
use crate::daemon::Daemon;
use crate::progress::say;
use crate::session::answer;

/// It must be ready within, however much it holds.
const READY_WITHIN: Duration = Duration::from_secs(600);
/// Connections over which it is filled.
const FILLED_OVER: u32 = CONNECTIONS;

/// The daemon is killed with SIGKILL, with all its tasks; the time is from its next start until
/// it grants a lease
#[derive(Debug, Args)]
pub(super) struct Start {
    /// Open tasks
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    open: u64,
    /// Finished tasks beside them
    #[arg(long, value_name = "N", default_value_t = 0)]
    finished: u64,
    /// How often it is killed
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    kills: u32,
    #[command(flatten)]
    work: Work,
}

/// Two moments of one start, from its beginning.
#[derive(Debug, Clone, Copy)]
struct Started {
    ready: Duration,
    granted: Duration,
}

impl Start {
    /// `daemon`: our own; nobody else's is killed.
    pub(super) async fn run(&self, subject: &Subject, daemon: &mut Daemon) -> Result<Report> {
        let connections = subject.connections(FILLED_OVER)?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        if self.finished > 0 {
            pour::beforehand(&connections, &ground, &self.work, self.finished).await?;
            closed::finish_all(&connections, &ground, &self.work, self.finished).await?;
        }
        let open = pour::Pour::new("open", &ground, &self.work, self.open, pour::BATCH_MAX);
        say(&format!("creating {} tasks", self.open));
        pour::all(&connections, open).await?;
        // One lease for each start.
        let workers = ground.workers(&connections[0], 1, self.kills).await?;
        let mut starts = Vec::new();
        for number in 1..=self.kills {
            say(&format!("killing it, {number} of {}", self.kills));
            daemon.kill().await?;
            starts.push(start(daemon, &workers[0]).await?);
        }
        Ok(self.told(&ground, &starts))
    }

    fn told(&self, ground: &Ground, starts: &[Started]) -> Report {
        let in_order = |of: fn(&Started) -> Duration| {
            let mut all: Vec<Duration> = starts.iter().map(of).collect();
            all.sort();
            all
        };
        let (ready, granted) = (in_order(|one| one.ready), in_order(|one| one.granted));
        let ms = |time: Option<&Duration>| time.map(|time| rounded(time.as_secs_f64() * 1e3, 1));
        let report = Report::of("start", &ground.run);
        self.work
            .told(report, ground)
            .with("open", self.open)
            .with("finished", self.finished)
            .with("starts", granted.len())
            .with("ready_ms", ms(ready.get(ready.len() / 2)))
            .with("first_grant_ms", ms(granted.get(granted.len() / 2)))
            .with("first_grant_lowest_ms", ms(granted.first()))
            .with("first_grant_highest_ms", ms(granted.last()))
    }
}

async fn start(daemon: &mut Daemon, worker: &str) -> Result<Started> {
    let begun = Instant::now();
    daemon.resume(READY_WITHIN).await?;
    let ready = begun.elapsed();
    let request = LeaseRequest { worker: worker.to_owned(), count: 1, ..LeaseRequest::default() };
    let client = Client::new(daemon.server())?;
    let reply = answer(client.dispatch().lease(request).await)?;
    let granted = begun.elapsed();
    reply.leases.first().with_context(|| format!("nothing was granted: {}", reply.empty_reason))?;
    Ok(Started { ready, granted })
}
