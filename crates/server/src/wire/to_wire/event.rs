//! Events of workers and ends of tasks as watchers see them.
//!
//! Not here: results and submissions, which have files of their own.

use piecework_core::event::WorkerEvent;
use piecework_core::task::TaskState;
use piecework_core::{ClientId, TaskId};
use piecework_proto::v1;
use piecework_proto::v1::worker_event::Change;

use crate::wire::names;
use crate::wire::to_wire::rating::announced;
use crate::wire::to_wire::task::state;
use crate::wire::to_wire::worker::granted;

/// A task ended without a result. `name`: the task's.
pub(crate) fn task_ended(name: String, task: TaskId, ended: TaskState) -> v1::TaskEnded {
    let (state, cause, incomplete) = state(ended);
    v1::TaskEnded {
        task: name,
        task_number: task.number.0.into(),
        state: state.into(),
        failure_cause: cause.into(),
        incomplete,
    }
}

/// Something befell a worker.
pub(crate) fn worker_event(worker: &ClientId, event: WorkerEvent) -> v1::WorkerEvent {
    let change = match event {
        WorkerEvent::Suspended { reason } => Change::Suspended(v1::WorkerSuspended { reason }),
        WorkerEvent::Reinstated => Change::Reinstated(v1::WorkerReinstated {}),
        WorkerEvent::SkillGranted { skill, level } => {
            Change::SkillGranted(granted(&skill, level, v1::SkillSource::Granted, None))
        }
        WorkerEvent::SkillRevoked { skill } => Change::SkillRevoked(v1::SkillRevoked { skill }),
        WorkerEvent::RatingPublished { rating_milli, judged } => {
            Change::RatingPublished(announced(rating_milli, judged))
        }
    };
    v1::WorkerEvent { worker: names::of_worker(worker), change: Some(change) }
}
