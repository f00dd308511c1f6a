//! `Lease` calls that wait for work: the long poll.
//!
//! A call that found nothing waits here until places appear or the worker's own
//! affairs change, longest idle first, or until its time is over. A caller that
//! has gone away is never granted anything.
//!
//! Not here: what wakes (`Engine::take_woken`), the heaps per profile that the
//! leasing issue brings.

use piecework_core::{ClientId, Command, EngineTime, Millis, TenantId};

use super::inbox::Waiting;

/// One call that waits for work.
pub(crate) struct Parked {
    pub(crate) waiting: Waiting,
    pub(crate) until: EngineTime,
    arrived: u64,
}

impl Parked {
    pub(crate) fn worker(&self) -> Option<(TenantId, &ClientId)> {
        match &self.waiting.request.command {
            Command::Lease(lease) => Some((self.waiting.request.tenant, &lease.worker)),
            _ => None,
        }
    }
}

/// All calls that wait for work.
#[derive(Default)]
pub(crate) struct Lot {
    parked: Vec<Parked>,
    arrivals: u64,
}

impl Lot {
    pub(crate) fn park(&mut self, mut waiting: Waiting, now: EngineTime) {
        let wait = Millis(u64::try_from(waiting.wait.as_millis()).unwrap_or(u64::MAX));
        // Tried again, it must not park for as long again.
        waiting.wait = std::time::Duration::ZERO;
        self.arrivals += 1;
        self.parked.push(Parked { waiting, until: now + wait, arrived: self.arrivals });
    }

    pub(crate) fn len(&self) -> usize {
        self.parked.len()
    }

    /// When the first wait is over.
    pub(crate) fn next(&self) -> Option<EngineTime> {
        self.parked.iter().map(|p| p.until).min()
    }

    /// Takes those whose time is over.
    pub(crate) fn over(&mut self, now: EngineTime) -> Vec<Parked> {
        self.take(|p| p.until <= now)
    }

    /// Takes those that `wakes`, longest idle first, then by arrival; drops
    /// those whose caller has gone.
    pub(crate) fn woken(
        &mut self,
        wakes: impl Fn(&Parked) -> bool,
        idle_since: impl Fn(&Parked) -> Option<EngineTime>,
    ) -> Vec<Parked> {
        self.parked.retain(|p| !p.waiting.reply.is_closed());
        let mut woken = self.take(wakes);
        woken.sort_by_cached_key(|p| (idle_since(p), p.arrived));
        woken
    }

    /// Puts one back that found nothing.
    pub(crate) fn back(&mut self, parked: Parked) {
        self.parked.push(parked);
    }

    /// Takes all: the daemon is ending.
    pub(crate) fn clear(&mut self) -> Vec<Parked> {
        std::mem::take(&mut self.parked)
    }

    fn take(&mut self, which: impl Fn(&Parked) -> bool) -> Vec<Parked> {
        self.parked.extract_if(.., |p| which(p)).collect()
    }
}
