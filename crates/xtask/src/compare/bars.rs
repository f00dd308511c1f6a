//! The bars: what is compared with what, and how far we mean to get.

use crate::compare::figures::Figures;

/// What is divided by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Our rate by theirs; more is better.
    Rate,
    /// Our p50 by the sum of theirs; less is better.
    Time,
    /// Our p99 by theirs; less is better.
    P99,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Bar {
    /// As it is called with `--only`.
    pub(crate) name: &'static str,
    /// With sizes as `Options::sized` has them.
    pub(crate) what: &'static str,
    pub(crate) against: &'static str,
    /// Names of measures.
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static [&'static str],
    pub(crate) by: By,
    /// Bar and stretch; none where the ratio is only told.
    pub(crate) goals: Option<(f64, f64)>,
}

/// How far we got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stretch,
    Met,
    Missed,
    /// There is no bar.
    Told,
}

/// A bar and what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// A rate, or a p50 or p99 in microseconds.
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) ratio: f64,
    pub(crate) verdict: Verdict,
}

/// All of them.
pub(crate) const BARS: [Bar; 14] = [
    Bar {
        name: "redis-64",
        what: "64 clients, unary submit-and-next, 4 connections",
        against: "Redis lists at 64, two round trips",
        ours: "cycle-64",
        theirs: &["redis-64"],
        by: By::Rate,
        goals: Some((0.7, 1.0)),
    },
    Bar {
        name: "redis-64-pipelined",
        what: "the same",
        against: "Redis lists at 64, both commands pipelined",
        ours: "cycle-64",
        theirs: &["redis-64-pipelined"],
        by: By::Rate,
        goals: None,
    },
    Bar {
        name: "redis-256",
        what: "256 clients, unary submit-and-next, 4 connections",
        against: "Redis lists at 64, two round trips",
        ours: "cycle-256",
        theirs: &["redis-64"],
        by: By::Rate,
        goals: Some((1.0, 1.2)),
    },
    Bar {
        name: "redis-stream",
        what: "64 workers over 4 `Work` streams, capacity 8 each",
        against: "Redis lists at 64, two round trips",
        ours: "stream-64",
        theirs: &["redis-64"],
        by: By::Rate,
        goals: Some((2.0, 3.0)),
    },
    Bar {
        name: "postgres-100",
        what: "16 clients, bundles of 100",
        against: "PostgreSQL at 16, batches of 100, one transaction",
        ours: "bundle-100",
        theirs: &["postgres-100"],
        by: By::Rate,
        goals: Some((1.0, 2.0)),
    },
    Bar {
        name: "postgres-100-leased",
        what: "the same",
        against: "PostgreSQL at 16, batches of 100, lease committed first",
        ours: "bundle-100",
        theirs: &["postgres-100-leased"],
        by: By::Rate,
        goals: None,
    },
    Bar {
        name: "redis-16",
        what: "16 clients, unary submit-and-next",
        against: "Redis lists at 16, two round trips",
        ours: "cycle-16",
        theirs: &["redis-16"],
        by: By::Rate,
        goals: Some((0.8, 1.0)),
    },
    Bar {
        name: "floor-1",
        what: "1 client, unary submit-and-next, p50",
        against: "p50 of an echo + p50 of an fdatasync",
        ours: "cycle-1",
        theirs: &["echo-1", "fdatasync"],
        by: By::Time,
        goals: Some((1.6, 1.4)),
    },
    Bar {
        name: "intake",
        what: "intake, pipelined CreateTasks of 1,000",
        against: "PostgreSQL at 16, enqueue in batches of 100",
        ours: "intake",
        theirs: &["postgres-intake"],
        by: By::Rate,
        goals: Some((0.6, 1.2)),
    },
    Bar {
        name: "matching",
        what: "streams, overlap 3, three required skills, 1,000 projects, all workers eligible",
        against: "streams plain",
        ours: "stream-matched",
        theirs: &["stream-64"],
        by: By::Rate,
        goals: Some((0.6, 0.8)),
    },
    Bar {
        name: "open",
        what: "streams with {tasks} open tasks, in order",
        against: "with 10,000 open tasks",
        ours: "stream-open",
        theirs: &["stream-10k"],
        by: By::Rate,
        goals: Some((0.8, 0.95)),
    },
    Bar {
        name: "open-random",
        what: "streams with {tasks} open tasks, in random order of priority",
        against: "with 10,000 open tasks",
        ours: "stream-open-random",
        theirs: &["stream-10k-random"],
        by: By::Rate,
        goals: Some((0.8, 0.95)),
    },
    Bar {
        name: "catch-up",
        what: "a watcher reads {tenth} results from the beginning",
        against: "a bare server stream of as many bytes",
        ours: "results",
        theirs: &["stream-floor"],
        by: By::Rate,
        goals: Some((0.3, 0.5)),
    },
    Bar {
        name: "checkpoints",
        what: "p99 of submit-and-next at half the rate of 64 clients, checkpoints and snapshots all the time",
        against: "without any",
        ours: "mixed-busy",
        theirs: &["mixed-quiet"],
        by: By::P99,
        goals: Some((3.0, 1.5)),
    },
];

impl Bar {
    /// What is measured for it.
    pub(crate) fn measures(&self) -> impl Iterator<Item = &'static str> {
        self.theirs.iter().copied().chain([self.ours])
    }

    /// What was measured. `figures`: of a measure by its name.
    ///
    /// # Errors
    /// The names of the measures that are missing.
    pub(crate) fn ratio<'a>(
        &self,
        figures: impl Fn(&str) -> Option<&'a Figures>,
    ) -> Result<Ratio, Vec<&'static str>> {
        let missing: Vec<_> = self.measures().filter(|name| figures(name).is_none()).collect();
        let value = |name: &str| {
            figures(name).map(|figures| match self.by {
                By::Rate => figures.rate(),
                By::Time => figures.p50_us(),
                By::P99 => figures.p99_us(),
            })
        };
        let theirs = self.theirs.iter().map(|name| value(name)).sum::<Option<f64>>();
        let Some((ours, theirs)) = value(self.ours).zip(theirs) else { return Err(missing) };
        let ratio = ours / theirs;
        Ok(Ratio { ours, theirs, ratio, verdict: self.verdict(ratio) })
    }

    fn verdict(&self, ratio: f64) -> Verdict {
        match (self.by, self.goals) {
            (_, None) => Verdict::Told,
            (By::Rate, Some((bar, stretch))) => Verdict::of(ratio >= bar, ratio >= stretch),
            (By::Time | By::P99, Some((bar, stretch))) => {
                Verdict::of(ratio <= bar, ratio <= stretch)
            }
        }
    }
}

impl Verdict {
    /// Whether the bar was reached, and whether the stretch was.
    pub(crate) fn of(bar: bool, stretch: bool) -> Self {
        match (stretch, bar) {
            (true, _) => Self::Stretch,
            (false, true) => Self::Met,
            (false, false) => Self::Missed,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Stretch => "stretch met",
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Told => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::Reading;
    use crate::compare::measures::{Measure, Whose};

    fn figures(rate: f64, p50_us: f64) -> Figures {
        let (p99_us, server_cpu_seconds, note) = (p50_us, None, None);
        let bytes_each = None;
        let reading = Reading { rate, p50_us, p99_us, server_cpu_seconds, bytes_each, note };
        Figures::new(vec![reading]).expect("one")
    }

    fn row(ours: &str) -> &'static Bar {
        BARS.iter().find(|bar| bar.ours == ours).expect("is there")
    }

    #[test]
    fn every_name_is_a_measure_and_ours_is_ours() {
        for bar in &BARS {
            let whose = |name| Measure::named(name).map(|measure| measure.whose);
            assert_eq!(whose(bar.ours), Some(Whose::Piecework), "{}", bar.ours);
            for theirs in bar.theirs {
                assert!(whose(theirs).is_some(), "{theirs}");
            }
        }
    }

    #[test]
    fn what_takes_longer_at_the_slow_end_is_worse() {
        let quiet = figures(0.0, 100.0);
        for (p99, verdict) in
            [(301.0, Verdict::Missed), (300.0, Verdict::Met), (150.0, Verdict::Stretch)]
        {
            let busy = figures(0.0, p99);
            let of = |name: &str| Some(if name == "mixed-busy" { &busy } else { &quiet });
            assert_eq!(row("mixed-busy").ratio(of).expect("is measured").verdict, verdict);
        }
    }

    #[test]
    fn a_higher_rate_is_better() {
        let theirs = figures(1_000.0, 0.0);
        for (rate, verdict) in
            [(699.0, Verdict::Missed), (700.0, Verdict::Met), (1_000.0, Verdict::Stretch)]
        {
            let ours = figures(rate, 0.0);
            let of = |name: &str| Some(if name == "cycle-64" { &ours } else { &theirs });
            let ratio = row("cycle-64").ratio(of).expect("is measured");
            assert_eq!((ratio.ratio, ratio.verdict), (rate / 1_000.0, verdict));
        }
    }

    #[test]
    fn a_shorter_time_is_better_and_theirs_are_added_up() {
        let (echo, sync) = (figures(0.0, 60.0), figures(0.0, 40.0));
        for (p50, verdict) in
            [(161.0, Verdict::Missed), (160.0, Verdict::Met), (140.0, Verdict::Stretch)]
        {
            let ours = figures(0.0, p50);
            let of = |name: &str| match name {
                "echo-1" => Some(&echo),
                "fdatasync" => Some(&sync),
                _ => Some(&ours),
            };
            let ratio = row("cycle-1").ratio(of).expect("is measured");
            assert_eq!((ratio.theirs, ratio.verdict), (100.0, verdict));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let ours = figures(1.0, 1.0);
        let only_ours = |name: &str| (name == "cycle-1").then_some(&ours);
        assert_eq!(row("cycle-1").ratio(only_ours), Err(vec!["echo-1", "fdatasync"]));
    }

    #[test]
    fn a_stretch_is_further_than_its_bar() {
        for bar in &BARS {
            let Some((goal, stretch)) = bar.goals else { continue };
            assert_eq!(stretch > goal, bar.by == By::Rate, "{}", bar.what);
        }
    }
}
