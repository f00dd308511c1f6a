//! Tasks as their requester sees them.
//!
//! An untouched task has no record: its spec and its project say all. A task of
//! a cancelled project is cancelled, also while the sweep has not come to it.

use piecework_core::ClientId;
use piecework_core::lease::Lease;
use piecework_core::task::{FailureCause, TaskRecord, TaskSpec, TaskState};
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::{duration, timestamp};

/// All that is known of a task.
#[derive(Debug, Clone)]
pub(crate) struct TaskRows {
    /// What the requester wrote.
    pub(crate) spec: TaskSpec,
    /// What became of it; `None`: nobody touched it.
    pub(crate) record: Option<TaskRecord>,
    /// Its leases; none where nobody touched it.
    pub(crate) leases: Vec<Lease>,
    /// Its project's name.
    pub(crate) project: ClientId,
    /// Its project is cancelled.
    pub(crate) withdrawn: bool,
}

/// How many answers of a task count, and how many leases live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Counted answers.
    pub(crate) counted: u32,
    /// Live leases.
    pub(crate) live: u32,
}

impl TaskRows {
    /// What is true of it now.
    pub(crate) fn state(&self) -> TaskState {
        match self.record.as_ref().map_or(TaskState::Open, |record| record.state) {
            TaskState::Open if self.withdrawn => TaskState::Cancelled,
            state => state,
        }
    }

    /// Counted over its leases.
    pub(crate) fn places(&self) -> Places {
        let count = |fits: fn(&Lease) -> bool| {
            let n = self.leases.iter().filter(|lease| fits(lease)).count();
            u32::try_from(n).unwrap_or(u32::MAX)
        };
        Places { counted: count(|l| l.counted().is_some()), live: count(Lease::is_live) }
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        names::of_task(&self.project, self.spec.name.as_ref(), self.spec.id.number)
    }
}

/// A task as it is now. Lists leave the payload out.
pub(crate) fn task(rows: &TaskRows, with_payload: bool) -> v1::Task {
    let spec = &rows.spec;
    let order = rows.record.as_ref().map_or(spec.order, |record| record.order);
    let Places { counted, live } = rows.places();
    let (state, cause, incomplete) = self::state(rows.state());
    let attempts = rows.record.as_ref().map_or(0, |record| record.attempts.len());
    let payload = if with_payload { spec.payload.clone() } else { Vec::new() };
    v1::Task {
        name: rows.name(),
        number: spec.id.number.0.into(),
        task_id: spec.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        payload: payload.into(),
        content_type: spec.content_type.clone(),
        priority: order.priority.into(),
        deadline: order.deadline.map(timestamp),
        overlap: order.wanted.into(),
        expected_duration: spec.expected.map(duration),
        labels: spec.labels.clone(),
        state: state.into(),
        failure_cause: cause.into(),
        counted,
        live,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        incomplete,
        create_time: Some(timestamp(spec.created)),
    }
}

/// The moving parts of a task after a change. `state`: as the engine answered.
pub(crate) fn changed(rows: &TaskRows, state: TaskState) -> v1::ChangedTask {
    let order = rows.record.as_ref().map_or(rows.spec.order, |record| record.order);
    let Places { counted, live } = rows.places();
    v1::ChangedTask {
        name: rows.name(),
        number: rows.spec.id.number.0.into(),
        state: self::state(state).0.into(),
        overlap: order.wanted.into(),
        counted,
        live,
    }
}

/// The state, why it failed, and whether it is incomplete.
pub(crate) fn state(state: TaskState) -> (v1::TaskState, v1::FailureCause, bool) {
    let none = v1::FailureCause::Unspecified;
    match state {
        TaskState::Open => (v1::TaskState::Open, none, false),
        TaskState::Done { incomplete } => (v1::TaskState::Done, none, incomplete),
        TaskState::Failed { cause } => (v1::TaskState::Failed, self::cause(cause), false),
        TaskState::Cancelled => (v1::TaskState::Cancelled, none, false),
    }
}

/// Why a task has no result.
pub(crate) fn cause(cause: FailureCause) -> v1::FailureCause {
    match cause {
        FailureCause::AttemptsExhausted => v1::FailureCause::AttemptsExhausted,
        FailureCause::BrokenTask => v1::FailureCause::BrokenTask,
        FailureCause::Deadline => v1::FailureCause::Deadline,
    }
}
