//! Claims, signs of life and drafts: each moves its own lease and no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use piecework_core::change::Change;
use piecework_core::command::{ClaimLeases, LifeSigns, SaveDraft};
use piecework_core::lease::{Lease, LeaseState, ReturnReason};
use piecework_core::{Command, LeaseId, Outcome};

use super::player::Player;
use super::{Sign, Which};
use crate::world::Did;

impl Player {
    /// Whether the next leases are pushed: some are, whatever else was drawn.
    pub(super) fn pushes(&self) -> bool {
        self.past.len().is_multiple_of(8)
    }

    /// Once the timers have rung, nothing waits for a claim that is overdue.
    pub(super) fn check_claims(&mut self) {
        if self.now.engine < self.rows().partition.grace_until {
            return;
        }
        let overdue = |l: &&Lease| l.claim_by.is_some_and(|at| at <= self.now.engine);
        let found = self.rows().leases.values().find(overdue);
        assert_eq!(found, None, "nobody claimed it in time");
    }

    pub(super) fn show(&mut self, lease: Which, what: Sign) {
        let Some(lease) = self.lease(lease) else { return };
        let worker = self.name(lease.worker);
        let (id, leases) = (lease.id, vec![lease.id]);
        let of = Arc::new(BTreeSet::from([worker.clone()]));
        let command = match what {
            Sign::Claim => Command::Claim(ClaimLeases { worker, leases }),
            Sign::Life { named: true } => {
                Command::ShowLife(LifeSigns { workers: Vec::new(), leases, of })
            }
            Sign::Life { named: false } => {
                Command::ShowLife(LifeSigns { workers: vec![worker], leases: Vec::new(), of })
            }
            Sign::Draft(size) => {
                Command::SaveDraft(SaveDraft { worker, lease: id, bytes: vec![7; size.into()] })
            }
        };
        let before: BTreeSet<LeaseId> = self.live_of(&lease);
        let did = self.act(command);
        let touched = touched(&did);
        match what {
            Sign::Life { named: false } => {
                assert!(touched.is_subset(&before), "life of one worker moved {touched:?}");
                let Ok(Outcome::Alive(alive)) = &did.outcome else { panic!("{did:?}") };
                let told: BTreeSet<LeaseId> = alive.held.iter().map(|g| g.lease.id).collect();
                assert_eq!(told, before, "not what the worker holds");
            }
            _ => assert!(touched.is_subset(&BTreeSet::from([id])), "{id} moved {touched:?}"),
        }
        let is = self.rows().leases.get(&id).cloned();
        match (what, is) {
            (Sign::Life { named: false }, _) | (_, None) => {}
            (_, Some(is)) => {
                assert!(!lease.is_live() || is.claim_by.is_none(), "{id} is still to be claimed");
                if let (Sign::Draft(size), Ok(_)) = (what, &did.outcome) {
                    let kept = self.rows().drafts.get(&id).map_or(0, Vec::len);
                    assert_eq!(kept, usize::from(size), "the draft of {id}");
                    self.seen.drafts += u64::from(size > 0);
                }
            }
        }
    }

    fn live_of(&self, lease: &Lease) -> BTreeSet<LeaseId> {
        let of = |l: &&Lease| l.worker == lease.worker && l.is_live();
        self.rows().leases.values().filter(of).map(|l| l.id).collect()
    }

    /// Counts pushes that came back, which only a tick can bring about here.
    pub(super) fn notice_unclaimed(&mut self, command: &Command, did: &Did) {
        if !matches!(command, Command::Tick) {
            return;
        }
        let unclaimed = |c: &Change| match c {
            Change::Lease(lease) => {
                matches!(lease.state, LeaseState::Returned { reason: ReturnReason::Unstarted, .. })
            }
            _ => false,
        };
        let many = did.changes.iter().filter(|c| unclaimed(&c.change)).count();
        self.seen.unclaimed += many as u64;
    }
}

fn touched(did: &Did) -> BTreeSet<LeaseId> {
    let leases = did.changes.iter().filter_map(|c| match &c.change {
        Change::Lease(lease) => Some(lease.id),
        Change::Draft(draft) => Some(draft.lease),
        Change::DraftGone(lease) => Some(*lease),
        _ => None,
    });
    leases.collect()
}
