//! A random history: who there is, what they do, and playing it.
//!
//! A plan names nothing: workers, leases and tasks are indexes into what exists when
//! the move comes, so that a plan still makes sense when it shrinks.
//!
//! Not here: who takes part (`cast.rs`), what a pick should be (`brute.rs`), what
//! becomes of an answer (`late.rs`), what it says (`said.rs`),
//! whether a grant was right (`judge.rs`), what a retry owes (`retry.rs`), the second run (`again.rs`).

mod again;
mod brute;
mod cast;
mod explained;
mod judge;
mod late;
mod player;
mod retry;
mod said;
mod seen;
mod signs;

use piecework_core::lease::ReturnReason;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;

pub(crate) use cast::{ProjectPlan, WorkerPlan};
pub(crate) use player::play;
pub(crate) use seen::Seen;

/// A whole history.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) requesters: u8,
    pub(crate) projects: Vec<ProjectPlan>,
    pub(crate) workers: Vec<WorkerPlan>,
    /// What every project begins with.
    pub(crate) tasks: Vec<TaskPlan>,
    pub(crate) moves: Vec<Move>,
}

/// Which lease, by index among those of a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Live(u16),
    Lapsed(u16),
    Any(u16),
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    /// Time passes; mostly the timers ring.
    Wait {
        engine: u64,
        wall: u64,
        ring: bool,
    },
    /// Time passes up to the next timer, exactly.
    WaitForTimer,
    /// Work of a project where a place rests after an expiry.
    LeaseLapsed {
        worker: u8,
    },
    Lease {
        worker: u8,
        count: u8,
        wish: Option<u8>,
        request: Option<u8>,
    },
    LeaseNamed {
        worker: u8,
        task: u16,
        request: Option<u8>,
    },
    Submit {
        lease: Which,
        stranger: bool,
        answer: u8,
    },
    Return {
        lease: Which,
        reason: ReturnReason,
    },
    Extend {
        lease: Which,
        by: Option<u16>,
    },
    /// A claim, a sign of life or a draft.
    Show {
        lease: Which,
        what: Sign,
    },
    CreateTasks {
        project: u8,
        tasks: Vec<TaskPlan>,
        key: Option<u8>,
    },
    UpdateTask {
        task: u16,
        overlap: Option<u16>,
        priority: Option<i8>,
        deadline: Option<Option<u16>>,
    },
    CancelTask {
        task: u16,
        revoke: bool,
    },
    Requeue {
        task: u16,
    },
    Steer {
        project: u8,
        how: Steering,
    },
    Sweep,
    UpdateProject {
        project: u8,
        with: ProjectPlan,
    },
    Suspend {
        worker: u8,
    },
    Reinstate {
        worker: u8,
    },
    Grant {
        worker: u8,
        level: u8,
        lasts: Option<u16>,
    },
    Revoke {
        worker: u8,
    },
    UpdateWorker {
        worker: u8,
        with: WorkerPlan,
    },
    Restart,
    /// An earlier command once more.
    Retry {
        which: u16,
    },
}

/// How a worker shows that it has a lease.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sign {
    Claim,
    /// Life on the lease, or of its worker.
    Life {
        named: bool,
    },
    /// Of so many bytes.
    Draft(u8),
}

/// What happens to a project.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Steering {
    Pause,
    Resume,
    Close,
    Cancel(bool),
    Delete,
}

/// One new task.
#[derive(Debug, Clone)]
pub(crate) struct TaskPlan {
    pub(crate) named: Option<u8>,
    pub(crate) overlap: Option<u16>,
    pub(crate) priority: i8,
    pub(crate) deadline: Option<u16>,
    pub(crate) bytes: u8,
}

/// All histories.
pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let projects = vec(cast::projects(), 3..=5);
    let workers = vec(cast::workers(), 6..=8);
    (2_u8..=3, projects, workers, vec(tasks(), 0..10), vec(moves(), 80..300)).prop_map(
        |(requesters, projects, workers, tasks, moves)| Plan {
            requesters,
            projects,
            workers,
            tasks,
            moves,
        },
    )
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        40 => work(),
        4 => upload(),
        3 => steering(),
        6 => any::<u16>().prop_map(|which| Move::Retry { which }),
    ]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        6 => any::<u16>().prop_map(Which::Live),
        3 => any::<u16>().prop_map(Which::Lapsed),
        1 => any::<u16>().prop_map(Which::Any),
    ]
}

fn rarely<S: Strategy>(often: u32, what: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone + std::fmt::Debug,
{
    prop_oneof![often => Just(None), 1 => what.prop_map(Some)]
}

/// What workers and time do.
fn work() -> impl Strategy<Value = Move> {
    let reason = prop_oneof![
        3 => Just(ReturnReason::Declined),
        2 => Just(ReturnReason::NotForMe),
        2 => Just(ReturnReason::OutOfTime),
        2 => Just(ReturnReason::Unstarted),
        3 => Just(ReturnReason::BrokenTask),
    ];
    prop_oneof![
        6 => (0_u64..6_000, 0_u64..9_000, 0..8_u8)
            .prop_map(|(engine, wall, n)| Move::Wait { engine, wall, ring: n > 0 }),
        4 => Just(Move::WaitForTimer),
        2 => any::<u8>().prop_map(|worker| Move::LeaseLapsed { worker }),
        9 => (any::<u8>(), 1_u8..4, rarely(1, any::<u8>()), rarely(1, 0_u8..24)).prop_map(
            |(worker, count, wish, request)| Move::Lease { worker, count, wish, request }
        ),
        2 => (any::<u8>(), any::<u16>(), rarely(2, 0_u8..24))
            .prop_map(|(worker, task, request)| Move::LeaseNamed { worker, task, request }),
        7 => (which(), 0..16_u8, any::<u8>())
            .prop_map(|(lease, n, answer)| Move::Submit { lease, stranger: n == 0, answer }),
        3 => (which(), reason).prop_map(|(lease, reason)| Move::Return { lease, reason }),
        3 => (which(), signs()).prop_map(|(lease, what)| Move::Show { lease, what }),
        2 => (which(), rarely(1, 0_u16..9_000)).prop_map(|(lease, by)| Move::Extend { lease, by }),
    ]
}

fn signs() -> impl Strategy<Value = Sign> {
    prop_oneof![
        2 => Just(Sign::Claim),
        2 => any::<bool>().prop_map(|named| Sign::Life { named }),
        5 => (0_u8..5).prop_map(Sign::Draft),
    ]
}

fn tasks() -> impl Strategy<Value = TaskPlan> {
    let task = (
        rarely(1, 0_u8..12),
        rarely(2, 1_u16..4),
        prop_oneof![3 => Just(0_i8), 1 => -2_i8..3],
        rarely(6, any::<u16>()),
        0_u8..12,
    );
    task.prop_map(|(named, overlap, priority, deadline, bytes)| TaskPlan {
        named,
        overlap,
        priority,
        deadline,
        bytes,
    })
}

/// What requesters do with tasks.
fn upload() -> impl Strategy<Value = Move> {
    prop_oneof![
        5 => (any::<u8>(), vec(tasks(), 1..6), rarely(1, 0_u8..6))
            .prop_map(|(project, tasks, key)| Move::CreateTasks { project, tasks, key }),
        2 => (any::<u16>(), rarely(1, 1_u16..5), rarely(2, -2_i8..3), rarely(3, rarely(1, any::<u16>())))
            .prop_map(|(task, overlap, priority, deadline)| Move::UpdateTask {
                task,
                overlap,
                priority,
                deadline
            }),
        1 => (any::<u16>(), any::<bool>()).prop_map(|(task, revoke)| Move::CancelTask { task, revoke }),
        2 => any::<u16>().prop_map(|task| Move::Requeue { task }),
    ]
}

/// What requesters do with projects, platforms with workers, operators with daemons.
fn steering() -> impl Strategy<Value = Move> {
    let how = prop_oneof![
        3 => Just(Steering::Pause),
        5 => Just(Steering::Resume),
        1 => Just(Steering::Close),
        2 => any::<bool>().prop_map(Steering::Cancel),
        1 => Just(Steering::Delete),
    ];
    prop_oneof![
        4 => (any::<u8>(), how).prop_map(|(project, how)| Move::Steer { project, how }),
        2 => Just(Move::Sweep),
        2 => (any::<u8>(), cast::projects())
            .prop_map(|(project, with)| Move::UpdateProject { project, with }),
        1 => any::<u8>().prop_map(|worker| Move::Suspend { worker }),
        2 => any::<u8>().prop_map(|worker| Move::Reinstate { worker }),
        2 => (any::<u8>(), 0_u8..101, rarely(1, any::<u16>()))
            .prop_map(|(worker, level, lasts)| Move::Grant { worker, level, lasts }),
        1 => any::<u8>().prop_map(|worker| Move::Revoke { worker }),
        1 => (any::<u8>(), cast::workers())
            .prop_map(|(worker, with)| Move::UpdateWorker { worker, with }),
        2 => Just(Move::Restart),
    ]
}
