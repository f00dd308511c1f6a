//! One stream's life, from `Welcome` to its end.
//!
//! One loop hears the client's frames, the mail with everything that became durable,
//! and one clock for all its workers. An idle worker costs a parked request and
//! nothing that ticks.
//!
//! Not here: operations (`operations.rs`), asking for work (`asking.rs`), writing leases
//! out (`held.rs`).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use piecework_core::lease::Revocation;
use piecework_core::{Command, Outcome, Request, WorkerId};
use piecework_proto::v1;
use piecework_proto::v1::work_request::Frame as Asked;
use piecework_proto::v1::work_response::{Drain, Frame, LeaseEnded, Ping};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tonic::{Status, Streaming};
use tracing::debug;

use crate::services::call::unexpected;
use crate::services::tenant;
use crate::services::work::crew::Crew;
use crate::services::work::op_ids::OpIds;
use crate::services::work::operations::Operation;
use crate::services::work::outgoing::Outgoing;
use crate::services::work::registry::SessionId;
use crate::services::work::{End, House, held};
use crate::wire::to_wire::std_duration;
use crate::wire::{invalid, names, status};
use crate::writer::{Answer, Ended, How, Mail, MailSlot, Unanswered, Waiting};

/// Operations under way; beyond them the client's frames wait.
const OPERATIONS_MAX: usize = 1_024;
/// Workers whose holdings are asked for at a time.
const SYNCS_MAX: usize = 64;
/// Mails heard before frames and the clock have their turn.
const MAILS_MAX: usize = 256;
/// Frames heard before mails and the clock have theirs.
const FRAMES_MAX: usize = 64;
/// When to ask again where a lane was full.
pub(super) const AGAIN_IN: Duration = Duration::from_millis(250);

/// What a request was for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    /// What the worker holds.
    Sync(WorkerId),
    /// Work for it.
    Lease(WorkerId),
    /// An operation of the client.
    Operation(u64),
    /// Leases that could not be sent.
    GiveBack,
}

/// A stream that has been welcomed.
pub(super) struct Session {
    pub(super) house: Arc<House>,
    id: SessionId,
    pub(super) crew: Crew,
    pub(super) out: Outgoing,
    pub(super) operations: HashMap<u64, Operation>,
    pub(super) op_ids: OpIds,
    mail: mpsc::UnboundedSender<Mail>,
    mailbox: mpsc::UnboundedReceiver<Mail>,
    calls: HashMap<u64, Call>,
    last_call: u64,
    /// Requests that go into their lanes together.
    outbox: Vec<Waiting>,
    /// Workers whose holdings are not asked for yet.
    to_sync: VecDeque<WorkerId>,
    /// Workers to ask for when all that is at hand has been heard.
    pub(super) to_ask: BTreeSet<WorkerId>,
    /// Workers to ask for again at some time.
    pub(super) later: BTreeSet<WorkerId>,
    pub(super) later_at: Option<Instant>,
    /// The client sends nothing more.
    pub(super) said_bye: bool,
    /// Since the daemon drains: when the stream ends.
    pub(super) drained_at: Option<Instant>,
    heard_at: Instant,
    /// The oldest ping that nothing was heard after.
    pinged_at: Option<Instant>,
    beat_at: Instant,
    nonce: u64,
}

/// Resolves when the daemon drains; a closed channel is an end, too.
async fn stops(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// The next frame, if it is there already.
async fn at_hand(
    frames: &mut Streaming<v1::WorkRequest>,
) -> Option<Result<Option<v1::WorkRequest>, Status>> {
    tokio::select! {
        biased;
        frame = frames.message() => Some(frame),
        () = ready(()) => None,
    }
}

impl Session {
    pub(super) fn new(house: Arc<House>, crew: Crew, out: Outgoing) -> Session {
        let (mail, mailbox) = mpsc::unbounded_channel();
        // Before anything is asked: whatever ends from now on is heard of.
        let id = house.registry.enter(&mail, crew.ids());
        let now = Instant::now();
        Session {
            id,
            to_sync: crew.ids().collect(),
            crew,
            out,
            operations: HashMap::new(),
            op_ids: OpIds::default(),
            mail,
            mailbox,
            calls: HashMap::new(),
            last_call: 0,
            outbox: Vec::new(),
            to_ask: BTreeSet::new(),
            later: BTreeSet::new(),
            later_at: None,
            said_bye: false,
            drained_at: None,
            heard_at: now,
            pinged_at: None,
            beat_at: now + house.terms.heartbeat,
            nonce: 0,
            house,
        }
    }

    /// Goes on until the stream ends, and cleans up behind it.
    pub(super) async fn run(mut self, mut frames: Streaming<v1::WorkRequest>) {
        let end = match self.live(&mut frames).await {
            Ok(()) => End::Orderly,
            Err(end) => end,
        };
        debug!(?end, "a work stream ended");
        self.leave(end);
    }

    async fn live(&mut self, frames: &mut Streaming<v1::WorkRequest>) -> Result<(), End> {
        let mut stopping = self.house.desk.stopping.clone();
        self.sync_more();
        self.post_all();
        while !(self.said_bye && self.operations.is_empty()) {
            let takes_frames = !self.said_bye && self.operations.len() < OPERATIONS_MAX;
            let wake_at = self.next_wake();
            tokio::select! {
                () = stops(&mut stopping), if self.drained_at.is_none() => {
                    self.drain().await?;
                }
                // The session holds a sender itself: there is always a next one.
                Some(mail) = self.mailbox.recv() => {
                    self.hear(mail).await?;
                    // What one group made durable comes together.
                    for _ in 1..MAILS_MAX {
                        let Ok(mail) = self.mailbox.try_recv() else { break };
                        self.hear(mail).await?;
                    }
                }
                frame = frames.message(), if takes_frames => {
                    self.heard(frame).await?;
                    for _ in 1..FRAMES_MAX {
                        if self.said_bye || self.operations.len() >= OPERATIONS_MAX {
                            break;
                        }
                        let Some(frame) = at_hand(frames).await else { break };
                        self.heard(frame).await?;
                    }
                }
                () = self.out.closed() => return Err(End::Gone),
                () = sleep_until(wake_at) => self.wake().await?,
            }
            self.ask_all();
            self.post_all();
        }
        Ok(())
    }

    async fn heard(&mut self, frame: Result<Option<v1::WorkRequest>, Status>) -> Result<(), End> {
        match frame {
            Ok(Some(frame)) => self.frame(frame).await,
            Ok(None) => {
                self.bye();
                Ok(())
            }
            Err(_) => Err(End::Gone),
        }
    }

    /// What the client sent.
    async fn frame(&mut self, request: v1::WorkRequest) -> Result<(), End> {
        self.heard_at = Instant::now();
        self.pinged_at = None;
        match request.frame {
            None => Err(invalid::field("frame", "is not set, or not known here").into()),
            Some(Asked::Hello(_)) => {
                Err(invalid::field("hello", "comes a second time; open another stream").into())
            }
            Some(Asked::Pong(_)) => Ok(()),
            Some(Asked::Bye(_)) => {
                self.bye();
                Ok(())
            }
            Some(operation) => self.operate(request.op_id, operation).await,
        }
    }

    fn bye(&mut self) {
        self.said_bye = true;
        self.crew.give_up_all();
    }

    /// No more grants; operations are taken as long as the daemon takes any.
    async fn drain(&mut self) -> Result<(), End> {
        self.crew.give_up_all();
        self.to_sync.clear();
        let within = self.house.drain.streams_within();
        self.drained_at = Some(Instant::now() + within);
        self.out.send(Frame::Drain(Drain { within: Some(std_duration(within)) })).await
    }

    /// When the clock has something to do.
    fn next_wake(&self) -> Instant {
        let others = [self.later_at, self.drained_at];
        others.into_iter().flatten().fold(self.beat_at, Instant::min)
    }

    async fn wake(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.drained_at.is_some_and(|at| at <= now) {
            return Err(status::unanswered(Unanswered::Draining).into());
        }
        if self.later_at.is_some_and(|at| at <= now) {
            self.later_at = None;
            self.sync_more();
            for worker in std::mem::take(&mut self.later) {
                self.ask(worker);
            }
        }
        if self.beat_at <= now { self.beat(now).await } else { Ok(()) }
    }

    /// Asks a client of which nothing was heard whether it is there.
    async fn beat(&mut self, now: Instant) -> Result<(), End> {
        let heartbeat = self.house.terms.heartbeat;
        self.beat_at = now + heartbeat;
        if self.pinged_at.is_some_and(|at| now - at >= 2 * heartbeat) {
            return Err(status::stream_silent(2 * heartbeat).into());
        }
        if now - self.heard_at >= heartbeat {
            self.pinged_at.get_or_insert(now);
            self.nonce += 1;
            self.out.send(Frame::Ping(Ping { nonce: self.nonce })).await?;
        }
        Ok(())
    }

    /// Makes a request, which goes with the next `post_all`; the mail brings the answer.
    pub(super) fn post(
        &mut self,
        command: Command,
        wait: Duration,
        call: Call,
    ) -> (u64, Arc<AtomicBool>) {
        self.last_call += 1;
        let (number, given_up) = (self.last_call, Arc::new(AtomicBool::new(false)));
        let slot = MailSlot::new(self.mail.clone(), number, Arc::clone(&given_up));
        let request = Request { tenant: tenant::current(), command };
        self.outbox.push(Waiting::mail(request, wait, slot));
        self.calls.insert(number, call);
        (number, given_up)
    }

    /// Puts what was asked for into its lanes.
    pub(super) fn post_all(&mut self) {
        if !self.outbox.is_empty() {
            self.house.desk.inbox.post(self.outbox.drain(..));
        }
    }

    async fn hear(&mut self, mail: Mail) -> Result<(), End> {
        match mail {
            Mail::Lost(worker) => self.crew.lose(worker),
            Mail::Ended(ended) => self.ended(ended).await?,
            Mail::Answer(number, answer) => match (self.calls.remove(&number), *answer) {
                (Some(Call::Sync(worker)), answer) => self.synced(worker, answer).await?,
                (Some(Call::Lease(worker)), answer) => self.leased(worker, number, answer).await?,
                (Some(Call::Operation(op_id)), answer) => self.operated(op_id, answer).await?,
                (Some(Call::GiveBack), Err(why)) => {
                    debug!(%why, "leases that could not be sent were not returned");
                }
                (Some(Call::GiveBack) | None, _) => {}
            },
        }
        Ok(())
    }

    /// Asks what some more workers hold.
    fn sync_more(&mut self) {
        let under_way = self.calls.values().filter(|c| matches!(c, Call::Sync(_))).count();
        for _ in under_way..SYNCS_MAX {
            let Some(worker) = self.to_sync.pop_front() else { return };
            let Some(present) = self.crew.get(worker).filter(|p| p.owned) else { continue };
            let command = Command::InspectWorker { worker: present.name.clone() };
            self.post(command, Duration::ZERO, Call::Sync(worker));
        }
    }

    async fn synced(
        &mut self,
        worker: WorkerId,
        answer: Result<Answer, Unanswered>,
    ) -> Result<(), End> {
        let answer = match answer {
            Err(why) if why != Unanswered::Stopped => {
                self.to_sync.push_front(worker);
                self.again_in(AGAIN_IN);
                return Ok(());
            }
            answer => answer.map_err(status::unanswered)?,
        };
        let outcome = answer.outcome.map_err(|refusal| status::refused(&refusal, ""))?;
        let Outcome::Worker(view) = outcome else { return Err(unexpected(&outcome).into()) };
        self.sync_more();
        if self.crew.get(worker).is_none_or(|present| !present.owned) {
            return Ok(());
        }
        for grant in &view.leases {
            self.crew.hold(worker, grant.lease.id);
        }
        let (name, wall) = (&view.worker.name, answer.now.wall);
        held::tell_held(&self.house.desk, &self.out, name, view.leases, wall).await?;
        if let Some(present) = self.crew.get_mut(worker) {
            present.synced = true;
        }
        self.ask(worker);
        Ok(())
    }

    /// A lease lives no more, and it was not this stream that ended it.
    async fn ended(&mut self, ended: Ended) -> Result<(), End> {
        let Some(worker) = self.crew.drop_lease(ended.lease) else { return Ok(()) };
        let Some(present) = self.crew.get(worker) else { return Ok(()) };
        let (state, reason) = match ended.how {
            How::Expired => (v1::LeaseState::Expired, ""),
            How::Submitted => (v1::LeaseState::Submitted, ""),
            How::Returned => (v1::LeaseState::Returned, ""),
            How::Revoked(Revocation::WorkerSuspended) => {
                (v1::LeaseState::Revoked, "The worker was suspended.")
            }
            How::Revoked(Revocation::TaskCancelled) => {
                (v1::LeaseState::Revoked, "The task was cancelled.")
            }
        };
        let frame = LeaseEnded {
            worker: names::of_worker(&present.name),
            lease: names::of_lease(ended.lease),
            state: state.into(),
            reason: reason.to_owned(),
        };
        self.out.send(Frame::LeaseEnded(frame)).await?;
        self.ask(worker);
        Ok(())
    }

    /// Nothing more is granted to anybody here; what was granted already goes back.
    fn leave(mut self, end: End) {
        self.crew.give_up_all();
        self.house.registry.leave(self.id, self.crew.ids());
        self.mailbox.close();
        while let Ok(mail) = self.mailbox.try_recv() {
            let Mail::Answer(number, answer) = mail else { continue };
            let Some(Call::Lease(worker)) = self.calls.remove(&number) else { continue };
            let name = self.crew.get(worker).map(|present| present.name.clone());
            if let (Some(name), Ok(Answer { outcome: Ok(Outcome::Leased(leased)), .. })) =
                (name, *answer)
            {
                self.give_back(&name, &leased.grants);
            }
        }
        self.post_all();
        self.out.end(end);
    }
}
