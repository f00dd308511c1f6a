//! `submit PROJECT FILE`: bring a file of tasks into a project.
//!
//! The whole file is checked before anything is sent. It is safe to run again,
//! also after Ctrl-C half-way: tasks that are there already are only counted.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use piecework_client::proto::v1::GetProjectRequest;
use piecework_client::{Import, ImportedChunk, Retry, TaskOutcome};
use serde::Serialize;
use tokio::time::Instant;

use crate::failure::{Failure, one_line};
use crate::input::TaskFile;
use crate::interrupt::Interrupt;
use crate::session::{Session, answer};
use crate::{names, progress};

/// Refused tasks that are named; the rest are only counted.
const NAMED_MAX: u64 = 10;

/// Bring a file of tasks into a project; safe to run again
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The project's id
    project: String,
    /// JSON lines (`.jsonl`) or CSV with a header (`.csv`)
    #[arg(value_name = "FILE.jsonl|.csv")]
    file: PathBuf,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
struct Summary {
    project: String,
    tasks: u64,
    created: u64,
    existed: u64,
    refused: u64,
    seconds: f64,
}

impl Submit {
    /// Imports and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let project = names::project(&self.project)?;
        let file = TaskFile::check(&self.file)?;
        // Asked once and without patience: is it there at all?
        let request = GetProjectRequest { name: project.clone(), min_position: String::new() };
        answer(session.client.projects().get_project(request).await)?;

        let bar = progress::bar(file.tasks, "importing");
        let mut interrupt = Interrupt::listen()?;
        let began = Instant::now();
        let mut summary = Summary { project: project.clone(), ..Summary::default() };
        let import = Import::new(session.client.clone(), project, Retry::default());
        let interrupted = tokio::select! {
            done = send(import, &file, &mut summary, &bar) => { done?; false }
            () = interrupt.asked() => true,
        };
        bar.finish_and_clear();
        summary.tasks = file.tasks;
        summary.seconds = began.elapsed().as_millis() as f64 / 1_000.0;
        if interrupted {
            let done = summary.created + summary.existed;
            let message = format!(
                "interrupted after {done} of {} tasks; run the same command again to go on",
                file.tasks
            );
            return Err(Failure::Incomplete(message).into());
        }
        session.output().summary(&summary)?;
        if summary.refused > 0 {
            let message = format!("{} of {} tasks were refused", summary.refused, file.tasks);
            return Err(Failure::Incomplete(message).into());
        }
        Ok(())
    }
}

async fn send(
    mut import: Import,
    file: &TaskFile,
    summary: &mut Summary,
    bar: &ProgressBar,
) -> Result<()> {
    for line in file.tasks()? {
        if let Some(chunk) = import.push(line?.task).await? {
            count(&chunk, summary, bar);
        }
    }
    while let Some(chunk) = import.finish().await? {
        count(&chunk, summary, bar);
    }
    Ok(())
}

fn count(chunk: &ImportedChunk, summary: &mut Summary, bar: &ProgressBar) {
    for (index, outcome) in chunk.outcomes.iter().enumerate() {
        match outcome {
            TaskOutcome::Created(task) if task.existed => summary.existed += 1,
            TaskOutcome::Created(_) => summary.created += 1,
            TaskOutcome::Refused(refused) => {
                summary.refused += 1;
                if summary.refused <= NAMED_MAX {
                    let number = chunk.first + index + 1;
                    let note = format!("task {number} of the file refused: {}", one_line(refused));
                    bar.suspend(|| eprintln!("{note}"));
                }
            }
        }
    }
    bar.inc(chunk.outcomes.len() as u64);
}
