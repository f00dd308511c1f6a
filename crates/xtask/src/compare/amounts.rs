//! What is not divided by anything: memory, and the time of a start. One run each.
//!
//! Not here: what is compared with something else (`bars.rs`).

use anyhow::{Context, Result};
use serde_json::Value;

use crate::compare::bars::Verdict;
use crate::compare::options::Options;

/// Open tasks of which the bars of the whole speak.
const WHOLE: u32 = 10_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Gibibytes,
    Seconds,
}

/// When it can be held against its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// Always.
    Any,
    /// With all the tasks of which the bar speaks; with fewer it is told.
    Whole,
    /// The same, and with fewer it is left out.
    WholeOnly,
    /// When finished tasks are asked for.
    Finished,
}

/// One row of the second table.
#[derive(Debug)]
pub(crate) struct Amount {
    /// As it is called with `--only`.
    pub(crate) name: &'static str,
    /// With sizes as `Options::sized` has them.
    pub(crate) what: &'static str,
    words: &'static str,
    /// Where it is in the report, and what that is divided by.
    key: &'static str,
    divisor: f64,
    pub(crate) unit: Unit,
    size: Size,
    /// Bar and stretch; less is better.
    pub(crate) goals: (f64, f64),
}

/// All of them.
pub(crate) const AMOUNTS: [Amount; 7] = [
    per_task(
        "memory-plain",
        "memory of an open task: growth from {half} to {tasks}, untouched",
        "memory --tasks {half} --set cache_bytes=16777216 --set overlay_bytes=8388608 \
         --set snapshot_journal_bytes=0",
        (24.0, 8.0),
    ),
    per_task(
        "memory-own-id",
        "memory of an open task with an id of the requester's own: growth from {half} to {tasks}",
        "memory --tasks {half} --own-ids --set cache_bytes=16777216 --set overlay_bytes=8388608 \
         --set snapshot_journal_bytes=0",
        (48.0, 24.0),
    ),
    per_task(
        "memory-touched",
        "memory of an open task, leased once and returned: growth from {half} to {tasks}",
        "memory --tasks {half} --touch --set cache_bytes=16777216 --set overlay_bytes=8388608 \
         --set snapshot_journal_bytes=0",
        (200.0, 120.0),
    ),
    Amount {
        name: "memory",
        what: "resident memory in all with {tasks} open tasks, cache 256 MiB",
        words: "memory --tasks {half}",
        key: "server_rss_bytes",
        divisor: (1 << 30) as f64,
        unit: Unit::Gibibytes,
        size: Size::Whole,
        goals: (3.0, 2.0),
    },
    start(
        "start",
        "start after SIGKILL to the first grant, {million} open tasks",
        "start --open {million}",
        Size::Any,
        (2.0, 0.5),
    ),
    start(
        "start-whole",
        "start after SIGKILL to the first grant, {tasks} open tasks",
        "start --open {tasks}",
        Size::WholeOnly,
        (10.0, 3.0),
    ),
    start(
        "start-finished",
        "start after SIGKILL to the first grant, {million} open tasks, {finished} finished ones beside them",
        "start --open {million} --finished {finished}",
        Size::Finished,
        (60.0, 15.0),
    ),
];

const fn per_task(
    name: &'static str,
    what: &'static str,
    words: &'static str,
    goals: (f64, f64),
) -> Amount {
    let (key, divisor, unit) = ("server_bytes_per_task", 1.0, Unit::Bytes);
    Amount { name, what, words, key, divisor, unit, size: Size::Any, goals }
}

const fn start(
    name: &'static str,
    what: &'static str,
    words: &'static str,
    size: Size,
    goals: (f64, f64),
) -> Amount {
    let (key, divisor, unit) = ("first_grant_ms", 1e3, Unit::Seconds);
    Amount { name, what, words, key, divisor, unit, size, goals }
}

impl Amount {
    /// Why it is not measured in this run.
    pub(crate) fn left_out(&self, options: &Options) -> Option<&'static str> {
        match self.size {
            Size::WholeOnly if options.tasks < WHOLE => Some("only with --tasks 10000000"),
            Size::Finished if options.finished.is_none() => Some("only with --finished N"),
            Size::Any | Size::Whole | Size::WholeOnly | Size::Finished => None,
        }
    }

    /// What `piecework` is called with, except for the directory.
    pub(crate) fn words(&self, options: &Options) -> Vec<String> {
        let words = options.sized(self.words);
        let all = ["bench"].into_iter().chain(words.split(' ')).chain(["-o", "json"]);
        all.map(str::to_owned).collect()
    }

    /// In its unit, from what `piecework bench` printed.
    pub(crate) fn read(&self, report: &Value) -> Result<f64> {
        let value = report[self.key].as_f64();
        let value = value.with_context(|| format!("could not find {} in {report}", self.key))?;
        Ok(value / self.divisor)
    }

    pub(crate) fn verdict(&self, options: &Options, value: f64) -> Verdict {
        if self.size == Size::Whole && options.tasks < WHOLE {
            return Verdict::Told;
        }
        Verdict::of(value <= self.goals.0, value <= self.goals.1)
    }
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Gibibytes => "GiB",
            Self::Seconds => "s",
        }
    }

    pub(crate) fn shown(self, value: f64) -> String {
        let digits = match self {
            Self::Bytes => 0,
            Self::Gibibytes | Self::Seconds => 2,
        };
        format!("{value:.digits$} {}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> &'static Amount {
        AMOUNTS.iter().find(|amount| amount.name == name).expect("is there")
    }

    #[test]
    fn a_bar_of_ten_million_is_not_met_by_a_million() {
        let options = |words: &[&str]| Options::parse(words).expect("are options");
        let (long, short) = (options(&[]), options(&["--short"]));
        assert_eq!(named("memory").verdict(&long, 2.5), Verdict::Met);
        assert_eq!(named("memory").verdict(&short, 2.5), Verdict::Told);
        assert_eq!(named("memory-plain").verdict(&short, 25.0), Verdict::Missed);
        assert_eq!(named("start-whole").left_out(&long), None);
        assert!(named("start-whole").left_out(&short).is_some());
        assert!(named("start-finished").left_out(&long).is_some());
        assert_eq!(named("start-finished").left_out(&options(&["--finished", "9"])), None);
    }

    #[test]
    fn amounts_are_read_in_their_units() {
        let report = json!({ "server_rss_bytes": 3_u64 << 30, "first_grant_ms": 1_500.0 });
        assert_eq!(named("memory").read(&report).expect("is there"), 3.0);
        assert_eq!(named("start").read(&report).expect("is there"), 1.5);
        assert!(named("memory-plain").read(&report).is_err());
        assert_eq!(Unit::Seconds.shown(1.5), "1.50 s");
    }

    #[test]
    fn a_stretch_is_further_than_its_bar() {
        for amount in &AMOUNTS {
            assert!(amount.goals.1 < amount.goals.0, "{}", amount.name);
        }
    }
}
