//! What is open to a worker, and why something waits: questions and their answers.
//!
//! A reason is the refusal that a named lease would get, with the numbers of its
//! nearest case. Questions change nothing.
//!
//! Not here: how an answer is found (`matching/explain.rs`).

use crate::command::TaskRef;
use crate::forecast::Forecast;
use crate::outcome::NoWork;
use crate::project::Assignment;
use crate::quality::{Basis, Published, Record};
use crate::task::TaskState;
use crate::wishes::Wishes;
use crate::{ClientId, Millis, Money, Refusal};

/// Something to be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Why a task waits.
    Task {
        /// Which.
        task: TaskRef,
        /// Look at this worker only, present or not.
        worker: Option<ClientId>,
    },
    /// Why a worker is idle.
    Worker {
        /// Who.
        worker: ClientId,
    },
    /// What is open to a worker.
    Offers {
        /// To whom.
        worker: ClientId,
        /// What it asks for.
        wishes: Wishes,
    },
    /// What a worker's ratings are made of, and which projects they open.
    Rating {
        /// Whose.
        worker: ClientId,
        /// Only what was published: what the worker itself may see.
        as_worker: bool,
    },
    /// When a project will be done.
    Forecast {
        /// Which.
        project: ClientId,
    },
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explanation {
    /// Why a task waits.
    Task(Box<TaskExplained>),
    /// Why a worker is idle.
    Worker(Box<WorkerExplained>),
    /// What is open to a worker.
    Offers(Offers),
    /// What a worker's ratings are made of.
    Rating(Box<RatingExplained>),
    /// When a project will be done.
    Forecast(Forecast),
}

/// One obstacle, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Of the nearest case.
    pub nearest: Refusal,
    /// Workers, or projects, of which it is the first obstacle.
    pub count: u32,
    /// Tasks that wait in these projects; zero where workers are counted.
    pub waiting: u64,
}

/// Why a task waits, or who could have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskExplained {
    /// What is true of it.
    pub state: TaskState,
    /// Counted answers it is to have.
    pub wanted: u16,
    /// Answers that count.
    pub counted: u16,
    /// Live leases.
    pub live: u16,
    /// Who chooses the task.
    pub assignment: Assignment,
    /// What stands in everybody's way.
    pub blocked: Option<Refusal>,
    /// How long it has been ready; `None`: it is not ready now.
    pub ready_for: Option<Millis>,
    /// For so long only workers whom nothing else fits get it.
    pub rests_for: Option<Millis>,
    /// Entries of its project's order before it, as far as they were looked at.
    pub ahead: usize,
    /// There may be more of them.
    pub ahead_at_least: bool,
    /// In how long each step of the relaxation holds; zero: it does.
    pub relaxation: Vec<Millis>,
    /// Workers looked at.
    pub workers: u32,
    /// Of these, how many could be leased it now.
    pub could_lease: u32,
    /// Why the others could not, most workers first.
    pub obstacles: Vec<Obstacle>,
    /// Of whoever lacks least.
    pub nearest: Option<Refusal>,
    /// Not every worker present was looked at.
    pub truncated: bool,
}

/// Why a worker is idle, or where it could work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerExplained {
    /// Whether it waits for work, or showed life within the last minute.
    pub present: bool,
    /// Leases that take its capacity.
    pub holds: u32,
    /// How many it may hold.
    pub capacity: u32,
    /// What stands in its way whatever the project.
    pub blocked: Option<Refusal>,
    /// Projects looked at.
    pub projects: u32,
    /// Of these, how many have something for it now.
    pub could_lease: u32,
    /// Of these, how many would take it and have nothing that waits for it.
    pub nothing_ready: u32,
    /// Of these, how many it may have and leaves out by a wish of its last call for
    /// work, ascending.
    pub unwished: Vec<(NoWork, u32)>,
    /// Why the others have not, most projects first.
    pub obstacles: Vec<Obstacle>,
    /// Not every project was looked at.
    pub truncated: bool,
}

/// What a worker's ratings are made of, and which projects they open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatingExplained {
    /// All skill areas together, then each one by name.
    pub areas: Vec<AreaExplained>,
    /// After so long evidence counts half; zero: it never fades.
    pub half_life: Millis,
    /// Active projects that ask for a rating: those missed first, the nearest before others.
    pub projects: Vec<RatedProject>,
    /// How many more there are.
    pub more: usize,
    /// Not every project was looked at.
    pub truncated: bool,
}

/// A worker's rating in one skill area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaExplained {
    /// The skill; empty: all together.
    pub skill: String,
    /// What its worker may see.
    pub published: Published,
    /// What the platform sees; `None` where only what was published was asked for.
    pub now: Option<AreaNow>,
}

/// The evidence of a skill area now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AreaNow {
    /// Faded until now.
    pub record: Record,
    /// How long ago the last evidence came.
    pub unchanged_for: Millis,
}

/// An active project that asks for a rating, as a worker stands to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedProject {
    /// Which.
    pub project: ClientId,
    /// Points that it asks for.
    pub needed: u8,
    /// Which accuracy they are compared with.
    pub basis: Basis,
    /// Points that the worker has on that basis.
    pub has: u8,
    /// The rule for newcomers decides, not the points.
    pub newcomer: bool,
    /// Points that are missing.
    pub missing_points: u8,
    /// Judged answers that are missing where newcomers are refused.
    pub missing_answers: u32,
}

impl RatedProject {
    /// Nothing is missing.
    #[must_use]
    pub fn is_unlocked(&self) -> bool {
        self.missing_points == 0 && self.missing_answers == 0
    }
}

/// What is open to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// What it may have in the order of the pick, then the others by age.
    pub offers: Vec<Offer>,
    /// Not every project was looked at.
    pub truncated: bool,
}

/// One project as a worker finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub project: ClientId,
    /// For people.
    pub title: String,
    /// Who chooses the task.
    pub assignment: Assignment,
    /// For one payable answer.
    pub reward: Money,
    /// How long an answer is expected to take this worker.
    pub pace: Option<Pace>,
    /// What the reward comes to in an hour at that pace.
    pub hourly: Option<Money>,
    /// Tasks that wait and that the wishes admit, rounded down to 1, 2, 5, 10, 20, 50 …
    pub waiting: u64,
    /// The first thing that the worker lacks.
    pub lacks: Option<Refusal>,
}

/// How long a worker is expected to take for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Three answers in four take at most so long.
    pub expected: Millis,
    /// Where that is from.
    pub source: PaceSource,
}

/// Where an expected duration is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceSource {
    /// The worker's own answers in the project.
    Worker,
    /// Everybody's answers in the project.
    Project,
    /// What the task declares, to the next power of two.
    Task,
    /// What the project declares.
    Declared,
}

/// Rounds down to 1, 2 or 5 times a power of ten: about how much there is, never
/// exactly.
#[must_use]
pub fn rounded(count: u64) -> u64 {
    let mut unit = 1_u64;
    while count / unit >= 10 {
        unit *= 10;
    }
    match count / unit {
        0 => 0,
        1 => unit,
        2..=4 => 2 * unit,
        _ => 5 * unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_steps_of_one_two_and_five() {
        let told = [0, 1, 2, 3, 5, 9, 10, 19, 20, 49, 50, 99, 1_999, u64::MAX].map(rounded);
        let steps = [0, 1, 2, 2, 5, 5, 10, 10, 20, 20, 50, 50, 1_000];
        assert_eq!(told[..13], steps);
        assert_eq!(told[13], 10_000_000_000_000_000_000);
    }
}
