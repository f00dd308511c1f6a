//! All leases that the runtime holds, and what follows from each thing that happens.
//!
//! Pure: every event comes with the time it happened at, and leaves frames for
//! the daemon and orders for the handlers' side. Frames are made only between
//! `synced` and `disconnected`; what could not be said meanwhile follows from
//! the leases' stages when the connection is back.
//!
//! Invariant: each lease gets exactly one `Order::Report`, when it leaves.
//!
//! Not here: the stream (`session.rs`), handlers (`mod.rs`).

mod saying;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use piecework_proto::v1::work_request::{Ack, Frame, LifeSigns, PresentWorker};
use piecework_proto::v1::{
    ErrorReason, Lease, LeaseExtension, LeaseState, ReturnReason, WorkRequest,
};
use tokio::time::Instant;

use super::held::{Held, Sent, Stage};
use super::replies::{Outcome, too_large};
use super::task::{End, Ended, Finished, Task, Work};
use crate::durations::{from_proto, to_proto};
use crate::error::{CallError, Refused};
use crate::retry::Retry;

/// Room around an answer in its frame.
const FRAME_SLACK_BYTES: usize = 1_024;

/// What the runtime was told to do.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Who works, and its wishes. `capacity` is not looked at.
    pub(super) worker: PresentWorker,
    /// Handlers at a time.
    pub(super) concurrency: u32,
    /// The most a handler may take.
    pub(super) task_within: Option<Duration>,
    /// After so many tasks it ends.
    pub(super) at_most: Option<u64>,
    /// Only this lease, which the worker holds already.
    pub(super) only: Option<String>,
}

/// For the handlers' side.
#[derive(Debug)]
pub(super) enum Order {
    /// Begin with a task.
    Start(Box<Task>),
    /// Stop the handler of this lease; what it says later is not heard.
    Cancel(String),
    /// Tell how a lease ended.
    Report(Box<Finished>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Book {
    terms: Terms,
    heartbeat: Duration,
    frame_bytes_max: usize,
    leases: BTreeMap<String, Held>,
    arrivals: u64,
    started: u64,
    /// Whose end was told, of those that had started.
    done: u64,
    draining: bool,
    /// Nothing is to be pushed for now: somebody asks instead.
    asking: bool,
    connected: bool,
    next_op: u64,
    /// What the daemon was told last, and the operation that has not been answered.
    capacity: (u32, Option<u64>),
    /// Leases that the daemon has told of since the connection came back.
    listed: BTreeSet<String>,
    idle_since: Option<Instant>,
    pub(super) frames: Vec<WorkRequest>,
    pub(super) orders: Vec<Order>,
}

impl Book {
    pub(super) fn new(terms: Terms) -> Book {
        Book {
            terms,
            heartbeat: Duration::from_secs(20),
            frame_bytes_max: usize::MAX,
            leases: BTreeMap::new(),
            arrivals: 0,
            started: 0,
            done: 0,
            draining: false,
            asking: false,
            connected: false,
            next_op: 0,
            capacity: (0, None),
            listed: BTreeSet::new(),
            idle_since: None,
            frames: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// The daemon's terms.
    pub(super) fn welcome(&mut self, heartbeat: Duration, frame_bytes_max: u32) {
        if !heartbeat.is_zero() {
            self.heartbeat = heartbeat;
        }
        self.frame_bytes_max = usize::try_from(frame_bytes_max).unwrap_or(usize::MAX);
    }

    /// Leases that the worker holds already; those of other projects are somebody else's.
    pub(super) fn held(&mut self, leases: Vec<Lease>, now: Instant) {
        for lease in leases {
            let Terms { worker: PresentWorker { projects, .. }, only, .. } = &self.terms;
            let is_wished = projects.is_empty() || projects.contains(&lease.project);
            if !is_wished || only.as_ref().is_some_and(|only| *only != lease.name) {
                continue;
            }
            self.listed.insert(lease.name.clone());
            let heartbeat = self.heartbeat;
            match self.leases.get_mut(&lease.name) {
                Some(held) => {
                    held.lasts(from_proto(lease.remaining), heartbeat, now);
                    if let Stage::Running { ended } = &mut held.stage {
                        *ended = None;
                    }
                }
                None => self.take(lease, now),
            }
        }
    }

    /// All was told: what runs goes on, what is answered is said again, what has not
    /// started may begin.
    pub(super) fn synced(&mut self, now: Instant) {
        self.connected = true;
        let listed = std::mem::take(&mut self.listed);
        let gone: Vec<String> =
            self.leases.keys().filter(|name| !listed.contains(*name)).cloned().collect();
        for name in gone {
            self.ended(&name, Ended::Away, now);
        }
        let names: Vec<String> = self.leases.keys().cloned().collect();
        for name in &names {
            self.say(name);
        }
        self.fill(now);
    }

    /// The stream broke. What is said from now on waits.
    pub(super) fn disconnected(&mut self) {
        (self.connected, self.asking) = (false, false);
        self.capacity.1 = None;
        self.idle_since = None;
        for held in self.leases.values_mut() {
            if let Some(sent) = held.operation() {
                *sent = Sent::No;
            }
        }
    }

    /// The daemon is about to end: nothing more is said on this stream, but what was said is
    /// still answered.
    pub(super) fn paused(&mut self) {
        self.connected = false;
        self.idle_since = None;
    }

    /// New leases. `pushed`: by the stream, which wants to hear that they have arrived.
    pub(super) fn granted(&mut self, leases: Vec<Lease>, pushed: bool, now: Instant) {
        let leases: Vec<Lease> = leases
            .into_iter()
            .filter(|lease| {
                lease.state() == LeaseState::Live || lease.state() == LeaseState::Unspecified
            })
            .collect();
        self.asking = false;
        if pushed {
            let names = leases.iter().map(|lease| lease.name.clone()).collect();
            self.send(Frame::Ack(Ack { leases: names }));
        }
        for lease in leases {
            if !self.leases.contains_key(&lease.name) {
                self.take(lease, now);
            }
        }
        self.fill(now);
    }

    /// A handler is through with a task, or died of it.
    pub(super) fn worked(&mut self, name: &str, work: Work, now: Instant) {
        let Some(held) = self.leases.get_mut(name) else { return };
        let Stage::Running { ended } = &held.stage else { return };
        held.stage = match work {
            Work::Answer(answer) if answer.len() + FRAME_SLACK_BYTES > self.frame_bytes_max => {
                // The daemon would cut the stream, again and again.
                let refused = too_large(answer.len(), self.frame_bytes_max - FRAME_SLACK_BYTES);
                give_up(refused)
            }
            Work::Answer(answer) => Stage::Submitting { answer, sent: Sent::No },
            Work::Return(reason) => {
                let then = ended.clone().map_or(End::Returned(reason), End::Ended);
                Stage::Returning { reason, sent: Sent::No, then }
            }
        };
        // Before the lease is free again, or the daemon would give another for it.
        self.want();
        self.say(name);
        self.fill(now);
    }

    /// What became of an operation.
    pub(super) fn reply(&mut self, op_id: u64, outcome: Outcome, now: Instant) {
        if self.capacity.1 == Some(op_id) {
            self.capacity.1 = None;
        }
        if let Outcome::Extended(extensions) = outcome {
            self.extended(&extensions, now);
            return;
        }
        let is_it = |held: &mut Held| held.operation().is_some_and(|s| *s == Sent::As(op_id));
        let found =
            self.leases.iter_mut().find_map(|(name, held)| is_it(held).then(|| name.clone()));
        let Some(name) = found else { return };
        let Some(held) = self.leases.get_mut(&name) else { return };
        match (&mut held.stage, outcome) {
            (stage, Outcome::Refused(refused)) if refused.is_passing() => {
                let pause = Retry::default().pause(held.failures, &CallError::from(refused));
                held.failures += 1;
                if let Stage::Submitting { sent, .. } | Stage::Returning { sent, .. } = stage {
                    *sent = Sent::NotBefore(now + pause);
                }
            }
            (Stage::Submitting { .. }, Outcome::Refused(refused)) => {
                if lease_lives(&refused) {
                    held.stage = give_up(*refused);
                    self.say(&name);
                } else {
                    self.leave(&name, End::Refused(refused));
                }
            }
            (Stage::Submitting { .. }, Outcome::Taken(receipt)) => {
                self.leave(&name, End::Done(*receipt));
            }
            // However a return is answered, the lease is not ours any more.
            (Stage::Returning { then, .. }, _) => {
                let end = then.clone();
                self.leave(&name, end);
            }
            (Stage::Submitting { .. }, Outcome::Ok | Outcome::Extended(_)) => {
                self.leave(&name, End::Unanswered);
            }
            (Stage::Queued | Stage::Running { .. }, _) => {}
        }
        self.fill(now);
    }

    fn extended(&mut self, extensions: &[LeaseExtension], now: Instant) {
        for extension in extensions {
            if let Some(held) = self.leases.get_mut(&extension.lease) {
                held.lasts(from_proto(extension.remaining), self.heartbeat, now);
            }
        }
    }

    /// A lease ended, and not by us. An expired one may still be answered, so whoever works
    /// on it goes on; anything else cancels the handler.
    pub(super) fn ended(&mut self, name: &str, how: Ended, now: Instant) {
        let Some(held) = self.leases.get_mut(name) else { return };
        match &mut held.stage {
            Stage::Running { ended } if matches!(how, Ended::Expired | Ended::Away) => {
                *ended = Some(how);
            }
            Stage::Running { .. } => {
                self.orders.push(Order::Cancel(name.to_owned()));
                self.leave(name, End::Ended(how));
            }
            Stage::Queued if how == Ended::Expired => {
                // Given up, so that it does not count against the worker's capacity.
                let (reason, then) = (ReturnReason::Unstarted, End::Ended(how));
                held.stage = Stage::Returning { reason, sent: Sent::No, then };
                self.say(name);
            }
            Stage::Queued => self.leave(name, End::Ended(how)),
            // The operation's own reply says more.
            Stage::Submitting { .. } | Stage::Returning { .. } => {}
        }
        self.fill(now);
    }

    /// Does what is due by itself.
    pub(super) fn tick(&mut self, now: Instant) {
        let names: Vec<String> = self.leases.keys().cloned().collect();
        let mut signs = Vec::new();
        for name in names {
            let Some(held) = self.leases.get_mut(&name) else { continue };
            if matches!(held.stage, Stage::Running { .. }) && held.deadline <= now {
                self.orders.push(Order::Cancel(name.clone()));
                self.worked(&name, Work::Return(ReturnReason::OutOfTime), now);
                continue;
            }
            if held.shows_life() && held.sign_at <= now {
                held.signed(self.heartbeat, now);
                signs.push(name.clone());
            }
            let due = |sent: &mut Sent| matches!(*sent, Sent::NotBefore(at) if at <= now);
            if held.operation().is_some_and(due) {
                self.say(&name);
            }
        }
        if !signs.is_empty() {
            self.send(Frame::LifeSigns(LifeSigns { workers: Vec::new(), leases: signs }));
        }
    }

    /// When `tick` has something to do.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.leases.values().filter_map(Held::wake).min()
    }

    /// Takes no more; what has not started goes back, what runs may finish.
    pub(super) fn drain(&mut self, now: Instant) {
        if self.draining {
            return;
        }
        self.draining = true;
        let queued: Vec<String> = self.names_of(|stage| matches!(stage, Stage::Queued));
        for name in queued {
            self.give_back(&name, ReturnReason::Unstarted);
        }
        self.fill(now);
    }

    /// As `drain`, and what runs is cancelled and goes back, too.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.drain(now);
        for name in self.names_of(|stage| matches!(stage, Stage::Running { .. })) {
            self.orders.push(Order::Cancel(name.clone()));
            self.worked(&name, Work::Return(ReturnReason::OutOfTime), now);
        }
    }

    /// Nothing more can be said: all that is left is told as it stands.
    pub(super) fn abandon(&mut self) {
        let names: Vec<String> = self.leases.keys().cloned().collect();
        for name in names {
            let Some(held) = self.leases.get(&name) else { continue };
            let end = match &held.stage {
                Stage::Queued | Stage::Running { .. } => End::Ended(Ended::Away),
                Stage::Submitting { .. } => End::Unanswered,
                Stage::Returning { then, .. } => then.clone(),
            };
            self.orders.push(Order::Cancel(name.clone()));
            self.leave(&name, end);
        }
    }

    /// Whether all is said and done.
    pub(super) fn is_over(&self) -> bool {
        self.draining && self.leases.is_empty() && self.capacity.1.is_none()
    }

    /// Whether it takes no more.
    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether a handler is at work.
    pub(super) fn is_running(&self) -> bool {
        self.running() > 0
    }

    /// Asks for no pushes, or for them again: somebody wants to ask by a call, and must not be
    /// given twice as much.
    pub(super) fn ask(&mut self, asking: bool, now: Instant) {
        self.asking = asking;
        self.fill(now);
    }

    /// Whether pushes have been put off, and whether the daemon has heard of it.
    pub(super) fn asking(&self) -> (bool, bool) {
        (self.asking, self.capacity.1.is_none())
    }

    /// Whether it does one lease only, which the worker held before.
    pub(super) fn takes_no_others(&self) -> bool {
        self.terms.only.is_some()
    }

    /// Since when the worker has had nothing to do, while connected.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }

    /// The worker's time box has got shorter.
    pub(super) fn stops_within(&mut self, left: Duration) {
        self.terms.worker.within = Some(to_proto(left));
    }

    /// Who works.
    pub(super) fn worker(&self) -> &PresentWorker {
        &self.terms.worker
    }

    /// How often the connection shows that it lives.
    pub(super) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    fn take(&mut self, lease: Lease, now: Instant) {
        self.arrivals += 1;
        let name = lease.name.clone();
        let held = Held::new(lease, self.arrivals, self.heartbeat, now);
        self.leases.insert(name.clone(), held);
        if self.draining {
            self.give_back(&name, ReturnReason::Unstarted);
        }
    }

    fn give_back(&mut self, name: &str, reason: ReturnReason) {
        if let Some(held) = self.leases.get_mut(name) {
            let then = End::Returned(reason);
            held.stage = Stage::Returning { reason, sent: Sent::No, then };
            self.say(name);
        }
    }

    /// Starts what there are hands for, oldest first, and says how many more are wanted.
    fn fill(&mut self, now: Instant) {
        while let Some(name) = self.next_to_start() {
            self.begin(&name, now);
        }
        if self.terms.at_most.is_some_and(|most| self.done >= most) {
            self.drain(now);
        }
        self.want();
        let is_idle = self.connected && self.leases.is_empty() && !self.draining;
        self.idle_since = is_idle.then(|| self.idle_since.unwrap_or(now));
    }

    fn next_to_start(&self) -> Option<String> {
        let has_hands =
            self.running() < usize::try_from(self.terms.concurrency).unwrap_or(usize::MAX);
        let may_start = self.terms.at_most.is_none_or(|most| self.started < most);
        if !has_hands || !may_start || self.draining || !self.connected {
            return None;
        }
        let queued = self.leases.iter().filter(|(_, held)| held.stage == Stage::Queued);
        queued.min_by_key(|(_, held)| held.arrival).map(|(name, _)| name.clone())
    }

    fn begin(&mut self, name: &str, now: Instant) {
        self.started += 1;
        if let Some(held) = self.leases.get_mut(name) {
            held.start(self.terms.task_within, now);
            let task = Task { lease: held.lease.clone(), deadline: held.deadline };
            self.orders.push(Order::Start(Box::new(task)));
        }
    }

    fn running(&self) -> usize {
        self.leases.values().filter(|h| matches!(h.stage, Stage::Running { .. })).count()
    }

    fn leave(&mut self, name: &str, end: End) {
        let Some(Held { lease, started, .. }) = self.leases.remove(name) else { return };
        self.done += u64::from(started);
        self.orders.push(Order::Report(Box::new(Finished { lease, started, end })));
    }

    fn names_of(&self, which: impl Fn(&Stage) -> bool) -> Vec<String> {
        let which = self.leases.iter().filter(|(_, held)| which(&held.stage));
        which.map(|(name, _)| name.clone()).collect()
    }
}

/// The answer is nothing, but the lease lives: another worker may do better.
fn give_up(refused: Refused) -> Stage {
    let then = End::Refused(Box::new(refused));
    Stage::Returning { reason: ReturnReason::NotForMe, sent: Sent::No, then }
}

/// Refusals of an answer that leave its lease as it is.
fn lease_lives(refused: &Refused) -> bool {
    [ErrorReason::AnswerInvalid, ErrorReason::LimitExceeded, ErrorReason::FieldInvalid]
        .into_iter()
        .any(|reason| refused.is(reason))
}

#[cfg(test)]
mod tests;
