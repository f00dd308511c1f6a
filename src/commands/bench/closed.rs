//! Workers in a closed loop: each answers what it holds and gets the next in the same
//! call, and calls again when the reply is there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use piecework_client::Client;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::setup::{Ground, Work};
use super::stretch::{Measured, Stretch, Tally, measure};
use super::subject::Subject;
use super::submitter::Submitter;
use crate::progress::{self, say};

/// Workers who do tasks before a run, or as many as the overlap asks for.
const WORKERS: u32 = 16;
/// Tasks that each of them takes at a time.
const BUNDLE: u32 = 100;

/// Everybody with the first leases in hand. `size`: leases in a call.
pub(super) async fn hands(
    connections: &[Client],
    workers: Vec<String>,
    size: u32,
) -> Result<Vec<Submitter>> {
    let mut calls = JoinSet::new();
    let numbered = (0..).zip(connections.iter().cycle());
    for (worker, (number, client)) in workers.into_iter().zip(numbered) {
        let client = client.clone();
        calls.spawn(async move { Submitter::begin(&client, worker, size, number).await });
    }
    let mut hands = Vec::new();
    while let Some(begun) = calls.join_next().await {
        hands.push(begun??);
    }
    Ok(hands)
}

/// All at once, for so long, or until the tasks run out.
pub(super) async fn run(
    subject: &Subject,
    length: Duration,
    hands: Vec<Submitter>,
) -> Result<Measured> {
    measure(subject, "cycles", Some(length), |stretch| {
        hands.into_iter().map(|hand| work(hand, Arc::clone(stretch))).collect()
    })
    .await
}

async fn work(mut hand: Submitter, stretch: Arc<Stretch>) -> Result<Tally> {
    let mut tally = Tally::new();
    loop {
        let now = Instant::now();
        if let Some(why) = hand.is_empty() {
            stretch.ran_out(now, why);
        }
        if stretch.is_over(now) {
            return Ok(tally);
        }
        let round = hand.round().await?;
        tally.took(round.took);
        tally.done += round.counted;
        tally.refused += round.refused;
        stretch.add(round.counted);
    }
}

/// Does all tasks there are, before a run. `tasks`: how many that is.
pub(super) async fn finish_all(
    connections: &[Client],
    ground: &Ground,
    work: &Work,
    tasks: u64,
) -> Result<()> {
    let workers = WORKERS.max(work.overlap);
    let workers = ground.workers_called("first-w", &connections[0], workers, BUNDLE).await?;
    say(&format!("doing {tasks} tasks"));
    let bar = progress::bar(tasks * u64::from(work.overlap), "answers");
    let mut working = JoinSet::new();
    for mut hand in hands(connections, workers, BUNDLE).await? {
        let bar = bar.clone();
        working.spawn(async move {
            while hand.is_empty().is_none() {
                bar.inc(hand.round().await?.counted);
            }
            anyhow::Ok(())
        });
    }
    while let Some(one) = working.join_next().await {
        one??;
    }
    bar.finish_and_clear();
    Ok(())
}
