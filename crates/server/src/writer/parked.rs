//! `Lease` calls that wait for work: the long poll.
//!
//! A call that found nothing waits here until its worker is woken, or until its time
//! is over. A caller that has gone away is never granted anything.
//!
//! Invariant: every call stands under its worker and under its end.
//!
//! Not here: which worker is woken, and when (`Engine::next_woken`).

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::{EngineTime, Millis, WorkerId};

use super::inbox::Waiting;

/// One call that waits for work.
pub(crate) struct Parked {
    pub(crate) waiting: Waiting,
    pub(crate) worker: WorkerId,
    until: EngineTime,
}

/// All calls that wait for work.
#[derive(Default)]
pub(crate) struct Lot {
    calls: BTreeMap<u64, Parked>,
    /// In the order of arrival.
    of: BTreeMap<WorkerId, BTreeSet<u64>>,
    ends: BTreeSet<(EngineTime, u64)>,
    arrivals: u64,
    /// The next call of which it is asked whether its caller has gone.
    asking: u64,
}

impl Lot {
    pub(crate) fn park(&mut self, mut waiting: Waiting, worker: WorkerId, now: EngineTime) {
        let wait = Millis(u64::try_from(waiting.wait.as_millis()).unwrap_or(u64::MAX));
        // Tried again, it must not park for as long again.
        waiting.wait = std::time::Duration::ZERO;
        self.arrivals += 1;
        let until = now + wait;
        self.of.entry(worker).or_default().insert(self.arrivals);
        self.ends.insert((until, self.arrivals));
        self.calls.insert(self.arrivals, Parked { waiting, worker, until });
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// When the first wait is over.
    pub(crate) fn next(&self) -> Option<EngineTime> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// Takes a call whose time is over.
    pub(crate) fn over(&mut self, now: EngineTime) -> Option<Parked> {
        let (until, call) = *self.ends.first()?;
        if until > now { None } else { self.take(call) }
    }

    /// Takes those of the next `most` calls whose callers have gone: what nobody waits
    /// for is not kept to its end, nor its worker taken for present.
    pub(crate) fn left_behind(&mut self, most: usize) -> Vec<Parked> {
        let asked = self.calls.range(self.asking..).take(most);
        let asked: Vec<_> =
            asked.map(|(call, parked)| (*call, parked.waiting.reply.is_closed())).collect();
        self.asking = asked.last().filter(|_| asked.len() == most).map_or(0, |(last, _)| last + 1);
        asked
            .into_iter()
            .filter(|(_, gone)| *gone)
            .filter_map(|(call, _)| self.take(call))
            .collect()
    }

    /// The calls of a worker, in the order of arrival.
    pub(crate) fn of(&self, worker: WorkerId) -> Vec<u64> {
        self.of.get(&worker).into_iter().flatten().copied().collect()
    }

    /// A call, to look at it.
    pub(crate) fn call(&self, call: u64) -> Option<&Waiting> {
        self.calls.get(&call).map(|parked| &parked.waiting)
    }

    pub(crate) fn take(&mut self, call: u64) -> Option<Parked> {
        let parked = self.calls.remove(&call)?;
        self.ends.remove(&(parked.until, call));
        if let Some(of) = self.of.get_mut(&parked.worker) {
            of.remove(&call);
            if of.is_empty() {
                self.of.remove(&parked.worker);
            }
        }
        Some(parked)
    }

    /// Whether the worker has no call here any more.
    pub(crate) fn has_left(&self, worker: WorkerId) -> bool {
        !self.of.contains_key(&worker)
    }

    /// Takes all, in the order of arrival: the daemon is ending.
    pub(crate) fn clear(&mut self) -> Vec<Parked> {
        let all = std::mem::take(self);
        self.arrivals = all.arrivals;
        all.calls.into_values().collect()
    }
}
