//! What the writer counts for Prometheus. Names and meanings: `crate::metrics`.

use piecework_core::submission::Verdict;
use piecework_core::{Change, Changed, Command, Outcome, Refusal};
use piecework_storage::Written;

use crate::metrics;

/// One command, what came of it and what it changed. A retry that changed
/// nothing counts nothing.
pub(crate) fn count(command: &Command, outcome: &Result<Outcome, Refusal>, changes: &[Changed]) {
    let changed = !changes.is_empty();
    match outcome {
        Ok(Outcome::Leased(leased)) if leased.grants.is_empty() => {
            ::metrics::counter!(metrics::EMPTY_LEASES).increment(1);
        }
        Ok(Outcome::Leased(leased)) if changed => {
            ::metrics::counter!(metrics::LEASES).increment(leased.grants.len() as u64);
        }
        Ok(Outcome::Submitted(items)) => {
            let refused = items.iter().filter(|item| item.is_err()).count() as u64;
            submissions("refused", refused);
        }
        Ok(Outcome::Returned(items)) if changed => {
            let returned = items.iter().filter(|i| i.is_ok()).count() as u64;
            ::metrics::counter!(metrics::RETURNS).increment(returned);
        }
        Ok(Outcome::Ticked { expired, .. }) if *expired > 0 => {
            ::metrics::counter!(metrics::EXPIRIES).increment(*expired as u64);
        }
        Ok(Outcome::TasksCreated(items)) => {
            let new = items.iter().filter(|i| i.as_ref().is_ok_and(|t| !t.existed)).count();
            ::metrics::counter!(metrics::TASKS_CREATED).increment(new as u64);
        }
        Ok(_) => {}
        Err(_) => {
            ::metrics::counter!(metrics::REFUSALS, "command" => command.kind()).increment(1);
        }
    }
    for changed in changes {
        if let Change::Submission(submission) = &changed.change {
            submissions(verdict(submission.verdict), 1);
        }
    }
}

/// One turn's group.
pub(crate) fn turn(commands: u32) {
    if commands > 0 {
        ::metrics::histogram!(metrics::GROUP_COMMANDS).record(f64::from(commands));
    }
}

/// What the journal wrote until now.
pub(crate) fn journal(written: Written) {
    ::metrics::counter!(metrics::JOURNAL_WRITTEN).absolute(written.bytes);
    ::metrics::counter!(metrics::JOURNAL_SYNCS).absolute(written.syncs);
}

fn submissions(verdict: &'static str, count: u64) {
    if count > 0 {
        ::metrics::counter!(metrics::SUBMISSIONS, "verdict" => verdict).increment(count);
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
