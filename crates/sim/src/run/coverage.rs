//! Whether a run met what it was to test.
//!
//! A run in which nothing expired proves nothing about expiry: it is unknown,
//! not passed.

use std::collections::BTreeMap;

use piecework_core::change::{Change, Changed};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::submission::Verdict;
use piecework_core::{LeaseId, Outcome, Refusal, TaskId, WorkerId};

use crate::world::Events;

/// How often what happened to leases and answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Commands that were applied and survived, refused ones included.
    pub commands: u64,
    /// Leases that were granted.
    pub granted: u64,
    /// Leases that ran out.
    pub expired: u64,
    /// Tasks that went from a lease that ended without an answer to another worker.
    pub reassigned: u64,
    /// Answers under an expired lease, counted, kept or refused.
    pub late: u64,
    /// Answers that counted.
    pub counted: u64,
    /// Refusals.
    pub refused: u64,
}

/// What a run met too rarely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown(pub &'static str);

/// Counts as history settles.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    counts: Coverage,
    live: BTreeMap<LeaseId, WorkerId>,
    /// Who let a task go last.
    let_go: BTreeMap<TaskId, WorkerId>,
    lapsed: BTreeMap<LeaseId, WorkerId>,
}

impl Coverage {
    /// What this run met too rarely to say anything, if it did.
    #[must_use]
    pub fn unknown(&self, events: &Events) -> Option<Unknown> {
        let enough = [
            (events.crashes, 2, "crashes"),
            (self.expired, 5, "expiries"),
            (self.late, 2, "late submits"),
            (self.reassigned, 3, "reassignments"),
        ];
        enough.into_iter().find(|(times, least, _)| times < least).map(|(_, _, what)| Unknown(what))
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Coverage) {
        self.commands += other.commands;
        self.granted += other.granted;
        self.expired += other.expired;
        self.reassigned += other.reassigned;
        self.late += other.late;
        self.counted += other.counted;
        self.refused += other.refused;
    }
}

impl Counter {
    pub(crate) fn count(&mut self, outcome: &Result<Outcome, Refusal>, changes: &[Changed]) {
        self.counts.commands += 1;
        self.counts.refused += u64::from(outcome.is_err());
        if let Ok(Outcome::Submitted(items)) = outcome {
            for item in items {
                let late = matches!(
                    item,
                    Err(Refusal::LateWindowOver { .. } | Refusal::LeaseSuperseded { .. })
                ) || matches!(item, Ok(receipt) if receipt.verdict != Verdict::Counted);
                self.counts.late += u64::from(late);
                self.counts.counted += u64::from(item.as_ref().is_ok_and(|r| r.verdict.counts()));
            }
        }
        for changed in changes {
            if let Change::Lease(lease) = &changed.change {
                self.lease(lease);
            }
        }
    }

    fn lease(&mut self, lease: &Lease) {
        let task = lease.id.task;
        if lease.is_live() {
            if self.live.insert(lease.id, lease.worker).is_none() {
                self.counts.granted += 1;
                let before = self.let_go.remove(&task);
                self.counts.reassigned += u64::from(before.is_some_and(|w| w != lease.worker));
            }
            return;
        }
        if self.live.remove(&lease.id).is_none() {
            return;
        }
        if !matches!(lease.state, LeaseState::Submitted(_)) {
            self.let_go.insert(task, lease.worker);
        }
        if matches!(lease.state, LeaseState::Expired { .. }) {
            self.counts.expired += 1;
            self.lapsed.insert(lease.id, lease.worker);
        }
    }

    pub(crate) fn counts(&self) -> Coverage {
        self.counts
    }
}
