//! Smoothed Dawid–Skene: EM over the votes under the priors of `prior.rs`, whose
//! strengths are chosen on the way (`strength.rs`).
//!
//! It has settled when no worker's accuracy and no class's share moved by 1e-4 in a
//! round and no strength moved, or after 60 rounds.
//!
//! Not here: the model (`prior.rs`), going through the votes (`refinement.rs`).

use super::cells::Cells;
use super::evidence::Evidence;
use super::opinion::normalise;
use super::prior::{CrowdPrior, Habits, Weigh, voice};
use super::strength::Strength;
use super::votes::{RowVote, VoteTable};
use crate::WorkerId;

const TOLERANCE: f64 = 1e-4;
const ROUNDS_MAX: u32 = 60;
/// Cells that are looked at when the strengths are chosen.
const SAMPLE_CELLS: usize = 100_000;

/// The state between two rounds of EM.
#[derive(Debug)]
pub(super) struct Smoothed {
    prior: CrowdPrior,
    between: Strength,
    within: Strength,
    wrong: Strength,
    /// Expected counts of this round.
    counts: Cells,
    /// Logarithms that the E-step uses.
    logs: Cells,
    class_counts: Vec<f64>,
    /// Of each worker how often it is right, as of the last round.
    accuracies: Vec<f64>,
    /// The greatest move of an accuracy in this round.
    moved: f64,
    rounds: u32,
    voice: f64,
}

impl Smoothed {
    pub(super) fn new(table: &VoteTable) -> Smoothed {
        let (workers, classes) = (table.workers().len(), table.classes());
        Smoothed {
            prior: CrowdPrior::new(classes),
            between: Strength::starting_at(5),
            within: Strength::starting_at(5),
            wrong: Strength::starting_at(5),
            counts: Cells::new(workers, classes),
            logs: Cells::new(workers, classes),
            class_counts: vec![0.0; classes],
            accuracies: vec![0.0; workers],
            moved: 0.0,
            rounds: 0,
            voice: voice(table.votes().len() as f64, workers, classes),
        }
    }

    /// The E-step of one task.
    pub(super) fn posterior(&self, votes: &[RowVote], out: &mut [f64]) {
        out.copy_from_slice(self.prior.log_class());
        for vote in votes {
            let logs = self.logs.given(vote.worker as usize, usize::from(vote.class));
            out.iter_mut().zip(logs).for_each(|(sum, log)| *sum += log);
        }
        normalise(out);
    }

    /// The same, believed no further than so many votes allow (`prior.rs`).
    pub(super) fn judged(&self, votes: &[RowVote], out: &mut [f64]) {
        self.posterior(votes, out);
        out.iter_mut().for_each(|p| *p = self.voice * libm::log(*p));
        normalise(out);
    }

    /// Counts one task's posterior towards the next M-step.
    pub(super) fn count(&mut self, votes: &[RowVote], posterior: &[f64]) {
        for vote in votes {
            let counts = self.counts.given_mut(vote.worker as usize, usize::from(vote.class));
            counts.iter_mut().zip(posterior).for_each(|(sum, p)| *sum += p);
        }
        self.class_counts.iter_mut().zip(posterior).for_each(|(sum, p)| *sum += p);
    }

    /// The part of the M-step that concerns all workers together.
    pub(super) fn learn_crowd(&mut self) {
        let (workers, classes) = (self.counts.workers(), self.counts.classes());
        let mut sums = vec![0.0; classes * classes];
        for worker in 0..workers {
            sums.iter_mut().zip(self.counts.of(worker)).for_each(|(sum, n)| *sum += n);
        }
        let before = self.prior.log_class().to_vec();
        self.prior.see(&sums);
        self.prior.see_classes(&self.class_counts);
        let shares = before.iter().zip(self.prior.log_class());
        self.moved = shares.map(|(a, b)| (libm::exp(*a) - libm::exp(*b)).abs()).fold(0.0, f64::max);
        let strengths = (self.between, self.within, self.wrong);
        self.choose_strengths();
        if strengths != (self.between, self.within, self.wrong) {
            self.moved = 1.0;
        }
    }

    /// Chooses the strengths of the priors from an even sample of the workers.
    fn choose_strengths(&mut self) {
        let (workers, classes) = (self.counts.workers(), self.counts.classes());
        let every = (workers * classes * classes).div_ceil(SAMPLE_CELLS).max(1);
        let sample: Vec<usize> = (0..workers).step_by(every).collect();
        let habits = |prior: &CrowdPrior| -> Vec<Habits> {
            let of = |worker: &usize| {
                let mut habits = Habits::default();
                prior.habits(self.counts.of(*worker), &mut habits);
                habits
            };
            sample.iter().map(of).collect()
        };
        let all = habits(&self.prior);
        let (prior, counts) = (&self.prior, &self.counts);
        self.between.step(|s| prior.ln_between(&all, s));
        self.prior.between = self.between.answers();
        // The mean of the next depends on the last.
        let all = habits(&self.prior);
        let prior = &self.prior;
        self.within.step(|s| all.iter().map(|h| CrowdPrior::ln_within(h, s)).sum());
        if classes > 2 {
            let of = |s| {
                let each = sample.iter().zip(&all);
                each.map(|(worker, h)| prior.ln_wrong(h, counts.of(*worker), s)).sum()
            };
            self.wrong.step(of);
        }
        self.prior.within = self.within.answers();
        self.prior.wrong = self.wrong.answers();
    }

    /// The part of the M-step that concerns one worker.
    pub(super) fn learn_worker(&mut self, worker: usize, habits: &mut Habits) {
        self.prior.habits(self.counts.of(worker), habits);
        let accuracy = habits.accuracy();
        self.moved = self.moved.max((accuracy - self.accuracies[worker]).abs());
        self.accuracies[worker] = accuracy;
        for given in 0..self.counts.classes() {
            let counts = self.counts.given(worker, given);
            let logs = self.logs.given_mut(worker, given);
            self.prior.logs(habits, (given, counts), Weigh::Fitting, logs);
        }
    }

    /// Ends the M-step; `true` when EM has settled.
    pub(super) fn learned(&mut self) -> bool {
        self.rounds += 1;
        self.moved < TOLERANCE || self.rounds >= ROUNDS_MAX
    }

    /// Begins to count anew.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.class_counts.fill(0.0);
    }

    /// What was learned, for the online posterior.
    pub(super) fn evidence(&self, workers: &[WorkerId]) -> Evidence {
        let of = |(row, id): (usize, &WorkerId)| (*id, self.counts.of(row));
        let strengths = [self.prior.between, self.prior.within, self.prior.wrong];
        Evidence::new(strengths, &self.class_counts, workers.iter().enumerate().map(of))
    }
}
