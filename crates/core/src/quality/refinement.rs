//! One refinement of a field of a project: EM over all its votes, in slices.
//!
//! ```text
//! start → votes, votes, … → crowd → workers, workers, … → votes, … → settled
//! ```
//!
//! `work` does about as much as it is told and returns, so that a thread can give way
//! between two calls; what comes out does not depend on the slices. A round goes through
//! the tasks once and keeps no posterior: E-step and counting are one. When it has
//! settled, `opinion` gives each task's, in any order.
//!
//! Not here: the models (`smoothed.rs`, `dawid_skene.rs`), threads.

use std::sync::Arc;

use super::dawid_skene::DawidSkene;
use super::evidence::Evidence;
use super::opinion::Opinion;
use super::prior::Habits;
use super::smoothed::Smoothed;
use super::votes::VoteTable;
use crate::TaskNumber;

/// Which model a refinement fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refiner {
    /// Smoothed Dawid–Skene: the default, sound with few votes.
    Smoothed,
    /// Plain Dawid–Skene, as crowd-kit does it.
    DawidSkene,
}

/// A refinement under way, or settled.
#[derive(Debug)]
pub struct Refinement {
    table: VoteTable,
    model: Model,
    stage: Stage,
    posterior: Vec<f64>,
    habits: Habits,
}

#[derive(Debug)]
enum Model {
    Smoothed(Box<Smoothed>),
    DawidSkene(Box<DawidSkene>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Going through the tasks; the first time their shares of votes are taken.
    Tasks {
        next: usize,
        first: bool,
    },
    /// Learning from what was counted: first the crowd, then each worker.
    Crowd,
    Workers {
        next: usize,
    },
    Settled,
}

impl Refinement {
    /// Begins with the shares of the votes. Memory: two or three numbers of eight bytes
    /// for each worker and pair of classes; see `can_model`.
    #[must_use]
    pub fn start(table: VoteTable, refiner: Refiner) -> Refinement {
        let model = match refiner {
            Refiner::Smoothed => Model::Smoothed(Box::new(Smoothed::new(&table))),
            Refiner::DawidSkene => Model::DawidSkene(Box::new(DawidSkene::new(&table))),
        };
        let stage = match table.tasks().is_empty() {
            true => Stage::Settled,
            false => Stage::Tasks { next: 0, first: true },
        };
        let posterior = vec![0.0; table.classes()];
        Refinement { table, model, stage, posterior, habits: Habits::default() }
    }

    /// Works on about `cells` numbers (a vote has as many as the field has choices, a
    /// worker that squared), at least one task or worker. `true` when settled.
    pub fn work(&mut self, cells: usize) -> bool {
        let mut left = cells;
        loop {
            let cost = match self.stage {
                Stage::Settled => return true,
                Stage::Tasks { next, first } => self.task(next, first),
                Stage::Crowd => self.crowd(),
                Stage::Workers { next } => self.worker(next),
            };
            if cost >= left {
                return self.stage == Stage::Settled;
            }
            left -= cost;
        }
    }

    /// Works until it has settled.
    #[must_use]
    pub fn settled(mut self) -> Refinement {
        self.work(usize::MAX);
        self
    }

    /// The votes it rests on.
    #[must_use]
    pub fn table(&self) -> &VoteTable {
        &self.table
    }

    /// What the model says of a task row of the table.
    #[must_use]
    pub fn opinion(&self, row: usize) -> Opinion {
        let mut posterior = vec![0.0; self.table.classes()];
        let votes = self.table.of_task(row);
        match (&self.model, self.table.known(row)) {
            (Model::Smoothed(model), None) => model.judged(votes, &mut posterior),
            _ => self.posterior(row, false, &mut posterior),
        }
        Opinion::of(posterior, votes.len())
    }

    /// All tasks with what the model says of them, ascending.
    pub fn opinions(&self) -> impl Iterator<Item = (TaskNumber, Opinion)> + '_ {
        self.table.tasks().iter().enumerate().map(|(row, task)| (*task, self.opinion(row)))
    }

    /// What was learned of the crowd; `None` before it has settled, and of plain
    /// Dawid–Skene, whose counts are nothing that the online posterior knows.
    #[must_use]
    pub fn evidence(&self) -> Option<Arc<Evidence>> {
        match &self.model {
            Model::Smoothed(model) if self.stage == Stage::Settled => {
                Some(Arc::new(model.evidence(self.table.workers())))
            }
            Model::Smoothed(_) | Model::DawidSkene(_) => None,
        }
    }

    fn task(&mut self, row: usize, first: bool) -> usize {
        let mut posterior = std::mem::take(&mut self.posterior);
        self.posterior(row, first, &mut posterior);
        let votes = self.table.of_task(row);
        match &mut self.model {
            Model::Smoothed(model) => model.count(votes, &posterior),
            Model::DawidSkene(model) => model.count(votes, &posterior),
        }
        self.posterior = posterior;
        self.stage = match row + 1 {
            next if next < self.table.tasks().len() => Stage::Tasks { next, first },
            _ => Stage::Crowd,
        };
        votes.len() * self.table.classes()
    }

    fn posterior(&self, row: usize, first: bool, out: &mut [f64]) {
        let votes = self.table.of_task(row);
        if let Some(known) = self.table.known(row) {
            out.fill(0.0);
            out[usize::from(known)] = 1.0;
        } else if first {
            out.fill(0.0);
            let share = 1.0 / votes.len() as f64;
            votes.iter().for_each(|vote| out[usize::from(vote.class)] += share);
        } else {
            match &self.model {
                Model::Smoothed(model) => model.posterior(votes, out),
                Model::DawidSkene(model) => model.posterior(votes, out),
            }
        }
    }

    fn crowd(&mut self) -> usize {
        self.stage = match &mut self.model {
            Model::Smoothed(model) => {
                model.learn_crowd();
                Stage::Workers { next: 0 }
            }
            Model::DawidSkene(model) => match model.learn() {
                true => Stage::Settled,
                false => Stage::Tasks { next: 0, first: false },
            },
        };
        self.table.workers().len() * self.table.classes() * self.table.classes()
    }

    fn worker(&mut self, row: usize) -> usize {
        let Model::Smoothed(model) = &mut self.model else {
            unreachable!("plain Dawid–Skene learns all workers at once")
        };
        model.learn_worker(row, &mut self.habits);
        if row + 1 < self.table.workers().len() {
            self.stage = Stage::Workers { next: row + 1 };
        } else if model.learned() {
            self.stage = Stage::Settled;
        } else {
            model.clear();
            self.stage = Stage::Tasks { next: 0, first: false };
        }
        self.table.classes() * self.table.classes()
    }
}
