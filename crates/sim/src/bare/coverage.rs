//! How often the interesting things happened: a run in which nothing did proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::change::{Change, Changed};
use piecework_core::lease::LeaseState;
use piecework_core::{LeaseId, Outcome, Refusal, TaskId};

/// Counts over one run, or many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Commands applied, the engine's own among them.
    pub commands: u64,
    /// Leases that ran out.
    pub expiries: u64,
    /// Grants on tasks on which a lease had run out, been returned or revoked.
    pub reassignments: u64,
    /// Answers that came after their lease ran out, by what became of them.
    pub late: BTreeMap<String, u64>,
    /// Receipts by verdict; retries are counted again.
    pub receipts: BTreeMap<String, u64>,
    /// Refusals of calls and items, by kind.
    pub refusals: BTreeMap<String, u64>,
    /// Tasks that ended, by state.
    pub ends: BTreeMap<String, u64>,
    /// Empty answers to calls for work.
    pub empty: u64,
    /// Times the engine was rebuilt from its rows.
    pub restarts: u64,
    /// Calls whose reply was lost.
    pub lost: u64,
    /// Tasks that were fetched for a command.
    pub fetched: u64,
    /// Tasks of which a lease ended without an answer.
    lapsed: BTreeSet<TaskId>,
    /// Leases that have run out and were not answered.
    expired: BTreeSet<LeaseId>,
}

impl Coverage {
    /// Takes in what one command did.
    pub(super) fn see(&mut self, outcome: &Result<Outcome, Refusal>, changes: &[Changed]) {
        self.commands += 1;
        for changed in changes {
            self.see_change(&changed.change);
        }
        match outcome {
            Err(refusal) => self.refuse(refusal),
            Ok(Outcome::Submitted(items)) => {
                for item in items {
                    match item {
                        Ok(receipt) => count(&mut self.receipts, &receipt.verdict),
                        Err(refusal) => {
                            if is_late(refusal) {
                                count(&mut self.late, refusal);
                            }
                            self.refuse(refusal);
                        }
                    }
                }
            }
            Ok(Outcome::TasksCreated(items)) => self.refuse_items(items),
            Ok(Outcome::TasksChanged(items)) => self.refuse_items(items),
            Ok(Outcome::Extended(items)) => self.refuse_items(items),
            Ok(Outcome::Returned(items)) => self.refuse_items(items),
            Ok(Outcome::Leased(leased)) => self.empty += u64::from(leased.grants.is_empty()),
            Ok(_) => {}
        }
    }

    fn see_change(&mut self, change: &Change) {
        match change {
            Change::Lease(lease) => match &lease.state {
                LeaseState::Live => {
                    let first = lease.granted_wall;
                    let again = self.lapsed.contains(&lease.id.task);
                    self.reassignments += u64::from(again && first.0 > 0);
                }
                LeaseState::Expired { .. } => {
                    self.expiries += u64::from(self.expired.insert(lease.id));
                    self.lapsed.insert(lease.id.task);
                }
                LeaseState::Returned { .. } | LeaseState::Revoked { .. } => {
                    self.lapsed.insert(lease.id.task);
                }
                LeaseState::Submitted(submitted) => {
                    if self.expired.remove(&lease.id) {
                        count(&mut self.late, &submitted.verdict);
                    }
                }
            },
            Change::Task(task) if !task.state.is_open() => count(&mut self.ends, &task.state),
            _ => {}
        }
    }

    fn refuse_items<T>(&mut self, items: &[Result<T, Refusal>]) {
        for refusal in items.iter().filter_map(|item| item.as_ref().err()) {
            self.refuse(refusal);
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        count(&mut self.refusals, refusal);
    }

    /// Takes in what another run did.
    pub fn add(&mut self, other: &Coverage) {
        self.commands += other.commands;
        self.expiries += other.expiries;
        self.reassignments += other.reassignments;
        self.empty += other.empty;
        self.restarts += other.restarts;
        self.lost += other.lost;
        self.fetched += other.fetched;
        for (all, one) in [
            (&mut self.late, &other.late),
            (&mut self.receipts, &other.receipts),
            (&mut self.refusals, &other.refusals),
            (&mut self.ends, &other.ends),
        ] {
            for (what, times) in one {
                *all.entry(what.clone()).or_default() += times;
            }
        }
    }
}

/// Refusals of the late rule; a cancel that revoked the lease says the same.
fn is_late(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::LeaseSuperseded { .. }
            | Refusal::LateWindowOver { .. }
            | Refusal::TaskDone { .. }
            | Refusal::TaskFailed { .. }
            | Refusal::TaskCancelled { .. }
    )
}

/// Counts something by the name of its variant.
fn count(counts: &mut BTreeMap<String, u64>, what: &impl std::fmt::Debug) {
    let text = format!("{what:?}");
    let name = text.split([' ', '{', '(']).next().unwrap_or_default();
    *counts.entry(name.to_owned()).or_default() += 1;
}
