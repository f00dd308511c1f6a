//! What a replay needs before its first answer: requester, project, workers, tasks.
//!
//! Everything has an id that follows from the recording and the run, so a
//! replay that was broken off sets up the same things again, without effect.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use piecework_client::proto::v1::{
    AnswerField, AnswerFieldKind, AnswerSchema, Assignment, CreateProjectRequest,
    CreateRequesterRequest, ErrorReason, GetProjectRequest, NewTask, Project, Requester,
    UpdateWorkerRequest, Worker, WorkerKind,
};
use piecework_client::{CallError, Client, Import, Retry, TaskOutcome};
use prost_types::FieldMask;
use tokio::task::JoinSet;

use super::ids;
use super::plan::Plan;
use super::recording::Recording;
use crate::failure::{input, one_line};

const REQUESTER: &str = "replay";
const FIELD: &str = "label";
/// The project's label with the digest of what is replayed in it.
const DIGEST: &str = "recording";
/// The most that a person may have. More than the player takes at a time.
const CAPACITY: u32 = 100;

const WORKERS_AT_A_TIME: usize = 64;

/// The requester and the project.
pub(super) async fn project(
    client: &Client,
    retry: Retry,
    recording: &Recording,
    plan: &Plan,
    project: &str,
) -> Result<()> {
    let request = CreateRequesterRequest {
        requester: Some(Requester::default()),
        requester_id: REQUESTER.to_owned(),
        request_id: String::new(),
    };
    let created = retry
        .send(&client.requesters(), &request, |mut s, r| async move { s.create_requester(r).await })
        .await;
    exists(created.map(drop))?;

    let field = AnswerField {
        name: FIELD.to_owned(),
        kind: AnswerFieldKind::Choice.into(),
        choices: recording.choices.clone(),
        required: true,
        ..AnswerField::default()
    };
    let dynamic = plan.dynamic(recording);
    let request = CreateProjectRequest {
        project: Some(Project {
            requester: format!("requesters/{REQUESTER}"),
            title: format!("Replay of {}", recording.name),
            schema: Some(AnswerSchema { fields: vec![field] }),
            aggregation: plan.aggregation().into(),
            overlap: dynamic.as_ref().map_or(0, |(min, _)| *min),
            dynamic_overlap: dynamic.map(|(_, dynamic)| dynamic),
            assignment: Assignment::WorkerPicks.into(),
            labels: BTreeMap::from([(DIGEST.to_owned(), recording.digest.clone())]),
            ..Project::default()
        }),
        project_id: project.trim_start_matches("projects/").to_owned(),
        request_id: String::new(),
    };
    let created = retry
        .send(&client.projects(), &request, |mut s, r| async move { s.create_project(r).await })
        .await;
    match created {
        Err(error) if error.is(ErrorReason::IdTaken) => {
            is_of_this_recording(client, retry, recording, project).await
        }
        other => Ok(other.map(drop)?),
    }
}

/// All workers and all tasks.
pub(super) async fn crowd_and_tasks(
    client: &Client,
    retry: Retry,
    recording: &Recording,
    plan: &Plan,
    project: &str,
) -> Result<()> {
    crowd(client, retry, recording).await?;
    let mut import = Import::new(client.clone(), project.to_owned(), retry);
    let mut chunks = Vec::new();
    for task in &recording.tasks {
        let known = ids::task(&task.source);
        let payload = serde_json::json!({ "task": task.source }).to_string();
        let task = NewTask {
            task_id: known.id,
            payload: payload.into(),
            content_type: "application/json".to_owned(),
            overlap: if plan.is_dynamic() { 0 } else { task.workers },
            labels: known.labels,
            ..NewTask::default()
        };
        chunks.extend(import.push(task).await?);
    }
    while let Some(chunk) = import.finish().await? {
        chunks.push(chunk);
    }
    for outcome in chunks.iter().flat_map(|chunk| &chunk.outcomes) {
        if let TaskOutcome::Refused(refused) = outcome {
            bail!("a task was refused: {}", one_line(refused));
        }
    }
    Ok(())
}

/// The workers, a few at a time. One from an earlier replay is given our capacity.
async fn crowd(client: &Client, retry: Retry, recording: &Recording) -> Result<()> {
    let set = ids::set(&recording.name);
    for some in recording.workers.chunks(WORKERS_AT_A_TIME) {
        let mut calls = JoinSet::new();
        for source in some {
            let known = ids::worker(&set, source);
            let worker = Worker {
                name: format!("workers/{}", known.id),
                kind: WorkerKind::Human.into(),
                capacity: CAPACITY,
                labels: known.labels,
                ..Worker::default()
            };
            let request = UpdateWorkerRequest {
                worker: Some(worker),
                update_mask: Some(FieldMask { paths: vec!["capacity".to_owned()] }),
                allow_missing: true,
            };
            let workers = client.workers();
            calls.spawn(async move {
                retry
                    .send(&workers, &request, |mut s, r| async move { s.update_worker(r).await })
                    .await
            });
        }
        while let Some(updated) = calls.join_next().await {
            updated??;
        }
    }
    Ok(())
}

/// One answer in the project's schema.
pub(super) fn answer(choice: &str) -> String {
    serde_json::json!({ FIELD: choice }).to_string()
}

/// The choice in an answer of the project's schema.
pub(super) fn choice(answer: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    answer.get(FIELD)?.as_str().map(str::to_owned)
}

/// Somebody has one with this id, perhaps changed meanwhile: good enough.
fn exists(created: Result<(), CallError>) -> Result<(), CallError> {
    match created {
        Err(error) if error.is(ErrorReason::IdTaken) => Ok(()),
        other => other,
    }
}

async fn is_of_this_recording(
    client: &Client,
    retry: Retry,
    recording: &Recording,
    project: &str,
) -> Result<()> {
    let request = GetProjectRequest { name: project.to_owned(), min_position: String::new() };
    let found = retry
        .send(&client.projects(), &request, |mut s, r| async move { s.get_project(r).await })
        .await?
        .project
        .unwrap_or_default();
    if found.labels.get(DIGEST) == Some(&recording.digest) {
        return Ok(());
    }
    Err(input(format!("{project} exists and is not a replay of this recording")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_its_choice() {
        assert_eq!(choice(answer("a \"b\"").as_bytes()).as_deref(), Some("a \"b\""));
        assert_eq!(choice(b"{}"), None);
        assert_eq!(choice(b""), None);
    }
}
