//! Which columns a person sees of each message.
//!
//! JSON always has all of it; these are the columns of tables and CSV.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use piecework_client::from_proto;
use piecework_client::proto::v1::{
    ChangedTask, DrainResponse, Forecast, ForecastOutlook, Obstacle, Offer, Project, ProjectStats,
    Receipt, Requester, Result as TaskResult, Snapshot, TaskExplanation, Worker, WorkerExplanation,
};
use prost::Message;
use serde_json::Value;

use crate::names::id;
use crate::proto_json::to_value;
use crate::quantities::{spoken, spoken_money};

/// A message with columns.
pub(crate) trait Shown: Message + Sized {
    /// Its name in package `piecework.v1`.
    const MESSAGE: &'static str;
    /// What the cells are.
    const COLUMNS: &'static [&'static str];

    /// One cell for each column.
    fn cells(&self) -> Vec<String>;

    /// All of it.
    fn to_json(&self) -> Result<Value> {
        to_value(Self::MESSAGE, self)
    }
}

impl Shown for Requester {
    const MESSAGE: &'static str = "Requester";
    const COLUMNS: &'static [&'static str] = &[
        "requester",
        "display name",
        "created",
        "weight",
        "tier ceiling",
        "grants a minute",
        "blocked",
        "allowed",
    ];

    fn cells(&self) -> Vec<String> {
        let allowed = self.allowed_workers.len();
        vec![
            id(&self.name).to_owned(),
            self.display_name.clone(),
            time(self.create_time),
            self.weight.to_string(),
            self.tier_ceiling.to_string(),
            rate(self.grants_per_minute),
            self.blocked_workers.len().to_string(),
            if allowed == 0 { "all".to_owned() } else { allowed.to_string() },
        ]
    }
}

impl Shown for Project {
    const MESSAGE: &'static str = "Project";
    const COLUMNS: &'static [&'static str] = &[
        "project",
        "state",
        "requester",
        "title",
        "overlap",
        "aggregation",
        "assignment",
        "lease",
        "reward",
        "tier",
        "grants a minute",
        "relaxes after",
    ];

    fn cells(&self) -> Vec<String> {
        let lease = self.lease_policy.as_ref().and_then(|policy| policy.duration);
        let steps: Vec<String> =
            self.relaxation.iter().map(|step| spoken(from_proto(step.after))).collect();
        vec![
            id(&self.name).to_owned(),
            plain(self.state().as_str_name(), "PROJECT_STATE_"),
            id(&self.requester).to_owned(),
            self.title.clone(),
            self.overlap.to_string(),
            plain(self.aggregation().as_str_name(), "AGGREGATION_"),
            plain(self.assignment().as_str_name(), "ASSIGNMENT_"),
            lease.map(|lease| spoken(from_proto(Some(lease)))).unwrap_or_default(),
            spoken_money(self.reward.as_ref()),
            self.tier.unwrap_or_default().to_string(),
            rate(self.grants_per_minute),
            steps.join(", "),
        ]
    }
}

impl Shown for ProjectStats {
    const MESSAGE: &'static str = "ProjectStats";
    const COLUMNS: &'static [&'static str] = &[
        "project",
        "open",
        "done",
        "failed",
        "cancelled",
        "untouched",
        "live leases",
        "counted",
        "of them late",
        "kept",
        "expiries",
        "returns",
        "oldest ready",
        "relaxation",
        "payable",
        "forecast",
    ];

    fn cells(&self) -> Vec<String> {
        let tasks = self.tasks.unwrap_or_default();
        let oldest = self.oldest_ready_age;
        let mut cells = vec![id(&self.project).to_owned()];
        let counts = [
            tasks.open,
            tasks.done,
            tasks.failed,
            tasks.cancelled,
            self.untouched,
            self.live_leases,
            self.counted,
            self.counted_late,
            self.kept,
            self.expiries,
            self.returns,
        ];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(oldest.map(|age| spoken(from_proto(Some(age)))).unwrap_or_default());
        cells.push(match self.relaxation_step {
            0 => String::new(),
            step => format!("step {step}"),
        });
        cells.push(spoken_money(self.payable.as_ref()));
        cells.push(outlook(self.forecast.as_ref()));
        cells
    }
}

impl Shown for ChangedTask {
    const MESSAGE: &'static str = "ChangedTask";
    const COLUMNS: &'static [&'static str] = &["task", "number", "state", "overlap", "counted"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.number.to_string(),
            plain(self.state().as_str_name(), "TASK_STATE_"),
            self.overlap.to_string(),
            self.counted.to_string(),
        ]
    }
}

impl Shown for Offer {
    const MESSAGE: &'static str = "Offer";
    const COLUMNS: &'static [&'static str] =
        &["project", "reward", "expected", "from", "hourly", "waiting", "assignment", "lacks"];

    fn cells(&self) -> Vec<String> {
        let expected = self.expected_duration;
        let from = plain(self.expected_from().as_str_name(), "PACE_SOURCE_");
        vec![
            id(&self.project).to_owned(),
            spoken_money(self.reward.as_ref()),
            expected.map(|time| spoken(from_proto(Some(time)))).unwrap_or_default(),
            if expected.is_some() { from.to_lowercase() } else { String::new() },
            spoken_money(self.hourly.as_ref()),
            self.waiting.to_string(),
            plain(self.assignment().as_str_name(), "ASSIGNMENT_"),
            self.lacks.as_ref().map(|lacks| lacks.message.clone()).unwrap_or_default(),
        ]
    }
}

impl Shown for TaskExplanation {
    const MESSAGE: &'static str = "TaskExplanation";
    const COLUMNS: &'static [&'static str] =
        &["task", "state", "workers", "could lease", "blocked", "nearest"];

    fn cells(&self) -> Vec<String> {
        let text = |obstacle: &Option<Obstacle>| {
            obstacle.as_ref().map(|obstacle| obstacle.message.clone()).unwrap_or_default()
        };
        vec![
            self.task.clone(),
            plain(self.state().as_str_name(), "TASK_STATE_"),
            self.workers.to_string(),
            self.could_lease.to_string(),
            text(&self.blocked),
            text(&self.nearest),
        ]
    }
}

impl Shown for WorkerExplanation {
    const MESSAGE: &'static str = "WorkerExplanation";
    const COLUMNS: &'static [&'static str] =
        &["worker", "present", "holds", "capacity", "projects", "could lease", "blocked"];

    fn cells(&self) -> Vec<String> {
        let blocked = self.blocked.as_ref().map(|obstacle| obstacle.message.clone());
        vec![
            id(&self.worker).to_owned(),
            if self.present { "yes" } else { "no" }.to_owned(),
            self.holds.to_string(),
            self.capacity.to_string(),
            self.projects.to_string(),
            self.could_lease.to_string(),
            blocked.unwrap_or_default(),
        ]
    }
}

/// A forecast as a person says it.
fn outlook(forecast: Option<&Forecast>) -> String {
    let Some(forecast) = forecast else { return String::new() };
    match forecast.outlook() {
        ForecastOutlook::Unspecified => String::new(),
        ForecastOutlook::Learning => "not known yet".to_owned(),
        ForecastOutlook::Idle => "nothing left to do".to_owned(),
        ForecastOutlook::Clears => {
            format!("clears in {}", roughly(from_proto(forecast.clears_in)))
        }
        ForecastOutlook::Growing => {
            let a_minute = forecast.growing_per_minute;
            match a_minute {
                rate if rate >= 60.0 => format!("growing {:.0}/s, will not drain", rate / 60.0),
                rate if rate > 0.0 => format!("growing {rate:.1}/min, will not drain"),
                _ => "standing still, will not drain".to_owned(),
            }
        }
    }
}

/// In one unit: a forecast is no promise.
fn roughly(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match minutes {
        0..=1 => "1 min".to_owned(),
        2..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    }
}

impl Shown for Worker {
    const MESSAGE: &'static str = "Worker";
    const COLUMNS: &'static [&'static str] = &[
        "worker",
        "kind",
        "state",
        "region",
        "capacity",
        "live leases",
        "rating",
        "judged",
        "skills",
    ];

    fn cells(&self) -> Vec<String> {
        let rating = self.rating.unwrap_or_default();
        let judged = rating.judged_answers;
        let skills: Vec<String> =
            self.skills.iter().map(|skill| format!("{}={}", skill.skill, skill.level)).collect();
        vec![
            id(&self.name).to_owned(),
            plain(self.kind().as_str_name(), "WORKER_KIND_"),
            plain(self.state().as_str_name(), "WORKER_STATE_"),
            self.region.clone(),
            if self.capacity == 0 { "default".to_owned() } else { self.capacity.to_string() },
            self.live_leases.to_string(),
            if judged == 0 { String::new() } else { format!("{:.1}", rating.overall) },
            judged.to_string(),
            skills.join(" "),
        ]
    }
}

impl Shown for TaskResult {
    const MESSAGE: &'static str = "Result";
    const COLUMNS: &'static [&'static str] =
        &["sequence", "task", "revision", "state", "answer", "confidence", "votes"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.sequence.to_string(),
            id(&self.task).to_owned(),
            self.revision.to_string(),
            plain(self.state().as_str_name(), "RESULT_STATE_"),
            readable(&self.answer),
            format!("{:.3}", self.confidence),
            self.votes.len().to_string(),
        ]
    }
}

impl Shown for Receipt {
    const MESSAGE: &'static str = "Receipt";
    const COLUMNS: &'static [&'static str] = &["lease", "verdict", "payable"];

    fn cells(&self) -> Vec<String> {
        vec![
            id(&self.lease).to_owned(),
            plain(self.verdict().as_str_name(), "VERDICT_"),
            spoken_money(self.payable.as_ref()),
        ]
    }
}

impl Shown for DrainResponse {
    const MESSAGE: &'static str = "DrainResponse";
    const COLUMNS: &'static [&'static str] = &["ends within"];

    fn cells(&self) -> Vec<String> {
        vec![spoken(from_proto(self.remaining))]
    }
}

impl Shown for Snapshot {
    const MESSAGE: &'static str = "Snapshot";
    const COLUMNS: &'static [&'static str] =
        &["snapshot", "time", "rows", "bytes", "own bytes", "digest", "file"];

    fn cells(&self) -> Vec<String> {
        vec![
            id(&self.name).to_owned(),
            time(self.wall_time),
            self.rows.to_string(),
            self.stored_bytes.to_string(),
            self.own_bytes.to_string(),
            self.digest.clone(),
            self.file.clone(),
        ]
    }
}

/// Bytes as text where they are text, else how many there are.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let is_plain = |text: &&str| !text.contains(|c: char| c.is_control() && !c.is_whitespace());
    match std::str::from_utf8(bytes).ok().filter(is_plain) {
        Some(text) => text.to_owned(),
        None => format!("({} bytes)", bytes.len()),
    }
}

/// A value of an enum without what protobuf wants in front of it.
pub(crate) fn plain(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

fn rate(grants: u32) -> String {
    if grants == 0 { "no limit".to_owned() } else { grants.to_string() }
}

fn time(time: Option<prost_types::Timestamp>) -> String {
    let Some(time) = time else { return String::new() };
    Timestamp::new(time.seconds, 0).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use piecework_client::proto::v1::{GetRatingResponse, SkillAreaRating};

    use super::*;

    fn fits<M: Shown + Default>() {
        let message = M::default();
        assert_eq!(message.cells().len(), M::COLUMNS.len(), "{}", M::MESSAGE);
        assert!(message.to_json().is_ok(), "{}", M::MESSAGE);
    }

    #[test]
    fn every_column_has_its_cell_and_every_message_its_descriptor() {
        fits::<Requester>();
        fits::<Project>();
        fits::<ProjectStats>();
        fits::<Worker>();
        fits::<GetRatingResponse>();
        fits::<SkillAreaRating>();
        fits::<TaskResult>();
        fits::<Receipt>();
        fits::<Snapshot>();
        fits::<DrainResponse>();
        fits::<Offer>();
        fits::<TaskExplanation>();
        fits::<WorkerExplanation>();
    }

    #[test]
    fn a_forecast_is_said_in_words() {
        let forecast = |outlook: ForecastOutlook| Forecast {
            outlook: outlook.into(),
            clears_in: Some(prost_types::Duration { seconds: 2_070, nanos: 0 }),
            growing_per_minute: 720.0,
            ..Forecast::default()
        };
        let said = |of: Forecast| outlook(Some(&of));
        assert_eq!(said(forecast(ForecastOutlook::Clears)), "clears in 35 min");
        assert_eq!(said(forecast(ForecastOutlook::Growing)), "growing 12/s, will not drain");
        let still = Forecast { growing_per_minute: 0.0, ..forecast(ForecastOutlook::Growing) };
        assert_eq!(said(still), "standing still, will not drain");
    }

    #[test]
    fn answers_are_shown_where_they_are_text() {
        assert_eq!(readable(b"{\"label\":\"cat\"}"), "{\"label\":\"cat\"}");
        assert_eq!(readable(&[0xff, 0]), "(2 bytes)");
    }
}
