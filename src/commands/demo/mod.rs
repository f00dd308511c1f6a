//! `demo`: what piecework does, in one command that ends by itself.
//!
//! Two scenarios: a crowd (here), and a family (`family.rs`).
//!
//! The real daemon, a labelling project, 2,000 tasks and a simulated crowd
//! that is partly careful, partly careless, partly late and partly gone. The
//! crowd and the results go through the API like anybody's.

mod crowd;
mod family;
mod images;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use piecework_client::proto::v1::{
    AnswerField, AnswerFieldKind, AnswerSchema, CreateProjectRequest, CreateRequesterRequest,
    CreateWorkerRequest, GetProjectStatsRequest, GetRatingRequest, LeasePolicy, NewTask, Project,
    Rating, Requester, Result as TaskResult, Worker,
};
use piecework_client::{Client, Import, ResultWatcher, Retry, TaskOutcome, to_proto};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::crowd::{Manner, Member, Tally};
use crate::cli::Connection;
use crate::daemon::Daemon;
use crate::failure::{Failure, input, one_line};
use crate::interrupt::Interrupt;
use crate::output::{Format, print};
use crate::progress;
use crate::session::{Session, answer};

const PROJECT: &str = "projects/animals";
const OVERLAP: u32 = 3;
const CAPACITY: u32 = 20;
/// Short, so that leases of those who vanish run out while one watches.
const LEASE: Duration = Duration::from_millis(1_500);
const WORK_WITHIN: Duration = Duration::from_secs(22);

/// Show what it does: a project, a simulated crowd, its results; ends by itself
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the daemon's data here; a new directory. By default they go away
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// What is shown
    #[arg(long, value_enum, default_value_t = Scenario::Crowd)]
    scenario: Scenario,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// A labelling project and a crowd that is partly careless, late or gone
    Crowd,
    /// Parents who work in short bursts on bad connections and lose no answer
    Family,
}

impl Demo {
    /// Starts a daemon of its own, and stops it again.
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let is_empty = |dir: &PathBuf| std::fs::read_dir(dir).is_ok_and(|mut d| d.next().is_none());
        if let Some(taken) = self.keep.as_ref().filter(|dir| dir.exists() && !is_empty(dir)) {
            return Err(input(format!("--keep {}: is not empty", taken.display())));
        }
        let mut interrupt = Interrupt::listen()?;
        let began = Instant::now();
        let daemon = Daemon::start(self.keep.as_deref()).await?;
        let session = Session::at(daemon.server(), connection.output)?;
        let interrupted = || Failure::Incomplete("interrupted".into());
        if self.scenario == Scenario::Family {
            let report = tokio::select! {
                report = family::play(&session.client, daemon.server()) => report?,
                () = interrupt.asked() => return Err(interrupted().into()),
            };
            daemon.stop().await?;
            return report.tell(session.output(), began.elapsed());
        }
        let mut report = tokio::select! {
            report = play(&session.client) => report?,
            () = interrupt.asked() => return Err(interrupted().into()),
        };
        daemon.stop().await?;
        report.seconds = began.elapsed().as_millis() as f64 / 1_000.0;
        report.next = self.next();
        let output = session.output();
        if output.format == Format::Table {
            print(&report::table(&report))
        } else {
            output.summary(&report)
        }
    }

    /// Three commands to try next, in this order.
    fn next(&self) -> Vec<String> {
        let id = PROJECT.trim_start_matches("projects/");
        let watch = format!("piecework watch {id} --count 5");
        match &self.keep {
            Some(dir) => vec![
                format!("piecework serve --data-dir {}", dir.display()),
                watch,
                format!("piecework project stats {id}"),
            ],
            None => vec![
                "piecework demo --keep ./piecework-demo".to_owned(),
                "piecework serve --data-dir ./piecework-demo".to_owned(),
                watch,
            ],
        }
    }
}

async fn play(client: &Client) -> Result<report::Report> {
    let members = crowd::members();
    set_up(client, &members).await?;
    import(client, PROJECT, images::IMAGES).await?;

    let bar = progress::bar(u64::from(images::IMAGES), "results");
    let (finished, done) = watch::channel(false);
    let mut working = JoinSet::new();
    for (index, member) in members.iter().enumerate() {
        let (member, client, done) = (member.clone(), client.clone(), done.clone());
        let work = async move { crowd::work(member, client, PROJECT.to_owned(), done).await };
        working.spawn(async move { (index, work.await) });
    }
    let results = tokio::select! {
        results = timeout(WORK_WITHIN, collect(client, &bar)) => results,
        failed = first_failure(&mut working) => return Err(failed),
    };
    bar.finish_and_clear();
    let Ok(results) = results else {
        bail!("not all results were there after {} s", WORK_WITHIN.as_secs());
    };
    let results = results?;
    finished.send_replace(true);
    let mut tallies = vec![Tally::default(); members.len()];
    while let Some(ended) = working.join_next().await {
        let (index, tally) = ended?;
        tallies[index] = tally?;
    }

    let request = GetProjectStatsRequest { name: PROJECT.into(), min_position: String::new() };
    let stats = answer(client.projects().get_project_stats(request).await)?.stats;
    let mut rated = Vec::new();
    for (member, tally) in members.iter().zip(tallies) {
        rated.push((member.manner, tally, rating(client, member).await?));
    }
    Ok(report::of(&results, &stats.unwrap_or_default(), &rated))
}

/// The first worker that cannot go on. None of them ends before it is told to.
async fn first_failure(working: &mut JoinSet<(usize, Result<Tally>)>) -> anyhow::Error {
    loop {
        match working.join_next().await {
            Some(Ok((_, Err(error)))) => return error,
            Some(Err(panic)) => return panic.into(),
            Some(Ok(_)) => {}
            None => std::future::pending().await,
        }
    }
}

async fn set_up(client: &Client, members: &[Member]) -> Result<()> {
    let display_name = "Demo".to_owned();
    let requester = Some(Requester { display_name, ..Requester::default() });
    let request_id = String::new();
    let request = CreateRequesterRequest { requester, requester_id: "demo".into(), request_id };
    answer(client.requesters().create_requester(request).await)?;

    let choices = images::CHOICES.map(str::to_owned).to_vec();
    let kind = AnswerFieldKind::Choice.into();
    let field = AnswerField {
        name: "label".into(),
        kind,
        choices,
        required: true,
        ..AnswerField::default()
    };
    let project = Project {
        requester: "requesters/demo".into(),
        title: "Which animal is in the picture?".into(),
        instructions: [("en".to_owned(), "Choose the animal you see.".to_owned())].into(),
        schema: Some(AnswerSchema { fields: vec![field] }),
        overlap: OVERLAP,
        lease_policy: Some(LeasePolicy {
            duration: Some(to_proto(LEASE)),
            // Nobody's bad luck is to end a task here.
            max_attempts: 100,
            ..LeasePolicy::default()
        }),
        ..Project::default()
    };
    let project_id = PROJECT.trim_start_matches("projects/").to_owned();
    let request =
        CreateProjectRequest { project: Some(project), project_id, request_id: String::new() };
    answer(client.projects().create_project(request).await)?;

    for member in members {
        let kind = member.manner.kind().into();
        let worker = Some(Worker { kind, capacity: CAPACITY, ..Worker::default() });
        let worker_id = member.name.trim_start_matches("workers/").to_owned();
        let request = CreateWorkerRequest { worker, worker_id, request_id: String::new() };
        answer(client.workers().create_worker(request).await)?;
    }
    Ok(())
}

/// The first so many of the demo's images, as tasks of a project.
async fn import(client: &Client, project: &str, images: u32) -> Result<()> {
    let retry = Retry::within(Duration::from_secs(5));
    let mut import = Import::new(client.clone(), project.to_owned(), retry);
    let mut chunks = Vec::new();
    for image in 0..images {
        let task = NewTask {
            task_id: images::task_id(image),
            payload: images::payload(image),
            content_type: "application/json".into(),
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

/// The newest result of every task, as it is delivered.
async fn collect(client: &Client, bar: &ProgressBar) -> Result<BTreeMap<String, TaskResult>> {
    let mut results = BTreeMap::new();
    let mut watcher = ResultWatcher::new(client.clone(), PROJECT.to_owned(), String::new());
    while results.len() < images::IMAGES as usize {
        let Some(result) = watcher.next_result().await?.result else { continue };
        results.insert(result.task_id.clone(), result);
        bar.set_position(results.len() as u64);
    }
    Ok(results)
}

async fn rating(client: &Client, member: &Member) -> Result<Rating> {
    if member.manner == Manner::Vanishing {
        return Ok(Rating::default());
    }
    let request = GetRatingRequest { name: member.name.clone(), ..GetRatingRequest::default() };
    Ok(answer(client.workers().get_rating(request).await)?.rating.unwrap_or_default())
}
