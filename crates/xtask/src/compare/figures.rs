//! What one run told, and the median of several.

use serde_json::{Map, Value, json};

/// A smaller share of the calls that were due says nothing of those that were not made.
const HELD: f64 = 0.99;
/// A smaller share of the open tasks is another size.
const OPEN_LEFT: f64 = 0.5;

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Cycles, tasks, calls or syncs a second.
    pub(crate) rate: f64,
    /// Of a round: a cycle, a batch, a call.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// For 100,000; where the server's process is known.
    pub(crate) server_cpu_seconds: Option<f64>,
    /// Of each result, where bytes are counted.
    pub(crate) bytes_each: Option<f64>,
    /// What must be known to read it aright.
    pub(crate) note: Option<String>,
}

/// All runs of one measure, at least one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures(Vec<Reading>);

impl Reading {
    /// From what `peers` and `piecework bench` print; `None` for anything else.
    pub(crate) fn of(report: &Value) -> Option<Self> {
        let report = report.as_object()?;
        // The first: those of what happens beside it come after.
        let rate = report.iter().find(|(key, _)| is_rate(key))?.1;
        let number = |key: &str| report.get(key)?.as_f64();
        Some(Self {
            rate: rate.as_f64()?,
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
            server_cpu_seconds: number("server_cpu_seconds_per_100k"),
            bytes_each: number("bytes").zip(number("results")).map(|(all, count)| all / count),
            note: note(report),
        })
    }
}

/// What the report says itself, and what its numbers say of how far they can be trusted.
fn note(report: &Map<String, Value>) -> Option<String> {
    let number = |key: &str| report.get(key)?.as_f64();
    if let Some(held) = number("rate_held").filter(|held| *held < HELD) {
        return Some(format!("only {held:.2} of the rate was held"));
    }
    if let Some((lowest, open)) = number("open_lowest").zip(number("open"))
        && lowest < open * OPEN_LEFT
    {
        return Some(format!("went down to {lowest} open tasks"));
    }
    report.get("note")?.as_str().map(str::to_owned)
}

/// What was counted differs, the rest of the name does not. That of the enqueue before is
/// another thing.
fn is_rate(key: &str) -> bool {
    let units = ["cycles", "tasks", "calls", "syncs", "results", "messages"];
    key.strip_suffix("_per_second").is_some_and(|unit| units.contains(&unit))
}

impl Figures {
    /// `None` when there was no run.
    pub(crate) fn new(readings: Vec<Reading>) -> Option<Self> {
        (!readings.is_empty()).then_some(Self(readings))
    }

    pub(crate) fn rate(&self) -> f64 {
        self.median_of(|reading| reading.rate)
    }

    /// The lowest and the highest.
    pub(crate) fn rates(&self) -> (f64, f64) {
        let rates = self.0.iter().map(|reading| reading.rate);
        (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max))
    }

    pub(crate) fn p50_us(&self) -> f64 {
        self.median_of(|reading| reading.p50_us)
    }

    pub(crate) fn p99_us(&self) -> f64 {
        self.median_of(|reading| reading.p99_us)
    }

    pub(crate) fn server_cpu_seconds(&self) -> Option<f64> {
        let all: Vec<f64> =
            self.0.iter().filter_map(|reading| reading.server_cpu_seconds).collect();
        (!all.is_empty()).then(|| median(all))
    }

    /// The first that there is.
    pub(crate) fn note(&self) -> Option<&str> {
        self.0.iter().find_map(|reading| reading.note.as_deref())
    }

    /// Medians, and the rate of each run in order.
    pub(crate) fn to_json(&self) -> Value {
        let rates: Vec<f64> = self.0.iter().map(|reading| reading.rate).collect();
        json!({
            "per_second": self.rate(),
            "p50_us": self.p50_us(),
            "p99_us": self.p99_us(),
            "server_cpu_seconds_per_100k": self.server_cpu_seconds(),
            "per_second_of_each_run": rates,
            "note": self.note(),
        })
    }

    fn median_of(&self, of: impl Fn(&Reading) -> f64) -> f64 {
        median(self.0.iter().map(of).collect())
    }
}

/// The one in the middle, or the mean of both. `values`: at least one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (upper, is_even) = (values.len() / 2, values.len().is_multiple_of(2));
    if is_even { f64::midpoint(values[upper - 1], values[upper]) } else { values[upper] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![3.0]), 3.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![10.0, 1.0, 2.0, 4.0]), 3.0);
    }

    #[test]
    fn reports_of_both_tools_are_read() {
        let mut report = json!({
            "peer": "redis-list", "enqueued_per_second": 9.0, "cycles": 7,
            "cycles_per_second": 100.5, "p50_us": 20, "p99_us": 30,
            "server_cpu_seconds_per_100k": 1.5, "note": null,
        });
        let reading = Reading::of(&report).expect("is a report");
        assert_eq!((reading.rate, reading.p50_us, reading.p99_us), (100.5, 20.0, 30.0));
        assert_eq!((reading.server_cpu_seconds, reading.note), (Some(1.5), None));
        report["p50_us"] = Value::Null;
        assert_eq!(Reading::of(&report), None, "nothing was done");
        assert_eq!(
            Reading::of(&json!({ "enqueued_per_second": 1, "p50_us": 1, "p99_us": 1 })),
            None
        );
        assert_eq!(Reading::of(&json!([1])), None);
    }

    #[test]
    fn numbers_that_mean_something_else_are_noted() {
        let report = |more: Value| {
            let mut report = json!({ "cycles_per_second": 1.0, "p50_us": 1, "p99_us": 1 });
            report.as_object_mut().expect("is one").extend(more.as_object().expect("too").clone());
            Reading::of(&report).expect("is a report").note
        };
        let held = report(json!({ "rate_held": 0.8 }));
        assert_eq!(held.as_deref(), Some("only 0.80 of the rate was held"));
        let dry = report(json!({ "open": 100, "open_lowest": 3, "note": "x" }));
        assert_eq!(dry.as_deref(), Some("went down to 3 open tasks"));
        assert_eq!(report(json!({ "open": 100, "open_lowest": 90, "rate_held": 1.0 })), None);
    }

    #[test]
    fn each_figure_has_a_median_of_its_own() {
        let reading = |rate, p50_us, note: Option<&str>| Reading {
            rate,
            p50_us,
            p99_us: 9.0,
            server_cpu_seconds: None,
            bytes_each: None,
            note: note.map(str::to_owned),
        };
        let runs =
            vec![reading(1.0, 8.0, None), reading(5.0, 6.0, Some("x")), reading(3.0, 7.0, None)];
        let figures = Figures::new(runs).expect("three");
        assert_eq!((figures.rate(), figures.p50_us()), (3.0, 7.0));
        assert_eq!((figures.rates(), figures.server_cpu_seconds()), ((1.0, 5.0), None));
        assert_eq!(figures.note(), Some("x"));
        assert_eq!(Figures::new(Vec::new()), None);
    }
}
