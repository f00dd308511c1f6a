//! One `Work` stream that speaks for several workers.
//!
//! Not here: reconnects and life signs; a run is short, and a lost stream ends it.

use anyhow::{Result, bail};
use piecework_client::proto::v1::work_request::{Bye, Frame, Hello, Pong, PresentWorker, Submit};
use piecework_client::proto::v1::work_response::Frame as Told;
use piecework_client::proto::v1::{Answer, WorkRequest, WorkResponse};
use piecework_client::{CallError, Client};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

use crate::session::answer;

/// A stream on which all workers are synced.
#[derive(Debug)]
pub(super) struct WorkStream {
    to: mpsc::UnboundedSender<WorkRequest>,
    from: Streaming<WorkResponse>,
    /// Leases that came while the others were not synced yet: worker and lease.
    pub(super) early: Vec<(String, String)>,
}

impl WorkStream {
    /// Opens it and waits until all workers are synced. `capacity`: leases that each
    /// wants to hold.
    pub(super) async fn open(client: &Client, workers: Vec<String>, capacity: u32) -> Result<Self> {
        let (to, outgoing) = mpsc::unbounded_channel();
        let mut missing = workers.len();
        let present = |worker| PresentWorker { worker, capacity, ..PresentWorker::default() };
        let hello = Hello { workers: workers.into_iter().map(present).collect() };
        to.send(WorkRequest { op_id: 0, frame: Some(Frame::Hello(hello)) })?;
        let outgoing = UnboundedReceiverStream::new(outgoing);
        let from = answer(client.dispatch().work(outgoing).await)?;
        let mut stream = Self { to, from, early: Vec::new() };
        while missing > 0 {
            match stream.next().await? {
                Told::Synced(_) => missing -= 1,
                Told::Leases(leases) => {
                    let name = |lease: piecework_client::proto::v1::Lease| lease.name;
                    let of = leases.leases.into_iter().map(name);
                    stream.early.extend(of.map(|lease| (leases.worker.clone(), lease)));
                }
                _ => {}
            }
        }
        Ok(stream)
    }

    /// The next frame that matters; pings are answered. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Told> {
        loop {
            let frame = self.from.message().await.map_err(CallError::from)?;
            let Some(frame) = frame else { bail!("the daemon ended a stream") };
            match frame.frame {
                Some(Told::Ping(ping)) => self.say(Frame::Pong(Pong { nonce: ping.nonce }))?,
                Some(Told::Drain(_)) => bail!("the daemon is about to stop"),
                Some(frame) => return Ok(frame),
                None => {}
            }
        }
    }

    /// Submits one answer as operation `op_id`.
    pub(super) fn submit(&self, op_id: u64, worker: String, answer: Answer) -> Result<()> {
        let frame = Some(Frame::Submit(Submit { worker, answer: Some(answer) }));
        Ok(self.to.send(WorkRequest { op_id, frame })?)
    }

    /// Says farewell and waits until the daemon has heard it.
    pub(super) async fn end(mut self) -> Result<()> {
        self.say(Frame::Bye(Bye {}))?;
        drop(self.to);
        while self.from.message().await.map_err(CallError::from)?.is_some() {}
        Ok(())
    }

    fn say(&self, frame: Frame) -> Result<()> {
        Ok(self.to.send(WorkRequest { op_id: 0, frame: Some(frame) })?)
    }
}

/// So many workers, dealt out to so many streams; every stream gets one or more.
pub(super) fn dealt(workers: Vec<String>, streams: u32) -> Vec<Vec<String>> {
    let mut hands = vec![Vec::new(); streams as usize];
    for (number, worker) in workers.into_iter().enumerate() {
        let hand = number % hands.len();
        hands[hand].push(worker);
    }
    hands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_dealt_out_evenly() {
        let workers = (0..7).map(|number| number.to_string()).collect();
        let sizes: Vec<usize> = dealt(workers, 3).iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 2, 2]);
    }
}
