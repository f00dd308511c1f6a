//! Invented crowds, of whom the truth is known: spammers, leaning workers, errors that
//! all share, many classes, few labels.
//!
//! Not here: what must hold of them (`tests/crowd.rs`).

use piecework_core::quality::Votes;
use piecework_core::{TaskNumber, WorkerId};

/// How a crowd is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) tasks: u32,
    pub(crate) workers: u32,
    pub(crate) classes: u16,
    pub(crate) votes_per_task: u32,
    /// Accuracies of honest workers are spread evenly between these.
    pub(crate) accuracy: (f64, f64),
    /// Shares of workers who guess, and who always give class 0 when they do not know.
    pub(crate) spammers: f64,
    pub(crate) leaning: f64,
    /// Share of tasks on which whoever errs gives the same wrong class, and errs twice
    /// as often.
    pub(crate) shared: f64,
}

/// A crowd's votes in order of arrival, with what is true of tasks and workers.
#[derive(Debug, Clone)]
pub(crate) struct Invented {
    pub(crate) classes: u16,
    pub(crate) votes: Vec<(TaskNumber, WorkerId, u16)>,
    pub(crate) truth: Vec<u16>,
    pub(crate) accuracy: Vec<f64>,
}

/// splitmix64: the same numbers everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("below a u32")
    }

    /// Evenly from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let place = self.below(u32::try_from(last + 1).expect("few items"));
            items.swap(last, place as usize);
        }
    }
}

/// Makes a crowd.
pub(crate) fn invent(recipe: Recipe, seed: u64) -> Invented {
    let mut dice = Dice(seed);
    let classes = recipe.classes;
    let class = |dice: &mut Dice| u16::try_from(dice.below(classes.into())).expect("a class");
    let chance = 1.0 / f64::from(classes);
    let kinds: Vec<f64> = (0..recipe.workers).map(|_| dice.share()).collect();
    let (low, high) = recipe.accuracy;
    let accuracy: Vec<f64> = kinds
        .iter()
        .map(
            |kind| if *kind < recipe.spammers { chance } else { low + (high - low) * dice.share() },
        )
        .collect();
    let (mut votes, mut truth) = (Vec::new(), Vec::new());
    for task in 1..=recipe.tasks {
        let right = class(&mut dice);
        let trap = (right + 1) % classes;
        let is_shared = dice.share() < recipe.shared;
        truth.push(right);
        let mut workers: Vec<u32> = (0..recipe.workers).collect();
        dice.shuffle(&mut workers);
        for worker in workers.into_iter().take(recipe.votes_per_task as usize) {
            let at = worker as usize;
            let wrong = (1.0 - accuracy[at]) * if is_shared { 2.0 } else { 1.0 };
            let leans = kinds[at] > 1.0 - recipe.leaning;
            let given = match dice.share() >= wrong {
                true => right,
                false if is_shared => trap,
                false if leans && right != 0 => 0,
                false => (right + 1 + class(&mut dice) % (classes - 1)) % classes,
            };
            votes.push((TaskNumber(task), WorkerId(worker), given));
        }
    }
    dice.shuffle(&mut votes);
    Invented { classes, votes, truth, accuracy }
}

impl Invented {
    pub(crate) fn collected(&self) -> Votes {
        collected(self.classes, &self.votes)
    }

    /// Percent of the tasks answered right.
    pub(crate) fn percent(&self, answer: impl Fn(u32) -> Option<u16>) -> f64 {
        let right =
            (1u32..).zip(&self.truth).filter(|(task, truth)| answer(*task) == Some(**truth));
        100.0 * right.count() as f64 / self.truth.len() as f64
    }
}

pub(crate) fn collected(classes: u16, given: &[(TaskNumber, WorkerId, u16)]) -> Votes {
    let mut votes = Votes::new(classes);
    for (task, worker, class) in given {
        assert!(votes.put(*task, *worker, *class));
    }
    votes
}
