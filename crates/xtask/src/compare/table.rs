//! What is printed: the bars with their ratios, what is not compared, and the figures behind.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::compare::amounts::{AMOUNTS, Amount};
use crate::compare::bars::{BARS, Bar, By, Ratio};
use crate::compare::figures::Figures;
use crate::compare::machine::Machine;
use crate::compare::options::Options;
use crate::compare::rounds::{Absent, Measured, wanted};

/// Said always: on more cores or over a network the same ratios are others.
const SHARED: &str = "client and daemon share the cores";

/// One run of `compare`.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) machine: Machine,
    pub(crate) options: &'a Options,
    pub(crate) measured: Measured,
}

impl Comparison<'_> {
    /// The same as the table.
    pub(crate) fn to_json(&self) -> Value {
        let measures = wanted(self.options).into_iter().map(|measure| {
            let told = match self.measured.figures(measure.name) {
                Some(figures) => figures.to_json(),
                None => json!({ "not_measured": self.why_not(&[measure.name]) }),
            };
            (measure.name.to_owned(), told)
        });
        json!({
            "date": self.machine.date,
            "machine": self.machine.to_json(),
            "piecework": self.machine.commit,
            "peers": self.machine.peers,
            "shared": SHARED,
            "rounds": self.options.rounds,
            "seconds": self.options.seconds,
            "intake_tasks": self.options.tasks,
            "bars": self.bars().map(|bar| self.bar_to_json(bar)).collect::<Vec<_>>(),
            "amounts": self.amounts().map(|row| self.amount_to_json(row)).collect::<Vec<_>>(),
            "measures": measures.collect::<Map<_, _>>(),
        })
    }

    fn bar_to_json(&self, bar: &Bar) -> Value {
        let ratio = self.ratio(bar);
        let value = |of: fn(&Ratio) -> f64| ratio.as_ref().ok().map(of);
        json!({
            "name": bar.name,
            "what": self.options.sized(bar.what),
            "against": bar.against,
            "unit": match bar.by {
                By::Rate => "per_second",
                By::Time => "p50_us",
                By::P99 => "p99_us",
            },
            "piecework": value(|ratio| ratio.ours),
            "peer": value(|ratio| ratio.theirs),
            "ratio": value(|ratio| ratio.ratio),
            "bar": bar.goals.map(|(bar, _)| bar),
            "stretch": bar.goals.map(|(_, stretch)| stretch),
            "verdict": ratio.as_ref().ok().map(|ratio| ratio.verdict.word()),
            "not_measured": ratio.as_ref().err(),
        })
    }

    fn amount_to_json(&self, amount: &Amount) -> Value {
        let value = self.measured.amount(amount.name);
        let verdict = value.map(|value| amount.verdict(self.options, value).word());
        json!({
            "name": amount.name,
            "what": self.options.sized(amount.what),
            "unit": amount.unit.name(),
            "piecework": value,
            "bar": amount.goals.0,
            "stretch": amount.goals.1,
            "verdict": verdict,
            "not_measured": value.is_none().then(|| self.why_not(&[amount.name])),
        })
    }

    /// Those that were asked for.
    fn bars(&self) -> impl Iterator<Item = &'static Bar> {
        BARS.iter().filter(|bar| self.options.wants(bar.name))
    }

    fn amounts(&self) -> impl Iterator<Item = &'static Amount> {
        AMOUNTS.iter().filter(|amount| self.options.wants(amount.name))
    }

    /// Or why there is none.
    fn ratio(&self, bar: &Bar) -> Result<Ratio, String> {
        bar.ratio(|name| self.measured.figures(name)).map_err(|missing| self.why_not(&missing))
    }

    fn why_not(&self, names: &[&str]) -> String {
        let why = |name: &&str| match self.measured.absent(name) {
            Some(Absent::Missing(why)) => why.clone(),
            Some(Absent::Failed(_)) => format!("{name} failed"),
            None => format!("{name} was not run"),
        };
        let mut all: Vec<String> = names.iter().map(why).collect();
        all.dedup();
        all.join("; ")
    }

    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { date, processor, cores, memory_mib, kernel, file_system, commit, peers } =
            &self.machine;
        let Options { rounds, seconds, tasks, .. } = self.options;
        let gib = (memory_mib + 512) / 1024;
        let beside: String = peers.iter().map(|peer| format!(", {peer}")).collect();
        let tasks = thousands(f64::from(*tasks));
        writeln!(
            f,
            "{date}: {processor}, {cores} cores, {gib} GiB, {kernel}, data on {file_system};"
        )?;
        writeln!(f, "piecework {commit}{beside}.")?;
        writeln!(f, "Always {SHARED}; payloads of 256 bytes, each step durable before its reply;")?;
        let few = (rounds / 2).max(1);
        writeln!(f, "medians of {rounds} runs of {seconds} s (intake: {tasks} tasks), in turns;")?;
        writeln!(f, "with a number of tasks held open, of {few}; memory and starts once.\n")
    }

    fn write_bars(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bars().next().is_none() {
            return Ok(());
        }
        writeln!(f, "| row | piecework | against | piecework | peer | ratio | bar | stretch | |")?;
        writeln!(f, "|---|---|---|---:|---:|---:|---|---|---|")?;
        for bar in self.bars() {
            let Bar { name, against, .. } = bar;
            let what = self.in_words(bar.what);
            let [goal, stretch] = goals_of(bar);
            match self.ratio(bar) {
                Ok(Ratio { ours, theirs, ratio, verdict }) => {
                    let [ours, theirs] = [ours, theirs].map(|value| shown(value, bar.by));
                    let verdict = verdict.word();
                    writeln!(
                        f,
                        "| {name} | {what} | {against} | {ours} | {theirs} | {ratio:.2} | {goal} | {stretch} | {verdict} |"
                    )?;
                }
                Err(why) => {
                    let why = cell(&why);
                    writeln!(
                        f,
                        "| {name} | {what} | {against} | | | | {goal} | {stretch} | not measured: {why} |"
                    )?;
                }
            }
        }
        Ok(())
    }

    fn write_amounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.amounts().next().is_none() {
            return Ok(());
        }
        writeln!(f, "\n| row | once | piecework | bar | stretch | |")?;
        writeln!(f, "|---|---|---:|---|---|---|")?;
        for amount in self.amounts() {
            let (name, what) = (amount.name, self.in_words(amount.what));
            let (goal, stretch) = amount.goals;
            let goals = format!("≤ {goal} {0} | ≤ {stretch} {0}", amount.unit.name());
            let (value, said) = match self.measured.amount(name) {
                Some(value) => {
                    let verdict = amount.verdict(self.options, value);
                    (amount.unit.shown(value), verdict.word().to_owned())
                }
                None => (String::new(), format!("not measured: {}", cell(&self.why_not(&[name])))),
            };
            writeln!(f, "| {name} | {what} | {value} | {goals} | {said} |")?;
        }
        Ok(())
    }

    fn write_figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measures = wanted(self.options);
        if measures.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n| measure | per second | lowest to highest | p50 µs | p99 µs | server CPU s per 100,000 | |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---|")?;
        for measure in measures {
            match self.measured.figures(measure.name) {
                Some(figures) => writeln!(f, "| {} | {} |", measure.name, figures_cells(figures))?,
                None => {
                    let why = cell(&self.why_not(&[measure.name]));
                    writeln!(f, "| {} | | | | | | not measured: {why} |", measure.name)?;
                }
            }
        }
        Ok(())
    }

    /// With the sizes of this run, as people write them.
    fn in_words(&self, what: &str) -> String {
        let word = |word: &str| match word.trim_end_matches(',').parse::<f64>() {
            Ok(number) => thousands(number) + if word.ends_with(',') { "," } else { "" },
            Err(_) => word.to_owned(),
        };
        self.options.sized(what).split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        self.write_bars(f)?;
        self.write_amounts(f)?;
        self.write_figures(f)
    }
}

fn figures_cells(figures: &Figures) -> String {
    let (low, high) = figures.rates();
    let [rate, low, high, p50, p99] =
        [figures.rate(), low, high, figures.p50_us(), figures.p99_us()].map(thousands);
    let cpu = figures.server_cpu_seconds().map_or(String::new(), |cpu| format!("{cpu:.2}"));
    let note = figures.note().map_or(String::new(), cell);
    format!("{rate} | {low} to {high} | {p50} | {p99} | {cpu} | {note}")
}

/// Bar and stretch with their signs.
fn goals_of(bar: &Bar) -> [String; 2] {
    let sign = match bar.by {
        By::Rate => '≥',
        By::Time | By::P99 => '≤',
    };
    // At least one digit after the point.
    let shown = |goal: f64| format!("{sign} {goal:?}");
    bar.goals.map_or_else(Default::default, |(bar, stretch)| [shown(bar), shown(stretch)])
}

fn shown(value: f64, by: By) -> String {
    match by {
        By::Rate => format!("{}/s", thousands(value)),
        By::Time | By::P99 => format!("{} µs", thousands(value)),
    }
}

/// A sentence in one cell.
fn cell(text: &str) -> String {
    text.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whole, with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::Reading;
    use crate::compare::measures::MEASURES;

    fn figures(rate: f64, p50_us: f64, note: Option<&str>) -> Figures {
        let (server_cpu_seconds, note) = (Some(1.25), note.map(str::to_owned));
        let (p99_us, bytes_each) = (2.0 * p50_us, None);
        let reading = Reading { rate, p50_us, p99_us, server_cpu_seconds, bytes_each, note };
        Figures::new(vec![reading]).expect("one")
    }

    fn machine() -> Machine {
        Machine {
            date: "2026-02-01".into(),
            processor: "A 7".into(),
            cores: 2,
            memory_mib: 7_961,
            kernel: "Linux 6.1".into(),
            file_system: "ext2/ext3".into(),
            commit: "abc".into(),
            peers: vec!["Redis 7.0.15".into()],
        }
    }

    fn measured() -> Measured {
        let figures = [
            ("redis-64", figures(28_400.0, 2_200.0, None)),
            ("cycle-64", figures(21_300.0, 2_900.0, Some("ended early |\nno tasks"))),
            ("cycle-1", figures(1_000.0, 150.0, None)),
            ("echo-1", figures(16_000.0, 60.0, None)),
            ("fdatasync", figures(8_000.0, 40.0, None)),
        ];
        let missing = Absent::Missing("postgres is not installed".into());
        let failed = Absent::Failed("long story".into());
        let absent = [("postgres-100", missing), ("bundle-100", failed)];
        Measured::of(figures, [("start", 1.234)], absent)
    }

    #[test]
    fn the_table_says_how_far_each_bar_was_reached() {
        let options = Options::parse(&["--short"]).expect("is an option");
        let table = Comparison { machine: machine(), options: &options, measured: measured() };
        let text = table.to_string();
        for part in [
            "2026-02-01: A 7, 2 cores, 8 GiB, Linux 6.1, data on ext2/ext3;\npiecework abc, Redis 7.0.15.\n",
            "client and daemon share the cores",
            "medians of 3 runs of 4 s (intake: 1,000,000 tasks)",
            "two round trips | 21,300/s | 28,400/s | 0.75 | ≥ 0.7 | ≥ 1.0 | met |\n",
            "| 150 µs | 100 µs | 1.50 | ≤ 1.6 | ≤ 1.4 | met |\n",
            "not measured: postgres is not installed; bundle-100 failed |\n",
            "| cycle-64 | 21,300 | 21,300 to 21,300 | 2,900 | 5,800 | 1.25 | ended early / no tasks |\n",
            "| intake | | | | | | not measured: intake was not run |\n",
            "| open | streams with 1,000,000 open tasks, in order | with 10,000",
            "first grant, 1,000,000 open tasks | 1.23 s | ≤ 2 s | ≤ 0.5 s | met |\n",
            "| memory | resident memory in all with 1,000,000 open",
            "growth from 500,000 to 1,000,000, untouched",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }

    #[test]
    fn every_row_of_a_table_has_the_same_cells() {
        let options = Options::parse(&[]).expect("no options");
        let table = Comparison { machine: machine(), options: &options, measured: measured() };
        let text = table.to_string();
        let cells = |columns: usize| {
            text.lines().filter(|line| line.matches('|').count() == columns + 1).count()
        };
        assert_eq!(cells(9), BARS.len() + 2);
        assert_eq!(cells(7), MEASURES.len() + 2);
        assert_eq!(cells(6), AMOUNTS.len() + 2);
    }

    #[test]
    fn the_object_says_the_same() {
        let options = Options::parse(&["-o", "json"]).expect("is an option");
        let table = Comparison { machine: machine(), options: &options, measured: measured() };
        let told = table.to_json();
        let bar = &told["bars"][0];
        assert_eq!((&bar["ratio"], &bar["verdict"]), (&0.75.into(), &"met".into()));
        assert_eq!(bar["not_measured"], Value::Null);
        let missing =
            told["bars"].as_array().expect("rows").iter().find(|bar| bar["ratio"].is_null());
        assert!(missing.is_some_and(|bar| bar["not_measured"].is_string()));
        assert_eq!(told["measures"]["redis-64"]["per_second"], 28_400.0);
        assert_eq!(told["measures"]["bundle-100"]["not_measured"], "bundle-100 failed");
        assert_eq!(told["shared"], SHARED);
    }

    #[test]
    fn only_rows_that_were_asked_for_are_printed() {
        let options = Options::parse(&["--only", "start"]).expect("is an option");
        let table = Comparison { machine: machine(), options: &options, measured: measured() };
        let text = table.to_string();
        assert!(text.contains("| start |") && !text.contains("| measure |"), "{text}");
        assert_eq!(table.to_json()["amounts"][0]["piecework"], 1.234);
        assert_eq!(table.to_json()["bars"], json!([]));
    }

    #[test]
    fn numbers_are_shown_in_threes() {
        let shown: Vec<String> = [0.4, 12.0, 999.6, 28_400.0, 1_234_567.0].map(thousands).into();
        assert_eq!(shown, ["0", "12", "1,000", "28,400", "1,234,567"]);
    }
}
