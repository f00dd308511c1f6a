//! Records of logs: submissions, results, ends, worker events.
//!
//! Not here: what a result says field by field (`votes.rs`).

use piecework_core::event::{
    Event, Log, Method, ResultAnswer, ResultState, TaskResult, Vote, What, WorkerEvent,
};
use piecework_core::{ProjectId, Revision, Sequence, TaskId, TaskNumber, WallTime, WorkerId};
use piecework_proto::storage::v1 as pb;

use super::lease::{read_lease_name, write_lease_name};
use super::task::{read_cause, read_state, write_cause, write_state};
use super::terms::{read_money, write_money};
use super::votes::{read_field_votes, read_result_values, write_field_votes, write_result_values};
use super::worker::{read_kind, write_kind};
use super::{Misread, have, narrow};

pub(crate) fn write_event(event: &Event) -> pb::Event {
    use pb::event::What as Pb;
    let what = match &event.what {
        What::Submitted(lease) => Pb::Submitted(write_lease_name(*lease)),
        What::Result(result) => Pb::Result(write_result(result)),
        What::TaskEnded { task, state } => Pb::Ended(pb::TaskEnded {
            project: task.project.0,
            task: task.number.0,
            state: Some(write_state(*state)),
        }),
        What::Worker { worker, what } => {
            Pb::Worker(pb::WorkerEvent { worker: worker.0, what: Some(write_worker_event(what)) })
        }
    };
    pb::Event { at_wall_ms: event.at.0, what: Some(what) }
}

pub(crate) fn read_event(
    log: Log,
    sequence: Sequence,
    message: pb::Event,
) -> Result<Event, Misread> {
    use pb::event::What as Pb;
    let what = match have("what", message.what)? {
        Pb::Submitted(lease) => What::Submitted(read_lease_name(lease)),
        Pb::Result(result) => What::Result(Box::new(read_result(result)?)),
        Pb::Ended(ended) => What::TaskEnded {
            task: read_task(ended.project, ended.task),
            state: read_state(ended.state)?,
        },
        Pb::Worker(event) => What::Worker {
            worker: WorkerId(event.worker),
            what: read_worker_event(have("worker.what", event.what)?)?,
        },
    };
    Ok(Event { log, sequence, at: WallTime(message.at_wall_ms), what })
}

fn read_task(project: u32, task: u32) -> TaskId {
    TaskId { project: ProjectId(project), number: TaskNumber(task) }
}

fn write_result(result: &TaskResult) -> pb::TaskResult {
    use pb::task_result::Answer;
    let (state, incomplete, cause) = match result.state {
        ResultState::Final { incomplete } => {
            (pb::ResultState::Final, incomplete, pb::FailureCause::Unspecified)
        }
        ResultState::Provisional => {
            (pb::ResultState::Provisional, false, pb::FailureCause::Unspecified)
        }
        ResultState::Failed { cause } => (pb::ResultState::Failed, false, write_cause(cause)),
    };
    let answer = result.answer.as_ref().map(|answer| match answer {
        ResultAnswer::Of(lease) => Answer::Of(write_lease_name(*lease)),
        ResultAnswer::Values { revision, values } => {
            Answer::Choices(write_result_values(*revision, values))
        }
        ResultAnswer::Given { bytes, content_type, revision } => Answer::Given(pb::GivenResult {
            answer: bytes.clone().into(),
            content_type: content_type.clone(),
            revision: revision.0,
        }),
    });
    pb::TaskResult {
        project: result.task.project.0,
        task: result.task.number.0,
        revision: result.revision,
        state: state.into(),
        incomplete,
        cause: cause.into(),
        answer,
        confidence_ppm: result.confidence_ppm,
        votes: result.votes.iter().map(write_field_votes).collect(),
        answers: result.answers.iter().map(write_vote).collect(),
        cost: Some(write_money(result.cost)),
        method: write_method(result).into(),
    }
}

fn read_result(message: pb::TaskResult) -> Result<TaskResult, Misread> {
    use pb::task_result::Answer;
    let state = match message.state() {
        pb::ResultState::Final => ResultState::Final { incomplete: message.incomplete },
        pb::ResultState::Provisional => ResultState::Provisional,
        pb::ResultState::Failed => ResultState::Failed { cause: read_cause(message.cause())? },
        pb::ResultState::Unspecified => return Err(Misread::Field { field: "result.state" }),
    };
    let method = read_method(&message);
    let answer = match message.answer {
        None => None,
        Some(Answer::Of(lease)) => Some(ResultAnswer::Of(read_lease_name(lease))),
        Some(Answer::Choices(message)) => Some(ResultAnswer::Values {
            revision: Revision(message.revision),
            values: read_result_values(message)?,
        }),
        Some(Answer::Given(given)) => Some(ResultAnswer::Given {
            bytes: given.answer.into(),
            content_type: given.content_type,
            revision: Revision(given.revision),
        }),
    };
    Ok(TaskResult {
        task: read_task(message.project, message.task),
        revision: message.revision,
        state,
        answer,
        confidence_ppm: message.confidence_ppm,
        votes: message.votes.iter().map(read_field_votes).collect::<Result<_, _>>()?,
        answers: message.answers.into_iter().map(read_vote).collect::<Result<_, _>>()?,
        cost: read_money("result.cost", message.cost)?,
        method,
    })
}

/// Not written where it is what a row without one is read as: such rows stay the same.
fn write_method(result: &TaskResult) -> pb::ResultMethod {
    match result.method {
        Method::First if result.votes.is_empty() => pb::ResultMethod::Unspecified,
        Method::Majority if !result.votes.is_empty() => pb::ResultMethod::Unspecified,
        Method::First => pb::ResultMethod::First,
        Method::Majority => pb::ResultMethod::Majority,
        Method::Weighted => pb::ResultMethod::Weighted,
        Method::Online => pb::ResultMethod::Online,
        Method::Smoothed => pb::ResultMethod::Smoothed,
        Method::DawidSkene => pb::ResultMethod::DawidSkene,
        Method::Collected => pb::ResultMethod::Collected,
        Method::Requester => pb::ResultMethod::Requester,
    }
}

fn read_method(message: &pb::TaskResult) -> Method {
    match message.method() {
        pb::ResultMethod::Unspecified if message.votes.is_empty() => Method::First,
        pb::ResultMethod::Unspecified | pb::ResultMethod::Majority => Method::Majority,
        pb::ResultMethod::First => Method::First,
        pb::ResultMethod::Weighted => Method::Weighted,
        pb::ResultMethod::Online => Method::Online,
        pb::ResultMethod::Smoothed => Method::Smoothed,
        pb::ResultMethod::DawidSkene => Method::DawidSkene,
        pb::ResultMethod::Collected => Method::Collected,
        pb::ResultMethod::Requester => Method::Requester,
    }
}

fn write_vote(vote: &Vote) -> pb::Vote {
    pb::Vote {
        lease: Some(write_lease_name(vote.lease)),
        worker: vote.worker.0,
        kind: write_kind(vote.kind).into(),
    }
}

fn read_vote(message: pb::Vote) -> Result<Vote, Misread> {
    Ok(Vote {
        kind: read_kind("result.answers.kind", message.kind())?,
        lease: read_lease_name(have("result.answers.lease", message.lease)?),
        worker: WorkerId(message.worker),
    })
}

fn write_worker_event(event: &WorkerEvent) -> pb::worker_event::What {
    use pb::worker_event::What as Pb;
    match event {
        WorkerEvent::Suspended { reason } => Pb::Suspended(reason.clone()),
        WorkerEvent::Reinstated => Pb::Reinstated(pb::WorkerReinstated {}),
        WorkerEvent::SkillGranted { skill, level } => {
            Pb::SkillGranted(pb::SkillGranted { skill: skill.clone(), level: (*level).into() })
        }
        WorkerEvent::SkillRevoked { skill } => Pb::SkillRevoked(skill.clone()),
        &WorkerEvent::RatingPublished { rating_milli, judged } => {
            Pb::RatingPublished(pb::RatingPublished { rating_milli, judged })
        }
    }
}

fn read_worker_event(what: pb::worker_event::What) -> Result<WorkerEvent, Misread> {
    use pb::worker_event::What as Pb;
    Ok(match what {
        Pb::Suspended(reason) => WorkerEvent::Suspended { reason },
        Pb::Reinstated(pb::WorkerReinstated {}) => WorkerEvent::Reinstated,
        Pb::SkillGranted(granted) => WorkerEvent::SkillGranted {
            skill: granted.skill,
            level: narrow("worker.skill_granted.level", granted.level)?,
        },
        Pb::SkillRevoked(skill) => WorkerEvent::SkillRevoked { skill },
        Pb::RatingPublished(rating) => WorkerEvent::RatingPublished {
            rating_milli: rating.rating_milli,
            judged: rating.judged,
        },
    })
}
