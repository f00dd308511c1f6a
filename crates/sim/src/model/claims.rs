//! Pushes that arrived, signs of life, and unfinished answers.
//!
//! Nothing is left to claim of a lease that has ended; its draft stays for as long as
//! an answer may still come, and nobody else sees it.

use piecework_core::change::Change;
use piecework_core::command::{ClaimLeases, LifeSigns, SaveDraft};
use piecework_core::lease::{Draft, Grant, Lease, LeaseState};
use piecework_core::outcome::Alive;
use piecework_core::{LeaseId, Outcome, Refusal, TenantId};

use super::Model;
use super::written::RowKey;

/// How a lease has ended, if it has.
pub(super) fn ended(lease: &Lease) -> Option<Refusal> {
    let how = match lease.state {
        LeaseState::Live => return None,
        LeaseState::Expired { .. } => "expired",
        LeaseState::Submitted(_) => "answered",
        LeaseState::Returned { .. } => "returned",
        LeaseState::Revoked { .. } => "revoked",
    };
    Some(Refusal::LeaseEnded { lease: lease.id, how })
}

impl Model {
    /// Only a live lease is claimed; a second time changes nothing.
    pub(super) fn claim(
        &mut self,
        tenant: TenantId,
        cmd: &ClaimLeases,
    ) -> Result<Outcome, Refusal> {
        self.find_worker(tenant, &cmd.worker)?;
        let items = cmd.leases.iter().map(|id| {
            let lease = self.find_lease(tenant, &cmd.worker, *id)?;
            if let Some(refusal) = ended(&lease) {
                return Err(refusal);
            }
            self.edit_lease(*id).claim_by = None;
            Ok(*id)
        });
        Ok(Outcome::Claimed(items.collect()))
    }

    /// Every lease named, and every other live lease of the workers named, gets its
    /// terms' duration from now, within its longest hold; where that has come it stays. A lease of somebody for whom
    /// the caller does not speak does not exist for it. Life on a worker is no sign
    /// that a push arrived.
    pub(super) fn show_life(
        &mut self,
        tenant: TenantId,
        cmd: &LifeSigns,
    ) -> Result<Outcome, Refusal> {
        let mut held = Vec::new();
        for name in &cmd.workers {
            let who = self.find_worker(tenant, name)?;
            let live = self.leases_of(who).filter(|l| l.is_live()).map(|l| l.id);
            held.extend(live.filter(|id| !cmd.leases.contains(id)));
        }
        let named = cmd.leases.iter().map(|id| {
            let lease = self.lease_for(tenant, *id);
            let own = lease.filter(|l| cmd.of.contains(&self.workers[&l.worker].worker.name));
            if own.is_none() {
                return Err(Refusal::NoSuchLease { lease: *id });
            }
            self.show_life_on(*id, true)
        });
        let named = named.collect();
        let held = held.into_iter().filter_map(|id| self.show_life_on(id, false).ok()).collect();
        Ok(Outcome::Alive(Alive { named, held }))
    }

    fn show_life_on(&mut self, id: LeaseId, arrived: bool) -> Result<Grant, Refusal> {
        let lease = self.lease(id).expect("it was found").clone();
        if let Some(refusal) = ended(&lease) {
            return Err(refusal);
        }
        let policy = self.terms(id.task.project, lease.revision).lease;
        let (now, last) = (self.now.engine, lease.granted + policy.max_hold);
        let edited = self.edit_lease(id);
        if now < last {
            edited.deadline = edited.deadline.max((now + policy.duration).min(last));
        }
        if arrived {
            edited.claim_by = None;
        }
        let lease = edited.clone();
        Ok(self.grant_of(&lease))
    }

    /// Under a live lease, or an expired one that still holds its place for a late
    /// answer. It is a sign that a push arrived. An empty one takes the draft away.
    pub(super) fn save_draft(
        &mut self,
        tenant: TenantId,
        cmd: &SaveDraft,
    ) -> Result<Outcome, Refusal> {
        let lease = self.find_lease(tenant, &cmd.worker, cmd.lease)?;
        let waits = match lease.state {
            LeaseState::Expired { window_ends, released, .. } => {
                !released && self.now.engine < window_ends
            }
            _ => false,
        };
        if let Some(refusal) = ended(&lease).filter(|_| !waits) {
            return Err(refusal);
        }
        self.touch(RowKey::Draft(cmd.lease));
        let edited = self.edit_lease(cmd.lease);
        edited.claim_by = None;
        edited.draft = !cmd.bytes.is_empty();
        if cmd.bytes.is_empty() {
            self.drafts.remove(&cmd.lease);
        } else {
            self.drafts.insert(cmd.lease, cmd.bytes.clone());
            // Written also where it says what it said: the engine knows no draft's bytes.
            let draft = Draft { lease: cmd.lease, bytes: cmd.bytes.clone() };
            self.new.insert(RowKey::Draft(cmd.lease), Change::Draft(Box::new(draft)));
        }
        Ok(Outcome::DraftSaved(cmd.lease))
    }

    /// A lease keeps no unfinished answer any more.
    pub(super) fn drop_draft(&mut self, id: LeaseId) {
        self.touch(RowKey::Draft(id));
        self.edit_lease(id).draft = false;
        self.drafts.remove(&id);
    }

    /// What every change of a lease sees to in the end.
    pub(super) fn tidy_leases(&mut self) {
        let touched = self.before.keys().filter_map(|key| match key {
            RowKey::Lease(id) => Some(*id),
            _ => None,
        });
        for id in touched.collect::<Vec<_>>() {
            let Some(lease) = self.lease(id) else { continue };
            let awaits = match lease.state {
                LeaseState::Live => true,
                LeaseState::Expired { window_ends, .. } => self.now.engine < window_ends,
                _ => false,
            };
            let (claim_by, had) = (lease.claim_by.filter(|_| lease.is_live()), lease.draft);
            let lease = self.edit_lease(id);
            (lease.claim_by, lease.draft) = (claim_by, had && awaits);
            if had && !awaits {
                self.drop_draft(id);
            }
        }
    }
}
