//! A `Work` stream of a test: frames out, frames in, pings answered by themselves.

use std::collections::VecDeque;

use piecework_client::proto::v1::work_request as pb;
use piecework_client::proto::v1::work_request::Frame as Asked;
use piecework_client::proto::v1::work_response::{
    Drain, Frame, HeldLeases, LeaseEnded, Reply, Welcome, reply,
};
use piecework_client::proto::v1::{Lease, Receipt, WorkRequest, WorkResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Status, Streaming};
use tonic_types::pb as rpc;

use super::platform::{Platform, answer};
use super::wait::in_time;

/// An open stream.
pub(crate) struct Work {
    /// Dropping it ends the client's side.
    pub(crate) out: Option<mpsc::UnboundedSender<WorkRequest>>,
    frames: Streaming<WorkResponse>,
    /// Read while something else was waited for.
    seen: VecDeque<Frame>,
    last_op: u64,
    /// Whether pings are answered.
    pub(crate) pongs: bool,
}

/// A worker in a `Hello`.
pub(crate) fn present(worker: &str, capacity: u32) -> pb::PresentWorker {
    pb::PresentWorker { worker: worker.to_owned(), capacity, projects: Vec::new() }
}

impl Platform {
    /// A stream on which nothing is said yet.
    pub(crate) async fn silent_work(&self) -> Work {
        let (out, frames) = mpsc::unbounded_channel();
        let reply = self.client.dispatch().work(UnboundedReceiverStream::new(frames)).await;
        let frames = reply.expect("a stream").into_inner();
        Work { out: Some(out), frames, seen: VecDeque::new(), last_op: 0, pongs: true }
    }

    /// One whose `Hello` has been welcomed.
    pub(crate) async fn work(&self, workers: &[(&str, u32)]) -> Work {
        let mut work = self.silent_work().await;
        work.hello(workers);
        assert!(matches!(work.next().await, Frame::Welcome(Welcome { .. })));
        work
    }

    /// The same, once all of its workers are synced. They must hold nothing.
    pub(crate) async fn synced_work(&self, workers: &[(&str, u32)]) -> Work {
        let mut work = self.work(workers).await;
        for (worker, _) in workers {
            assert_eq!(work.synced(worker).await, []);
        }
        work
    }
}

impl Work {
    pub(crate) fn hello(&self, workers: &[(&str, u32)]) {
        let workers = workers.iter().map(|(worker, capacity)| present(worker, *capacity));
        self.send(0, Asked::Hello(pb::Hello { workers: workers.collect() }));
    }

    pub(crate) fn send(&self, op_id: u64, frame: Asked) {
        let request = WorkRequest { op_id, frame: Some(frame) };
        self.out.as_ref().expect("open").send(request).expect("the stream is open");
    }

    /// The next frame as it came, or how the stream ended.
    pub(crate) async fn read(&mut self) -> Result<Option<Frame>, Status> {
        loop {
            let message = in_time("a frame comes", self.frames.message()).await?;
            let Some(message) = message else { return Ok(None) };
            match message.frame.expect("a frame") {
                Frame::Ping(ping) if self.pongs => {
                    self.send(0, Asked::Pong(pb::Pong { nonce: ping.nonce }));
                }
                frame => return Ok(Some(frame)),
            }
        }
    }

    /// The next frame that has not been taken.
    pub(crate) async fn next(&mut self) -> Frame {
        if let Some(frame) = self.seen.pop_front() {
            return frame;
        }
        self.read().await.expect("the stream goes on").expect("the stream goes on")
    }

    /// The first frame from which `take` makes something; others are left.
    pub(crate) async fn find<T>(&mut self, mut take: impl FnMut(&Frame) -> Option<T>) -> T {
        for at in 0..self.seen.len() {
            if let Some(found) = take(&self.seen[at]) {
                self.seen.remove(at);
                return found;
            }
        }
        loop {
            let frame = self.read().await.expect("the stream goes on").expect("goes on");
            if let Some(found) = take(&frame) {
                return found;
            }
            self.seen.push_back(frame);
        }
    }

    /// All that a worker held, up to its `Synced`.
    pub(crate) async fn synced(&mut self, worker: &str) -> Vec<Lease> {
        let mut held = Vec::new();
        loop {
            let more = self.find(|frame| match frame {
                Frame::HeldLeases(HeldLeases { worker: of, leases }) if of == worker => {
                    Some(Some(leases.clone()))
                }
                Frame::Synced(synced) if synced.worker == worker => Some(None),
                _ => None,
            });
            match more.await {
                Some(leases) => held.extend(leases),
                None => return held,
            }
        }
    }

    /// The next leases pushed to a worker.
    pub(crate) async fn pushed(&mut self, worker: &str) -> Vec<Lease> {
        self.find(|frame| match frame {
            Frame::Leases(leases) if leases.worker == worker => Some(leases.leases.clone()),
            _ => None,
        })
        .await
    }

    /// The next lease that ended by itself or elsewhere.
    pub(crate) async fn ended(&mut self) -> LeaseEnded {
        self.find(|frame| match frame {
            Frame::LeaseEnded(ended) => Some(ended.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn drained(&mut self) -> Drain {
        self.find(|frame| match frame {
            Frame::Drain(drain) => Some(*drain),
            _ => None,
        })
        .await
    }

    /// Sends an operation and returns its number.
    pub(crate) fn begin(&mut self, frame: Asked) -> u64 {
        self.last_op += 1;
        self.send(self.last_op, frame);
        self.last_op
    }

    /// What became of an operation.
    pub(crate) async fn reply(&mut self, op_id: u64) -> Result<reply::Outcome, rpc::Status> {
        let reply: Reply = self
            .find(|frame| match frame {
                Frame::Reply(reply) if reply.op_id == op_id => Some(reply.clone()),
                _ => None,
            })
            .await;
        match reply.outcome.expect("an outcome") {
            reply::Outcome::Error(status) => Err(status),
            outcome => Ok(outcome),
        }
    }

    /// An operation and what became of it.
    pub(crate) async fn does(&mut self, frame: Asked) -> Result<reply::Outcome, rpc::Status> {
        let op_id = self.begin(frame);
        self.reply(op_id).await
    }

    /// An answer that must be taken.
    pub(crate) async fn submit(&mut self, worker: &str, lease: &str, label: &str) -> Receipt {
        let (worker, answer) = (worker.to_owned(), Some(answer(lease, label)));
        match self.does(Asked::Submit(pb::Submit { worker, answer })).await {
            Ok(reply::Outcome::Receipt(receipt)) => receipt,
            other => panic!("no receipt: {other:?}"),
        }
    }

    pub(crate) async fn ack(&mut self, leases: &[Lease]) {
        let leases = leases.iter().map(|lease| lease.name.clone()).collect();
        self.does(Asked::Ack(pb::Ack { leases })).await.expect("acknowledged");
    }

    /// How the stream ends, whatever it still says before.
    pub(crate) async fn end(&mut self) -> Result<(), Status> {
        loop {
            if self.read().await?.is_none() {
                return Ok(());
            }
        }
    }
}

/// `Ack`, `LifeSigns` and so on, of names.
pub(crate) fn signs(workers: &[&str], leases: &[&str]) -> Asked {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Asked::LifeSigns(pb::LifeSigns { workers: texts(workers), leases: texts(leases) })
}

pub(crate) fn capacity(worker: &str, capacity: u32) -> Asked {
    Asked::SetCapacity(pb::SetCapacity { worker: worker.to_owned(), capacity })
}

pub(crate) fn draft(worker: &str, lease: &str, text: &[u8]) -> Asked {
    let (worker, lease, draft) = (worker.to_owned(), lease.to_owned(), text.to_vec().into());
    Asked::SaveDraft(pb::SaveDraft { worker, lease, draft })
}
