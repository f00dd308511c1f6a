//! What is expected of a worker before its own votes are looked at, and what its
//! votes then say: the model of smoothed Dawid–Skene and of the online posterior.
//!
//! Of a task of true class c, worker w gives c with probability r and else the class g
//! with probability q(g):
//!
//! - r has a beta prior. Its mean is the worker's own accuracy over all classes, itself
//!   smoothed towards the crowd's by `between` imagined answers; its strength `within`.
//! - q has a Dirichlet prior of strength `wrong`. Its mean is what all workers wrongly
//!   give for c, tilted by how much more than others this worker leans to g.
//! - The class prior is half what the tasks show and half even. Following the tasks
//!   alone, few votes drift to one class: a vote for it then looks right everywhere.
//!
//! While the model is fitted, votes weigh by the expected logarithms ψ(a) − ψ(a + b) of
//! these (variational Bayes). Where a single task is judged by what is known, they weigh
//! by the logarithms of the means: what one more vote is expected to be.
//!
//! What is learned of a crowd by its own agreement confirms itself as long as it is
//! little: few answers a worker, or few workers, whose shared errors look like skill.
//! `voice` is how much of the votes' weight may then be believed.
//!
//! Dawid and Skene (1979) for confusion matrices; Kim and Ghahramani, "Bayesian
//! Classifier Combination" (2012) for their priors; the hierarchy of the means is ours.
//!
//! Not here: how strong the priors are (`strength.rs`), going through votes.

use super::gamma::{BetaBinomial, Rising, digamma};

/// Imagined answers of the whole crowd, and how many of them are right.
const CROWD_ANSWERS: f64 = 10.0;
const CROWD_ACCURACY: f64 = 0.7;
/// Imagined wrong answers with which a worker's leaning is smoothed.
const LEANING_ANSWERS: f64 = 8.0;
/// Answers a worker, and workers, at which half of what votes say is believed; how
/// sharply that grows; and what is believed in any case.
const VOICE_ANSWERS: f64 = 13.0;
const VOICE_ANSWERS_POWER: f64 = 8.0;
const VOICE_WORKERS: f64 = 6.0;
const VOICE_WORKERS_POWER: f64 = 2.0;
const VOICE_MIN: f64 = 0.3;
/// What is never believed where there are two classes, and all who err agree.
const VOICE_SHARED: f64 = 0.2;
/// Pseudo-counts a class.
const CLASS_ANSWERS: f64 = 1.0;

/// Choices of a field, and numbers for all its workers, that the model is kept for.
const CLASSES_MAX: u16 = 64;
const CELLS_MAX: usize = 1 << 24;

/// Whether so many workers on a field of so many choices can be modelled: each takes
/// choices² numbers. Where they cannot, there is the majority and the weighted vote.
#[must_use]
pub fn can_model(workers: usize, classes: u16) -> bool {
    let cells = workers.saturating_mul(usize::from(classes) * usize::from(classes));
    classes <= CLASSES_MAX && cells <= CELLS_MAX
}

/// How much of the votes' weight may be believed, 0 to 1, when the model was learned from
/// so many answers of so many workers.
pub(super) fn voice(answers: f64, workers: usize, classes: usize) -> f64 {
    let (workers, wrongs) = (workers as f64, classes.max(2) as f64 - 1.0);
    let share = |of: f64, half: f64, power: f64| 1.0 / (1.0 + libm::pow(half / of, power));
    let answers = share(answers / workers, VOICE_ANSWERS, VOICE_ANSWERS_POWER);
    let workers = share(workers, VOICE_WORKERS, VOICE_WORKERS_POWER);
    // Of no workers the first is no number; the greater of that and the least is the least.
    (answers * workers * (1.0 - VOICE_SHARED / wrongs)).max(VOICE_MIN)
}

/// What holds of all workers of one field of one project.
#[derive(Debug, Clone)]
pub(super) struct CrowdPrior {
    classes: usize,
    /// Logarithm of the class prior.
    log_class: Vec<f64>,
    /// How often the crowd is right, 0 to 1.
    accuracy: f64,
    /// By class given and true class: of the wrong answers to the true class, the share
    /// that is the class given. Zero where both are the same.
    confusions: Vec<f64>,
    /// Of all wrong answers, the share of each class given.
    wrong_shares: Vec<f64>,
    /// In imagined answers.
    pub(super) between: f64,
    pub(super) within: f64,
    pub(super) wrong: f64,
}

/// What the weight of a vote is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weigh {
    /// Expected logarithms.
    Fitting,
    /// Logarithms of expected values.
    Judging,
}

/// A product of shares, as a logarithm of the asked kind.
enum Ratio {
    /// The sum of the expected logarithms.
    Fitting(f64),
    /// The product: one logarithm is enough for all of it.
    Judging(f64),
}

impl Ratio {
    fn of(weigh: Weigh) -> Ratio {
        match weigh {
            Weigh::Fitting => Ratio::Fitting(0.0),
            Weigh::Judging => Ratio::Judging(1.0),
        }
    }

    fn times(&mut self, part: f64, whole: f64) {
        match self {
            Ratio::Fitting(sum) => *sum += digamma(part) - digamma(whole),
            Ratio::Judging(product) => *product *= part / whole,
        }
    }

    fn log(self) -> f64 {
        match self {
            Ratio::Fitting(sum) => sum,
            Ratio::Judging(product) => libm::log(product),
        }
    }
}

/// One worker under a crowd prior: its counts, added up in the ways that are needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Habits {
    /// Expected right answers, and all answers.
    pub(super) right: f64,
    pub(super) all: f64,
    /// Mean of the prior of being right.
    accuracy: f64,
    /// By true class: all answers to it, and those that were wrong.
    by_truth: Vec<f64>,
    missed: Vec<f64>,
    /// By class given: its leaning, one where it is as others are.
    leaning: Vec<f64>,
    /// By true class: what makes the tilted confusions sum to one.
    scale: Vec<f64>,
}

impl Habits {
    /// How often the worker is right, as far as its prior and its counts say.
    pub(super) fn accuracy(&self) -> f64 {
        self.accuracy
    }
}

impl CrowdPrior {
    /// The prior of nothing known.
    pub(super) fn new(classes: usize) -> CrowdPrior {
        let nothing = vec![0.0; classes * classes];
        let mut prior = CrowdPrior {
            classes,
            log_class: Vec::new(),
            accuracy: 0.0,
            confusions: Vec::new(),
            wrong_shares: Vec::new(),
            between: 5.6,
            within: 5.6,
            wrong: 8.0,
        };
        prior.see(&nothing);
        prior.see_classes(&vec![0.0; classes]);
        prior
    }

    /// Takes in the counts of all workers, by class given and true class.
    pub(super) fn see(&mut self, counts: &[f64]) {
        let classes = self.classes;
        let others = (classes.max(2) - 1) as f64;
        let right: f64 = (0..classes).map(|c| counts[c * classes + c]).sum();
        let all: f64 = counts.iter().sum();
        self.accuracy = (right + CROWD_ACCURACY * CROWD_ANSWERS) / (all + CROWD_ANSWERS);
        self.confusions = counts.iter().map(|n| n + 1.0 / others).collect();
        self.wrong_shares = vec![1.0; classes];
        for truth in 0..classes {
            self.confusions[truth * classes + truth] = 0.0;
            let sum: f64 = (0..classes).map(|g| self.confusions[g * classes + truth]).sum();
            for given in (0..classes).filter(|g| *g != truth) {
                self.confusions[given * classes + truth] /= sum;
                self.wrong_shares[given] += counts[given * classes + truth];
            }
        }
        let sum: f64 = self.wrong_shares.iter().sum();
        self.wrong_shares.iter_mut().for_each(|share| *share /= sum);
    }

    /// Takes in how many tasks are of each class.
    pub(super) fn see_classes(&mut self, tasks: &[f64]) {
        let even = CLASS_ANSWERS + tasks.iter().sum::<f64>() / self.classes as f64;
        let sum: f64 = tasks.iter().map(|n| n + even).sum();
        self.log_class = tasks.iter().map(|n| libm::log((n + even) / sum)).collect();
    }

    pub(super) fn log_class(&self) -> &[f64] {
        &self.log_class
    }

    /// Adds one worker's counts up. Cost: classes squared.
    pub(super) fn habits(&self, counts: &[f64], habits: &mut Habits) {
        let classes = self.classes;
        habits.by_truth.clear();
        habits.by_truth.resize(classes, 0.0);
        habits.leaning.clear();
        (habits.right, habits.all) = (0.0, 0.0);
        let mut wrong_all = 0.0;
        for given in 0..classes {
            let of_given = &counts[given * classes..(given + 1) * classes];
            let sum: f64 = of_given.iter().sum();
            habits.by_truth.iter_mut().zip(of_given).for_each(|(all, n)| *all += n);
            habits.all += sum;
            habits.right += of_given[given];
            habits.leaning.push(sum - of_given[given]);
            wrong_all += sum - of_given[given];
        }
        habits.missed.clear();
        let own = (0..classes).map(|c| counts[c * classes + c]);
        habits
            .missed
            .extend(habits.by_truth.iter().zip(own).map(|(n, right)| (n - right).max(0.0)));
        habits.accuracy =
            (habits.right + self.between * self.accuracy) / (habits.all + self.between);
        for (leaning, share) in habits.leaning.iter_mut().zip(&self.wrong_shares) {
            let own = (*leaning + LEANING_ANSWERS * share) / (wrong_all + LEANING_ANSWERS);
            *leaning = own / share;
        }
        habits.scale.clear();
        habits.scale.resize(classes, 0.0);
        for given in 0..classes {
            let of_given = &self.confusions[given * classes..(given + 1) * classes];
            let leaning = habits.leaning[given];
            habits.scale.iter_mut().zip(of_given).for_each(|(sum, n)| *sum += n * leaning);
        }
    }

    /// What a vote for `given` says of each true class, as logarithms.
    /// `counts` are the worker's for `given`, by true class. Cost: classes.
    pub(super) fn logs(
        &self,
        habits: &Habits,
        (given, counts): (usize, &[f64]),
        weigh: Weigh,
        out: &mut [f64],
    ) {
        for truth in 0..self.classes {
            let all = habits.by_truth[truth] + self.within;
            let mut share = Ratio::of(weigh);
            if truth == given {
                share.times(counts[truth] + self.within * habits.accuracy, all);
            } else {
                let missed = habits.missed[truth];
                share.times(missed + self.within * (1.0 - habits.accuracy), all);
                // Of two classes there is but one that is wrong.
                if self.classes > 2 {
                    let mean = self.wrong_mean(habits, given, truth);
                    share.times(counts[truth] + self.wrong * mean, missed + self.wrong);
                }
            }
            out[truth] = share.log();
        }
    }

    /// Of the worker's wrong answers to `truth`, the share that is expected to be `given`.
    fn wrong_mean(&self, habits: &Habits, given: usize, truth: usize) -> f64 {
        self.confusions[given * self.classes + truth] * habits.leaning[given] / habits.scale[truth]
    }

    /// ln likelihood of these workers' overall accuracies, were `between` this strong.
    pub(super) fn ln_between(&self, all: &[Habits], strength: f64) -> f64 {
        let prior = BetaBinomial::new(self.accuracy, strength);
        all.iter().map(|habits| prior.ln(habits.right, habits.all)).sum()
    }

    /// The same for a worker's accuracies by class and `within`.
    pub(super) fn ln_within(habits: &Habits, strength: f64) -> f64 {
        let prior = BetaBinomial::new(habits.accuracy, strength);
        let by_class = habits.by_truth.iter().zip(&habits.missed);
        by_class.map(|(all, missed)| prior.ln(all - missed, *all)).sum()
    }

    /// The same for its wrong answers and `wrong`.
    pub(super) fn ln_wrong(&self, habits: &Habits, counts: &[f64], strength: f64) -> f64 {
        let mut sum = 0.0;
        let missed = Rising::from(strength);
        for truth in 0..self.classes {
            sum -= missed.ln(habits.missed[truth]);
            for given in (0..self.classes).filter(|g| *g != truth) {
                let times = counts[given * self.classes + truth];
                if times > 0.0 {
                    let mean = self.wrong_mean(habits, given, truth);
                    sum += Rising::from(strength * mean).ln(times);
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_is_expected_to_give_sums_to_one() {
        let classes = 3;
        let counts = [9.0, 1.0, 0.0, 2.5, 4.0, 0.5, 0.0, 3.0, 7.0];
        let mut prior = CrowdPrior::new(classes);
        prior.see(&counts);
        let mut habits = Habits::default();
        prior.habits(&counts, &mut habits);
        let mut sums = vec![0.0; classes];
        for given in 0..classes {
            let mut logs = vec![0.0; classes];
            let own = &counts[given * classes..(given + 1) * classes];
            prior.logs(&habits, (given, own), Weigh::Judging, &mut logs);
            sums.iter_mut().zip(&logs).for_each(|(sum, log)| *sum += libm::exp(*log));
        }
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-12), "{sums:?}");
    }

    #[test]
    fn little_evidence_and_few_workers_are_believed_little() {
        assert!(voice(0.0, 0, 2) <= VOICE_MIN);
        assert!(voice(1_000.0, 2, 2) <= VOICE_MIN, "two workers confirm each other");
        assert!(voice(400.0, 100, 5) <= VOICE_MIN, "four answers a worker");
        assert!(voice(10_000.0, 100, 5) > 0.9);
        assert!(voice(10_000.0, 100, 2) < voice(10_000.0, 100, 5), "those who err agree");
    }

    #[test]
    fn a_field_with_very_many_choices_is_left_to_simpler_votes() {
        assert!(can_model(10_000, 10) && can_model(1_000_000, 2));
        assert!(!can_model(1, 1_000) && !can_model(10_000, 64));
        assert!(!can_model(usize::MAX, 2));
    }
}
