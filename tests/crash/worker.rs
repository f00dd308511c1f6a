//! A worker of the run: mostly honest, sometimes lost, late, twice or gone.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use piecework_client::Refused;
use piecework_client::from_proto;
use piecework_client::proto::v1::{
    ExtendLeasesRequest, Lease, LeaseRequest, LeaseReturn, LeaseState, ReturnLeasesRequest,
    ReturnReason, SubmitAnswersRequest,
};

use crate::harness::{Outcome, answer, wire};

use super::caller::{Caller, Phase};
use super::record::{Held, Taken, Told};

/// How long a `Lease` without work waits.
const WAIT: Duration = Duration::from_millis(300);
/// The last request ids of a worker that are remembered in any case, less one under way.
const REMEMBERED: usize = 15;
const LABELS: [&str; 3] = ["a", "b", "c"];

/// One worker at its desk.
#[derive(Debug)]
pub(super) struct Worker {
    name: String,
    caller: Caller,
    chance: Rng,
    /// Requests that were granted something, newest last.
    requests: VecDeque<LeaseRequest>,
    /// Leases that it let expire, and when it comes back to them.
    late: Vec<(String, Duration)>,
    /// What it answered.
    answered: Vec<(String, &'static str)>,
}

impl Worker {
    pub(super) fn new(name: String, caller: Caller, chance: Rng) -> Worker {
        let (requests, late, answered) = (VecDeque::new(), Vec::new(), Vec::new());
        Worker { name, caller, chance, requests, late, answered }
    }

    /// Works until the run is over, then says the last of what it promised.
    pub(super) async fn work(mut self) {
        for number in 0.. {
            let phase = self.caller.phase();
            if phase == Phase::Over {
                break;
            }
            let request = LeaseRequest {
                worker: self.name.clone(),
                count: self.chance.u32(1..=3),
                wait: wire(WAIT),
                request_id: format!("r{number}"),
                ..LeaseRequest::default()
            };
            let leases = self.lease(&request).await;
            if !leases.is_empty() {
                self.requests.push_back(request);
                self.requests.drain(..self.requests.len().saturating_sub(REMEMBERED));
            }
            if self.chance.u32(..8) == 0 {
                self.ask_again().await;
            }
            for lease in leases {
                self.handle(&lease, phase).await;
            }
            self.come_back(false).await;
        }
        self.come_back(true).await;
        for (lease, label) in std::mem::take(&mut self.answered).into_iter().rev().take(50) {
            self.submit(&lease, label).await;
        }
        for request in std::mem::take(&mut self.requests) {
            self.lease(&request).await;
        }
    }

    async fn lease(&self, request: &LeaseRequest) -> Vec<Lease> {
        let dispatch = self.caller.client.dispatch();
        let answered = self
            .caller
            .ask(|| {
                let (mut dispatch, request) = (dispatch.clone(), request.clone());
                async move { dispatch.lease(request).await }
            })
            .await;
        let reply = answered.expect("a worker may ask");
        let told = Told::Granted {
            worker: self.name.clone(),
            request: request.request_id.clone(),
            leases: reply.leases.iter().map(held).collect(),
        };
        answered.note(&self.caller.run.record, &reply.position, [told]);
        reply.leases.clone()
    }

    /// As if the reply had been lost: it must be the same.
    async fn ask_again(&mut self) {
        if let Some(index) = self.requests.len().checked_sub(1) {
            let request = self.requests[self.chance.usize(..=index)].clone();
            self.lease(&request).await;
        }
    }

    async fn handle(&mut self, lease: &Lease, phase: Phase) {
        let name = lease.name.as_str();
        let label = LABELS[self.chance.usize(..LABELS.len())];
        let kind = if phase == Phase::Faults { self.chance.u32(..100) } else { 0 };
        match kind {
            0..55 => self.submit(name, label).await,
            55..65 => {
                self.submit(name, label).await;
                self.submit(name, label).await;
            }
            65..70 => {
                self.submit(name, "a").await;
                self.submit(name, "b").await;
            }
            70..78 => {
                self.extend(name).await;
                self.submit(name, label).await;
            }
            78..84 => self.give_back(name).await,
            _ => {
                // At once after it ran out, or when others had it, or much later.
                let away = [50, 1_000, 6_000][self.chance.usize(..3)];
                let away = from_proto(lease.remaining) + Duration::from_millis(away);
                self.late.push((name.to_owned(), self.caller.run.record.now() + away));
            }
        }
    }

    /// Answers what it let expire.
    async fn come_back(&mut self, all: bool) {
        let now = self.caller.run.record.now();
        let (due, later) =
            std::mem::take(&mut self.late).into_iter().partition(|(_, at)| all || *at <= now);
        self.late = later;
        let due: Vec<(String, Duration)> = due;
        for (lease, _) in due {
            self.submit(&lease, "c").await;
        }
    }

    async fn submit(&mut self, lease: &str, label: &'static str) {
        let (worker, answers) = (self.name.clone(), vec![answer(lease, label)]);
        let request = SubmitAnswersRequest { worker, answers, next: None };
        let dispatch = self.caller.client.dispatch();
        let answered = self
            .caller
            .change(|| {
                let (mut dispatch, request) = (dispatch.clone(), request.clone());
                async move { dispatch.submit_answers(request).await }
            })
            .await;
        let reply = answered.expect("a worker may submit");
        let taken = match reply.results[0].clone().outcome() {
            Ok(receipt) => Ok(Taken {
                verdict: receipt.verdict().as_str_name().replace("VERDICT_", ""),
                whole: format!("{receipt:?}"),
            }),
            Err(status) => Err(Refused::from(&status).reason),
        };
        if taken.is_ok() {
            self.answered.push((lease.to_owned(), label));
        }
        let (worker, lease, label) = (self.name.clone(), lease.to_owned(), label.to_owned());
        let told = Told::Answered { worker, lease, label, taken };
        answered.note(&self.caller.run.record, &reply.position, [told]);
    }

    async fn extend(&self, lease: &str) {
        let request = ExtendLeasesRequest {
            worker: self.name.clone(),
            leases: vec![lease.to_owned()],
            duration: None,
        };
        let dispatch = self.caller.client.dispatch();
        let answered = self
            .caller
            .change(|| {
                let (mut dispatch, request) = (dispatch.clone(), request.clone());
                async move { dispatch.extend_leases(request).await }
            })
            .await;
        let reply = answered.expect("a worker may extend");
        // It may have run out meanwhile.
        let told = match reply.results[0].clone().outcome() {
            Ok(extension) => {
                Told::Extended { lease: lease.to_owned(), left: from_proto(extension.remaining) }
            }
            Err(_) => Told::Nothing,
        };
        answered.note(&self.caller.run.record, &reply.position, [told]);
    }

    async fn give_back(&self, lease: &str) {
        let returned = LeaseReturn {
            lease: lease.to_owned(),
            reason: ReturnReason::OutOfTime.into(),
            ..LeaseReturn::default()
        };
        let request = ReturnLeasesRequest { worker: self.name.clone(), returns: vec![returned] };
        let dispatch = self.caller.client.dispatch();
        let answered = self
            .caller
            .change(|| {
                let (mut dispatch, request) = (dispatch.clone(), request.clone());
                async move { dispatch.return_leases(request).await }
            })
            .await;
        let reply = answered.expect("a worker may return");
        let told = match reply.results[0].clone().outcome() {
            Ok(_) => Told::Returned { lease: lease.to_owned() },
            Err(_) => Told::Nothing,
        };
        answered.note(&self.caller.run.record, &reply.position, [told]);
    }
}

fn held(lease: &Lease) -> Held {
    let left = (lease.state() == LeaseState::Live).then(|| from_proto(lease.remaining));
    Held {
        name: lease.name.clone(),
        payload: String::from_utf8_lossy(&lease.payload).into_owned(),
        left,
        expired: lease.state() == LeaseState::Expired,
    }
}
