//! What is created before a run: requester, projects, workers and their skills.
//!
//! Every run has names of its own, so that it may be repeated at one daemon.
//!
//! Not here: tasks (`pour.rs`).

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use piecework_client::proto::v1::{
    self, AnswerField, AnswerFieldKind, AnswerSchema, CreateProjectRequest, CreateRequesterRequest,
    CreateWorkerRequest, GrantSkillRequest, Project, Requester, Requirements, SkillRequirement,
    Worker, WorkerKind,
};
use piecework_client::{Client, request_id};
use tokio::task::JoinSet;

use super::skills::Skills;
use crate::progress::say;
use crate::session::answer;

/// The choices of an answer.
pub(super) const CHOICES: [&str; 2] = ["a", "b"];
/// Calls under way at a time.
const CALLS: usize = 64;

/// How results are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Aggregation {
    /// The first answer, as it is
    First,
    /// Votes, field by field
    Majority,
    /// The daemon's best, which learns of the workers from all answers
    Refined,
}

/// How priorities are given to tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Priorities {
    /// All the same
    Equal,
    /// Any of the 201, at random
    Random,
}

/// What the work is like.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What the work is like")]
pub(super) struct Work {
    /// Bytes of a task's payload
    #[arg(long, value_name = "BYTES", default_value_t = 256,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) payload: u32,
    /// Answers wanted for each task, of different workers
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) overlap: u32,
    /// Projects over which the tasks are spread
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) projects: u32,
    /// Skills that each project asks for, no two projects the same; every worker has them all
    #[arg(long, value_name = "K", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=8))]
    pub(super) requirements: u32,
    /// Priorities of the tasks
    #[arg(long, value_enum, default_value_t = Priorities::Equal)]
    pub(super) priorities: Priorities,
    /// Tasks have ids of their requester's own
    #[arg(long)]
    pub(super) own_ids: bool,
    /// How results are made; by default as the daemon does it
    #[arg(long, value_enum)]
    pub(super) aggregation: Option<Aggregation>,
    /// Makes what is random the same again
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
}

/// Where a run takes place.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    /// Tells its names from those of other runs.
    pub(super) run: String,
    /// `projects/{project}`.
    pub(super) projects: Vec<String>,
    /// How results are made there, as the daemon says it.
    pub(super) aggregation: String,
    skills: Skills,
}

impl Ground {
    /// Creates requester and projects.
    pub(super) async fn create(client: &Client, work: &Work) -> Result<Self> {
        let id = request_id();
        let run = format!("bench-{}", &id[id.len() - 8..]);
        let request = CreateRequesterRequest {
            requester: Some(Requester::default()),
            requester_id: run.clone(),
            request_id: String::new(),
        };
        answer(client.requesters().create_requester(request).await)?;
        let skills = Skills::new(work.projects, work.requirements)?;
        let mut ground = Self { run, projects: Vec::new(), aggregation: String::new(), skills };
        for number in 0..work.projects {
            let name = ground.add(client, work, number).await?;
            ground.projects.push(name);
        }
        Ok(ground)
    }

    /// One more project, which it does not remember. Returns its name.
    pub(super) async fn add(
        &mut self,
        client: &Client,
        work: &Work,
        number: u32,
    ) -> Result<String> {
        let request = CreateProjectRequest {
            project: Some(self.project(work, number)),
            project_id: format!("{}-{number}", self.run),
            request_id: String::new(),
        };
        let created = answer(client.projects().create_project(request).await)?;
        let project = created.project.context("a project was created without being told")?;
        let name = project.aggregation().as_str_name();
        self.aggregation = name.trim_start_matches("AGGREGATION_").to_lowercase();
        Ok(project.name)
    }

    /// Default in all that the options do not name.
    fn project(&self, work: &Work, number: u32) -> Project {
        let field = AnswerField {
            name: "label".into(),
            kind: AnswerFieldKind::Choice.into(),
            choices: CHOICES.map(str::to_owned).to_vec(),
            required: true,
            ..AnswerField::default()
        };
        let aggregation = match work.aggregation {
            None => v1::Aggregation::Unspecified,
            Some(Aggregation::First) => v1::Aggregation::First,
            Some(Aggregation::Majority) => v1::Aggregation::Majority,
            Some(Aggregation::Refined) => v1::Aggregation::Refined,
        };
        let required = self.skills.of(number % work.projects);
        let skills: Vec<SkillRequirement> =
            required.map(|skill| SkillRequirement { skill, min_level: 1 }).collect();
        let asks = !skills.is_empty();
        Project {
            requester: format!("requesters/{}", self.run),
            title: "Load".into(),
            schema: Some(AnswerSchema { fields: vec![field] }),
            requirements: asks.then(|| Requirements { skills, ..Requirements::default() }),
            overlap: work.overlap,
            aggregation: aggregation.into(),
            ..Project::default()
        }
    }

    /// Workers with all skills that are asked for. `capacity`: leases each may hold. Returns
    /// their names.
    pub(super) async fn workers(
        &self,
        client: &Client,
        count: u32,
        capacity: u32,
    ) -> Result<Vec<String>> {
        self.workers_called("w", client, count, capacity).await
    }

    /// The same. `kind`: tells them from others of this run.
    pub(super) async fn workers_called(
        &self,
        kind: &str,
        client: &Client,
        count: u32,
        capacity: u32,
    ) -> Result<Vec<String>> {
        say(&format!("creating {count} workers"));
        let mut calls = JoinSet::new();
        let mut names = Vec::new();
        for number in 0..count {
            if calls.len() >= CALLS {
                calls.join_next().await.transpose()?.transpose()?;
            }
            let id = format!("{}-{kind}{number}", self.run);
            names.push(format!("workers/{id}"));
            calls.spawn(create_worker(client.clone(), id, capacity, self.skills.all().collect()));
        }
        while let Some(done) = calls.join_next().await {
            done??;
        }
        Ok(names)
    }
}

/// An AI model: it may hold as much as a run needs.
async fn create_worker(
    client: Client,
    worker_id: String,
    capacity: u32,
    skills: Vec<String>,
) -> Result<()> {
    let name = format!("workers/{worker_id}");
    let worker = Some(Worker { kind: WorkerKind::Ai.into(), capacity, ..Worker::default() });
    let request = CreateWorkerRequest { worker, worker_id, request_id: String::new() };
    answer(client.workers().create_worker(request).await)?;
    for skill in skills {
        let name = name.clone();
        let request = GrantSkillRequest { name, skill, level: 50, expire_in: None };
        answer(client.workers().grant_skill(request).await)?;
    }
    Ok(())
}
