//! `demo --scenario family`: people who work between other duties, on bad connections.
//!
//! Four scenes against the real daemon, each in a file of its own. Time is scaled: a quarter
//! of an hour is about a second. Everything that a device finished is compared in the end
//! with what the daemon has.

mod bursts;
mod devices;
mod notebook;
mod offline;
mod road;
mod timebox;

use std::time::Duration;

use anyhow::Result;
use piecework_client::proto::v1::{
    AnswerField, AnswerFieldKind, AnswerSchema, CreateProjectRequest, CreateRequesterRequest,
    CreateWorkerRequest, LeasePolicy, Project, Requester, Worker, WorkerKind,
};
use piecework_client::{Client, to_proto};
use serde::Serialize;

use self::notebook::Notebook;
use self::road::Road;
use super::images;
use crate::failure::Failure;
use crate::names::id;
use crate::output::{Format, Output, print};
use crate::progress::say;
use crate::session::answer;

const PARENTS: [&str; 5] = ["anna", "bela", "chidi", "dora", "emil"];
const CAPACITY: u32 = 20;
/// Longer than any scene: nobody is to be saved by an expiry.
const LEASE: Duration = Duration::from_secs(10 * 60);

/// One project for each scene: its id, its tasks, how long one answer takes.
const PROJECTS: [(&str, u32, Duration); 4] = [
    (BURSTS, 2_000, Duration::from_secs(5)),
    (OFFLINE, 40, Duration::from_secs(5)),
    (STORIES, 40, timebox::STORY),
    (LETTERS, 8, Duration::from_secs(60)),
];
const BURSTS: &str = "projects/pictures";
const OFFLINE: &str = "projects/album";
const STORIES: &str = "projects/stories";
const LETTERS: &str = "projects/letters";

/// Everything, as data.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    parents: usize,
    bursts: u64,
    answers_in_bursts: u64,
    connections_dropped: u64,
    offline_leased: usize,
    offline_taken: usize,
    offline_returned: usize,
    offline_calls_failed: u64,
    box_minutes: u64,
    box_asked_for: u32,
    box_granted: usize,
    box_ends_within_seconds: u64,
    drafts_saved: usize,
    drafts_taken_up: usize,
    drafts_shown_to_others: usize,
    answers_finished: usize,
    answers_acknowledged: usize,
    answers_refused: usize,
    answers_stored: usize,
    answers_doubled: usize,
    answers_lost: usize,
    seconds: f64,
}

/// Plays all scenes.
pub(super) async fn play(client: &Client, server: &str) -> Result<Report> {
    let parents: Vec<String> = PARENTS.iter().map(|parent| format!("workers/{parent}")).collect();
    set_up(client, &parents).await?;
    let notebook = Notebook::default();
    say("seven minutes, and then dinner is ready");
    let within = timebox::work(client, &notebook, STORIES, &parents[0]).await?;
    say("a bundle for the train, where there is no network");
    let train = Road::to(server).await?;
    let offline = offline::work(&train, &notebook, OFFLINE, &parents[1]).await?;
    say("a letter begun on the phone and finished on the tablet");
    let devices = devices::work(server, &notebook, LETTERS, &parents[2], &parents[3]).await?;
    say("a few minutes at a time, with a connection that keeps dropping");
    let road = Road::to(server).await?;
    let bursts = bursts::work(&road, &notebook, BURSTS, &parents).await?;
    let balance = notebook.compare(client, &parents).await?;
    Ok(Report {
        parents: bursts.parents,
        bursts: bursts.bursts,
        answers_in_bursts: bursts.answers,
        connections_dropped: bursts.dropped + train.dropped(),
        offline_leased: offline.leased,
        offline_taken: offline.taken,
        offline_returned: offline.returned,
        offline_calls_failed: offline.failed_calls,
        box_minutes: timebox::BOX.as_secs() / 60,
        box_asked_for: within.asked_for,
        box_granted: within.granted,
        box_ends_within_seconds: within.ends_within,
        drafts_saved: devices.saved,
        drafts_taken_up: devices.taken_up,
        drafts_shown_to_others: devices.leaked,
        answers_finished: balance.finished,
        answers_acknowledged: balance.acknowledged,
        answers_refused: balance.refused,
        answers_stored: balance.stored,
        answers_doubled: balance.doubled,
        answers_lost: balance.lost,
        seconds: 0.0,
    })
}

impl Report {
    /// Prints it. A lost answer, or one that is there twice, is a failure.
    pub(super) fn tell(mut self, output: Output, took: Duration) -> Result<()> {
        self.seconds = took.as_millis() as f64 / 1_000.0;
        if output.format == Format::Table {
            print(&self.table())?;
        } else {
            output.summary(&self)?;
        }
        if self.answers_lost == 0 && self.answers_doubled == 0 && self.drafts_shown_to_others == 0 {
            return Ok(());
        }
        let Report { answers_lost, answers_doubled, drafts_shown_to_others, .. } = self;
        let message = format!(
            "finished answers lost: {answers_lost}, doubled: {answers_doubled}; drafts shown to \
             others: {drafts_shown_to_others}"
        );
        Err(Failure::Incomplete(message).into())
    }

    fn table(&self) -> String {
        let of =
            |some: &dyn std::fmt::Display, all: &dyn std::fmt::Display| format!("{some} of {all}");
        let lines = [
            ("bursts", format!("{} by {} parents", self.bursts, self.parents)),
            ("  answers", self.answers_in_bursts.to_string()),
            ("connections dropped", self.connections_dropped.to_string()),
            ("offline bundle", format!("{} tasks", self.offline_leased)),
            ("  taken in one bulk submit", self.offline_taken.to_string()),
            ("  returned singly", self.offline_returned.to_string()),
            ("time box", format!("{} minutes", self.box_minutes)),
            ("  tasks that fit, of those asked for", of(&self.box_granted, &self.box_asked_for)),
            ("  last deadline", format!("{} s", self.box_ends_within_seconds)),
            ("drafts taken up on another device", of(&self.drafts_taken_up, &self.drafts_saved)),
            ("  shown to another worker", self.drafts_shown_to_others.to_string()),
            ("answers finished on devices", self.answers_finished.to_string()),
            ("answers the daemon has", self.answers_stored.to_string()),
            ("answers refused with a reason", self.answers_refused.to_string()),
            ("answers there twice", self.answers_doubled.to_string()),
            ("finished answers lost", self.answers_lost.to_string()),
            ("seconds", format!("{:.1}", self.seconds)),
        ];
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
        lines.iter().map(|(name, number)| format!("{name:<width$}{number}\n")).collect()
    }
}

async fn set_up(client: &Client, parents: &[String]) -> Result<()> {
    let requester = Some(Requester { display_name: "The demo".into(), ..Requester::default() });
    let request_id = String::new();
    let request = CreateRequesterRequest { requester, requester_id: "demo".into(), request_id };
    answer(client.requesters().create_requester(request).await)?;
    for parent in parents {
        let kind = WorkerKind::Human.into();
        let worker = Some(Worker { kind, capacity: CAPACITY, ..Worker::default() });
        let worker_id = id(parent).to_owned();
        let request = CreateWorkerRequest { worker, worker_id, request_id: String::new() };
        answer(client.workers().create_worker(request).await)?;
    }
    for (project, tasks, takes) in PROJECTS {
        set_up_project(client, project, takes).await?;
        super::import(client, project, tasks).await?;
    }
    Ok(())
}

async fn set_up_project(client: &Client, project: &str, takes: Duration) -> Result<()> {
    let choices = images::CHOICES.map(str::to_owned).to_vec();
    let kind = AnswerFieldKind::Choice.into();
    let field = AnswerField {
        name: "label".into(),
        kind,
        choices,
        required: true,
        ..AnswerField::default()
    };
    let request = CreateProjectRequest {
        project: Some(Project {
            requester: "requesters/demo".into(),
            title: "Which animal is in the picture?".into(),
            instructions: [("en".to_owned(), "Choose the animal you see.".to_owned())].into(),
            schema: Some(AnswerSchema { fields: vec![field] }),
            overlap: 1,
            expected_duration: Some(to_proto(takes)),
            lease_policy: Some(LeasePolicy {
                duration: Some(to_proto(LEASE)),
                ..LeasePolicy::default()
            }),
            ..Project::default()
        }),
        project_id: id(project).to_owned(),
        request_id: String::new(),
    };
    answer(client.projects().create_project(request).await)?;
    Ok(())
}
