//! The results of a replay, as they are delivered.
//!
//! In order and without a gap, or it fails. Of each task the last revision
//! that was delivered stays.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use piecework_client::proto::v1::{
    GetProjectStatsRequest, ListResultsRequest, Result as TaskResult, ResultState,
};
use piecework_client::{Client, ResultWatcher, Retry};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::recording::Recording;
use super::{ids, setup};
use crate::failure::Failure;

/// After the last answer, results come at once; a daemon that restarts takes a while.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether refinements have come to rest.
const REFINEMENT_LOOK_EVERY: Duration = Duration::from_millis(50);

/// The newest result of each task, by the task's id.
pub(super) type Results = HashMap<String, TaskResult>;

/// One line of `--results`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    task: &'a str,
    answer: Option<String>,
    confidence: f64,
    votes: usize,
}

/// Takes results until all `tasks` have one that is settled.
///
/// `played`: true once all answers were given; from then on results must come.
///
/// # Errors
/// A result is missing, or they stop coming.
pub(super) async fn collect(
    client: Client,
    project: String,
    tasks: usize,
    mut played: watch::Receiver<bool>,
) -> Result<Results> {
    let mut results = Results::new();
    let mut settled = 0;
    let mut watcher = ResultWatcher::new(client, project, String::new());
    while settled < tasks {
        let is_played = *played.borrow_and_update();
        let next = async {
            tokio::select! {
                watched = watcher.next_result() => Some(watched),
                Ok(()) = played.changed() => None,
            }
        };
        let watched = if is_played {
            let late = || {
                let message = format!("{settled} of {tasks} results came, and then no more");
                Failure::Incomplete(message)
            };
            timeout(SILENCE_MAX, next).await.map_err(|_| late())?
        } else {
            next.await
        };
        let Some(watched) = watched else { continue };
        let Some(result) = watched?.result else { continue };
        settled += usize::from(is_settled(&result));
        if let Some(before) = results.insert(result.task_id.clone(), result) {
            settled -= usize::from(is_settled(&before));
        }
    }
    Ok(results)
}

/// The newest result of every task, once refinements have come to rest.
///
/// # Errors
/// The daemon is gone for too long.
pub(super) async fn newest(client: &Client, retry: Retry, project: &str) -> Result<Results> {
    loop {
        let request = GetProjectStatsRequest { name: project.into(), ..Default::default() };
        let projects = client.projects();
        let stats = retry
            .send(&projects, &request, |mut s, r| async move { s.get_project_stats(r).await })
            .await?
            .stats;
        let refinement = stats.unwrap_or_default().refinement.unwrap_or_default();
        if refinement.pending_answers == 0 {
            break;
        }
        sleep(REFINEMENT_LOOK_EVERY).await;
    }
    let mut results = Results::new();
    let mut request = ListResultsRequest {
        parent: project.to_owned(),
        page_size: 1_000,
        ..ListResultsRequest::default()
    };
    loop {
        let page = retry
            .send(&client.results(), &request, |mut s, r| async move { s.list_results(r).await })
            .await?;
        results.extend(page.results.into_iter().map(|result| (result.task_id.clone(), result)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(results);
        }
    }
}

fn is_settled(result: &TaskResult) -> bool {
    matches!(result.state(), ResultState::Final | ResultState::Failed)
}

/// Share of the known truth that the results say too.
pub(super) fn accuracy(recording: &Recording, results: &Results) -> Option<f64> {
    let truth = recording.truth.as_ref().filter(|truth| !truth.is_empty())?;
    let said = |source: &str| {
        results.get(&ids::task(source).id).and_then(|result| setup::choice(&result.answer))
    };
    let right = truth.iter().filter(|(task, label)| said(task).as_ref() == Some(label)).count();
    Some(right as f64 / truth.len() as f64)
}

/// Writes one line a task, in the recording's order.
pub(super) fn write(file: &Path, recording: &Recording, results: &Results) -> Result<()> {
    let mut text = Vec::new();
    for task in &recording.tasks {
        let Some(result) = results.get(&ids::task(&task.source).id) else { continue };
        let line = Line {
            task: &task.source,
            answer: setup::choice(&result.answer),
            confidence: result.confidence,
            votes: result.votes.len(),
        };
        serde_json::to_writer(&mut text, &line)?;
        text.write_all(b"\n")?;
    }
    std::fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::replay::recording::Task;

    #[test]
    fn results_are_matched_by_the_sources_ids() {
        let recording = Recording {
            name: "set".into(),
            digest: String::new(),
            tasks: vec![
                Task { source: "77".into(), workers: 2 },
                Task { source: "t".into(), workers: 1 },
            ],
            workers: Vec::new(),
            choices: Vec::new(),
            rows: Vec::new(),
            truth: Some(vec![
                ("77".into(), "a".into()),
                ("t".into(), "b".into()),
                ("unseen".into(), "a".into()),
            ]),
        };
        let result = |choice: &str| TaskResult {
            answer: setup::answer(choice).into(),
            confidence: 0.5,
            votes: vec![Default::default(); 2],
            ..Default::default()
        };
        let results =
            Results::from([(ids::task("77").id, result("a")), (ids::task("t").id, result("x"))]);
        assert_eq!(accuracy(&recording, &results), Some(1.0 / 3.0));
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), &recording, &results).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(
            text,
            "{\"task\":\"77\",\"answer\":\"a\",\"confidence\":0.5,\"votes\":2}\n\
             {\"task\":\"t\",\"answer\":\"x\",\"confidence\":0.5,\"votes\":2}\n"
        );
    }
}
