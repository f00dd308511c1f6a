//! What a run tells: one object, with the keys of `piecework bench`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::closed_loop::Measured;

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line for each number
    Text,
    /// One object
    Json,
}

/// Keys and plain values, in the order in which a person reads them.
#[derive(Debug)]
pub(crate) struct Report(Map<String, Value>);

impl Report {
    /// Begins with what was run.
    pub(crate) fn of(peer: &str) -> Self {
        Self(Map::new()).with("peer", peer)
    }

    /// One more.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Rates, times, and what it cost the server. `unit`: what was counted, in the singular.
    pub(crate) fn measured(self, unit: &str, measured: &Measured) -> Self {
        let Measured { done, took, micros, server_cpu, ran_out } = measured;
        let percentile =
            |percent: f64| (!micros.is_empty()).then(|| micros.value_at_percentile(percent));
        let cpu =
            server_cpu.filter(|_| *done > 0).map(|cpu| cpu.as_secs_f64() * 1e5 / count(*done));
        let note = ran_out
            .then_some("ended early, rates until then: no tasks left; name more with --open");
        self.with("seconds", rounded(took.as_secs_f64()))
            .with(&format!("{unit}s"), *done)
            .with(&format!("{unit}s_per_second"), per_second(*done, *took))
            .with("p50_us", percentile(50.0))
            .with("p99_us", percentile(99.0))
            .with("server_cpu_seconds_per_100k", cpu.map(rounded))
            .with("note", note)
    }

    /// Writes it to stdout.
    pub(crate) fn print(&self, format: Format) -> Result<()> {
        let text = match format {
            Format::Json => format!("{}\n", Value::Object(self.0.clone())),
            Format::Text => self.0.iter().map(|(key, value)| line(key, value)).collect(),
        };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).context("could not write to stdout")
    }
}

/// None where there was no time.
pub(crate) fn per_second(done: u64, took: Duration) -> Option<f64> {
    (!took.is_zero()).then(|| rounded(count(done) / took.as_secs_f64()))
}

fn line(key: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => format!("{key:28} {text}\n"),
        other => format!("{key:28} {other}\n"),
    }
}

fn count(done: u64) -> f64 {
    // Exact up to 2^53.
    done as f64
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    fn measured(done: u64, ran_out: bool) -> Measured {
        let mut micros = Histogram::new(3).expect("three digits");
        micros.record_n(250, done).expect("it resizes itself");
        let server_cpu = Some(Duration::from_secs(1));
        Measured { done, took: Duration::from_secs(2), micros, server_cpu, ran_out }
    }

    #[test]
    fn the_keys_are_those_of_the_bench() {
        let Report(told) = Report::of("x").measured("cycle", &measured(50_000, false));
        let number = |key: &str| told[key].as_f64();
        assert_eq!(number("cycles_per_second"), Some(25_000.0));
        assert_eq!(number("server_cpu_seconds_per_100k"), Some(2.0));
        assert_eq!((number("p50_us"), number("p99_us")), (Some(250.0), Some(250.0)));
        assert_eq!(told["note"], Value::Null);
    }

    #[test]
    fn nothing_done_has_no_price_and_no_times() {
        let Report(told) = Report::of("x").measured("cycle", &measured(0, true));
        assert_eq!(told["cycles"], 0);
        assert!(told["server_cpu_seconds_per_100k"].is_null() && told["p50_us"].is_null());
        assert!(told["note"].as_str().is_some_and(|note| note.contains("--open")));
    }

    #[test]
    fn what_is_not_known_has_no_line() {
        assert_eq!(line("a", &Value::Null), "");
        assert!(line("a", &Value::from("b")).ends_with(" b\n"));
    }
}
