//! The engine: a function from commands to outcomes and changes.
//!
//! `apply` takes a command at a position and a time and returns what to answer
//! and what changed. Same history, same answers, on every machine. Read
//! `apply/submit.rs` for a transition, `edit.rs` for how rows and indexes change
//! together.
//!
//! Not here: a clock, I/O, replies, keys.

mod apply;
mod changes;
mod dense;
mod edit;
mod invariants;
mod own_ids;
mod pages;
mod parked;
mod presence;
mod restore;
mod rooms;
mod standing;
mod state;
mod tasks;
mod throttle;
mod timers;

use crate::change::Changed;
use crate::forecast::Flows;
use crate::image::ColdTask;
use crate::limits::RELAXATION_STEPS_MAX;
use crate::{
    ClientId, EngineTime, Limits, Now, Outcome, Position, ProjectId, Refusal, Request, TaskId,
    TenantId, WallTime, WorkerId,
};

pub use invariants::Broken;
pub use restore::Restore;
pub use state::Totals;

pub(crate) use changes::Changes;
pub(crate) use restore::{project_room, worker_room};
pub(crate) use rooms::{ProjectRoom, Task, WorkerRoom};
pub(crate) use state::{State, text};

/// Why a transition did not happen.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The answer is no.
    Refused(Refusal),
    /// It needs tasks that only storage knows.
    Cold(Vec<TaskId>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

/// What came of one command.
#[derive(Debug)]
pub enum Step {
    /// It was decided. Without changes it takes no position.
    Done {
        /// The answer.
        outcome: Result<Outcome, Refusal>,
        /// What to make durable before the answer is said.
        changes: Vec<Changed>,
    },
    /// Fetch these tasks, give them to [`Engine::warm`], apply again, and
    /// [`Engine::unpin`] them. Until then they stay pinned: if another command
    /// warms one, it stays in memory, so what is fetched can never be stale.
    NeedCold(Vec<TaskId>),
}

/// When the engine wants a `Tick`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// At this engine time.
    pub engine: Option<EngineTime>,
    /// At this wall time.
    pub wall: Option<WallTime>,
}

/// Maintained counts over everything, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Requesters.
    pub requesters: u64,
    /// Projects.
    pub projects: u64,
    /// Workers.
    pub workers: u64,
    /// Live leases.
    pub live_leases: u64,
    /// Tasks in memory that somebody touched.
    pub touched_tasks: u64,
    /// Tasks by state.
    pub tasks: Totals,
}

/// The dispatch engine of one partition.
#[derive(Debug)]
pub struct Engine {
    state: State,
}

impl Engine {
    /// An engine that knows nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Engine {
        Engine { state: State { limits, ..State::default() } }
    }

    /// Applies one command.
    ///
    /// `position`: what it gets if it changes anything; one more than the last
    /// one that did. `now`: never earlier than before.
    pub fn apply(&mut self, position: Position, now: Now, request: &Request) -> Step {
        let mut changes = Changes::new(position, now);
        presence::note(&mut self.state, now.engine, request);
        match apply::apply(&mut self.state, &mut changes, request) {
            Ok(outcome) => {
                Step::Done { outcome: Ok(outcome), changes: changes.finish(&self.state) }
            }
            Err(Stop::Refused(refusal)) => {
                let changes = changes.finish(&self.state);
                assert!(changes.is_empty(), "a refusal changed something: {refusal}");
                Step::Done { outcome: Err(refusal), changes }
            }
            Err(Stop::Cold(tasks)) => {
                for task in &tasks {
                    *self.state.pins.entry(*task).or_default() += 1;
                }
                Step::NeedCold(tasks)
            }
        }
    }

    /// Takes in a task that a command asked for. Without effect when the task is
    /// in memory by now.
    pub fn warm(&mut self, now: Now, cold: ColdTask) {
        restore::warm(&mut self.state, now, cold);
    }

    /// The command that asked for these tasks is done.
    pub fn unpin(&mut self, tasks: &[TaskId]) {
        for task in tasks {
            let Some(pins) = self.state.pins.get_mut(task) else { continue };
            *pins -= 1;
            if *pins == 0 {
                self.state.pins.remove(task);
                self.state.settled.push_front((Position(0), *task));
            }
        }
    }

    /// Lets settled tasks go whose last change readers can see at `published`.
    pub fn forget(&mut self, published: Position) {
        while let Some((position, id)) = self.state.settled.front().copied() {
            if position > published {
                break;
            }
            self.state.settled.pop_front();
            let Some(task) = self.state.tasks.get(&id) else { continue };
            let open_window = task.leases.iter().any(|l| match l.state {
                crate::lease::LeaseState::Live => true,
                crate::lease::LeaseState::Expired { window_ends, .. } => {
                    let worker = self.state.worker_room(l.worker);
                    worker.lapsed.contains(&(window_ends, l.id))
                }
                _ => false,
            });
            let free = task.changed <= published && !self.state.pins.contains_key(&id);
            if !task.record.state.is_open() && !open_window && free {
                self.state.tasks.take(&id);
            }
        }
    }

    /// When the next timer rings. Before the grace after a restart is over, none does.
    #[must_use]
    pub fn next_due(&self) -> Due {
        let (engine, wall) = self.state.timers.first();
        Due { engine: engine.map(|at| at.max(self.state.partition.grace_until)), wall }
    }

    /// A project whose sweep wants a step.
    #[must_use]
    pub fn sweep_due(&self) -> Option<ProjectId> {
        self.state.sweeps.keys().next().copied()
    }

    /// As [`Engine::apply`], for a `Lease` call that waits when it finds nothing: then
    /// nobody hears why, so the reasons are not counted.
    pub fn try_lease(&mut self, position: Position, now: Now, request: &Request) -> Step {
        self.state.quiet = true;
        let step = self.apply(position, now, request);
        self.state.quiet = false;
        step
    }

    /// This worker waits for work, until [`Engine::unpark`]. Once is enough, however
    /// many calls it has. `None`: there is no such worker.
    pub fn park(&mut self, now: Now, tenant: TenantId, worker: &ClientId) -> Option<WorkerId> {
        let id = self.worker_id(tenant, worker)?;
        self.state.park(id, now);
        Some(id)
    }

    /// It waits no more.
    pub fn unpark(&mut self, now: Now, worker: WorkerId) {
        self.state.unpark(worker, now.engine);
    }

    /// The next waiting worker that may find something now, longest idle first: try it
    /// before asking again. `None`: nobody more in this turn.
    pub fn next_woken(&mut self, now: Now) -> Option<WorkerId> {
        self.state.next_woken(now)
    }

    /// Whether waiting workers are left to be tried, or to be looked through.
    #[must_use]
    pub fn is_waking(&self) -> bool {
        self.state.is_waking()
    }

    /// The number of a worker of that name.
    #[must_use]
    pub fn worker_id(&self, tenant: TenantId, worker: &ClientId) -> Option<WorkerId> {
        self.state.worker(tenant, worker).ok().map(|room| room.worker.id)
    }

    /// Since when a worker has been idle and present; longest idle goes first.
    #[must_use]
    pub fn idle_since(&self, tenant: TenantId, worker: &ClientId) -> Option<EngineTime> {
        self.state.worker(tenant, worker).ok().map(WorkerRoom::idle_since)
    }

    /// Maintained counts over everything.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            requesters: self.state.requesters.len() as u64,
            projects: self.state.projects.len() as u64,
            workers: self.state.workers.len() as u64,
            live_leases: self.state.live_leases,
            touched_tasks: self.state.tasks.len() as u64,
            tasks: self.state.totals,
        }
    }

    /// What comes and is worked off in all projects. Cost: a look at each.
    #[must_use]
    pub fn flows(&self, now: EngineTime) -> Flows {
        let forecasts = self.state.projects.values().map(|room| room.flow.forecast(now));
        forecasts.fold(Flows::default(), |flows, forecast| flows.add(&forecast))
    }

    /// How many granting projects have reached each step of their relaxation, by their
    /// longest waiting task. Cost: a look at each project.
    #[must_use]
    pub fn relaxed(&self, now: EngineTime) -> [u64; RELAXATION_STEPS_MAX] {
        let mut projects = [0; RELAXATION_STEPS_MAX];
        for room in self.state.projects.values().filter(|room| room.grants()) {
            if let Some(step) = usize::from(room.step_in_force(now)).checked_sub(1) {
                projects[step] += 1;
            }
        }
        projects
    }

    /// Rebuilds every index and compares; for tests and simulation.
    ///
    /// # Errors
    /// The first index that disagrees with the rows.
    pub fn check(&self, now: Now) -> Result<(), Broken> {
        invariants::check(&self.state, now)
    }
}
