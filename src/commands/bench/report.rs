//! What a run tells: one object, in the order in which a person reads it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::stretch::Measured;
use super::subject::{Sample, Subject};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// One lease and one counted answer.
    Cycle,
    /// One task created.
    Task,
    /// One result delivered.
    Result,
}

/// Keys and plain values.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Report(Map<String, Value>);

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Cycle => "cycle",
            Self::Task => "task",
            Self::Result => "result",
        }
    }
}

impl Report {
    /// Begins with what was run.
    pub(super) fn of(scenario: &str, run: &str) -> Self {
        Self::default().with("scenario", scenario).with("run", run)
    }

    /// One more.
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Rates, latencies, and what it cost. `unit`: what was counted.
    pub(super) fn measured(self, subject: &Subject, unit: Unit, measured: &Measured) -> Self {
        let Measured { tally, took, before, after, ended_early } = measured;
        let (name, micros) = (unit.name(), &tally.micros);
        let note = match (ended_early, subject.is_ours()) {
            (None, true) => None,
            (None, false) => Some(NOT_OURS.to_owned()),
            (Some(why), true) => Some(ran_out(why)),
            (Some(why), false) => Some(format!("{}; {NOT_OURS}", ran_out(why))),
        };
        let costs = Costs { before, after, done: tally.done };
        let percentile =
            |percent: f64| (!micros.is_empty()).then(|| micros.value_at_percentile(percent));
        self.with("seconds", rounded(took.as_secs_f64(), 3))
            .with(&format!("{name}s"), tally.done)
            .with(&format!("{name}s_per_second"), per_second(tally.done, *took))
            .with("calls", micros.len())
            .with("p50_us", percentile(50.0))
            .with("p90_us", percentile(90.0))
            .with("p99_us", percentile(99.0))
            .with("p999_us", percentile(99.9))
            .with("max_us", (!micros.is_empty()).then(|| micros.max()))
            .with("server_cpu_seconds_per_100k", costs.cpu(|sample| sample.server_cpu))
            .with("client_cpu_seconds_per_100k", costs.cpu(|sample| sample.client_cpu))
            .with("server_rss_bytes", after.server_rss)
            .with(&format!("journal_bytes_per_{name}"), costs.journal(|j| j.bytes, 1))
            .with(&format!("journal_syncs_per_{name}"), costs.journal(|j| j.syncs, 6))
            .with("note", note)
    }
}

/// Why some numbers are missing.
pub(super) const NOT_OURS: &str =
    "CPU, memory and journal are known only of a daemon that bench starts itself";

fn ran_out(why: &str) -> String {
    format!("ended early, rates until then: {}", if why.is_empty() { "no tasks left" } else { why })
}

/// What one of them costs.
struct Costs<'a> {
    before: &'a Sample,
    after: &'a Sample,
    done: u64,
}

impl Costs<'_> {
    /// CPU seconds for 100,000.
    fn cpu(&self, of: impl Fn(&Sample) -> Option<Duration>) -> Option<f64> {
        let used = of(self.after)?.saturating_sub(of(self.before)?);
        self.each(used.as_secs_f64()).map(|seconds| rounded(seconds * 100_000.0, 3))
    }

    fn journal(&self, of: impl Fn(&super::scrape::Journal) -> f64, digits: i32) -> Option<f64> {
        let wrote = of(self.after.journal.as_ref()?) - of(self.before.journal.as_ref()?);
        self.each(wrote).map(|each| rounded(each, digits))
    }

    fn each(&self, all: f64) -> Option<f64> {
        (self.done > 0).then(|| all / self.done as f64)
    }
}

/// How many a second.
pub(super) fn per_second(done: u64, took: Duration) -> f64 {
    if took.is_zero() { 0.0 } else { rounded(done as f64 / took.as_secs_f64(), 1) }
}

/// With so many digits after the point.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::super::scrape::Journal;
    use super::super::stretch::Tally;
    use super::*;

    fn sample(cpu_ms: u64, bytes: f64) -> Sample {
        Sample {
            server_cpu: Some(Duration::from_millis(cpu_ms)),
            client_cpu: None,
            server_rss: Some(7),
            journal: Some(Journal { bytes, syncs: bytes / 1_000.0 }),
        }
    }

    fn measured(done: u64) -> Measured {
        let mut tally = Tally::new();
        tally.done = done;
        (1..=100).for_each(|n| tally.took(Duration::from_micros(n)));
        let (before, after) = (sample(500, 1_000.0), sample(1_500, 3_000.0));
        Measured { tally, took: Duration::from_secs(2), before, after, ended_early: None }
    }

    #[test]
    fn costs_are_told_for_each_cycle() {
        let subject = Subject::new("http://x", None);
        let report = Report::of("cycle", "r").measured(&subject, Unit::Cycle, &measured(1_000));
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!((&value["cycles"], &value["cycles_per_second"]), (&1_000.into(), &500.0.into()));
        assert_eq!((&value["p50_us"], &value["p99_us"]), (&50.into(), &99.into()));
        assert_eq!(value["server_cpu_seconds_per_100k"], 100.0);
        assert_eq!(value["client_cpu_seconds_per_100k"], Value::Null);
        assert_eq!(value["journal_bytes_per_cycle"], 2.0);
        assert_eq!(value["journal_syncs_per_cycle"], 0.002);
        assert!(value["note"].as_str().unwrap().contains("starts itself"));
    }

    #[test]
    fn nothing_done_costs_nothing_that_could_be_told() {
        let subject = Subject::new("http://x", None);
        let report = Report::of("intake", "r").measured(&subject, Unit::Task, &measured(0));
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(
            (&value["tasks"], &value["server_cpu_seconds_per_100k"]),
            (&0.into(), &Value::Null)
        );
    }
}
