//! Calls that wait for work, in a turn: parked, tried again, answered at their end.
//!
//! Not here: who is woken (`Engine::next_woken`), the calls themselves (`parked.rs`).

use piecework_core::{Command, Step, WorkerId};
use piecework_storage::Journal;

use super::{Collected, Writer, found_nothing, is_unfinished};
use crate::writer::cold::Cold;
use crate::writer::inbox::{Answer, Waiting};
use crate::writer::parked::Parked;
use crate::writer::release::Reply;

/// Waiting workers tried in one turn; the next ones follow in the next.
const WOKEN_PER_TURN_MAX: usize = 256;
/// Waiting calls of which one turn asks whether their callers have gone.
const ASKED_PER_TURN: usize = 64;

impl<J: Journal> Writer<J> {
    /// A call that found nothing waits.
    pub(super) fn park(&mut self, turn: &mut Collected, mut waiting: Waiting) {
        let worker = match &waiting.request.command {
            Command::Lease(lease) => {
                self.engine.park(turn.now, waiting.request.tenant, &lease.worker)
            }
            _ => None,
        };
        if let Some(worker) = worker {
            return self.lot.park(waiting, worker, turn.now.engine);
        }
        // Nothing that could wait: it is answered as it is.
        waiting.wait = std::time::Duration::ZERO;
        self.one(turn, waiting, Vec::new());
    }

    /// Tries calls that wait for work again, where something woke their worker; answers
    /// those whose time is over.
    pub(super) fn parked(&mut self, turn: &mut Collected) {
        if self.inbox.is_draining() {
            return self.send_away();
        }
        while let Some(parked) = self.lot.over(turn.now.engine) {
            self.gone(turn, parked.worker);
            self.one(turn, parked.waiting, Vec::new());
        }
        for parked in self.lot.left_behind(ASKED_PER_TURN) {
            self.gone(turn, parked.worker);
        }
        for worker in std::mem::take(&mut self.going_on) {
            self.again(turn, worker);
        }
        for _ in 0..WOKEN_PER_TURN_MAX {
            let Some(worker) = self.engine.next_woken(turn.now) else { return };
            self.again(turn, worker);
        }
    }

    /// Tries the calls of a waiting worker, in the order of their arrival.
    fn again(&mut self, turn: &mut Collected, worker: WorkerId) {
        for call in self.lot.of(worker) {
            let Some(waiting) = self.lot.call(call) else { continue };
            // A caller that has gone is never granted anything.
            let gone = waiting.reply.is_closed();
            let step = (!gone)
                .then(|| self.engine.try_lease(self.last.next(), turn.now, &waiting.request));
            match &step {
                Some(Step::Done { outcome, .. }) if is_unfinished(outcome) => {
                    self.going_on.insert(worker);
                    return;
                }
                Some(Step::Done { outcome, .. }) if found_nothing(outcome) => continue,
                _ => {}
            }
            let Some(Parked { waiting, .. }) = self.lot.take(call) else { continue };
            match step {
                None => {}
                Some(Step::Done { outcome, changes }) => {
                    self.take(turn, &waiting.request, &outcome, &changes);
                    let answer = Answer { outcome, position: self.last, now: turn.now };
                    turn.said.replies.push(Reply { to: waiting.reply, answer });
                }
                Some(Step::NeedCold(tasks)) => {
                    self.cold.fetch(Cold { waiting, tasks, held: Vec::new() });
                }
            }
        }
        self.gone(turn, worker);
    }

    /// A call of this worker has left the lot, perhaps its last.
    fn gone(&mut self, turn: &Collected, worker: WorkerId) {
        if self.lot.has_left(worker) {
            self.engine.unpark(turn.now, worker);
        }
    }
}
