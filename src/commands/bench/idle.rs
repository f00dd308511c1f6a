//! `idle`: workers on open `Work` streams, all with room and nothing to do.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Streams;
use super::report::{Report, rounded};
use super::setup::{Ground, Work};
use super::subject::Subject;
use super::work_stream::{WorkStream, dealt};
use crate::progress::say;

/// What the opening itself used for a moment is not what idling costs.
const AFTER_OPENING: Duration = Duration::from_secs(2);

/// Workers on open streams who have nothing to do: what they cost
#[derive(Debug, Args)]
pub(super) struct Idle {
    /// Workers, spread over the streams
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    workers: u32,
    #[command(flatten)]
    streams: Streams,
    /// How long is measured, in seconds
    #[arg(long, value_name = "N", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    #[command(flatten)]
    work: Work,
}

impl Idle {
    pub(super) fn check(&self) -> Result<()> {
        self.streams.check(self.workers)
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.streams.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let workers = ground.workers(&connections[0], self.workers, 1).await?;
        subject.rests().await;
        let before = subject.sample().await?;
        say(&format!("opening {} streams", self.streams.streams));
        let mut open = Vec::new();
        let clients = connections.iter().cycle();
        for (workers, client) in dealt(workers, self.streams.streams).into_iter().zip(clients) {
            open.push(WorkStream::open(client, workers, 1).await?);
        }
        let mut listening = JoinSet::new();
        for mut stream in open {
            listening.spawn(async move {
                loop {
                    stream.next().await?;
                }
            });
        }
        sleep(AFTER_OPENING).await;
        let (opened, begun) = (subject.sample().await?, Instant::now());
        tokio::select! {
            () = sleep(Duration::from_secs(self.seconds)) => {}
            Some(ended) = listening.join_next() => return Err(lost(ended)),
        }
        let (after, took) = (subject.sample().await?, begun.elapsed().as_secs_f64());
        let grown = opened.server_rss.zip(before.server_rss);
        let each = grown.map(|(now, then)| now.saturating_sub(then) / u64::from(self.workers));
        let used = after.server_cpu.zip(opened.server_cpu);
        let share = used.map(|(now, then)| now.saturating_sub(then).as_secs_f64() / took);
        let note = (!subject.is_ours()).then_some(super::report::NOT_OURS);
        Ok(Report::of("idle", &ground.run)
            .with("workers", self.workers)
            .with("streams", self.streams.streams)
            .with("connections", self.streams.connections())
            .with("seconds", rounded(took, 3))
            .with("server_bytes_per_worker", each)
            .with("server_cpu_share_of_a_core", share.map(|share| rounded(share, 5)))
            .with("server_rss_bytes", after.server_rss)
            .with("note", note))
    }
}

/// Why a stream ended while nobody wanted that.
fn lost(ended: Result<Result<std::convert::Infallible>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(never)) => match never {},
        Ok(Err(error)) => error,
        Err(panic) => panic.into(),
    }
}
