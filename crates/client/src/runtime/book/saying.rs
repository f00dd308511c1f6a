//! What the book has to say to the daemon: frames, and their numbers.
//!
//! Not here: what is to be said (`book.rs`).

use piecework_proto::v1::work_request::{Frame, Hello, PresentWorker, Return, SetCapacity, Submit};
use piecework_proto::v1::{Answer, LeaseReturn, WorkRequest};

use super::Book;
use crate::runtime::held::{Held, Sent, Stage};

impl Book {
    /// The first frame of a new stream.
    pub(in crate::runtime) fn hello(&mut self) -> WorkRequest {
        self.next_op = 0;
        self.listed.clear();
        let capacity = self.wanted();
        self.capacity = (capacity, None);
        let worker = PresentWorker { capacity, ..self.terms.worker.clone() };
        WorkRequest { op_id: 0, frame: Some(Frame::Hello(Hello { workers: vec![worker] })) }
    }

    /// Says how many leases are wanted, where that has changed.
    pub(super) fn want(&mut self) {
        let wanted = self.wanted();
        if self.connected && wanted != self.capacity.0 {
            let worker = self.terms.worker.worker.clone();
            let op = self.send(Frame::SetCapacity(SetCapacity { worker, capacity: wanted }));
            self.capacity = (wanted, Some(op));
        }
    }

    /// How many leases the daemon may have given at a time.
    fn wanted(&self) -> u32 {
        if self.draining || self.asking || self.terms.only.is_some() {
            return 0;
        }
        let Some(most) = self.terms.at_most else { return self.terms.concurrency };
        let left = usize::try_from(most.saturating_sub(self.started)).unwrap_or(usize::MAX);
        let of_use = self.running().saturating_add(left);
        self.terms.concurrency.min(u32::try_from(of_use).unwrap_or(u32::MAX))
    }

    /// Sends the operation that ends a lease, if it is due and there is a connection.
    pub(super) fn say(&mut self, name: &str) {
        if !self.connected {
            return;
        }
        let worker = self.terms.worker.worker.clone();
        let Some(held) = self.leases.get_mut(name) else { return };
        let frame = match &held.stage {
            Stage::Queued | Stage::Running { .. } => return,
            Stage::Submitting { answer, .. } => {
                let (lease, answer) = (name.to_owned(), answer.clone());
                let answer = Some(Answer { lease, answer, content_type: String::new() });
                Frame::Submit(Submit { worker, answer })
            }
            Stage::Returning { reason, .. } => {
                let (lease, reason) = (name.to_owned(), (*reason).into());
                let lease_return = Some(LeaseReturn { lease, reason, comment: String::new() });
                Frame::ReturnLease(Return { worker, lease_return })
            }
        };
        let op = self.send(frame);
        if let Some(sent) = self.leases.get_mut(name).and_then(Held::operation) {
            *sent = Sent::As(op);
        }
    }

    pub(super) fn send(&mut self, frame: Frame) -> u64 {
        self.next_op += 1;
        if self.connected {
            self.frames.push(WorkRequest { op_id: self.next_op, frame: Some(frame) });
        }
        self.next_op
    }
}
