//! The votes of one choice field of one project, in compact form.
//!
//! `Votes` takes them one by one, in any order: a log of twelve bytes a vote in
//! which a later entry for the same task and worker replaces an earlier one.
//! `table` folds the log and lays the votes out by task, both tasks and workers
//! ascending: sums over a table are the same whatever the order of arrival.
//!
//! Not here: what the votes say (one file a method); schemas.

use crate::{TaskNumber, WorkerId};

/// A class that stands for "this vote is withdrawn".
const WITHDRAWN: u16 = u16::MAX;

/// Votes as they arrive.
#[derive(Debug, Clone)]
pub struct Votes {
    classes: u16,
    log: Vec<Entry>,
    known: Vec<(TaskNumber, u16)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    task: TaskNumber,
    worker: WorkerId,
    class: u16,
}

/// Votes by task. Row `t` of the table is the task `task(t)`; a vote names its
/// worker by row as well.
#[derive(Debug, Clone)]
pub struct VoteTable {
    classes: usize,
    tasks: Vec<TaskNumber>,
    workers: Vec<WorkerId>,
    /// Where the votes of a task row begin; one more than there are tasks.
    starts: Vec<u32>,
    votes: Vec<RowVote>,
    /// Of each task row the class that is known, or `WITHDRAWN`; empty when none is.
    known: Vec<u16>,
}

/// One vote in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowVote {
    /// The worker's row.
    pub worker: u32,
    /// The class it chose, below `VoteTable::classes`.
    pub class: u16,
}

impl Votes {
    /// No votes yet, on a field of `classes` choices (at least one).
    #[must_use]
    pub fn new(classes: u16) -> Votes {
        Votes { classes: classes.max(1), log: Vec::new(), known: Vec::new() }
    }

    /// Takes a vote, in place of an earlier one of this worker on this task.
    /// `false`, and no effect, when `class` is none of the choices.
    pub fn put(&mut self, task: TaskNumber, worker: WorkerId, class: u16) -> bool {
        if class < self.classes {
            self.log.push(Entry { task, worker, class });
        }
        class < self.classes
    }

    /// Takes a vote out again: its answer no longer counts.
    pub fn withdraw(&mut self, task: TaskNumber, worker: WorkerId) {
        self.log.push(Entry { task, worker, class: WITHDRAWN });
    }

    /// Says what is true of a task, whatever its votes: gold, or a result that
    /// its requester set. Of two for one task the later is true.
    pub fn know(&mut self, task: TaskNumber, class: u16) {
        self.known.push((task, class));
    }

    /// Choices of the field; a schema that has grown more choices starts anew.
    #[must_use]
    pub fn classes(&self) -> u16 {
        self.classes
    }

    /// Entries in the log: at least the number of votes.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.log.len()
    }

    /// Folds the log and lays the votes out. Cost: sorting the log, which is
    /// nearly sorted by task where it was folded before.
    pub fn table(&mut self) -> VoteTable {
        // Stable: of two entries of one worker on one task the later stays last.
        self.log.sort_by_key(|e| (e.task, e.worker));
        let mut kept = 0;
        for at in 0..self.log.len() {
            let entry = self.log[at];
            let replaced = self
                .log
                .get(at + 1)
                .is_some_and(|next| (next.task, next.worker) == (entry.task, entry.worker));
            if !replaced && entry.class != WITHDRAWN {
                self.log[kept] = entry;
                kept += 1;
            }
        }
        self.log.truncate(kept);
        self.laid_out()
    }

    fn laid_out(&self) -> VoteTable {
        let mut workers: Vec<WorkerId> = self.log.iter().map(|e| e.worker).collect();
        workers.sort_unstable();
        workers.dedup();
        let mut table = VoteTable {
            classes: usize::from(self.classes),
            tasks: Vec::new(),
            workers,
            starts: Vec::new(),
            votes: Vec::with_capacity(self.log.len()),
            known: Vec::new(),
        };
        for entry in &self.log {
            if table.tasks.last() != Some(&entry.task) {
                table.tasks.push(entry.task);
                table.starts.push(index(table.votes.len()));
            }
            let row = table.workers.binary_search(&entry.worker).expect("every worker is listed");
            table.votes.push(RowVote { worker: index(row), class: entry.class });
        }
        table.starts.push(index(table.votes.len()));
        for (task, class) in self.known.iter().filter(|(_, class)| *class < self.classes) {
            if let Ok(row) = table.tasks.binary_search(task) {
                table.known.resize(table.tasks.len(), WITHDRAWN);
                table.known[row] = *class;
            }
        }
        table
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("a project has fewer than 2^32 answers")
}

impl VoteTable {
    /// Choices of the field.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Tasks with at least one vote, ascending.
    #[must_use]
    pub fn tasks(&self) -> &[TaskNumber] {
        &self.tasks
    }

    /// Workers with at least one vote, ascending.
    #[must_use]
    pub fn workers(&self) -> &[WorkerId] {
        &self.workers
    }

    /// All votes, by task and then by worker.
    #[must_use]
    pub fn votes(&self) -> &[RowVote] {
        &self.votes
    }

    /// The votes of a task row, by worker.
    #[must_use]
    pub fn of_task(&self, row: usize) -> &[RowVote] {
        &self.votes[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// What is known of a task row.
    #[must_use]
    pub fn known(&self, row: usize) -> Option<u16> {
        self.known.get(row).copied().filter(|class| *class != WITHDRAWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(table: &VoteTable) -> Vec<(u32, u32, u16)> {
        let rows = 0..table.tasks().len();
        rows.flat_map(|t| table.of_task(t).iter().map(move |v| (t, v)))
            .map(|(t, v)| (table.tasks()[t].0, table.workers()[v.worker as usize].0, v.class))
            .collect()
    }

    #[test]
    fn a_table_is_sorted_and_the_later_vote_of_a_worker_counts() {
        let mut votes = Votes::new(3);
        for (task, worker, class) in [(7, 9, 0), (2, 9, 1), (7, 4, 2), (7, 9, 1), (2, 1, 0)] {
            assert!(votes.put(TaskNumber(task), WorkerId(worker), class));
        }
        assert!(!votes.put(TaskNumber(1), WorkerId(1), 3), "no such choice");
        assert_eq!(all(&votes.table()), [(2, 1, 0), (2, 9, 1), (7, 4, 2), (7, 9, 1)]);
        votes.withdraw(TaskNumber(2), WorkerId(9));
        votes.withdraw(TaskNumber(2), WorkerId(1));
        assert_eq!(all(&votes.table()), [(7, 4, 2), (7, 9, 1)]);
        assert_eq!(votes.entries(), 2, "the log is folded");
        assert!(votes.put(TaskNumber(2), WorkerId(1), 0), "a withdrawn vote may come again");
        assert_eq!(votes.table().tasks(), [TaskNumber(2), TaskNumber(7)]);
    }

    #[test]
    fn what_is_known_belongs_to_its_task() {
        let mut votes = Votes::new(2);
        votes.put(TaskNumber(1), WorkerId(1), 0);
        votes.put(TaskNumber(3), WorkerId(1), 0);
        votes.know(TaskNumber(3), 1);
        votes.know(TaskNumber(2), 1);
        let table = votes.table();
        assert_eq!((table.known(0), table.known(1)), (None, Some(1)));
    }
}
