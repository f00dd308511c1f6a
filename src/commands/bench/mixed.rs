//! `mixed`: work, intake and delivery at once, at given rates, as a platform brings them.
//!
//! An open loop: calls are due by the clock, and a time is counted from when the call was
//! due, not from when it was sent.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::Args;
use piecework_client::proto::v1::WatchResultsRequest;
use piecework_client::proto::v1::watch_results_response::Frame;
use piecework_client::{CallError, Client};
use tokio::time::sleep_until;

use super::pour::{self, Pour, batch_max};
use super::report::{Report, Unit, per_second, rounded};
use super::schedule::Schedule;
use super::setup::{Ground, Work};
use super::stretch::{Load, Measured, Stretch, Tally, measure};
use super::subject::Subject;
use super::submitter::Submitter;
use super::{Clients, Span, closed, enough_workers};
use crate::progress::say;
use crate::session::answer;

/// A smaller share of the calls that were due was made: the rate was not held.
const HELD: f64 = 0.99;
/// Calls of the intake under way at a time.
const POURERS: u64 = 4;
/// Calls of the intake a second, at least; fewer tasks go into each for that.
const POURS_PER_SECOND: u64 = 10;

/// Work, intake and results at once, at given rates, whatever the daemon makes of them
#[derive(Debug, Args)]
pub(super) struct Mixed {
    /// Cycles a second, of all clients together
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// Tasks created a second meanwhile
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    intake_rate: u64,
    #[command(flatten)]
    clients: Clients,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    work: Work,
}

/// What happens beside the cycles.
#[derive(Debug)]
struct Beside {
    intake: Tally,
    results: u64,
}

type Shared = Arc<Mutex<Beside>>;

impl Mixed {
    pub(super) fn check(&self) -> Result<()> {
        self.clients.check()?;
        enough_workers(&self.work, self.clients.clients, "--clients")
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.clients.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let enough = self.rate * self.span.seconds + u64::from(self.clients.clients);
        let open = self.span.open.unwrap_or(enough.max(super::OPEN_MIN));
        pour::beforehand(&connections, &ground, &self.work, open).await?;
        let workers = ground.workers(&connections[0], self.clients.clients, 1).await?;
        let hands = closed::hands(&connections, workers, 1).await?;
        let beside = Beside { intake: Tally::new(), results: 0 };
        let beside: Shared = Arc::new(Mutex::new(beside));

        let length = Some(self.span.length());
        let measured = measure(subject, "cycles", length, |stretch| {
            self.load(&connections, &ground, hands, &beside, stretch)
        })
        .await?;
        let beside = beside.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.told(subject, &ground, open, &measured, &beside))
    }

    /// Everybody who works, pours and watches.
    fn load(
        &self,
        connections: &[Client],
        ground: &Ground,
        hands: Vec<Submitter>,
        beside: &Shared,
        stretch: &Arc<Stretch>,
    ) -> Vec<Load> {
        let mut all: Vec<Load> = Vec::new();
        let many = u64::from(self.clients.clients);
        for (which, hand) in (0..).zip(hands) {
            let schedule = Schedule::new(stretch, self.rate as f64, which, many);
            all.push(Box::pin(work(hand, schedule, Arc::clone(stretch))));
        }
        let batch = (self.intake_rate / POURS_PER_SECOND).max(1);
        let batch = u32::try_from(batch).unwrap_or(u32::MAX).min(batch_max(self.work.payload));
        let tasks = self.intake_rate * self.span.seconds;
        let source = Arc::new(Pour::new("intake", ground, &self.work, tasks, batch));
        let calls_per_second = self.intake_rate as f64 / f64::from(batch);
        for (which, client) in (0..POURERS).zip(connections.iter().cycle()) {
            if self.intake_rate == 0 {
                break;
            }
            let schedule = Schedule::new(stretch, calls_per_second, which, POURERS);
            let (source, stretch) = (Arc::clone(&source), Arc::clone(stretch));
            all.push(Box::pin(bring(
                source,
                client.clone(),
                schedule,
                Arc::clone(beside),
                stretch,
            )));
        }
        let (client, project) = (connections[0].clone(), ground.projects[0].clone());
        all.push(Box::pin(watch(client, project, Arc::clone(beside), Arc::clone(stretch))));
        all
    }

    fn told(
        &self,
        subject: &Subject,
        ground: &Ground,
        open: u64,
        measured: &Measured,
        beside: &Beside,
    ) -> Report {
        let due = self.rate * self.span.seconds;
        let held = measured.tally.done as f64 / due as f64;
        if held < HELD {
            say(&format!(
                "the rate was not held: {} of {due} cycles; the times say nothing of those that \
                 were never sent",
                measured.tally.done
            ));
        }
        let created = beside.intake.done;
        let intake_us = |percent| {
            let micros = &beside.intake.micros;
            (!micros.is_empty()).then(|| micros.value_at_percentile(percent))
        };
        let report = self.clients.told(Report::of("mixed", &ground.run));
        self.work
            .told(report, ground)
            .with("open", open)
            .with("rate", self.rate)
            .with("intake_rate", self.intake_rate)
            .measured(subject, Unit::Cycle, measured)
            .with("refused", measured.tally.refused)
            .with("rate_held", rounded(held, 4))
            .with("intake_tasks", created)
            .with("intake_tasks_per_second", per_second(created, measured.took))
            .with("intake_calls_put_off", beside.intake.refused)
            .with("intake_p50_us", intake_us(50.0))
            .with("intake_p99_us", intake_us(99.0))
            .with("results", beside.results)
            .with("results_per_second", per_second(beside.results, measured.took))
    }
}

/// One worker, at its times.
pub(super) async fn work(
    mut hand: Submitter,
    mut schedule: Schedule,
    stretch: Arc<Stretch>,
) -> Result<Tally> {
    let mut tally = Tally::new();
    while let Some(due) = schedule.next(&stretch).await {
        if hand.is_empty().is_some() {
            // More may have come in meanwhile.
            hand.ask().await?;
            continue;
        }
        let round = hand.round().await?;
        tally.took(due.elapsed());
        tally.done += round.counted;
        tally.refused += round.refused;
        stretch.add(round.counted);
    }
    Ok(tally)
}

/// Tasks, at their times.
async fn bring(
    source: Arc<Pour>,
    client: Client,
    mut schedule: Schedule,
    beside: Shared,
    stretch: Arc<Stretch>,
) -> Result<Tally> {
    let mut tally = Tally::new();
    while let Some(due) = schedule.next(&stretch).await {
        let Some(call) = source.next_call() else { break };
        let (made, put_off) = pour::send(&client, call).await?;
        tally.done += made;
        tally.refused += put_off;
        tally.took(due.elapsed());
    }
    beside.lock().unwrap_or_else(PoisonError::into_inner).intake.add(&tally);
    Ok(Tally::new())
}

/// The results of one project, as they come.
async fn watch(
    client: Client,
    project: String,
    beside: Shared,
    stretch: Arc<Stretch>,
) -> Result<Tally> {
    let until = stretch.until.context("mixed load ends by the clock")?;
    let request = WatchResultsRequest { parent: project, ..WatchResultsRequest::default() };
    let mut stream = answer(client.results().watch_results(request).await)?;
    let mut results = 0;
    loop {
        let message = tokio::select! {
            message = stream.message() => message.map_err(CallError::from)?,
            () = sleep_until(until) => break,
        };
        let message = message.context("the daemon ended a stream of results")?;
        results += u64::from(matches!(message.frame, Some(Frame::Result(_))));
    }
    beside.lock().unwrap_or_else(PoisonError::into_inner).results += results;
    Ok(Tally::new())
}
