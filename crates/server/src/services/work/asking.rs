//! Asking for work: who has room, when it is asked for, and what comes of it.
//!
//! Whoever is to be asked for is only noted, and asked for when all that lay at hand has
//! been heard: one `Lease` then asks for all the room that it made. An answer on its way
//! counts as room already, so that its group has the next lease as well; should the answer
//! be refused, what was leased for its place goes back unsent.
//!
//! Not here: what each worker holds (`crew.rs`), writing leases out (`held.rs`).

use std::time::Duration;

use piecework_core::command::{LeaseTasks, ReturnItem, ReturnLeases};
use piecework_core::lease::{Grant, ReturnReason};
use piecework_core::limits::ITEMS_PER_CALL_MAX;
use piecework_core::{ClientId, Command, LeaseId, Outcome, WorkerId};
use tokio::time::Instant;

use crate::services::call::unexpected;
use crate::services::work::crew::ParkedCall;
use crate::services::work::session::{AGAIN_IN, Call, Session};
use crate::services::work::{End, held};
use crate::wire::status;
use crate::writer::{Answer, Unanswered};

/// How long a worker's `Lease` stays parked before it is put there anew: nobody
/// waits for it, so it is long.
const PARKED_FOR: Duration = Duration::from_secs(600);

impl Session {
    /// How many leases a worker wants to hold from now on.
    pub(super) fn want(&mut self, worker: WorkerId, wanted: u32) {
        let Some(present) = self.crew.get_mut(worker) else { return };
        present.wanted = wanted;
        self.room_changed(worker);
    }

    /// A worker may have less room than its `Lease` asks for.
    pub(super) fn room_changed(&mut self, worker: WorkerId) {
        let Some(present) = self.crew.get_mut(worker) else { return };
        let room = present.room();
        if present.parked.as_ref().is_some_and(|parked| parked.count > room) {
            present.give_up();
        }
        self.ask(worker);
    }

    /// Work is to be asked for, for this worker, if it has room and does not wait yet.
    pub(super) fn ask(&mut self, worker: WorkerId) {
        self.to_ask.insert(worker);
    }

    /// Asks for work for all for whom it is to be asked.
    pub(super) fn ask_all(&mut self) {
        while let Some(worker) = self.to_ask.pop_first() {
            self.ask_now(worker);
        }
    }

    fn ask_now(&mut self, worker: WorkerId) {
        let Some(present) = self.crew.get(worker) else { return };
        let over = self.said_bye || self.drained_at.is_some() || !present.owned;
        let count_max = u32::try_from(ITEMS_PER_CALL_MAX).unwrap_or(u32::MAX);
        let count = present.room().min(count_max);
        if over || !present.synced || present.parked.is_some() || count == 0 {
            return;
        }
        let Some(wishes) = present.wishes() else { return };
        let ask = LeaseTasks::any(present.name.clone());
        let command = Command::Lease(LeaseTasks { count, wishes, claim: true, ..ask });
        let (number, given_up) = self.post(command, PARKED_FOR, Call::Lease(worker));
        if let Some(present) = self.crew.get_mut(worker) {
            present.parked = Some(ParkedCall { number, count, given_up });
        }
    }

    pub(super) fn ask_later(&mut self, worker: WorkerId, delay: Duration) {
        self.later.insert(worker);
        self.again_in(delay);
    }

    pub(super) fn again_in(&mut self, delay: Duration) {
        let at = Instant::now() + delay;
        self.later_at = Some(self.later_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// A worker's wait for work is over.
    pub(super) async fn leased(
        &mut self,
        worker: WorkerId,
        number: u64,
        answer: Result<Answer, Unanswered>,
    ) -> Result<(), End> {
        let Some(present) = self.crew.get_mut(worker) else { return Ok(()) };
        let current = present.parked.as_ref().is_some_and(|parked| parked.number == number);
        if current {
            present.parked = None;
        }
        match answer {
            Ok(Answer { outcome: Ok(Outcome::Leased(leased)), now, .. }) => {
                let wants = if present.owned && !self.said_bye { present.credit() } else { 0 };
                let name = present.name.clone();
                let mut grants = leased.grants;
                let wants = usize::try_from(wants).unwrap_or(usize::MAX).min(grants.len());
                let unwanted = grants.split_off(wants);
                self.give_back(&name, &unwanted);
                for grant in &grants {
                    self.crew.hold(worker, grant.lease.id);
                }
                held::push(&self.house.desk, &self.out, &name, grants, now.wall).await?;
                self.ask(worker);
            }
            Ok(Answer { outcome: Ok(other), .. }) => return Err(unexpected(&other).into()),
            // Suspended, say: nobody tells when that is over.
            Ok(Answer { outcome: Err(_), .. }) if current => {
                self.ask_later(worker, self.house.terms.heartbeat);
            }
            Err(why @ Unanswered::Stopped) if current => {
                return Err(status::unanswered(why).into());
            }
            Err(_) if current => self.ask_later(worker, AGAIN_IN),
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    /// Nobody has heard of them. If this fails they go back when nobody claims them.
    pub(super) fn give_back(&mut self, worker: &ClientId, grants: &[Grant]) {
        if grants.is_empty() {
            return;
        }
        let item = |lease: LeaseId| ReturnItem { lease, reason: ReturnReason::Unstarted };
        let items = grants.iter().map(|grant| item(grant.lease.id)).collect();
        let command = Command::Return(ReturnLeases { worker: worker.clone(), items });
        self.post(command, Duration::ZERO, Call::GiveBack);
    }
}
