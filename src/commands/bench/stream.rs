//! `stream`: leases are pushed to workers on `Work` streams and answered as they come.
//!
//! An answer also says that its lease has arrived, so leases are not acknowledged
//! besides. Operations are pipelined: nobody waits for a reply before the next answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use piecework_client::proto::v1::work_response::Frame;
use piecework_client::proto::v1::work_response::reply::Outcome;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::report::{Report, Unit};
use super::setup::{Ground, Work};
use super::stretch::{Load, Stretch, Tally, measure};
use super::subject::Subject;
use super::submitter::{answer_to, counts};
use super::top_up::TopUp;
use super::work_stream::{WorkStream, dealt};
use super::{Span, Streams, enough_workers, pour};

/// Cycles a second that no machine is expected to exceed: so many tasks are created.
const RATE_MAX: u64 = 150_000;
/// A stream that has heard of nothing for so long has run out of tasks.
const NOTHING_FOR: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Leases are pushed to workers on `Work` streams, and answered as they come
#[derive(Debug, Args)]
pub(super) struct Stream {
    /// Workers, spread over the streams
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    workers: u32,
    #[command(flatten)]
    streams: Streams,
    /// Leases that each worker holds at a time
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    capacity: u32,
    #[command(flatten)]
    span: Span,
    /// Create tasks as fast as they end, so that about as many stay open
    #[arg(long)]
    top_up: bool,
    #[command(flatten)]
    work: Work,
}

impl Stream {
    pub(super) fn check(&self) -> Result<()> {
        self.streams.check(self.workers)?;
        enough_workers(&self.work, self.workers, "--workers")
    }

    pub(super) async fn run(&self, subject: &Subject) -> Result<Report> {
        let connections = subject.connections(self.streams.connections())?;
        let ground = Ground::create(&connections[0], &self.work).await?;
        let open = self.span.open(RATE_MAX, &self.work);
        pour::beforehand(&connections, &ground, &self.work, open).await?;
        let workers = ground.workers(&connections[0], self.workers, self.capacity).await?;
        // Opened at once, when the load begins: a stream that is open is pushed to.
        subject.rests().await;
        let mut streams = Vec::new();
        let clients = connections.iter().cycle();
        for (workers, client) in dealt(workers, self.streams.streams).into_iter().zip(clients) {
            streams.push(WorkStream::open(client, workers, self.capacity).await?);
        }
        let length = Some(self.span.length());
        let top_up = self.top_up.then(|| TopUp::new(&ground, &self.work, open));
        let all = open * u64::from(self.work.overlap);
        let measured = measure(subject, "cycles", length, |stretch| {
            if top_up.is_none() {
                stretch.holds(all);
            }
            let one = |stream| -> Load { Box::pin(answer_all(stream, Arc::clone(stretch))) };
            let mut all: Vec<Load> = streams.into_iter().map(one).collect();
            all.extend(top_up.iter().flat_map(|top_up| top_up.loads(&connections, stretch)));
            all
        })
        .await?;
        let report = Report::of("stream", &ground.run)
            .with("workers", self.workers)
            .with("streams", self.streams.streams)
            .with("connections", self.streams.connections())
            .with("capacity", self.capacity);
        let report = self.work.told(report, &ground).with("open", open);
        let report = report.measured(subject, Unit::Cycle, &measured);
        let report = report.with("refused", measured.tally.refused);
        Ok(match top_up {
            Some(top_up) => top_up.told(report),
            None => report,
        })
    }
}

/// Answers all that comes until the stretch is over, and waits for the replies.
async fn answer_all(mut stream: WorkStream, stretch: Arc<Stretch>) -> Result<Tally> {
    let (mut tally, mut sent) = (Tally::new(), Sent::default());
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    for (worker, lease) in std::mem::take(&mut stream.early) {
        let op_id = sent.add(heard);
        stream.submit(op_id, worker, answer_to(op_id, lease))?;
    }
    loop {
        let frame = tokio::select! {
            biased;
            frame = stream.next() => frame?,
            now = look.tick() => {
                if sent.waiting == 0 && now.saturating_duration_since(heard) > NOTHING_FOR {
                    stretch.ran_out(heard, "");
                }
                if sent.waiting == 0 && stretch.is_over(now) {
                    break;
                }
                continue;
            }
        };
        heard = Instant::now();
        match frame {
            Frame::Leases(leases) if !stretch.is_over(heard) => {
                for lease in leases.leases {
                    let op_id = sent.add(heard);
                    let answer = answer_to(op_id, lease.name);
                    stream.submit(op_id, leases.worker.clone(), answer)?;
                }
            }
            Frame::Reply(reply) => {
                let Some(since) = sent.take(reply.op_id) else {
                    bail!("a reply to operation {}, which waits for none", reply.op_id);
                };
                tally.took(heard.saturating_duration_since(since));
                match reply.outcome {
                    Some(Outcome::Receipt(receipt)) if counts(&receipt) => {
                        tally.done += 1;
                        stretch.add(1);
                    }
                    _ => tally.refused += 1,
                }
                if sent.waiting == 0 && stretch.is_over(heard) {
                    break;
                }
            }
            _ => {}
        }
    }
    stream.end().await?;
    Ok(tally)
}

/// When each operation was sent that waits for its reply. Numbered from 1.
#[derive(Debug, Default)]
struct Sent {
    /// Operations that came before those in `at`.
    before: u64,
    at: VecDeque<Option<Instant>>,
    waiting: usize,
}

impl Sent {
    fn add(&mut self, now: Instant) -> u64 {
        self.at.push_back(Some(now));
        self.waiting += 1;
        self.before + self.at.len() as u64
    }

    fn take(&mut self, op_id: u64) -> Option<Instant> {
        let index = usize::try_from(op_id.checked_sub(self.before + 1)?).ok()?;
        let since = self.at.get_mut(index)?.take()?;
        self.waiting -= 1;
        while let Some(None) = self.at.front() {
            self.at.pop_front();
            self.before += 1;
        }
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_come_in_any_order_and_once() {
        let mut sent = Sent::default();
        let now = Instant::now();
        assert_eq!([sent.add(now), sent.add(now), sent.add(now)], [1, 2, 3]);
        assert!(sent.take(2).is_some() && sent.take(2).is_none());
        assert!(sent.take(1).is_some() && sent.take(1).is_none());
        assert_eq!(sent.add(now), 4);
        assert!(sent.take(4).is_some() && sent.take(3).is_some());
        assert_eq!((sent.waiting, sent.at.len(), sent.before), (0, 0, 4));
        assert!(sent.take(0).is_none() && sent.take(5).is_none());
    }
}
