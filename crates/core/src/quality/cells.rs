//! A table of numbers by worker, class given and true class: the counts of a
//! confusion matrix per worker, or the logarithms made of them.
//!
//! The true class runs fastest: one vote adds one run of numbers to a task.
//!
//! Not here: what the numbers mean (`smoothed.rs`, `dawid_skene.rs`).

/// Numbers by (worker row, class given, true class).
#[derive(Debug, Clone)]
pub(super) struct Cells {
    classes: usize,
    numbers: Vec<f64>,
}

impl Cells {
    pub(super) fn new(workers: usize, classes: usize) -> Cells {
        Cells { classes, numbers: vec![0.0; workers * classes * classes] }
    }

    /// By true class, for one worker and the class it gave.
    pub(super) fn given(&self, worker: usize, given: usize) -> &[f64] {
        let start = (worker * self.classes + given) * self.classes;
        &self.numbers[start..start + self.classes]
    }

    pub(super) fn given_mut(&mut self, worker: usize, given: usize) -> &mut [f64] {
        let start = (worker * self.classes + given) * self.classes;
        &mut self.numbers[start..start + self.classes]
    }

    /// All of one worker: `classes` runs, one per class given.
    pub(super) fn of(&self, worker: usize) -> &[f64] {
        let size = self.classes * self.classes;
        &self.numbers[worker * size..(worker + 1) * size]
    }

    pub(super) fn of_mut(&mut self, worker: usize) -> &mut [f64] {
        let size = self.classes * self.classes;
        &mut self.numbers[worker * size..(worker + 1) * size]
    }

    pub(super) fn workers(&self) -> usize {
        self.numbers.len() / (self.classes * self.classes)
    }

    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    pub(super) fn clear(&mut self) {
        self.numbers.fill(0.0);
    }
}
