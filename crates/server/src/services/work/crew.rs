//! The workers for whom a stream speaks, what each holds and how much it wants.
//!
//! Credit is what a worker wants to hold less what the stream knows it holds: never
//! more is sent. Not here: asking (`asking.rs`).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piecework_core::wishes::Wishes;
use piecework_core::{ClientId, LeaseId, Millis, WorkerId};

use crate::wire::from_wire::work::Presence;

/// Everybody on one stream.
pub(super) struct Crew {
    present: HashMap<WorkerId, Present>,
    numbers: HashMap<ClientId, WorkerId>,
    /// Whose each lease is that the stream knows to live.
    held: HashMap<LeaseId, WorkerId>,
    names: Arc<BTreeSet<ClientId>>,
}

/// One of them.
pub(super) struct Present {
    pub(super) name: ClientId,
    wishes: Wishes,
    /// When its time box is over.
    until: Option<Instant>,
    /// Leases it wants to hold.
    pub(super) wanted: u32,
    /// No newer stream has taken it over.
    pub(super) owned: bool,
    /// All that it held has been told.
    pub(super) synced: bool,
    /// Its `Lease` that waits for work.
    pub(super) parked: Option<ParkedCall>,
    held: BTreeSet<LeaseId>,
    /// Of these the ones that an operation under way would end.
    ending: BTreeSet<LeaseId>,
}

/// A `Lease` that waits for work.
pub(super) struct ParkedCall {
    pub(super) number: u64,
    pub(super) count: u32,
    pub(super) given_up: Arc<AtomicBool>,
}

impl Present {
    /// What it asks for now: the box has shrunk by the time that went by. `None`: it is
    /// over.
    pub(super) fn wishes(&self) -> Option<Wishes> {
        let mut wishes = self.wishes.clone();
        if let Some(until) = self.until {
            let left = until.saturating_duration_since(Instant::now());
            let left = Millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            wishes.within = Some(left).filter(|left| *left > Millis(0));
            wishes.within?;
        }
        Some(wishes)
    }

    /// Leases that it may still be sent.
    pub(super) fn credit(&self) -> u32 {
        self.wanted_beside(self.held.len())
    }

    /// Leases that it may be sent when all operations under way have succeeded.
    pub(super) fn room(&self) -> u32 {
        self.wanted_beside(self.held.len() - self.ending.len())
    }

    fn wanted_beside(&self, held: usize) -> u32 {
        self.wanted.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX))
    }

    /// Waits for work no more. What is granted all the same comes back by mail.
    pub(super) fn give_up(&mut self) {
        if let Some(parked) = self.parked.take() {
            parked.given_up.store(true, Ordering::Release);
        }
    }
}

impl Crew {
    pub(super) fn new(workers: Vec<(WorkerId, Presence)>) -> Crew {
        let numbers: HashMap<ClientId, WorkerId> =
            workers.iter().map(|(id, presence)| (presence.worker.clone(), *id)).collect();
        let names = Arc::new(numbers.keys().cloned().collect());
        let present = workers.into_iter().map(|(id, presence)| {
            let Presence { worker: name, capacity: wanted, wishes } = presence;
            let until = wishes.within.map(|left| Instant::now() + Duration::from_millis(left.0));
            let (parked, held, ending) = (None, BTreeSet::new(), BTreeSet::new());
            let (owned, synced) = (true, false);
            (id, Present { name, wishes, until, wanted, owned, synced, parked, held, ending })
        });
        Crew { present: present.collect(), numbers, held: HashMap::new(), names }
    }

    /// Their numbers.
    pub(super) fn ids(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.present.keys().copied()
    }

    /// Their names.
    pub(super) fn names(&self) -> Arc<BTreeSet<ClientId>> {
        Arc::clone(&self.names)
    }

    /// The number of a worker that `Hello` named.
    pub(super) fn find(&self, name: &ClientId) -> Option<WorkerId> {
        self.numbers.get(name).copied()
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Present> {
        self.present.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Present> {
        self.present.get_mut(&id)
    }

    /// Who holds a lease, as far as the stream knows.
    pub(super) fn holder(&self, lease: LeaseId) -> Option<WorkerId> {
        self.held.get(&lease).copied()
    }

    /// A worker has got a lease.
    pub(super) fn hold(&mut self, id: WorkerId, lease: LeaseId) {
        if let Some(present) = self.present.get_mut(&id).filter(|present| present.owned) {
            present.held.insert(lease);
            self.held.insert(lease, id);
        }
    }

    /// A lease lives no more: whose it was, if the stream knew it.
    pub(super) fn drop_lease(&mut self, lease: LeaseId) -> Option<WorkerId> {
        let id = self.held.remove(&lease)?;
        if let Some(present) = self.present.get_mut(&id) {
            present.held.remove(&lease);
            present.ending.remove(&lease);
        }
        Some(id)
    }

    /// An operation is under way that would end a lease: whose it is, if the stream knows it.
    pub(super) fn ends_soon(&mut self, lease: LeaseId) -> Option<WorkerId> {
        let id = self.holder(lease)?;
        self.get_mut(id)?.ending.insert(lease);
        Some(id)
    }

    /// The operation failed: whose the lease is, if the stream knows it still.
    pub(super) fn goes_on(&mut self, lease: LeaseId) -> Option<WorkerId> {
        let id = self.holder(lease)?;
        self.get_mut(id)?.ending.remove(&lease);
        Some(id)
    }

    /// A newer stream speaks for this worker.
    pub(super) fn lose(&mut self, id: WorkerId) {
        let Some(present) = self.present.get_mut(&id) else { return };
        present.owned = false;
        present.give_up();
        present.ending.clear();
        for lease in std::mem::take(&mut present.held) {
            self.held.remove(&lease);
        }
    }

    /// Nobody waits for work any more.
    pub(super) fn give_up_all(&mut self) {
        self.present.values_mut().for_each(Present::give_up);
    }
}
