//! The language out: what the engine answers when it does not refuse.

use crate::explanation::Explanation;
use crate::lease::Grant;
use crate::project::{Project, ProjectTally};
use crate::requester::Requester;
use crate::submission::Receipt;
use crate::task::TaskState;
use crate::worker::{Worker, WorkerRecord};
use crate::{ClientId, LeaseId, Millis, ProjectId, Refusal, TaskId};

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The requester as it is now.
    Requester(Box<Requester>),
    /// The project as it is now.
    Project(Box<Project>),
    /// The project is gone.
    ProjectDeleted,
    /// Counts and waits of a project.
    ProjectStats(Box<ProjectStats>),
    /// The task of that name.
    Task(TaskId),
    /// Per item the task, or why not.
    TasksCreated(Vec<Result<CreatedTask, Refusal>>),
    /// Per item the task's state now, or why not.
    TasksChanged(Vec<Result<ChangedTask, Refusal>>),
    /// The worker as it is now.
    Worker(Box<WorkerView>),
    /// The answer to a question.
    Explained(Box<Explanation>),
    /// What the worker holds of this call; empty with the reasons.
    Leased(Leased),
    /// Per item the time left now, or why not.
    Extended(Vec<Result<Grant, Refusal>>),
    /// Per item the receipt, or why not.
    Submitted(Vec<Result<Receipt, Refusal>>),
    /// Per item the lease, or why not.
    Returned(Vec<Result<LeaseId, Refusal>>),
    /// Per item the lease, or why not.
    Claimed(Vec<Result<LeaseId, Refusal>>),
    /// What life signs extended.
    Alive(Alive),
    /// The draft is kept, or gone where it was empty.
    DraftSaved(LeaseId),
    /// Time passed; so many timers rang.
    Ticked {
        /// How many.
        timers: usize,
        /// Of these, leases that ran out.
        expired: usize,
    },
    /// A sweep went on.
    Swept {
        /// Nothing is left of it.
        finished: bool,
    },
    /// What a refinement changed.
    Refined {
        /// Tasks with another result.
        changed: u32,
    },
    /// Nothing expires for one heartbeat.
    Restarted,
}

/// Counts and waits of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectStats {
    /// Which.
    pub project: Project,
    /// Maintained counts.
    pub tally: ProjectTally,
    /// Open tasks that nobody touched yet.
    pub untouched: u64,
    /// Entries waiting in its order now; a run of untouched tasks is one.
    pub ready_entries: u64,
    /// How long the longest waiting ready task has been ready.
    pub oldest_ready: Option<Millis>,
    /// The step of its relaxation that this task has reached; 0: none.
    pub relaxation_step: u8,
}

/// One task of a `CreateTasks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTask {
    /// Its number.
    pub task: TaskId,
    /// The requester's own id.
    pub name: Option<ClientId>,
    /// It was there already, with the same content.
    pub existed: bool,
}

/// One task after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedTask {
    /// Its number.
    pub task: TaskId,
    /// What is true of it now.
    pub state: TaskState,
}

/// A worker with what the engine knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    /// What the platform set.
    pub worker: Worker,
    /// How it behaved.
    pub record: WorkerRecord,
    /// What it holds now, in the order of grants.
    pub leases: Vec<Grant>,
    /// Name of its own requester account.
    pub requester: Option<ClientId>,
}

/// What a `Lease` call got.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leased {
    /// In the order of the pick.
    pub grants: Vec<Grant>,
    /// Per grant of the pick: what it meant to who waits too long. Empty in a repeated
    /// answer.
    pub overdue: Vec<Overdue>,
    /// Why there are none: (reason, open projects it holds for), ascending.
    pub none_because: Vec<(NoWork, u32)>,
    /// Nothing so far, and more is to be looked at: the same command goes on.
    pub unfinished: bool,
}

/// What life signs extended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alive {
    /// Per lease named: the time left now, or why not.
    pub named: Vec<Result<Grant, Refusal>>,
    /// The live leases of the workers named, in the order in which these came.
    pub held: Vec<Grant>,
}

/// What a grant meant to projects that wait longer than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overdue {
    /// None was found.
    #[default]
    Nobody,
    /// This one stood back for it once more.
    StoodBack(ProjectId),
    /// It went to this one, out of turn.
    Served(ProjectId),
}

/// Why an open project has nothing for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoWork {
    /// The worker holds all that it may.
    CapacityReached,
    /// The worker declined too often and cools down.
    CoolingDown,
    /// For the other kind of worker.
    Kind,
    /// A skill is missing, or its level is too low.
    Skill,
    /// The rating is below the minimum.
    Rating,
    /// No newcomers, or not so many leases for one.
    Newcomer,
    /// For other regions.
    Region,
    /// The worker has done its quota.
    Quota,
    /// Its own requester's project.
    OwnRequester,
    /// The requester's lists keep the worker away.
    Blocked,
    /// Workers name the task there.
    WorkerPicks,
    /// Paused, or cancelled.
    NotGranting,
    /// It has had its grants of this minute.
    Throttled,
    /// The worker's wishes leave the project out, and something waits there.
    LeftOut,
    /// A payload that waits is larger than the worker wishes.
    TooLarge,
    /// What waits pays less an hour than the worker wishes, or nobody knows how much.
    PaysLess,
    /// What waits takes longer than the worker's time box, or nobody knows how long.
    TakesLonger,
    /// Every place is taken or the worker has been there.
    NothingReady,
}
