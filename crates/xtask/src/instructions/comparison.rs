//! What was counted beside what is written down.
//!
//! Not here: reading either of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Above or below by more than this is told.
const PERCENT: u64 = 10;

/// All benches of both sides, by name.
#[derive(Debug)]
pub(crate) struct Comparison(Vec<Row>);

#[derive(Debug)]
struct Row {
    name: String,
    verdict: Verdict,
}

/// A bench and its two numbers: what it is to take, and what it takes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// About the same.
    Kept(u64, u64),
    /// More than `PERCENT` above.
    Dearer(u64, u64),
    /// More than `PERCENT` below.
    Cheaper(u64, u64),
    /// Not in the baseline.
    Unknown(u64),
    /// In the baseline, but not counted.
    Missing(u64),
}

impl Comparison {
    pub(crate) fn new(baseline: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Comparison {
        let names: BTreeSet<&String> = baseline.keys().chain(now.keys()).collect();
        let rows = names.into_iter().filter_map(|name| {
            let verdict = Verdict::of(baseline.get(name).copied(), now.get(name).copied())?;
            Some(Row { name: name.clone(), verdict })
        });
        Comparison(rows.collect())
    }

    /// What must not be committed so, in one line.
    pub(crate) fn wrong(&self) -> Option<String> {
        let wrong = self.0.iter().filter_map(|Row { name, verdict }| match *verdict {
            Verdict::Kept(..) | Verdict::Cheaper(..) => None,
            Verdict::Dearer(before, now) => Some(format!(
                "{name} takes {now} instructions, {:.2} times its {before}",
                ratio(before, now)
            )),
            Verdict::Unknown(_) => Some(format!("{name} is not in the baseline")),
            Verdict::Missing(_) => Some(format!("{name} is in the baseline and was not counted")),
        });
        let wrong: Vec<String> = wrong.collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }

    /// The names of those that take less than they might, with commas.
    pub(crate) fn cheaper(&self) -> String {
        let cheaper = self.0.iter().filter(|row| matches!(row.verdict, Verdict::Cheaper(..)));
        cheaper.map(|row| row.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Verdict {
    /// None where there is neither number.
    fn of(baseline: Option<u64>, now: Option<u64>) -> Option<Verdict> {
        Some(match (baseline, now) {
            (Some(before), Some(now)) if now * 100 > before * (100 + PERCENT) => {
                Verdict::Dearer(before, now)
            }
            (Some(before), Some(now)) if now * 100 < before * (100 - PERCENT) => {
                Verdict::Cheaper(before, now)
            }
            (Some(before), Some(now)) => Verdict::Kept(before, now),
            (None, Some(now)) => Verdict::Unknown(now),
            (Some(before), None) => Verdict::Missing(before),
            (None, None) => return None,
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| bench | baseline | now | ratio | |\n|---|---|---|---|---|")?;
        for Row { name, verdict } in &self.0 {
            let said = match verdict {
                Verdict::Kept(..) => "",
                Verdict::Dearer(..) => "**dearer**",
                Verdict::Cheaper(..) => "cheaper",
                Verdict::Unknown(_) => "**not in the baseline**",
                Verdict::Missing(_) => "**not counted**",
            };
            match *verdict {
                Verdict::Kept(before, now)
                | Verdict::Dearer(before, now)
                | Verdict::Cheaper(before, now) => {
                    let ratio = ratio(before, now);
                    writeln!(f, "| {name} | {before} | {now} | {ratio:.3} | {said} |")?;
                }
                Verdict::Unknown(now) => writeln!(f, "| {name} | – | {now} | – | {said} |")?,
                Verdict::Missing(before) => writeln!(f, "| {name} | {before} | – | – | {said} |")?,
            }
        }
        Ok(())
    }
}

fn ratio(before: u64, now: u64) -> f64 {
    now as f64 / before as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(baseline: &[(&str, u64)], now: &[(&str, u64)]) -> Comparison {
        let map = |rows: &[(&str, u64)]| {
            rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        Comparison::new(&map(baseline), &map(now))
    }

    #[test]
    fn a_tenth_more_is_kept_and_one_instruction_above_that_is_wrong() {
        assert_eq!(of(&[("a", 1_000)], &[("a", 1_100)]).wrong(), None);
        let wrong = of(&[("a", 1_000)], &[("a", 1_101)]).wrong().expect("too much");
        assert_eq!(wrong, "a takes 1101 instructions, 1.10 times its 1000");
    }

    #[test]
    fn a_tenth_less_is_kept_and_below_that_it_is_told_but_not_wrong() {
        assert_eq!(of(&[("a", 1_000)], &[("a", 900)]).cheaper(), "");
        let comparison = of(&[("a", 1_000), ("b", 10)], &[("a", 899), ("b", 10)]);
        assert_eq!((comparison.cheaper().as_str(), comparison.wrong()), ("a", None));
    }

    #[test]
    fn a_new_bench_is_wrong_and_so_is_one_that_is_gone() {
        let wrong = of(&[("a", 1)], &[("b", 1)]).wrong().expect("two");
        assert_eq!(wrong, "a is in the baseline and was not counted; b is not in the baseline");
    }

    #[test]
    fn the_table_has_every_bench_of_both_sides() {
        let table = of(&[("a", 100), ("b", 4), ("d", 10)], &[("a", 150), ("c", 7), ("d", 10)]);
        let rows: Vec<String> = table.to_string().lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            rows,
            [
                "| a | 100 | 150 | 1.500 | **dearer** |",
                "| b | 4 | – | – | **not counted** |",
                "| c | – | 7 | – | **not in the baseline** |",
                "| d | 10 | 10 | 1.000 |  |",
            ]
        );
    }
}
