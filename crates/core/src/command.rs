//! The language in: everything that can be asked of the engine.
//!
//! Names come as clients wrote them; the engine resolves them at its own
//! position, so nothing can change in between. A bulk command is one command at
//! one position with an outcome per item.

mod naming;
mod refining;
mod work;

use std::collections::BTreeSet;

use crate::explanation::Question;
use crate::limits::WEIGHT_DEFAULT;
use crate::project::ProjectSpec;
use crate::requester::Labels;
use crate::schema::Answer;
use crate::worker::WorkerSpec;
use crate::{ClientId, Fingerprint, Millis, ProjectId, TaskNumber, TenantId, WallTime};

pub use refining::{FieldOpinion, Learn, Refine, RefinedTask};
pub use work::{
    ClaimLeases, ExtendLeases, LeaseTasks, LifeSigns, ReturnItem, ReturnLeases, SaveDraft,
    SubmitAnswers, SubmitItem,
};

/// One call, or something the writer asks of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// On behalf of which platform; from the credential.
    pub tenant: TenantId,
    /// What.
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A new requester.
    CreateRequester(CreateRequester),
    /// Another display name or labels.
    UpdateRequester(UpdateRequester),
    /// A new project.
    CreateProject(Box<CreateProject>),
    /// Another spec.
    UpdateProject(Box<UpdateProject>),
    /// Pause, resume, close, cancel, delete.
    SteerProject(SteerProject),
    /// Reads counts and waits of a project. Changes nothing.
    InspectProject {
        /// Which.
        project: ClientId,
    },
    /// Finds a task by its name. Changes nothing.
    InspectTask(TaskRef),
    /// New tasks.
    CreateTasks(CreateTasks),
    /// Another overlap, priority or deadline.
    UpdateTasks(Vec<UpdateTask>),
    /// Nobody wants them any more.
    CancelTasks(CancelTasks),
    /// `FAILED → OPEN`.
    RequeueTasks(Vec<TaskRef>),
    /// The requester says what the result is.
    ResolveTask(Box<ResolveTask>),
    /// A new worker.
    CreateWorker(CreateWorker),
    /// Another spec; may create.
    UpdateWorker(UpdateWorker),
    /// A skill at a level.
    GrantSkill(GrantSkill),
    /// A skill no more.
    RevokeSkill {
        /// Whose.
        worker: ClientId,
        /// Which.
        skill: String,
    },
    /// No work, and live leases end now.
    SuspendWorker {
        /// Whom.
        worker: ClientId,
        /// What the platform says of it.
        reason: String,
    },
    /// Work again.
    ReinstateWorker {
        /// Whom.
        worker: ClientId,
    },
    /// Reads a worker's record and leases. Changes nothing.
    InspectWorker {
        /// Whom.
        worker: ClientId,
    },
    /// Why, and what is there? Changes nothing.
    Explain(Question),
    /// Work, please.
    Lease(LeaseTasks),
    /// More time.
    Extend(ExtendLeases),
    /// Answers.
    Submit(SubmitAnswers),
    /// Back with them.
    Return(ReturnLeases),
    /// Pushed leases have arrived at their worker.
    Claim(ClaimLeases),
    /// Workers show life: more time for what they hold.
    ShowLife(LifeSigns),
    /// An unfinished answer, to be kept with its lease.
    SaveDraft(SaveDraft),
    /// What time has done: at most `TIMERS_PER_TURN_MAX` timers that are due.
    Tick,
    /// One bounded step of a project's sweep.
    Sweep {
        /// Of which project.
        project: ProjectId,
    },
    /// What the refiner found out about a project's crowd.
    Learn(Learn),
    /// What it found out about tasks.
    Refine(Refine),
    /// The daemon has recovered: nothing expires for one heartbeat.
    Restarted,
}

/// Names one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRef {
    /// Its project.
    pub project: ClientId,
    /// Which task there.
    pub task: TaskKey,
}

/// Names a task inside its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskKey {
    /// By the requester's own id.
    Named(ClientId),
    /// By the daemon's number, written `~7`.
    Number(TaskNumber),
}

/// A new requester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequester {
    /// `None`: the daemon names it.
    pub name: Option<ClientId>,
    /// For people.
    pub display_name: String,
    /// The client's own pairs.
    pub labels: Labels,
    /// As [`Requester::weight`](crate::requester::Requester::weight).
    pub weight: u32,
    /// The best (smallest) tier of its projects.
    pub tier_ceiling: u8,
    /// Grants a minute; zero: no limit.
    pub grants_per_minute: u32,
    /// They get nothing.
    pub blocked_workers: BTreeSet<ClientId>,
    /// Only they get anything; empty: everybody.
    pub allowed_workers: BTreeSet<ClientId>,
    /// Makes a retry safe where the daemon names it.
    pub key: Option<CreateKey>,
}

impl Default for CreateRequester {
    fn default() -> CreateRequester {
        CreateRequester {
            name: None,
            display_name: String::new(),
            labels: Labels::new(),
            weight: WEIGHT_DEFAULT,
            tier_ceiling: 0,
            grants_per_minute: 0,
            blocked_workers: BTreeSet::new(),
            allowed_workers: BTreeSet::new(),
            key: None,
        }
    }
}

/// Other data of a requester; `None` leaves a thing as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRequester {
    /// Which.
    pub requester: ClientId,
    /// For people.
    pub display_name: Option<String>,
    /// The client's own pairs.
    pub labels: Option<Labels>,
    /// Its share of the grants.
    pub weight: Option<u32>,
    /// The best (smallest) tier of its projects.
    pub tier_ceiling: Option<u8>,
    /// Grants a minute; zero: no limit.
    pub grants_per_minute: Option<u32>,
    /// They get nothing.
    pub blocked_workers: Option<BTreeSet<ClientId>>,
    /// Only they get anything; empty: everybody.
    pub allowed_workers: Option<BTreeSet<ClientId>>,
    /// The version the caller saw.
    pub etag: Option<u32>,
}

impl UpdateRequester {
    /// Leaves everything as it is.
    #[must_use]
    pub fn of(requester: ClientId) -> UpdateRequester {
        UpdateRequester {
            requester,
            display_name: None,
            labels: None,
            weight: None,
            tier_ceiling: None,
            grants_per_minute: None,
            blocked_workers: None,
            allowed_workers: None,
            etag: None,
        }
    }
}

/// A client's own id of a create, and what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateKey {
    /// As the client named it.
    pub request_id: ClientId,
    /// Another content under the same id is refused.
    pub content: Fingerprint,
}

/// A new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateProject {
    /// `None`: the daemon names it.
    pub name: Option<ClientId>,
    /// Who pays.
    pub requester: ClientId,
    /// What is asked.
    pub spec: ProjectSpec,
    /// Makes a retry safe where the daemon names it.
    pub key: Option<CreateKey>,
}

/// Another spec of a project: the edge has merged the field mask.
///
/// It was merged into the spec of `etag`; when another change came first the
/// engine refuses and the edge merges again, unless the caller sent the etag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateProject {
    /// Which.
    pub project: ClientId,
    /// As it is to be.
    pub spec: ProjectSpec,
    /// The version it was merged into.
    pub etag: u32,
}

/// Pause, resume, close, cancel, delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteerProject {
    /// Which.
    pub project: ClientId,
    /// Where to.
    pub to: Steer,
    /// The version the caller saw.
    pub etag: Option<u32>,
}

/// Where a project can be steered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// No grants, live leases go on.
    Pause,
    /// Grants again.
    Resume,
    /// No new tasks, the rest drains.
    Close,
    /// No grants, open tasks end.
    Cancel {
        /// Live leases end too.
        revoke_leases: bool,
    },
    /// Away with it, once drained.
    Delete,
}

/// New tasks of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTasks {
    /// Where.
    pub project: ClientId,
    /// What to create, in order; the edge has kept back what it refused.
    pub tasks: Vec<NewTask>,
    /// Makes a retry safe for tasks without an id of their own.
    pub key: Option<CreateKey>,
}

/// One new task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// The requester's own id.
    pub name: Option<ClientId>,
    /// Opaque to us.
    pub payload: Vec<u8>,
    /// Media type of the payload.
    pub content_type: String,
    /// −100 to 100; higher goes first.
    pub priority: i8,
    /// By then it is decided.
    pub deadline: Option<WallTime>,
    /// `None`: the project's.
    pub overlap: Option<u16>,
    /// Where it differs from the project's.
    pub expected: Option<Millis>,
    /// The client's own pairs.
    pub labels: Labels,
    /// Of everything above.
    pub content: Fingerprint,
}

/// Another overlap, priority or deadline of one task; `None` leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateTask {
    /// Which.
    pub task: TaskRef,
    /// Counted answers it is to have.
    pub overlap: Option<u16>,
    /// −100 to 100.
    pub priority: Option<i8>,
    /// `Some(None)`: no deadline any more.
    pub deadline: Option<Option<WallTime>>,
}

/// Nobody wants these tasks any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelTasks {
    /// Which.
    pub tasks: Vec<TaskRef>,
    /// Live leases end too.
    pub revoke_leases: bool,
}

/// What a task's result is, whatever its answers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveTask {
    /// Which.
    pub task: TaskRef,
    /// It fits the project's schema.
    pub answer: Answer,
}

/// A new worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWorker {
    /// `None`: the daemon names it.
    pub name: Option<ClientId>,
    /// What the platform says of it; `requester` inside comes as a name below.
    pub spec: WorkerSpec,
    /// Its own requester account.
    pub requester: Option<ClientId>,
    /// Makes a retry safe where the daemon names it.
    pub key: Option<CreateKey>,
}

/// Other data of a worker; the edge has merged the field mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateWorker {
    /// Whom.
    pub worker: ClientId,
    /// As it is to be.
    pub spec: WorkerSpec,
    /// Its own requester account.
    pub requester: Option<ClientId>,
    /// The version it was merged into; `None`: there was no such worker, create it.
    pub etag: Option<u32>,
}

/// A skill at a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSkill {
    /// Whose.
    pub worker: ClientId,
    /// Which.
    pub skill: String,
    /// 0 to 100.
    pub level: u8,
    /// From then on it does not count.
    pub expires: Option<WallTime>,
}
