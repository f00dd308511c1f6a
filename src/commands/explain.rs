//! `explain task|worker NAME`: why something waits, as a story.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use piecework_client::from_proto;
use piecework_client::proto::v1::{
    CountedObstacle, EmptyCause, EmptyReason, ExplainTaskRequest, ExplainWorkerRequest, Obstacle,
    TaskExplanation, WorkerExplanation,
};

use crate::names;
use crate::output::{Format, print};
use crate::quantities::spoken;
use crate::session::{Session, answer};
use crate::shown::plain;

/// Say why a task waits, or why a worker is idle
#[derive(Debug, Subcommand)]
pub(crate) enum Explain {
    /// Say why a task waits, and what would help
    Task(Task),
    /// Say why a worker is idle, and what would unlock most
    Worker(Worker),
}

/// One task.
#[derive(Debug, Args)]
pub(crate) struct Task {
    /// Its full name, such as `projects/cats/tasks/photo-1`; `projects/` may be left out
    task: String,
    /// Look at this worker only, present or not
    #[arg(long)]
    worker: Option<String>,
}

/// One worker.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Its id
    worker: String,
}

impl Explain {
    /// Asks and tells.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let output = session.output();
        match self {
            Self::Task(task) => {
                let worker = task.worker.as_deref().map(names::worker).transpose()?;
                let ((_, name), worker) =
                    (names::full_task(&task.task)?, worker.unwrap_or_default());
                let request = ExplainTaskRequest { name, worker, min_position: String::new() };
                let told = answer(session.client.tasks().explain_task(request).await)?;
                let told = told.explanation.unwrap_or_default();
                match output.format {
                    Format::Table => print(&task_story(&told)),
                    Format::Json | Format::Jsonl | Format::Csv => output.one(&told),
                }
            }
            Self::Worker(worker) => {
                let name = names::worker(&worker.worker)?;
                let request = ExplainWorkerRequest { name, min_position: String::new() };
                let told = answer(session.client.workers().explain_worker(request).await)?;
                let told = told.explanation.unwrap_or_default();
                match output.format {
                    Format::Table => print(&worker_story(&told)),
                    Format::Json | Format::Jsonl | Format::Csv => output.one(&told),
                }
            }
        }
    }
}

fn task_story(told: &TaskExplanation) -> String {
    let mut story = String::new();
    let state = plain(told.state().as_str_name(), "TASK_STATE_");
    let (counted, overlap, live) = (told.counted, told.overlap, told.live);
    let mut say = |line: String| _ = writeln!(story, "{line}");
    say(format!("{} is {state}: {counted} of {overlap} answers, {live} leased now.", told.task));
    if let Some(blocked) = &told.blocked {
        say(format!("Nobody gets it: {}", blocked.message));
        if let Some(remedy) = help(blocked) {
            say(remedy);
        }
        return story;
    }
    if told.rests_for.is_some() {
        let rests = spoken(from_proto(told.rests_for));
        say(format!("It rests after an expiry; everybody gets it again in {rests}."));
    }
    if told.ready_for.is_some() {
        let least = if told.ahead_at_least { "at least " } else { "" };
        let ready = spoken(from_proto(told.ready_for));
        say(format!("Ready for {ready}, with {least}{} entries before it.", told.ahead));
    }
    for step in &told.relaxation {
        let left = from_proto(step.holds_in);
        say(match left > Duration::ZERO {
            true => format!("Step {} of the relaxation holds in {}.", step.step, spoken(left)),
            false => format!("Step {} of the relaxation is in force.", step.step),
        });
    }
    let (workers, could) = (told.workers, told.could_lease);
    say(match workers {
        0 => "No worker is present.".to_owned(),
        _ => format!("Of {workers} workers looked at, {could} could be leased it now."),
    });
    if told.truncated {
        say("There are more workers; the others were not looked at.".to_owned());
    }
    for obstacle in &told.obstacles {
        say(counted_line(obstacle));
    }
    if let Some(nearest) = &told.nearest {
        say(format!("Nearest: {}", missed(nearest)));
        if let Some(remedy) = help(nearest) {
            say(remedy);
        }
    }
    story
}

fn worker_story(told: &WorkerExplanation) -> String {
    let mut story = String::new();
    let mut say = |line: String| _ = writeln!(story, "{line}");
    let here = if told.present { "is present" } else { "is not present" };
    say(format!("{} {here} and holds {} of {} leases.", told.worker, told.holds, told.capacity));
    if let Some(blocked) = &told.blocked {
        say(format!("It gets nothing: {}", blocked.message));
        if let Some(remedy) = help(blocked) {
            say(remedy);
        }
    }
    let (projects, could, empty) = (told.projects, told.could_lease, told.nothing_ready);
    say(format!(
        "Of {projects} open projects, {could} have a task for it and {empty} have none waiting."
    ));
    for unwished in &told.unwished {
        say(wish_line(unwished));
    }
    if told.truncated {
        say("There is more; not every project was looked at to its end.".to_owned());
    }
    for obstacle in &told.obstacles {
        say(counted_line(obstacle));
    }
    if let Some(unlock) = &told.unlock
        && let Some(nearest) = &unlock.nearest
    {
        say(format!(
            "Most waits behind this, at least {} tasks: {}",
            unlock.waiting, nearest.message
        ));
        if let Some(remedy) = help(nearest) {
            say(remedy);
        }
    }
    story
}

/// `  2 × left out by its wish for pay: …`
fn wish_line(unwished: &EmptyReason) -> String {
    let (wish, change) = match unwished.cause() {
        EmptyCause::LeftOut => ("certain projects", "ask for more of them, or use fewer --not"),
        EmptyCause::PayloadTooLarge => ("small payloads", "raise --max-payload"),
        EmptyCause::PayTooLow => ("pay", "lower --min-hourly, or declare how long tasks take"),
        EmptyCause::TakesTooLong => ("time", "raise --within, or declare how long tasks take"),
        _ => ("something else", "ask for less"),
    };
    format!("  {} × left out by its own wish for {wish}: {change}", unwished.projects)
}

/// `  12 × skill missing: …`
fn counted_line(obstacle: &CountedObstacle) -> String {
    let nearest = obstacle.nearest.clone().unwrap_or_default();
    let reason = plain(nearest.reason().as_str_name(), "ERROR_REASON_");
    let reason = reason.to_lowercase().replace('_', " ");
    let about =
        if nearest.skill.is_empty() { String::new() } else { format!(" {}", nearest.skill) };
    format!("  {} × {reason}{about}: {}", obstacle.count, nearest.message)
}

/// `workers/ann has lang:fi 60, needed 70`
fn missed(nearest: &Obstacle) -> String {
    match (nearest.needed, nearest.has) {
        (Some(needed), Some(has)) if !nearest.skill.is_empty() => {
            format!("{} has {} {has}, needed {needed}.", nearest.worker, nearest.skill)
        }
        (Some(needed), Some(has)) => format!("{} has {has}, needed {needed}.", nearest.worker),
        _ => nearest.message.clone(),
    }
}

fn help(obstacle: &Obstacle) -> Option<String> {
    (!obstacle.remedy.is_empty()).then(|| format!("  this helps: {}", obstacle.remedy))
}

#[cfg(test)]
mod tests {
    use piecework_client::proto::v1::{ErrorReason, TaskState};

    use super::*;

    fn lacks() -> Obstacle {
        Obstacle {
            reason: ErrorReason::SkillMissing.into(),
            message: "Project cats asks for more.".to_owned(),
            skill: "lang:fi".to_owned(),
            needed: Some(70),
            has: Some(60),
            worker: "workers/ann".to_owned(),
            remedy: "piecework worker grant ann lang:fi=70".to_owned(),
            ..Obstacle::default()
        }
    }

    #[test]
    fn a_story_names_the_nearest_miss_with_both_numbers_and_what_helps() {
        let told = TaskExplanation {
            task: "projects/cats/tasks/a".to_owned(),
            state: TaskState::Open.into(),
            overlap: 3,
            workers: 12,
            obstacles: vec![CountedObstacle { nearest: Some(lacks()), count: 12, waiting: 0 }],
            nearest: Some(lacks()),
            ..TaskExplanation::default()
        };
        let story = task_story(&told);
        assert!(story.contains("Of 12 workers looked at, 0 could"), "{story}");
        assert!(story.contains("  12 × skill missing lang:fi: "), "{story}");
        assert!(story.contains("workers/ann has lang:fi 60, needed 70."), "{story}");
        assert!(story.contains("piecework worker grant ann lang:fi=70"), "{story}");
    }

    #[test]
    fn a_wish_that_leaves_work_out_is_told_with_what_to_change() {
        let unwished = vec![EmptyReason { cause: EmptyCause::PayTooLow.into(), projects: 3 }];
        let told = WorkerExplanation { unwished, ..WorkerExplanation::default() };
        let story = worker_story(&told);
        assert!(
            story.contains("3 × left out by its own wish for pay: lower --min-hourly"),
            "{story}"
        );
    }
}
