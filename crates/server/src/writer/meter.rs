//! What the writer counts for Prometheus. Names and meanings: `crate::metrics`.
//!
//! Counters are looked up once and kept: several move with every command.

use std::collections::BTreeMap;

use metrics::{Counter, Histogram};
use piecework_core::submission::Verdict;
use piecework_core::{Change, Changed, Command, Outcome, Refusal};
use piecework_storage::Written;

use crate::metrics as names;

/// The writer's counters. Make one when the recorder stands.
pub(crate) struct Meter {
    leases: Counter,
    empty_leases: Counter,
    returns: Counter,
    expiries: Counter,
    tasks_created: Counter,
    group_commands: Histogram,
    journal_written: Counter,
    journal_syncs: Counter,
    /// By verdict.
    submissions: BTreeMap<&'static str, Counter>,
}

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter {
            leases: metrics::counter!(names::LEASES),
            empty_leases: metrics::counter!(names::EMPTY_LEASES),
            returns: metrics::counter!(names::RETURNS),
            expiries: metrics::counter!(names::EXPIRIES),
            tasks_created: metrics::counter!(names::TASKS_CREATED),
            group_commands: metrics::histogram!(names::GROUP_COMMANDS),
            journal_written: metrics::counter!(names::JOURNAL_WRITTEN),
            journal_syncs: metrics::counter!(names::JOURNAL_SYNCS),
            submissions: BTreeMap::new(),
        }
    }

    /// One command, what came of it and what it changed. A retry that changed
    /// nothing counts nothing.
    pub(crate) fn count(
        &mut self,
        command: &Command,
        outcome: &Result<Outcome, Refusal>,
        changes: &[Changed],
    ) {
        let changed = !changes.is_empty();
        match outcome {
            Ok(Outcome::Leased(leased)) if leased.grants.is_empty() => {
                self.empty_leases.increment(1);
            }
            Ok(Outcome::Leased(leased)) if changed => {
                self.leases.increment(leased.grants.len() as u64);
            }
            Ok(Outcome::Submitted(items)) => {
                let refused = items.iter().filter(|item| item.is_err()).count() as u64;
                self.submissions("refused", refused);
            }
            Ok(Outcome::Returned(items)) if changed => {
                let returned = items.iter().filter(|i| i.is_ok()).count() as u64;
                self.returns.increment(returned);
            }
            Ok(Outcome::Ticked { expired, .. }) if *expired > 0 => {
                self.expiries.increment(*expired as u64);
            }
            Ok(Outcome::TasksCreated(items)) => {
                let new = items.iter().filter(|i| i.as_ref().is_ok_and(|t| !t.existed)).count();
                self.tasks_created.increment(new as u64);
            }
            Ok(_) => {}
            Err(_) => {
                metrics::counter!(names::REFUSALS, "command" => command.kind()).increment(1);
            }
        }
        for changed in changes {
            if let Change::Submission(submission) = &changed.change {
                self.submissions(verdict(submission.verdict), 1);
            }
        }
    }

    /// One turn's group.
    pub(crate) fn turn(&self, commands: u32) {
        if commands > 0 {
            self.group_commands.record(f64::from(commands));
        }
    }

    /// What the journal wrote until now.
    pub(crate) fn journal(&self, written: Written) {
        self.journal_written.absolute(written.bytes);
        self.journal_syncs.absolute(written.syncs);
    }

    fn submissions(&mut self, verdict: &'static str, count: u64) {
        if count == 0 {
            return;
        }
        let made = || metrics::counter!(names::SUBMISSIONS, "verdict" => verdict);
        self.submissions.entry(verdict).or_insert_with(made).increment(count);
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Counted => "counted",
        Verdict::CountedLate => "counted_late",
        Verdict::KeptPayable => "kept_payable",
        Verdict::KeptUnpaid => "kept_unpaid",
    }
}
