//! The way to the writer: three bounded lanes, an answer per request.
//!
//! Submit and extend go before lease, lease before intake. A request that finds
//! its lane full is refused before anything happened.
//!
//! Not here: what a turn does with them (`turn.rs`).

mod waiting;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use piecework_core::{Command, Now, Outcome, Position, Refusal, Request};
use tokio::sync::oneshot;

use super::gates::{Gate, Gates};
use super::slot::ReplySlot;
pub(crate) use waiting::Waiting;

/// What the engine said, once it is durable.
#[derive(Debug)]
pub(crate) struct Answer {
    /// An outcome or a refusal; both rest on durable state.
    pub(crate) outcome: Result<Outcome, Refusal>,
    /// The position that the answer saw: its own, or the newest before it.
    pub(crate) position: Position,
    /// The logged times of its turn.
    pub(crate) now: Now,
}

/// Why there is no answer. Nothing happened, save after `Stopped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The lane is full.
    #[error("the daemon has {waiting} requests waiting, limit {limit}; try again shortly")]
    Overloaded {
        /// Requests in the lane.
        waiting: usize,
        /// How many it takes.
        limit: usize,
    },
    /// Changes wait for the checkpoint or for disk space.
    #[error("the disk is full or too slow; answers are still taken, try again later")]
    StorageFull,
    /// The daemon is ending.
    #[error("the daemon is ending; try again on the next one")]
    Draining,
    /// The daemon is ending; a `Lease` that waited for work found none until then.
    #[error("the daemon is ending and there was no work; ask the next one")]
    SentAway,
    /// The writer has died; whether the request took effect is not known.
    #[error("the daemon stopped before it could answer; try again with the same keys")]
    Stopped,
}

/// Which lane a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Answers, extensions, returns and the like: what workers hold goes first.
    Submit,
    /// Leases, reads and what operators do.
    Lease,
    /// New tasks.
    Intake,
}

impl Lane {
    pub(crate) fn of(command: &Command) -> Lane {
        match command {
            Command::Submit(_)
            | Command::Extend(_)
            | Command::Return(_)
            | Command::Claim(_)
            | Command::ShowLife(_)
            | Command::SaveDraft(_) => Lane::Submit,
            // A refinement waits for whoever waits for an answer.
            Command::CreateTasks(_) | Command::Learn(_) | Command::Refine(_) => Lane::Intake,
            _ => Lane::Lease,
        }
    }
}

/// How soon it is looked again whether requests that are held can be taken.
const HELD_LOOK: Duration = Duration::from_millis(5);
/// Answers and leases for which a turn is begun although a group is on its way to the disk.
const ENOUGH: usize = 16;
/// Commands in a group that the writer makes durable by itself when nobody else is there.
const FEW: u32 = 16;

/// Bounds of the lanes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneLimits {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

/// The callers' end. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    lanes: Mutex<Lanes>,
    arrived: Condvar,
    limits: LaneLimits,
    listeners: AtomicUsize,
}

#[derive(Default)]
pub(crate) struct Lanes {
    submit: Queue,
    lease: Queue,
    intake: Queue,
    draining: bool,
    closed: Option<Unanswered>,
    gates: Gates,
    nudged: bool,
    /// The writer waits for something to do.
    asleep: bool,
    /// Groups on their way to the disk.
    unsynced: usize,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Waiting>,
    bytes: usize,
    weight: usize,
}

impl Inbox {
    pub(crate) fn new(limits: LaneLimits) -> Inbox {
        let (lanes, arrived, listeners) = <(Mutex<Lanes>, Condvar, AtomicUsize)>::default();
        let shared = Shared { lanes, arrived, limits, listeners };
        Inbox { shared: Arc::new(shared) }
    }

    /// Asks, and waits until the answer is durable.
    ///
    /// `wait`: for `Command::Lease` without work, how long to wait for some.
    ///
    /// # Errors
    /// No effect, save after [`Unanswered::Stopped`].
    pub(crate) async fn call(
        &self,
        request: Request,
        wait: Duration,
    ) -> Result<Answer, Unanswered> {
        let (waiting, answer) = Waiting::call(request, wait);
        self.put(waiting)?;
        answer.await.unwrap_or(Err(Unanswered::Stopped))
    }

    /// Asks for two things that follow each other, and waits until both are durable: the
    /// writer wakes once for them, so that one group has both wherever there is room.
    ///
    /// # Errors
    /// Of each its own: no effect, save after [`Unanswered::Stopped`].
    pub(crate) async fn call_both(
        &self,
        first: Request,
        (second, wait): (Request, Duration),
    ) -> [Result<Answer, Unanswered>; 2] {
        let (first, answer_to_first) = Waiting::call(first, Duration::ZERO);
        let (second, answer_to_second) = Waiting::call(second, wait);
        self.post([first, second]);
        let (first, second) = tokio::join!(answer_to_first, answer_to_second);
        [first, second].map(|answer| answer.unwrap_or(Err(Unanswered::Stopped)))
    }

    /// Asks, and blocks the thread until the answer is durable.
    ///
    /// # Errors
    /// No effect, save after [`Unanswered::Stopped`].
    pub(crate) fn ask_blocking(&self, request: Request) -> Result<Answer, Unanswered> {
        let (waiting, answer) = Waiting::call(request, Duration::ZERO);
        self.put(waiting)?;
        answer.blocking_recv().unwrap_or(Err(Unanswered::Stopped))
    }

    /// Asks for things that follow each other: the writer wakes once for them, so that one
    /// group has them all wherever there is room. A refusal is an answer like any other.
    pub(crate) fn post(&self, requests: impl IntoIterator<Item = Waiting>) {
        let mut lanes = self.lock();
        for waiting in requests {
            if let Some(why) = lanes.refuses(&waiting, self.shared.limits) {
                // The caller may have gone.
                let _ = waiting.reply.send(Err(why));
            } else {
                lanes.push(waiting);
            }
        }
        self.wake(lanes);
    }

    /// Asks without waiting for the answer.
    ///
    /// # Errors
    /// Nothing happened.
    pub(crate) fn tell(&self, request: Request) -> Result<(), Unanswered> {
        let reply = ReplySlot::Call(oneshot::channel().0);
        self.put(Waiting::new(request, Duration::ZERO, reply))
    }

    /// A stream wants to hear of leases that end, until it says `listen(false)`.
    pub(crate) fn listen(&self, more: bool) {
        match more {
            true => self.shared.listeners.fetch_add(1, Ordering::AcqRel),
            false => self.shared.listeners.fetch_sub(1, Ordering::AcqRel),
        };
    }

    /// Whether some stream wants to hear of leases that end.
    pub(crate) fn has_listeners(&self) -> bool {
        self.shared.listeners.load(Ordering::Acquire) > 0
    }

    /// Puts a request into its lane.
    ///
    /// # Errors
    /// Nothing happened; nobody will answer it.
    pub(crate) fn put(&self, waiting: Waiting) -> Result<(), Unanswered> {
        let mut lanes = self.lock();
        lanes.put(waiting, self.shared.limits)?;
        self.wake(lanes);
        Ok(())
    }

    /// A group is on its way to the disk.
    pub(crate) fn syncing(&self) {
        self.lock().unsynced += 1;
    }

    /// The oldest group that was on its way is durable.
    pub(crate) fn synced(&self) {
        let mut lanes = self.lock();
        lanes.unsynced = lanes.unsynced.saturating_sub(1);
        self.wake(lanes);
    }

    /// Wakes the writer if it sleeps and has reason not to: each wake-up is a system call.
    fn wake(&self, mut lanes: MutexGuard<'_, Lanes>) {
        if lanes.asleep && lanes.is_worth_a_turn() {
            lanes.asleep = false;
            drop(lanes);
            self.shared.arrived.notify_one();
        }
    }

    /// Moves requests into `into`, in the order of the lanes, until they weigh `enough` or
    /// there are no more; of intake at most `intake`. Waits up to `patience` until a turn is
    /// worth it.
    pub(crate) fn take(
        &self,
        into: &mut Vec<Waiting>,
        enough: usize,
        intake: usize,
        patience: Duration,
    ) {
        let mut lanes = self.lock();
        if !patience.is_zero() {
            let patience = if lanes.is_holding() { patience.min(HELD_LOOK) } else { patience };
            // Asked for anew after each wake-up that was for nothing.
            let idle = |lanes: &mut Lanes| {
                lanes.asleep = !lanes.is_worth_a_turn();
                lanes.asleep
            };
            let waited = self.shared.arrived.wait_timeout_while(lanes, patience, idle);
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
            lanes.asleep = false;
        }
        lanes.nudged = false;
        let mut weight = 0;
        for lane in [Lane::Submit, Lane::Lease, Lane::Intake] {
            if lanes.gate(lane) != Gate::Open {
                continue;
            }
            let most = if lane == Lane::Intake { intake } else { usize::MAX };
            let queue = lanes.of(lane);
            for _ in 0..most {
                if weight >= enough {
                    return;
                }
                let Some(waiting) = queue.pop() else { break };
                weight += waiting.weight;
                into.push(waiting);
            }
        }
    }

    /// Ends the writer's wait for a request.
    pub(crate) fn nudge(&self) {
        let mut lanes = self.lock();
        lanes.nudged = true;
        self.wake(lanes);
    }

    /// From now on takes, holds or refuses what lies in these lanes, and what comes.
    pub(super) fn set_gates(&self, gates: Gates) {
        let mut lanes = self.lock();
        lanes.gates = gates;
        for lane in [Lane::Lease, Lane::Intake] {
            if lanes.gate(lane) == Gate::Refused {
                for waiting in lanes.of(lane).take_where(|_| true) {
                    // The caller may have gone.
                    let _ = waiting.reply.send(Err(Unanswered::StorageFull));
                }
            }
        }
    }

    /// From now on only finished work and its like is taken. What waits is still
    /// answered, but for the calls that want leases.
    pub(crate) fn drain(&self) {
        let mut lanes = self.lock();
        lanes.draining = true;
        lanes.nudged = true;
        for waiting in lanes.lease.take_where(|w| matches!(w.request.command, Command::Lease(_))) {
            // The caller may have gone.
            let _ = waiting.reply.send(Err(Unanswered::Draining));
        }
        self.wake(lanes);
    }

    /// Whether a group of so many commands is small, and nothing waits for the next turn: to
    /// wake the sync thread for it would take longer than what could be done meanwhile.
    pub(crate) fn is_quiet_beside(&self, commands: u32) -> bool {
        if commands > FEW {
            return false;
        }
        let lanes = self.lock();
        [&lanes.submit, &lanes.lease, &lanes.intake].iter().all(|queue| queue.items.is_empty())
    }

    /// Whether it grants nothing any more.
    pub(crate) fn is_draining(&self) -> bool {
        let lanes = self.lock();
        lanes.draining || lanes.closed.is_some()
    }

    /// From now on every request is refused with `why`; what waits is returned.
    pub(crate) fn close(&self, why: Unanswered) -> Vec<Waiting> {
        let mut lanes = self.lock();
        lanes.closed = Some(why);
        let mut left = Vec::new();
        for lane in [Lane::Submit, Lane::Lease, Lane::Intake] {
            left.extend(lanes.of(lane).take_where(|_| true));
        }
        self.wake(lanes);
        left
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take_where(&mut self, which: impl Fn(&Waiting) -> bool) -> VecDeque<Waiting> {
        let (taken, left): (VecDeque<_>, _) = self.items.drain(..).partition(|w| which(w));
        self.bytes -= taken.iter().map(|waiting| waiting.bytes).sum::<usize>();
        self.weight -= taken.iter().map(|waiting| waiting.weight).sum::<usize>();
        self.items = left;
        taken
    }

    fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        self.weight += waiting.weight;
        self.items.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.items.pop_front()?;
        self.bytes -= waiting.bytes;
        self.weight -= waiting.weight;
        Some(waiting)
    }
}

impl Lanes {
    fn put(&mut self, waiting: Waiting, limits: LaneLimits) -> Result<(), Unanswered> {
        match self.refuses(&waiting, limits) {
            Some(why) => Err(why),
            None => {
                self.push(waiting);
                Ok(())
            }
        }
    }

    fn push(&mut self, waiting: Waiting) {
        self.of(Lane::of(&waiting.request.command)).push(waiting);
    }

    fn refuses(&mut self, waiting: &Waiting, limits: LaneLimits) -> Option<Unanswered> {
        let lane = Lane::of(&waiting.request.command);
        if self.closed.is_some() {
            return self.closed;
        }
        // While the daemon drains, finished work is still taken.
        if self.draining && lane != Lane::Submit {
            return Some(Unanswered::Draining);
        }
        if self.gate(lane) == Gate::Refused {
            return Some(Unanswered::StorageFull);
        }
        let queue = self.of(lane);
        let full = queue.items.len() >= limits.requests
            || (queue.bytes > 0 && queue.bytes + waiting.bytes > limits.bytes);
        let (waiting, limit) = (queue.items.len(), limits.requests);
        full.then_some(Unanswered::Overloaded { waiting, limit })
    }

    fn of(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Submit => &mut self.submit,
            Lane::Lease => &mut self.lease,
            Lane::Intake => &mut self.intake,
        }
    }

    /// A group costs a sync and two wake-ups, whatever it holds; and the disk takes one
    /// after the other.
    fn is_worth_a_turn(&self) -> bool {
        let ready = |lane, queue: &Queue| match self.gate(lane) {
            Gate::Open => queue.weight,
            Gate::Held | Gate::Refused => 0,
        };
        let [submit, lease, intake] = [&self.submit, &self.lease, &self.intake];
        let waiting = submit.weight + ready(Lane::Lease, lease) + ready(Lane::Intake, intake);
        let enough = if self.unsynced == 0 { 1 } else { ENOUGH };
        self.nudged || waiting >= enough
    }

    /// While the daemon drains, what waits is still answered.
    fn gate(&self, lane: Lane) -> Gate {
        match lane {
            _ if self.draining => Gate::Open,
            Lane::Submit => Gate::Open,
            Lane::Lease => self.gates.lease,
            Lane::Intake => self.gates.intake,
        }
    }

    fn is_holding(&self) -> bool {
        [Lane::Lease, Lane::Intake].iter().any(|lane| self.gate(*lane) == Gate::Held)
    }
}

#[cfg(test)]
mod tests;
