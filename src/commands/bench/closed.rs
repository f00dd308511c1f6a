//! Workers in a closed loop: each answers what it holds and gets the next in the same
//! call, and calls again when the reply is there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use piecework_client::Client;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::stretch::{Measured, Stretch, Tally, measure};
use super::subject::Subject;
use super::submitter::Submitter;

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

/// Works without being measured until nobody finds anything more. Returns how many counted.
pub(super) async fn work_off(
    hands: Vec<Submitter>,
    done: impl Fn(u64) + Clone + Send + 'static,
) -> Result<u64> {
    let mut working = JoinSet::new();
    for mut hand in hands {
        let done = done.clone();
        working.spawn(async move {
            let mut counted = 0;
            while hand.is_empty().is_none() {
                let round = hand.round().await?;
                counted += round.counted;
                done(round.counted);
            }
            anyhow::Ok(counted)
        });
    }
    let mut counted = 0;
    while let Some(one) = working.join_next().await {
        counted += one??;
    }
    Ok(counted)
}
