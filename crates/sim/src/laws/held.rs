//! The leases and answers of one task: each lease is answered once, and each worker
//! counts once.
//!
//! Not here: what the log tells of them (`stream.rs`).

use std::collections::BTreeMap;

use piecework_core::event::TaskResult;
use piecework_core::lease::{Lease, LeaseState, Submitted};
use piecework_core::submission::Submission;
use piecework_core::{LeaseId, WorkerId};

use super::Broken;

/// The leases of one task.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    leases: BTreeMap<u32, Hold>,
}

#[derive(Debug, Clone)]
struct Hold {
    worker: WorkerId,
    live: bool,
    /// Its answer, but for what others make of it.
    answer: Option<Submitted>,
    /// The requester has it.
    kept: bool,
}

impl Held {
    /// A lease as it is now.
    pub(super) fn lease(&mut self, lease: &Lease) -> Result<(), Broken> {
        let (id, worker) = (lease.id, lease.worker);
        let hold = self.leases.entry(id.number).or_insert(Hold {
            worker,
            live: false,
            answer: None,
            kept: false,
        });
        hold.live = lease.is_live();
        let answer = match &lease.state {
            LeaseState::Submitted(answer) => Some(Submitted { judged: None, ..answer.clone() }),
            _ => None,
        };
        if hold.answer.is_some() && hold.answer != answer {
            return Err(Broken::Unanswered { lease: id });
        }
        hold.answer = answer;
        let counts = |hold: &&Hold| hold.worker == worker && hold.counts().is_some();
        if lease.counted().is_some() && self.leases.values().filter(counts).count() > 1 {
            return Err(Broken::WorkerTwice { task: id.task, worker });
        }
        Ok(())
    }

    /// An answer as the requester gets it, once its lease has been put.
    pub(super) fn answer(&mut self, answer: &Submission) -> Result<(), Broken> {
        let lease = answer.lease;
        let Some(hold) = self.leases.get_mut(&lease.number) else {
            return Err(Broken::Disagrees { lease });
        };
        if std::mem::replace(&mut hold.kept, true) {
            return Err(Broken::AnsweredTwice { lease });
        }
        let own = hold.answer.as_ref().map(|own| (hold.worker, own.verdict, own.verdict.counts()));
        let agrees = own == Some((answer.worker, answer.verdict, answer.counted));
        if agrees { Ok(()) } else { Err(Broken::Disagrees { lease }) }
    }

    /// A result's votes are all that count, first one first, and it costs what they cost.
    pub(super) fn voted(&self, result: &TaskResult) -> Result<(), Broken> {
        let (task, revision) = (result.task, result.revision);
        let mut counted: Vec<(u32, LeaseId, WorkerId)> = Vec::new();
        let mut owed = 0;
        for (number, hold) in &self.leases {
            let Some(answer) = hold.counts() else { continue };
            counted.push((answer.order, LeaseId { task, number: *number }, hold.worker));
            owed += answer.payable_micros;
        }
        counted.sort_unstable();
        let told = result.answers.iter().map(|vote| (vote.lease, vote.worker));
        if !told.eq(counted.iter().map(|(_, lease, worker)| (*lease, *worker))) {
            return Err(Broken::OtherVotes { task, revision });
        }
        if result.cost.micros != owed {
            return Err(Broken::Cost { task, revision, told: result.cost.micros, owed });
        }
        Ok(())
    }

    /// Answers that count.
    pub(super) fn counted(&self) -> usize {
        self.leases.values().filter(|hold| hold.counts().is_some()).count()
    }

    /// Leases that live.
    pub(super) fn live(&self) -> usize {
        self.leases.values().filter(|hold| hold.live).count()
    }
}

impl Hold {
    fn counts(&self) -> Option<&Submitted> {
        self.answer.as_ref().filter(|answer| answer.verdict.counts())
    }
}
