//! The online posterior: what the answers of a task say now, at the cost of microseconds.
//!
//! It knows of each worker its counts by class given and true class. They come from the
//! last refinement, and grow as results become final. A task's posterior is the class
//! prior times what each of its votes says under the model of `prior.rs`.
//!
//! Counts are whole thousandths: learning is exact, and its order is nothing.
//!
//! Not here: the model (`prior.rs`), whether a task is sure (`overlap.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::evidence::{Evidence, thousandths};
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
    /// What the last refinement knew of everybody.
    base: Option<Arc<Evidence>>,
    /// Who was asked for, or learned of, since.
    workers: BTreeMap<WorkerId, Known>,
    /// Of all workers together, in thousandths.
    counts: Vec<u64>,
    class_counts: Vec<u64>,
    /// The sum of `counts`; what it was when the prior last saw them; how often it did.
    all: u64,
    seen: u64,
    epoch: u64,
    /// Who was learned of and is not in `base`.
    newcomers: usize,
    /// How much of the votes' weight is believed.
    voice: f64,
    /// Where counts are made floats.
    scratch: Vec<f64>,
}

/// What is known of one worker, and what its votes say, as far as that was asked.
#[derive(Debug, Clone)]
struct Known {
    /// By class given and true class, in thousandths.
    counts: Vec<u32>,
    /// Something was ever learned of it.
    is_learned: bool,
    /// The epoch of the prior under which the rest holds; 0: never.
    epoch: u64,
    habits: Habits,
    /// By class given: whether `logs` has it.
    asked: Vec<bool>,
    logs: Vec<f64>,
}

impl Crowd {
    /// Nothing known, on a field of `classes` choices (at least one).
    #[must_use]
    pub fn new(classes: u16) -> Crowd {
        let classes = usize::from(classes.max(1));
        Crowd {
            classes,
            prior: CrowdPrior::new(classes),
            base: None,
            workers: BTreeMap::new(),
            counts: vec![0; classes * classes],
            class_counts: vec![0; classes],
            all: 0,
            seen: 0,
            epoch: 1,
            newcomers: 0,
            voice: voice(0.0, 0, classes),
            scratch: Vec::new(),
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
        let classes = self.classes;
        let shares: Vec<u32> = posterior.iter().map(|p| thousandths(*p)).collect();
        for (worker, class) in votes {
            let run = usize::from(*class) * classes..(usize::from(*class) + 1) * classes;
            let known = known(&mut self.workers, self.base.as_deref(), *worker, classes);
            self.newcomers += usize::from(!std::mem::replace(&mut known.is_learned, true));
            known.epoch = 0;
            for (own, share) in known.counts[run.clone()].iter_mut().zip(&shares) {
                *own = own.saturating_add(*share);
            }
            for (sum, share) in self.counts[run].iter_mut().zip(&shares) {
                *sum = sum.saturating_add(u64::from(*share));
                self.all = self.all.saturating_add(u64::from(*share));
            }
        }
        for (sum, share) in self.class_counts.iter_mut().zip(&shares) {
            *sum = sum.saturating_add(u64::from(*share));
        }
        self.prior.see_classes(whole(&mut self.scratch, &self.class_counts));
        // What holds of the whole crowd moves slowly; seeing it anew costs every worker.
        if self.all.abs_diff(self.seen) > self.seen / 10 {
            self.see();
        }
    }

    /// Puts what a refinement of the same field found in place of all that was known.
    /// Cost: that of forgetting; each worker's share is taken when it is asked for.
    pub fn adopt(&mut self, evidence: &Arc<Evidence>) {
        self.workers.clear();
        self.newcomers = 0;
        self.counts.copy_from_slice(evidence.counts());
        self.all = self.counts.iter().sum();
        self.class_counts.copy_from_slice(evidence.class_counts());
        [self.prior.between, self.prior.within, self.prior.wrong] = evidence.strengths();
        self.base = Some(Arc::clone(evidence));
        self.see();
    }

    /// Choices of the field.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Workers that memory is kept for, at most.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.workers()) + self.workers.len()
    }

    /// How often a worker is right, 0 to 1: the posterior mean under the crowd's prior.
    #[must_use]
    pub fn accuracy(&self, worker: WorkerId) -> f64 {
        let mut habits = Habits::default();
        let base = || self.base.as_ref().and_then(|base| base.of(worker));
        let known = self.workers.get(&worker).map(|known| known.counts.as_slice());
        let (nothing, mut counts) = (vec![0; self.classes * self.classes], Vec::new());
        let kept = known.or_else(base).unwrap_or(&nothing);
        self.prior.habits(whole(&mut counts, kept), &mut habits);
        habits.accuracy()
    }

    fn see(&mut self) {
        self.seen = self.all;
        self.epoch += 1;
        let workers = self.newcomers + self.base.as_ref().map_or(0, |base| base.workers());
        self.voice = voice(self.seen as f64 / ONE, workers, self.classes);
        self.prior.see(whole(&mut self.scratch, &self.counts));
        self.prior.see_classes(whole(&mut self.scratch, &self.class_counts));
    }

    /// What the worker's vote for `given` says of each true class.
    fn logs(&mut self, worker: WorkerId, given: usize) -> &[f64] {
        let classes = self.classes;
        let run = given * classes..(given + 1) * classes;
        let known = known(&mut self.workers, self.base.as_deref(), worker, classes);
        if known.epoch != self.epoch {
            self.prior.habits(whole(&mut self.scratch, &known.counts), &mut known.habits);
            known.asked.fill(false);
            known.epoch = self.epoch;
        }
        if !known.asked[given] {
            known.asked[given] = true;
            let counts = whole(&mut self.scratch, &known.counts[run.clone()]);
            let logs = &mut known.logs[run.clone()];
            self.prior.logs(&known.habits, (given, counts), Weigh::Judging, logs);
        }
        &known.logs[run]
    }
}

/// What is known of a worker, taken from the last refinement where nothing came since.
fn known<'a>(
    workers: &'a mut BTreeMap<WorkerId, Known>,
    base: Option<&Evidence>,
    worker: WorkerId,
    classes: usize,
) -> &'a mut Known {
    workers.entry(worker).or_insert_with(|| {
        let counts = base.and_then(|base| base.of(worker));
        let is_learned = counts.is_some();
        let counts = counts.map_or_else(|| vec![0; classes * classes], <[u32]>::to_vec);
        Known {
            counts,
            is_learned,
            epoch: 0,
            habits: Habits::default(),
            asked: vec![false; classes],
            logs: vec![0.0; classes * classes],
        }
    })
}

/// Kept counts as they are reckoned with.
fn whole<'a, N: Copy + Into<u64>>(scratch: &'a mut Vec<f64>, kept: &[N]) -> &'a [f64] {
    scratch.clear();
    scratch.extend(kept.iter().map(|n| {
        let n: u64 = (*n).into();
        n as f64 / ONE
    }));
    scratch
}
