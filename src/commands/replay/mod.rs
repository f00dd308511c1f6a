//! `replay DIR`: a recorded crowd, sent through the daemon once more.
//!
//! Every row of `labels.csv` becomes a lease and an answer by its worker, in
//! file order, in a project where workers pick. The results are compared with
//! `truth.csv`. A daemon that is restarted meanwhile is waited for.

mod collector;
mod ending;
mod ids;
mod plan;
mod player;
mod recording;
mod setup;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::GetProjectStatsRequest;
use piecework_client::{Client, Retry, request_id};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use self::plan::Plan;
use self::recording::Recording;
use crate::cli::Connection;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::names::{self, is_id};
use crate::progress;
use crate::session::{Session, answer};

/// How long a daemon may be gone in the middle of a replay.
const GONE_MAX: Duration = Duration::from_secs(60);

/// Send a recorded crowd through the daemon and compare with the known truth
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A directory with `labels.csv` (task, worker, label) and perhaps `truth.csv` (task, label)
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    plan: Plan,
    /// Write one line of JSON for each task's result
    #[arg(long, value_name = "FILE.jsonl")]
    results: Option<PathBuf>,
    /// Tells this run from others; the same one again goes on with the first. By default a new one
    #[arg(long, value_name = "ID", conflicts_with = "project")]
    run_id: Option<String>,
    /// Go on with the replay in this project
    #[arg(long)]
    project: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Summary {
    project: String,
    tasks: usize,
    workers: usize,
    labels: usize,
    answers_counted: u64,
    /// The same: what was bought.
    answers_used: u64,
    /// Labels of tasks that were sure without them.
    answers_saved: u64,
    /// Second answers of a worker to a task, refused by the daemon.
    refused: u64,
    results: usize,
    /// Share of the known truth that the results say too; none without `truth.csv`.
    accuracy: Option<f64>,
    seconds: f64,
}

impl Replay {
    /// Uses the daemon named with `--server`, or else starts one for itself.
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let mut recording = Recording::read(&self.directory)?;
        self.plan.prepare(&mut recording)?;
        let project = self.project_of(&recording)?;
        let mut interrupt = Interrupt::listen()?;
        let daemon = match &connection.server {
            Some(_) => None,
            None => Some(Daemon::start(None).await?),
        };
        let server = daemon.as_ref().map_or(connection.address(), Daemon::server);
        let session = Session::at(server, connection.output)?;
        let began = Instant::now();
        let (mut summary, results) = tokio::select! {
            replayed = replay(&session.client, &recording, &self.plan, &project) => replayed?,
            () = interrupt.asked() => {
                let message = if daemon.is_some() {
                    "interrupted".to_owned()
                } else {
                    format!("interrupted; go on with --project {}", names::id(&project))
                };
                return Err(Failure::Incomplete(message).into());
            }
        };
        summary.seconds = began.elapsed().as_millis() as f64 / 1_000.0;
        if let Some(file) = &self.results {
            collector::write(file, &recording, &results)?;
        }
        if let Some(daemon) = daemon {
            daemon.stop().await?;
        }
        session.output().summary(&summary)?;
        let (counted, pairs) = (summary.answers_counted + summary.answers_saved, recording.pairs());
        if counted == pairs {
            return Ok(());
        }
        Err(Failure::Incomplete(format!("{counted} of {pairs} answers counted")).into())
    }

    fn project_of(&self, recording: &Recording) -> Result<String> {
        if let Some(project) = &self.project {
            return names::project(project);
        }
        let run = match &self.run_id {
            Some(run) if is_id(run) && run.len() <= 64 => run.clone(),
            Some(run) => {
                let message =
                    format!("--run-id `{run}` must be 1 to 64 of A-Z a-z 0-9 . _ ~ : @ + = -");
                return Err(crate::failure::input(message));
            }
            None => request_id().replace('-', "")[..18].to_owned(),
        };
        let (set, digest) = (ids::set(&recording.name), &recording.digest[..8]);
        Ok(format!("projects/replay-{set}-{digest}-{run}"))
    }
}

async fn replay(
    client: &Client,
    recording: &Recording,
    plan: &Plan,
    project: &str,
) -> Result<(Summary, collector::Results)> {
    // Asked once and without patience: is it there at all?
    setup::project(client, Retry::never(), recording, plan, project).await?;
    let retry = Retry::within(GONE_MAX);
    setup::crowd_and_tasks(client, retry, recording, plan, project).await?;

    let bar = progress::bar(recording.rows.len() as u64, "answers");
    let (told, is_played) = watch::channel(false);
    let tasks = recording.tasks.len();
    let collecting = collector::collect(client.clone(), project.to_owned(), tasks, is_played);
    let playing = async {
        let is_dynamic = plan.is_dynamic();
        let played = player::play(client, retry, recording, is_dynamic, project, &bar).await?;
        if is_dynamic {
            ending::unsure(client, retry, project).await?;
        }
        told.send_replace(true);
        anyhow::Ok(played)
    };
    let (played, _) = tokio::try_join!(playing, collecting)?;
    bar.finish_and_clear();
    let results = collector::newest(client, retry, project).await?;
    if played.earlier > 0 {
        eprintln!("{} answers had been given by an earlier run", played.earlier);
    }

    let request = GetProjectStatsRequest { name: project.into(), min_position: String::new() };
    let stats = answer(client.projects().get_project_stats(request).await)?.stats;
    let counted = stats.unwrap_or_default().counted;
    let summary = Summary {
        project: names::id(project).to_owned(),
        tasks,
        workers: recording.workers.len(),
        labels: recording.rows.len(),
        answers_counted: counted,
        answers_used: counted,
        answers_saved: played.saved,
        refused: played.refused,
        results: results.len(),
        accuracy: collector::accuracy(recording, &results),
        seconds: 0.0,
    };
    Ok((summary, results))
}
