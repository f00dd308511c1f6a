//! What time will do next.
//!
//! An ordered set of `(EngineTime, Timer)`, and one of task deadlines by wall
//! time. The timer's own order breaks ties, so the same history always rings in
//! the same order.
//!
//! Not here: reading a clock; the writer passes `now`.

use std::collections::BTreeSet;

use crate::change::CreateKeyId;
use crate::{EngineTime, LeaseId, Now, ProjectId, TaskId, WallTime};

/// What is due at some time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A pushed lease was not claimed. First of all: at its deadline, too, it goes
    /// back without blame.
    Claim(LeaseId),
    /// A live lease runs out.
    Deadline(LeaseId),
    /// The place of an expired lease has rested long enough.
    Rested(LeaseId),
    /// Late answers under a lease are over.
    WindowEnds(LeaseId),
    /// A remembered create is forgotten.
    CreateKey(Box<CreateKeyId>),
    /// A project, or its requester, may have grants again.
    Unthrottled(ProjectId),
    /// Requirements relax for some of a project's tasks.
    Relaxed(ProjectId),
    /// A task is decided with the answers there are (by wall time).
    TaskDeadline(TaskId),
}

/// All timers of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    engine: BTreeSet<(EngineTime, Timer)>,
    wall: BTreeSet<(WallTime, TaskId)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: EngineTime, timer: Timer) {
        self.engine.insert((at, timer));
    }

    pub(crate) fn clear(&mut self, at: EngineTime, timer: Timer) {
        self.engine.remove(&(at, timer));
    }

    pub(crate) fn set_wall(&mut self, at: WallTime, task: TaskId) {
        self.wall.insert((at, task));
    }

    pub(crate) fn clear_wall(&mut self, at: WallTime, task: TaskId) {
        self.wall.remove(&(at, task));
    }

    /// When the first timers ring.
    pub(crate) fn first(&self) -> (Option<EngineTime>, Option<WallTime>) {
        (self.engine.first().map(|(at, _)| *at), self.wall.first().map(|(at, _)| *at))
    }

    /// Takes the earliest timer that is due.
    pub(crate) fn take_due(&mut self, now: Now) -> Option<Timer> {
        if self.engine.first().is_some_and(|(at, _)| *at <= now.engine) {
            return self.engine.pop_first().map(|(_, timer)| timer);
        }
        if self.wall.first().is_some_and(|(at, _)| *at <= now.wall) {
            return self.wall.pop_first().map(|(_, task)| Timer::TaskDeadline(task));
        }
        None
    }

    /// Whether the same timers ring after `now`.
    pub(crate) fn agree(&self, other: &Timers, now: Now) -> bool {
        let engine = |t: &Timers| -> Vec<_> {
            t.engine.iter().filter(|(at, _)| *at > now.engine).cloned().collect()
        };
        let wall = |t: &Timers| -> Vec<_> {
            t.wall.iter().filter(|(at, _)| *at > now.wall).copied().collect()
        };
        engine(self) == engine(other) && wall(self) == wall(other)
    }
}
