//! Full Dawid–Skene, exactly as crowd-kit 1.4.2 does it.
//!
//! EM from the shares of the votes. M-step: of each worker and class given the
//! expected counts by true class, none below 1e-10, normalised over the classes
//! the worker gave. E-step: class prior times these. It ends when the bound on the
//! likelihood grows by less than 1e-5 a vote, or after 100 rounds. The bound is
//! that library's, which adds the class prior once a vote rather than once a task.
//!
//! A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates
//! Using the EM Algorithm", Applied Statistics 28 (1979), 20–28.
//!
//! Not here: going through the votes (`refinement.rs`).

use super::cells::Cells;
use super::opinion::normalise;
use super::votes::{RowVote, VoteTable};

const FLOOR: f64 = 1e-10;
const TOLERANCE: f64 = 1e-5;
const ROUNDS_MAX: u32 = 100;

/// The state between two rounds of EM.
#[derive(Debug)]
pub(super) struct DawidSkene {
    /// Expected counts of this round.
    counts: Cells,
    /// Logarithms of the error rates that the E-step uses.
    logs: Cells,
    /// Which (worker, class given) occur.
    given: Vec<bool>,
    class_counts: Vec<f64>,
    log_prior: Vec<f64>,
    tasks: f64,
    votes: f64,
    entropy: f64,
    bound: f64,
    rounds: u32,
}

impl DawidSkene {
    pub(super) fn new(table: &VoteTable) -> DawidSkene {
        let (workers, classes) = (table.workers().len(), table.classes());
        let mut given = vec![false; workers * classes];
        for vote in table.votes() {
            given[vote.worker as usize * classes + usize::from(vote.class)] = true;
        }
        DawidSkene {
            counts: Cells::new(workers, classes),
            logs: Cells::new(workers, classes),
            given,
            class_counts: vec![0.0; classes],
            log_prior: vec![0.0; classes],
            tasks: table.tasks().len() as f64,
            votes: table.votes().len() as f64,
            entropy: 0.0,
            bound: f64::NEG_INFINITY,
            rounds: 0,
        }
    }

    /// The E-step of one task.
    pub(super) fn posterior(&self, votes: &[RowVote], out: &mut [f64]) {
        out.copy_from_slice(&self.log_prior);
        for vote in votes {
            let logs = self.logs.given(vote.worker as usize, usize::from(vote.class));
            out.iter_mut().zip(logs).for_each(|(sum, log)| *sum += log);
        }
        normalise(out);
    }

    /// Counts one task's posterior towards the next M-step.
    pub(super) fn count(&mut self, votes: &[RowVote], posterior: &[f64]) {
        for vote in votes {
            let counts = self.counts.given_mut(vote.worker as usize, usize::from(vote.class));
            counts.iter_mut().zip(posterior).for_each(|(sum, p)| *sum += p);
        }
        self.class_counts.iter_mut().zip(posterior).for_each(|(sum, p)| *sum += p);
        for p in posterior {
            let p = p.max(FLOOR);
            self.entropy -= p * libm::log(p);
        }
    }

    /// The M-step; `true` when EM has settled, and then the rates that gave the
    /// last posteriors stay.
    pub(super) fn learn(&mut self) -> bool {
        let log_prior: Vec<f64> =
            self.class_counts.iter().map(|n| libm::log((n / self.tasks).max(FLOOR))).collect();
        let mut bound = self.entropy;
        for worker in 0..self.counts.workers() {
            bound += self.rates(worker, &log_prior);
        }
        let bound = bound / self.votes.max(1.0);
        let first = self.rounds == 0;
        let settled = !first && bound - self.bound < TOLERANCE;
        self.rounds += 1;
        if first || !settled && self.rounds <= ROUNDS_MAX {
            // The round before the first E-step has no bound to compare with.
            self.bound = if first { f64::NEG_INFINITY } else { bound };
            std::mem::swap(&mut self.logs, &mut self.counts);
            self.log_prior = log_prior;
            self.counts.clear();
            self.class_counts.fill(0.0);
            self.entropy = 0.0;
            return false;
        }
        true
    }

    /// Turns one worker's counts into logarithms of rates, in place; returns its
    /// part of the bound.
    fn rates(&mut self, worker: usize, log_prior: &[f64]) -> f64 {
        let classes = self.counts.classes();
        let is_given = &self.given[worker * classes..(worker + 1) * classes];
        let cells = self.counts.of_mut(worker);
        let mut bound = 0.0;
        for (truth, log_class) in log_prior.iter().enumerate() {
            let places = || (0..classes).filter(|g| is_given[*g]).map(|g| g * classes + truth);
            let sum: f64 = places().map(|at| cells[at].max(FLOOR)).sum();
            for at in places() {
                let log = libm::log(cells[at].max(FLOOR) / sum);
                bound += cells[at] * (log + log_class);
                cells[at] = log;
            }
        }
        bound
    }
}
