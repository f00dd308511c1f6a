//! The runtime's side of the stream: connects, reads, writes, shows life.
//!
//! A thread of its own with a connection of its own, so that whatever handlers
//! do to the threads that they run on, their leases are kept. Reconnects after a
//! pause that doubles and is spread at random.
//!
//! Not here: what follows from what (`book.rs`), handlers (`mod.rs`).

use std::future::pending;
use std::time::Duration;

use piecework_proto::v1::work_request::{Bye, Frame, Pong};
use piecework_proto::v1::work_response::Frame as Said;
use piecework_proto::v1::{Lease, LeaseRequest, LeaseResponse, WorkRequest, WorkResponse};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Status, Streaming};

use super::book::{Book, Order};
use super::replies::Outcome;
use super::task::{Ended, Work};
use super::{Stopped, WorkError};
use crate::client::Client;
use crate::durations::from_proto;
use crate::error::CallError;
use crate::request_id::request_id;
use crate::retry::Retry;

/// A stream that says nothing for so many heartbeats is dead.
const SILENT_HEARTBEATS: u32 = 3;
/// How long the daemon has to hear that we go.
const FAREWELL: Duration = Duration::from_secs(1);
/// Once it drains and nothing runs any more, it tries for so long to tell what was done.
const TELL_WITHIN: Duration = Duration::from_secs(30);
/// A worker without work gets this from the stream before it is asked why.
const PUSH_WITHIN: Duration = Duration::from_millis(250);

/// From the handlers' side.
#[derive(Debug)]
pub(super) enum Event {
    /// A handler is through.
    Worked(String, Work),
    /// Take no more.
    Drain,
    /// And do not wait for what runs.
    Hurry,
}

/// To the handlers' side.
#[derive(Debug)]
pub(super) enum Told {
    /// Do this.
    Order(Order),
    /// Nothing more will come.
    Over(Result<Stopped, WorkError>),
}

/// How patient it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Without a connection for so long it gives up; `None`: never.
    pub(super) reconnect_within: Option<Duration>,
    /// Without work for so long it ends; `None`: never.
    pub(super) idle_within: Option<Duration>,
    /// Once it drains, what runs has so long to finish; `None`: as long as it may hold its lease.
    pub(super) drain_within: Option<Duration>,
}

/// One runtime's conversation with the daemon.
pub(super) struct Session {
    client: Client,
    book: Book,
    patience: Patience,
    events: mpsc::UnboundedReceiver<Event>,
    told: mpsc::UnboundedSender<Told>,
    stream: Option<Connection>,
    opening: JoinSet<Result<Connection, Status>>,
    probes: JoinSet<Result<LeaseResponse, CallError>>,
    failures: u32,
    retry_at: Instant,
    /// Since when there has been no connection.
    away_since: Option<Instant>,
    draining_since: Option<Instant>,
    /// When the worker's time box is over.
    box_until: Option<Instant>,
}

/// A stream in both directions.
struct Connection {
    to: mpsc::UnboundedSender<WorkRequest>,
    from: Streaming<WorkResponse>,
    heard: Instant,
}

/// What a turn waits for.
enum Next {
    Event(Option<Event>),
    Frame(Result<Option<WorkResponse>, Status>),
    Opened(Result<Connection, Status>),
    Probed(Result<LeaseResponse, CallError>),
    Time,
}

impl Session {
    pub(super) fn new(
        client: Client,
        book: Book,
        patience: Patience,
        events: mpsc::UnboundedReceiver<Event>,
        told: mpsc::UnboundedSender<Told>,
    ) -> Session {
        let now = Instant::now();
        let within = book.worker().within;
        Session {
            box_until: within.map(|within| now + from_proto(Some(within))),
            client,
            book,
            patience,
            events,
            told,
            stream: None,
            opening: JoinSet::new(),
            probes: JoinSet::new(),
            failures: 0,
            retry_at: now,
            away_since: Some(now),
            draining_since: None,
        }
    }

    /// Talks until all is said and done.
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.turn().await {
                break end;
            }
        };
        if end.is_err() {
            self.book.abandon();
        }
        self.flush();
        if let Some(mut connection) = self.stream.take() {
            let bye = WorkRequest { op_id: 0, frame: Some(Frame::Bye(Bye {})) };
            // Whether it is heard or not: it is over.
            let _ = connection.to.send(bye);
            drop(connection.to);
            let heard = async { while let Ok(Some(_)) = connection.from.message().await {} };
            let _ = timeout(FAREWELL, heard).await;
        }
        let _ = self.told.send(Told::Over(end));
    }

    /// One thing that happens, and what follows from it. `Some`: it is over.
    async fn turn(&mut self) -> Option<Result<Stopped, WorkError>> {
        self.connect();
        self.flush();
        if self.book.is_over() {
            return Some(Ok(Stopped::Drained));
        }
        match self.next().await {
            // Nobody is there any more to do anything: leases run out.
            Next::Event(None) => return Some(Ok(Stopped::Drained)),
            Next::Event(Some(event)) => self.event(event),
            Next::Frame(Ok(Some(frame))) => self.frame(frame),
            Next::Frame(Ok(None)) => {
                return self.lost(Status::unavailable("the stream ended").into());
            }
            Next::Frame(Err(status)) | Next::Opened(Err(status)) => {
                return self.lost(status.into());
            }
            Next::Opened(Ok(connection)) => self.stream = Some(connection),
            Next::Probed(reply) => return self.probed(reply),
            Next::Time => {}
        }
        self.time()
    }

    async fn next(&mut self) -> Next {
        let wake = self.wake();
        let frame = async {
            match &mut self.stream {
                Some(connection) => connection.from.message().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.events.recv() => Next::Event(event),
            frame = frame => Next::Frame(frame),
            Some(opened) = self.opening.join_next() => {
                Next::Opened(opened.unwrap_or_else(|_| Err(Status::internal("the attempt died"))))
            }
            Some(Ok(probed)) = self.probes.join_next() => Next::Probed(probed),
            () = sleep_until(wake) => Next::Time,
        }
    }

    /// When something is due by itself.
    fn wake(&self) -> Instant {
        let silent = self.stream.as_ref().map(|connection| connection.heard + self.silence_max());
        let retry = (self.stream.is_none() && self.opening.is_empty()).then_some(self.retry_at);
        let idle = self.idle_at().filter(|_| !self.book.asking().0);
        let times = [
            self.book.wake(),
            silent,
            retry,
            idle,
            self.hurry_at(),
            self.untold_at(),
            self.give_up_at(),
            self.box_until.filter(|_| !self.book.is_draining()),
        ];
        let far = Instant::now() + Duration::from_secs(3_600);
        times.into_iter().flatten().min().unwrap_or(far)
    }

    fn silence_max(&self) -> Duration {
        self.book.heartbeat() * SILENT_HEARTBEATS
    }

    fn give_up_at(&self) -> Option<Instant> {
        Some(self.away_since? + self.patience.reconnect_within?)
    }

    fn hurry_at(&self) -> Option<Instant> {
        let at = self.draining_since? + self.patience.drain_within?;
        self.book.is_running().then_some(at)
    }

    fn untold_at(&self) -> Option<Instant> {
        let since = self.away_since?.max(self.draining_since?);
        (!self.book.is_running()).then_some(since + TELL_WITHIN)
    }

    fn idle_at(&self) -> Option<Instant> {
        Some(self.book.idle_since()? + self.patience.idle_within?.max(PUSH_WITHIN))
    }

    /// Does what is due.
    fn time(&mut self) -> Option<Result<Stopped, WorkError>> {
        let now = Instant::now();
        self.book.tick(now);
        if self.box_until.is_some_and(|until| until <= now) {
            self.book.drain(now);
        }
        let is_silent = |connection: &Connection| {
            connection.heard + self.book.heartbeat() * SILENT_HEARTBEATS <= now
        };
        if self.stream.as_ref().is_some_and(is_silent) {
            let silent = Status::unavailable("the stream has been silent for too long");
            return self.lost(silent.into());
        }
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_past(self.hurry_at()) {
            self.book.hurry(now);
        }
        if is_past(self.give_up_at()) {
            let silent = Status::unavailable("the daemon does not answer");
            return Some(Err(WorkError::Unreachable(silent.into())));
        }
        if is_past(self.untold_at()) {
            return Some(Err(WorkError::NotDrained));
        }
        if is_past(self.idle_at()) && self.probes.is_empty() {
            if self.book.takes_no_others() {
                return Some(Ok(Stopped::Idle("the lease has ended".to_owned())));
            }
            match self.book.asking() {
                (false, _) => self.book.ask(true, now),
                (true, false) => {}
                (true, true) => self.probe(),
            }
        }
        None
    }

    fn event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Worked(lease, work) => self.book.worked(&lease, work, now),
            Event::Drain => self.book.drain(now),
            Event::Hurry => self.book.hurry(now),
        }
    }

    fn frame(&mut self, frame: WorkResponse) {
        let now = Instant::now();
        if let Some(connection) = &mut self.stream {
            connection.heard = now;
        }
        match frame.frame {
            Some(Said::Welcome(welcome)) => {
                let heartbeat = from_proto(welcome.heartbeat_interval);
                self.book.welcome(heartbeat, welcome.frame_bytes_max);
            }
            Some(Said::HeldLeases(held)) => self.book.held(held.leases, now),
            Some(Said::Synced(_)) => {
                (self.failures, self.away_since) = (0, None);
                self.book.synced(now);
            }
            Some(Said::Leases(new)) => self.book.granted(new.leases, true, now),
            Some(Said::Reply(reply)) => {
                let outcome = reply.outcome.map_or(Outcome::Ok, Outcome::from);
                self.book.reply(reply.op_id, outcome, now);
            }
            Some(Said::LeaseEnded(ended)) => {
                if let Some(how) = Ended::of(ended.state(), &ended.reason) {
                    self.book.ended(&ended.lease, how, now);
                }
            }
            Some(Said::Ping(ping)) => {
                self.send(WorkRequest {
                    op_id: 0,
                    frame: Some(Frame::Pong(Pong { nonce: ping.nonce })),
                });
            }
            Some(Said::Drain(_)) => {
                // What is under way is still answered; what comes next waits for the next one.
                self.flush();
                self.book.paused();
                self.send(WorkRequest { op_id: 0, frame: Some(Frame::Bye(Bye {})) });
            }
            // A frame of a later version.
            None => {}
        }
    }

    /// The connection is gone. `Some`: for good.
    fn lost(&mut self, error: CallError) -> Option<Result<Stopped, WorkError>> {
        let now = Instant::now();
        self.stream = None;
        self.book.disconnected();
        let since = *self.away_since.get_or_insert(now);
        if !error.is_passing() {
            return Some(Err(WorkError::Refused(error)));
        }
        self.retry_at = now + Retry::default().pause(self.failures, &error);
        self.failures += 1;
        let patience = self.patience.reconnect_within;
        if patience.is_some_and(|patience| since + patience < self.retry_at) {
            return Some(Err(WorkError::Unreachable(error)));
        }
        None
    }

    /// Opens a stream where there is none and it is time for one.
    fn connect(&mut self) {
        if self.book.is_draining() {
            self.draining_since.get_or_insert_with(Instant::now);
        }
        let is_due = self.retry_at <= Instant::now();
        if self.stream.is_some() || !self.opening.is_empty() || !is_due || self.book.is_over() {
            return;
        }
        let (to, frames) = mpsc::unbounded_channel();
        if let Some(until) = self.box_until {
            self.book.stops_within(until.saturating_duration_since(Instant::now()));
        }
        // The daemon may want to see it before it answers at all. We hold the other end.
        let _ = to.send(self.book.hello());
        let mut dispatch = self.client.dispatch();
        self.opening.spawn(async move {
            let from = dispatch.work(UnboundedReceiverStream::new(frames)).await?.into_inner();
            Ok(Connection { to, from, heard: Instant::now() })
        });
    }

    /// Hands on what the book wants said.
    fn flush(&mut self) {
        for frame in std::mem::take(&mut self.book.frames) {
            self.send(frame);
        }
        for order in std::mem::take(&mut self.book.orders) {
            // Nobody listens any more once the runtime was dropped.
            let _ = self.told.send(Told::Order(order));
        }
    }

    fn send(&mut self, frame: WorkRequest) {
        if let Some(connection) = &self.stream {
            // A broken stream tells so where it is read.
            let _ = connection.to.send(frame);
        }
    }

    /// Asks why there is nothing to do. If there is something after all, it is done.
    fn probe(&mut self) {
        let worker = self.book.worker();
        let request = LeaseRequest {
            worker: worker.worker.clone(),
            count: 1,
            request_id: request_id(),
            projects: worker.projects.clone(),
            except_projects: worker.except_projects.clone(),
            max_payload_bytes: worker.max_payload_bytes,
            min_hourly: worker.min_hourly.clone(),
            within: worker.within,
            ..LeaseRequest::default()
        };
        let mut dispatch = self.client.dispatch();
        self.probes.spawn(async move {
            let reply = dispatch.lease(request).await.map_err(CallError::from)?;
            Ok(reply.into_inner())
        });
    }

    fn probed(
        &mut self,
        reply: Result<LeaseResponse, CallError>,
    ) -> Option<Result<Stopped, WorkError>> {
        match reply {
            Ok(LeaseResponse { leases, empty_reason, .. }) => {
                if leases.is_empty() && self.book.idle_since().is_some() {
                    return Some(Ok(Stopped::Idle(empty_reason)));
                }
                self.adopt(leases);
                None
            }
            // The stream hears of it, too; then there is nothing to ask.
            Err(error) if error.is_passing() => {
                self.book.ask(false, Instant::now());
                None
            }
            Err(error) => Some(Err(WorkError::Refused(error))),
        }
    }

    /// Leases that came by a call, not by the stream.
    fn adopt(&mut self, leases: Vec<Lease>) {
        self.book.granted(leases, false, Instant::now());
    }
}
