//! What whoever works does with the daemon: draw, submit, give back.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use piecework_client::proto::v1::return_lease_result::Outcome as Returned;
use piecework_client::proto::v1::submit_answer_result::Outcome as Taken;
use piecework_client::proto::v1::work_request::PresentWorker;
use piecework_client::proto::v1::{
    Answer, ErrorReason, Lease, LeaseRequest, LeaseReturn, LeaseState, ListLeasesRequest,
    ReturnLeasesRequest, ReturnReason, SubmitAnswersRequest,
};
use piecework_client::{Client, Refused, Retry, from_proto, request_id, to_proto};
use tokio::time::Instant;

use crate::commands::offers::Wishes;
use crate::failure::one_line;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::session::answer;
use crate::shown::plain;

/// A wait is cut in slices, so that a request to stop is heard and no lease is
/// granted to a call that nobody waits for any more.
const SLICE: Duration = Duration::from_secs(5);

/// One worker in one project.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) client: Client,
    pub(super) worker: String,
    pub(super) project: String,
    pub(super) output: Output,
    pub(super) wishes: Wishes,
    /// Full names of the projects that the wishes leave out.
    pub(super) except: Vec<String>,
    /// When the time box is over.
    pub(super) until: Option<Instant>,
}

/// A lease and when its time began to be counted here.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) received: Instant,
}

/// What came of asking for a lease.
#[derive(Debug)]
pub(super) enum Drawn {
    Lease(Box<Held>),
    /// With the reason.
    Nothing(String),
    /// Somebody asked to stop.
    Asked,
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Submitted {
    Taken,
    /// Too late or otherwise for nothing; the lease is over.
    Refused,
    /// It does not fit the schema; the lease lives.
    Unfit,
}

impl Held {
    fn now(lease: Lease) -> Self {
        Self { lease, received: Instant::now() }
    }

    /// When it runs out, unless it was extended.
    pub(super) fn until(&self) -> Instant {
        self.received + from_proto(self.lease.remaining)
    }
}

impl Desk {
    /// Leases that live from an earlier run. Fails at once where no daemon is.
    pub(super) async fn held(&self) -> Result<VecDeque<Held>> {
        let mut request =
            ListLeasesRequest { worker: self.worker.clone(), ..ListLeasesRequest::default() };
        let mut held = VecDeque::new();
        loop {
            let page = answer(self.client.dispatch().list_leases(request.clone()).await)?;
            let ours = page.leases.into_iter().filter(|lease| lease.project == self.project);
            held.extend(ours.map(Held::now));
            if page.next_page_token.is_empty() {
                return Ok(held);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Whether there is a daemon that knows the worker.
    pub(super) async fn is_there(&self) -> Result<()> {
        let request =
            ListLeasesRequest { worker: self.worker.clone(), page_size: 1, ..Default::default() };
        answer(self.client.dispatch().list_leases(request).await)?;
        Ok(())
    }

    /// The worker with its wishes, as a stream is told of them.
    pub(super) fn presence(&self) -> PresentWorker {
        PresentWorker {
            worker: self.worker.clone(),
            projects: vec![self.project.clone()],
            except_projects: self.except.clone(),
            max_payload_bytes: self.wishes.max_payload.unwrap_or_default(),
            min_hourly: self.wishes.min_hourly(),
            within: self.wishes.within.map(to_proto),
            ..PresentWorker::default()
        }
    }

    /// Asks for a lease, again and again for as long as `wait`.
    pub(super) async fn draw(
        &self,
        task: Option<&str>,
        wait: Option<Duration>,
        interrupt: &Interrupt,
    ) -> Result<Drawn> {
        let deadline = Instant::now() + wait.unwrap_or_default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let within = self.until.map(|at| at.saturating_duration_since(Instant::now()));
            if within.is_some_and(|within| within.is_zero()) {
                return Ok(Drawn::Nothing("the time box is over".to_owned()));
            }
            let request = LeaseRequest {
                worker: self.worker.clone(),
                count: 1,
                wait: (!left.is_zero()).then(|| to_proto(left.min(SLICE))),
                request_id: request_id(),
                projects: if task.is_none() { vec![self.project.clone()] } else { Vec::new() },
                task: task.unwrap_or_default().to_owned(),
                except_projects: self.except.clone(),
                max_payload_bytes: self.wishes.max_payload.unwrap_or_default(),
                min_hourly: self.wishes.min_hourly(),
                within: within.map(to_proto),
            };
            let dispatch = self.client.dispatch();
            let reply = Retry::default()
                .send(&dispatch, &request, |mut s, r| async move { s.lease(r).await })
                .await?;
            let live = reply.leases.into_iter().find(|lease| lease.state() == LeaseState::Live);
            if let Some(lease) = live {
                let held = Held::now(lease);
                if interrupt.is_asked() {
                    self.give_back(&held, ReturnReason::Unstarted).await?;
                    return Ok(Drawn::Asked);
                }
                return Ok(Drawn::Lease(Box::new(held)));
            }
            if interrupt.is_asked() {
                return Ok(Drawn::Asked);
            }
            if left.is_zero() {
                return Ok(Drawn::Nothing(reply.empty_reason));
            }
        }
    }

    /// Submits and prints the receipt. `first`: none was printed before.
    pub(super) async fn submit(&self, held: &Held, bytes: Bytes, first: bool) -> Result<Submitted> {
        let request = SubmitAnswersRequest {
            worker: self.worker.clone(),
            answers: vec![Answer {
                lease: held.lease.name.clone(),
                answer: bytes,
                content_type: String::new(),
            }],
            next: None,
        };
        let dispatch = self.client.dispatch();
        let reply = Retry::default()
            .send(&dispatch, &request, |mut s, r| async move { s.submit_answers(r).await })
            .await?;
        match reply.results.into_iter().next().and_then(|result| result.outcome) {
            Some(Taken::Receipt(receipt)) => {
                self.output.line(&receipt, first)?;
                Ok(Submitted::Taken)
            }
            Some(Taken::Error(status)) => {
                let refused = Refused::from(&status);
                eprintln!("answer refused: {}", one_line(&refused));
                let unfit = refused.is(ErrorReason::AnswerInvalid)
                    || refused.is(ErrorReason::LimitExceeded);
                Ok(if unfit { Submitted::Unfit } else { Submitted::Refused })
            }
            None => Ok(Submitted::Refused),
        }
    }

    /// Returns a lease. One that has ended meanwhile needs no returning.
    pub(super) async fn give_back(&self, held: &Held, reason: ReturnReason) -> Result<()> {
        let request = ReturnLeasesRequest {
            worker: self.worker.clone(),
            returns: vec![LeaseReturn {
                lease: held.lease.name.clone(),
                reason: reason.into(),
                comment: String::new(),
            }],
        };
        let dispatch = self.client.dispatch();
        let reply = Retry::within(Duration::from_secs(10))
            .send(&dispatch, &request, |mut s, r| async move { s.return_leases(r).await })
            .await?;
        match reply.results.into_iter().next().and_then(|result| result.outcome) {
            Some(Returned::Error(status)) => {
                eprintln!("not returned: {}", one_line(&Refused::from(&status)));
            }
            _ => {
                let reason = plain(reason.as_str_name(), "RETURN_REASON_");
                eprintln!("returned {}: {reason}", held.lease.name);
            }
        }
        Ok(())
    }
}
