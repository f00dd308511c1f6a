//! `bench cycle | stream | bundle | intake | results | idle | mixed | start | memory | churn`:
//! a daemon under load.
//!
//! Starts the real daemon as a process of its own, with its data on disk, or puts the
//! load on the one named with `--server`. Load and daemon share the machine, so the load
//! is made cheaply: the generated clients, many workers to a connection, no retries.
//!
//! Not here: one scenario (a file for each), what is created beforehand (`setup.rs`,
//! `pour.rs`), what is counted and when (`stretch.rs`), what is told (`report.rs`).

mod bundle;
mod churn;
mod closed;
mod cycle;
mod idle;
mod intake;
mod memory;
mod mixed;
mod place;
mod pour;
mod report;
mod results;
mod schedule;
mod scrape;
mod setup;
mod skills;
mod start;
mod stream;
mod stretch;
mod subject;
mod submitter;
mod top_up;
mod usage;
mod work_stream;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use self::report::Report;
use self::setup::{Ground, Work};
use self::subject::Subject;
use crate::cli::Connection;
use crate::daemon::Daemon;
use crate::failure::{Failure, input};
use crate::interrupt::Interrupt;
use crate::progress::say;
use crate::session::Session;

/// Measure a daemon under load: rates, times, CPU, memory, disk
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    scenario: Scenario,
    /// Threads that make the load; by default as many as cores
    #[arg(long, global = true, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// An empty directory for the daemon's data, which then stay; by default in the system's
    /// directory for temporary files
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A setting of the daemon, by its key in the configuration: `--set cache_bytes=16777216`;
    /// may be given several times
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    Cycle(cycle::Cycle),
    Stream(stream::Stream),
    Bundle(bundle::Bundle),
    Intake(intake::Intake),
    Results(results::Results),
    Idle(idle::Idle),
    Mixed(mixed::Mixed),
    Start(start::Start),
    Memory(memory::Memory),
    Churn(churn::Churn),
}

/// Who calls, and over what.
#[derive(Debug, Clone, Args)]
struct Clients {
    /// Workers, each of which waits for its reply before it calls again
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Connections that they share; by default 4, or as many as there are clients
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: Option<u32>,
}

/// How long, and how much there is to do.
#[derive(Debug, Clone, Args)]
struct Span {
    /// How long is measured, in seconds
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Tasks created beforehand; by default enough for the time
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u64).range(1..))]
    open: Option<u64>,
}

/// Over what workers are spoken for.
#[derive(Debug, Clone, Args)]
struct Streams {
    /// `Work` streams
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    streams: u32,
    /// Connections that the streams share; by default 4, or as many as there are streams
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: Option<u32>,
}

/// Workers for whom one stream may speak.
const WORKERS_PER_STREAM_MAX: u32 = 10_000;
/// Connections unless told otherwise.
const CONNECTIONS: u32 = 4;
/// Tasks created beforehand, at least.
const OPEN_MIN: u64 = 10_000;

impl Bench {
    /// On how many threads the load is to run.
    pub(crate) fn threads(&self) -> Option<usize> {
        self.threads.map(usize::from)
    }

    /// Uses the daemon named with `--server`, or else starts one for itself.
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        self.scenario.check()?;
        self.check_daemon(connection)?;
        let mut interrupt = Interrupt::listen()?;
        let mut daemon = match &connection.server {
            Some(_) => None,
            None => Some(self.start().await?),
        };
        let server = daemon.as_ref().map_or(connection.address(), Daemon::server);
        let session = Session::at(server, connection.output)?;
        let subject = Subject::new(server, daemon.as_ref());
        let report = tokio::select! {
            report = self.scenario.run(&subject, daemon.as_mut()) => report?,
            () = interrupt.asked() => return Err(Failure::Incomplete("interrupted".into()).into()),
        };
        if let Some(daemon) = daemon {
            daemon.stop().await?;
        }
        session.output().summary(&report)
    }

    /// A daemon of our own, and a word where its data are on no disk.
    async fn start(&self) -> Result<Daemon> {
        let temporary = std::env::temp_dir();
        if place::is_in_memory(self.data_dir.as_deref().unwrap_or(&temporary)) {
            say("the data lie in memory: nothing is durable; name a disk with --data-dir DIR");
        }
        Daemon::with(self.data_dir.as_deref(), self.set.clone()).await
    }

    /// What is only done with a daemon of our own, and where its data may lie.
    fn check_daemon(&self, connection: &Connection) -> Result<()> {
        if let Some(server) = &connection.server {
            if matches!(self.scenario, Scenario::Start(_)) {
                return Err(input(format!(
                    "bench start kills the daemon that it measures; leave out --server {server}, \
                     and it starts its own"
                )));
            }
            if !self.set.is_empty() {
                return Err(input("--set: the daemon at --server has its own settings".to_owned()));
            }
        }
        let Some(directory) = &self.data_dir else { return Ok(()) };
        let shown = directory.display();
        if connection.server.is_some() {
            return Err(input(format!("--data-dir {shown}: the daemon at --server has its own")));
        }
        let is_empty = std::fs::read_dir(directory).is_ok_and(|mut all| all.next().is_none());
        if directory.exists() && !is_empty {
            return Err(input(format!("--data-dir {shown}: is not empty; name a new one")));
        }
        Ok(())
    }
}

impl Scenario {
    /// Whether it can be run as asked for; nothing has been started yet.
    fn check(&self) -> Result<()> {
        match self {
            Self::Cycle(cycle) => cycle.check(),
            Self::Stream(stream) => stream.check(),
            Self::Bundle(bundle) => bundle.check(),
            Self::Intake(intake) => intake.check(),
            Self::Results(results) => results.check(),
            Self::Idle(idle) => idle.check(),
            Self::Mixed(mixed) => mixed.check(),
            Self::Start(_) => Ok(()),
            Self::Memory(memory) => memory.check(),
            Self::Churn(churn) => churn.check(),
        }
    }

    /// `daemon`: ours, where there is one.
    async fn run(&self, subject: &Subject, daemon: Option<&mut Daemon>) -> Result<Report> {
        match self {
            Self::Cycle(cycle) => cycle.run(subject).await,
            Self::Stream(stream) => stream.run(subject).await,
            Self::Bundle(bundle) => bundle.run(subject).await,
            Self::Intake(intake) => intake.run(subject).await,
            Self::Results(results) => results.run(subject).await,
            Self::Idle(idle) => idle.run(subject).await,
            Self::Mixed(mixed) => mixed.run(subject).await,
            Self::Start(start) => {
                let daemon = daemon.context("only a daemon of our own is killed")?;
                start.run(subject, daemon).await
            }
            Self::Memory(memory) => memory.run(subject).await,
            Self::Churn(churn) => churn.run(subject).await,
        }
    }
}

impl Clients {
    fn check(&self) -> Result<()> {
        at_most(("--connections", self.connections()), ("--clients", self.clients))
    }

    fn connections(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS.min(self.clients))
    }

    fn told(&self, report: Report) -> Report {
        report.with("clients", self.clients).with("connections", self.connections())
    }
}

impl Span {
    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Tasks to create beforehand. `rate`: cycles a second that are surely not exceeded.
    fn open(&self, rate: u64, work: &Work) -> u64 {
        let enough = (self.seconds * rate).div_ceil(u64::from(work.overlap));
        self.open.unwrap_or(enough.max(OPEN_MIN))
    }
}

impl Streams {
    fn check(&self, workers: u32) -> Result<()> {
        at_most(("--connections", self.connections()), ("--streams", self.streams))?;
        at_most(("--streams", self.streams), ("--workers", workers))?;
        let least = workers.div_ceil(WORKERS_PER_STREAM_MAX);
        if self.streams < least {
            return Err(input(format!(
                "--workers {workers} on --streams {} is more than the {WORKERS_PER_STREAM_MAX} \
                 workers of one stream; name at least {least}",
                self.streams
            )));
        }
        Ok(())
    }

    fn connections(&self) -> u32 {
        self.connections.unwrap_or(CONNECTIONS.min(self.streams))
    }
}

impl Work {
    fn told(&self, report: Report, ground: &Ground) -> Report {
        report
            .with("payload_bytes", self.payload)
            .with("overlap", self.overlap)
            .with("projects", self.projects)
            .with("requirements", self.requirements)
            .with("aggregation", ground.aggregation.as_str())
    }
}

/// A key of the configuration as the variable that sets it, and its value.
fn setting(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a key, `=`, and its value")?;
    let key = key.to_ascii_uppercase().replace('.', "__");
    Ok((format!("PIECEWORK_{key}"), value.to_owned()))
}

/// Flags and their values: nothing may be shared by fewer than there are of it.
fn at_most((flag, value): (&str, u32), (by, others): (&str, u32)) -> Result<()> {
    if value <= others {
        return Ok(());
    }
    Err(input(format!("{flag} {value} is more than {by} {others}; name at most {others}")))
}

/// Every answer to a task is another worker's.
fn enough_workers(work: &Work, workers: u32, flag: &str) -> Result<()> {
    at_most(("--overlap", work.overlap), (flag, workers))
}
