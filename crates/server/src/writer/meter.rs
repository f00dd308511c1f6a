//! What the writer counts for Prometheus. Names and meanings: `crate::metrics`.

use piecework_core::submission::Verdict;
use piecework_core::{Command, Outcome, Refusal};

use crate::metrics;

/// Counters that a turn feeds.
#[derive(Debug, Default)]
pub(crate) struct Meter;

impl Meter {
    /// One command and what came of it.
    pub(crate) fn count(&self, command: &Command, outcome: &Result<Outcome, Refusal>) {
        match outcome {
            Ok(Outcome::Leased(leased)) => {
                if leased.grants.is_empty() {
                    ::metrics::counter!(metrics::EMPTY_LEASES).increment(1);
                } else {
                    ::metrics::counter!(metrics::LEASES).increment(leased.grants.len() as u64);
                }
            }
            Ok(Outcome::Submitted(items)) => items.iter().for_each(|item| match item {
                Ok(receipt) => submission(verdict(receipt.verdict)),
                Err(_) => submission("refused"),
            }),
            Ok(Outcome::Returned(items)) => {
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
    }

    /// One turn's group.
    pub(crate) fn turn(&self, commands: u32) {
        if commands > 0 {
            ::metrics::histogram!(metrics::GROUP_COMMANDS).record(f64::from(commands));
        }
    }
}

fn submission(verdict: &'static str) {
    ::metrics::counter!(metrics::SUBMISSIONS, "verdict" => verdict).increment(1);
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Counted => "counted",
        Verdict::CountedLate => "counted_late",
        Verdict::KeptPayable => "kept_payable",
        Verdict::KeptUnpaid => "kept_unpaid",
    }
}
