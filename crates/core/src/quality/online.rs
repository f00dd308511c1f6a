//! The online posterior: what the answers of a task say now, at the cost of microseconds.
//!
//! It knows of each worker its counts by class given and true class. They come from the
//! last refinement, and grow as results become final. A task's posterior is the class
//! prior times what each of its votes says under the model of `prior.rs`.
//!
//! Counts are whole thousandths: learning is exact, can be taken back, and its order is
//! nothing.
//!
//! Not here: the model (`prior.rs`), whether a task is sure (`overlap.rs`).

use std::collections::BTreeMap;

use super::opinion::{Opinion, normalise};
use super::prior::{CrowdPrior, Habits, Weigh, voice};
use crate::WorkerId;

/// A count of one, as it is kept.
const ONE: f64 = 1_000.0;

/// What is known of the crowd on one choice field of one project.
#[derive(Debug, Clone)]
pub struct Crowd {
    classes: usize,
    prior: CrowdPrior,
    workers: BTreeMap<WorkerId, Known>,
    /// Of all workers together, in thousandths.
    counts: Vec<u64>,
    class_counts: Vec<u64>,
    /// All counts when the prior last saw them; and how often it did.
    seen: u64,
    epoch: u64,
    /// How much of the votes' weight is believed.
    voice: f64,
}

/// What is known of one worker, and what its votes say, as far as that was asked.
#[derive(Debug, Clone)]
struct Known {
    /// By class given and true class, in thousandths.
    counts: Vec<u32>,
    /// The epoch of the prior under which the rest holds; 0: never.
    epoch: u64,
    habits: Habits,
    /// By class given: whether `logs` has it.
    asked: Vec<bool>,
    logs: Vec<f64>,
}

/// What a refinement found, in a form that can be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Imagined answers of the priors: between workers, within one, on wrong answers.
    pub strengths: [f64; 3],
    /// Expected number of tasks of each class, in thousandths.
    pub class_counts: Vec<u64>,
    /// Of each worker its expected counts by class given and true class, in thousandths.
    pub workers: Vec<(WorkerId, Vec<u32>)>,
}

impl Crowd {
    /// Nothing known, on a field of `classes` choices (at least one).
    #[must_use]
    pub fn new(classes: u16) -> Crowd {
        let classes = usize::from(classes.max(1));
        Crowd {
            classes,
            prior: CrowdPrior::new(classes),
            workers: BTreeMap::new(),
            counts: vec![0; classes * classes],
            class_counts: vec![0; classes],
            seen: 0,
            epoch: 1,
            voice: voice(0.0, 0, classes),
        }
    }

    /// What these votes say, each worker's once.
    ///
    /// Cost: votes × classes additions; classes² more for each worker of whom something
    /// was learned since it was last asked for.
    pub fn opinion(&mut self, votes: &[(WorkerId, u16)]) -> Opinion {
        let mut posterior = self.prior.log_class().to_vec();
        let voice = self.voice;
        for (worker, class) in votes {
            let logs = self.logs(*worker, usize::from(*class));
            posterior.iter_mut().zip(logs).for_each(|(sum, log)| *sum += voice * log);
        }
        normalise(&mut posterior);
        Opinion::of(posterior, votes.len())
    }

    /// Learns from a task that has become final: each vote counts for what the
    /// posterior says was true. Leave out votes that the last refinement has counted.
    pub fn learn(&mut self, votes: &[(WorkerId, u16)], posterior: &[f64]) {
        self.count(votes, posterior, |sum, n| sum.saturating_add(n));
    }

    /// Takes back what was learned with the same votes and posterior.
    pub fn unlearn(&mut self, votes: &[(WorkerId, u16)], posterior: &[f64]) {
        self.count(votes, posterior, |sum, n| sum.saturating_sub(n));
    }

    /// Puts what a refinement found in place of all that was known.
    pub fn adopt(&mut self, evidence: &Evidence) {
        self.workers.clear();
        self.counts.fill(0);
        for (worker, counts) in &evidence.workers {
            let of_all = self.counts.iter_mut().zip(counts);
            of_all.for_each(|(sum, n)| *sum += u64::from(*n));
            self.workers.insert(*worker, Known::new(self.classes, counts.clone()));
        }
        self.class_counts.clone_from(&evidence.class_counts);
        [self.prior.between, self.prior.within, self.prior.wrong] = evidence.strengths;
        self.see();
    }

    /// How often a worker is right, 0 to 1: the posterior mean under the crowd's prior.
    #[must_use]
    pub fn accuracy(&self, worker: WorkerId) -> f64 {
        let mut habits = Habits::default();
        let counts = match self.workers.get(&worker) {
            Some(known) => whole(&known.counts),
            None => vec![0.0; self.classes * self.classes],
        };
        self.prior.habits(&counts, &mut habits);
        habits.accuracy()
    }

    fn count(
        &mut self,
        votes: &[(WorkerId, u16)],
        posterior: &[f64],
        change: impl Fn(u64, u64) -> u64,
    ) {
        let change_small =
            |sum: u32, n: u32| u32::try_from(change(sum.into(), n.into())).unwrap_or(u32::MAX);
        let shares: Vec<u32> = posterior.iter().map(|p| thousandths(*p)).collect();
        for (worker, class) in votes {
            let start = usize::from(*class) * self.classes;
            let known = self.workers.entry(*worker).or_insert_with(|| Known::empty(self.classes));
            known.epoch = 0;
            for (at, share) in (start..).zip(&shares) {
                known.counts[at] = change_small(known.counts[at], *share);
                self.counts[at] = change(self.counts[at], u64::from(*share));
            }
        }
        for (sum, share) in self.class_counts.iter_mut().zip(&shares) {
            *sum = change(*sum, u64::from(*share));
        }
        self.prior.see_classes(&whole_large(&self.class_counts));
        // What holds of the whole crowd moves slowly; seeing it anew costs every worker.
        let all: u64 = self.counts.iter().sum();
        if all.abs_diff(self.seen) > self.seen / 10 {
            self.see();
        }
    }

    fn see(&mut self) {
        self.seen = self.counts.iter().sum();
        self.epoch += 1;
        let counted = self.workers.values().filter(|known| known.counts.iter().any(|n| *n > 0));
        self.voice = voice(self.seen as f64 / ONE, counted.count(), self.classes);
        self.prior.see(&whole_large(&self.counts));
        self.prior.see_classes(&whole_large(&self.class_counts));
    }

    /// What the worker's vote for `given` says of each true class.
    fn logs(&mut self, worker: WorkerId, given: usize) -> &[f64] {
        let classes = self.classes;
        let run = given * classes..(given + 1) * classes;
        let known = self.workers.entry(worker).or_insert_with(|| Known::empty(classes));
        if known.epoch != self.epoch {
            self.prior.habits(&whole(&known.counts), &mut known.habits);
            known.asked.fill(false);
            known.epoch = self.epoch;
        }
        if !known.asked[given] {
            known.asked[given] = true;
            let counts = whole(&known.counts[run.clone()]);
            let logs = &mut known.logs[run.clone()];
            self.prior.logs(&known.habits, (given, &counts), Weigh::Judging, logs);
        }
        &known.logs[run]
    }
}

impl Known {
    fn empty(classes: usize) -> Known {
        Known::new(classes, vec![0; classes * classes])
    }

    fn new(classes: usize, counts: Vec<u32>) -> Known {
        Known {
            counts,
            epoch: 0,
            habits: Habits::default(),
            asked: vec![false; classes],
            logs: vec![0.0; classes * classes],
        }
    }
}

/// A count in thousandths, as it is kept.
pub(super) fn thousandths(count: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    let whole = libm::round(count * ONE).clamp(0.0, f64::from(u32::MAX)) as u32;
    whole
}

fn whole(counts: &[u32]) -> Vec<f64> {
    counts.iter().map(|n| f64::from(*n) / ONE).collect()
}

fn whole_large(counts: &[u64]) -> Vec<f64> {
    counts.iter().map(|n| *n as f64 / ONE).collect()
}
