//! The runs: every measure in its turn, and all of that so many times; then, once each,
//! what is not compared.
//!
//! A measure that fails is not tried again in this run; the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde_json::Value;

use crate::compare::amounts::{AMOUNTS, Amount};
use crate::compare::bars::{BARS, Bar};
use crate::compare::figures::{Figures, Reading};
use crate::compare::interrupt::Interrupt;
use crate::compare::measures::{MEASURES, Measure, Whose};
use crate::compare::options::Options;
use crate::compare::program::Program;
use crate::compare::servers::{Servers, fresh_directory};

/// The programs that measure, the servers, and where all of it happens.
#[derive(Debug)]
pub(crate) struct Tools {
    /// `piecework`.
    pub(crate) bench: PathBuf,
    pub(crate) peers: PathBuf,
    pub(crate) servers: Servers,
    pub(crate) directory: PathBuf,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    figures: BTreeMap<&'static str, Figures>,
    /// In their units.
    amounts: BTreeMap<&'static str, f64>,
    /// Why a measure or an amount has none.
    absent: BTreeMap<&'static str, Absent>,
}

/// Why something was not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is not there; the sentence says what to do.
    Missing(String),
    /// It was tried.
    Failed(String),
}

/// The runs so far.
struct Rounds<'a> {
    tools: &'a Tools,
    options: &'a Options,
    interrupt: &'a Interrupt,
    began: Instant,
    readings: BTreeMap<&'static str, Vec<Reading>>,
    amounts: BTreeMap<&'static str, f64>,
    absent: BTreeMap<&'static str, Absent>,
}

/// Runs all that is asked for.
///
/// # Errors
/// We were asked to end.
pub(crate) fn run(tools: &Tools, options: &Options, interrupt: &Interrupt) -> Result<Measured> {
    let wanted = wanted(options);
    let (readings, amounts) = (BTreeMap::new(), BTreeMap::new());
    let (began, absent) = (Instant::now(), missing(&tools.servers, &wanted));
    for (name, Absent::Missing(why) | Absent::Failed(why)) in &absent {
        eprintln!("{name}: left out: {why}");
    }
    let mut rounds = Rounds { tools, options, interrupt, began, readings, amounts, absent };
    for round in 1..=options.rounds {
        for measure in wanted.iter().filter(|measure| round <= measure.rounds(options)) {
            rounds.take(measure, round)?;
        }
    }
    for amount in AMOUNTS.iter().filter(|amount| options.wants(amount.name)) {
        rounds.take_amount(amount)?;
    }
    let Rounds { mut readings, amounts, absent, .. } = rounds;
    readings.retain(|name, _| !absent.contains_key(name));
    let figures = readings.into_iter().filter_map(|(name, all)| Some((name, Figures::new(all)?)));
    Ok(Measured { figures: figures.collect(), amounts, absent })
}

/// The measures of all rows that are asked for, with those from which they take something.
pub(crate) fn wanted(options: &Options) -> Vec<&'static Measure> {
    let rows = BARS.iter().filter(|bar| options.wants(bar.name));
    let mut names: BTreeSet<&str> = rows.flat_map(Bar::measures).collect();
    // Backwards: a measure comes after the one from which it takes something.
    for measure in MEASURES.iter().rev() {
        if names.contains(measure.name) {
            names.extend(measure.given.as_ref().map(|given| given.from));
        }
    }
    MEASURES.iter().filter(|measure| names.contains(measure.name)).collect()
}

fn missing(servers: &Servers, wanted: &[&'static Measure]) -> BTreeMap<&'static str, Absent> {
    let missing = |measure: &Measure| match measure.whose {
        Whose::Peer(peer) => servers.missing(peer).map(|why| Absent::Missing(why.to_owned())),
        Whose::Piecework => None,
    };
    wanted.iter().filter_map(|measure| Some((measure.name, missing(measure)?))).collect()
}

impl Rounds<'_> {
    /// One run of one measure, or none where it failed before.
    fn take(&mut self, measure: &Measure, round: u32) -> Result<()> {
        if self.absent.contains_key(measure.name) {
            return Ok(());
        }
        let of = measure.rounds(self.options);
        self.say(&format!("{round}/{of} {:20} ", measure.name));
        let given = measure.given.as_ref().and_then(|given| self.readings.get(given.from)?.last());
        match self.tools.take(measure, self.options, given, self.interrupt) {
            Ok(reading) => {
                let Reading { rate, p50_us, p99_us, .. } = reading;
                eprintln!("{rate:10.0}/s  p50 {p50_us:6.0} µs  p99 {p99_us:6.0} µs");
                self.readings.entry(measure.name).or_default().push(reading);
            }
            Err(error) => self.failed(measure.name, &error)?,
        }
        Ok(())
    }

    fn take_amount(&mut self, amount: &Amount) -> Result<()> {
        if let Some(why) = amount.left_out(self.options) {
            self.absent.insert(amount.name, Absent::Missing(why.to_owned()));
            return Ok(());
        }
        self.say(&format!("1/1 {:20} ", amount.name));
        let taken = self.tools.amount(amount, self.options, self.interrupt);
        match taken {
            Ok(value) => {
                eprintln!("{:>12}", amount.unit.shown(value));
                self.amounts.insert(amount.name, value);
            }
            Err(error) => self.failed(amount.name, &error)?,
        }
        Ok(())
    }

    fn failed(&mut self, name: &'static str, error: &anyhow::Error) -> Result<()> {
        eprintln!("failed");
        // What fails then fails because of that.
        self.interrupt.check()?;
        eprintln!("{error:#}");
        self.absent.insert(name, Absent::Failed(format!("{error:#}")));
        Ok(())
    }

    fn say(&self, what: &str) {
        eprint!("{:4} s  {what}", self.began.elapsed().as_secs());
    }
}

impl Tools {
    /// One run of one measure.
    fn take(
        &self,
        measure: &Measure,
        options: &Options,
        given: Option<&Reading>,
        interrupt: &Interrupt,
    ) -> Result<Reading> {
        let words = measure.words(options, given)?;
        // Ends with this function, after the one that measures it.
        let server = match measure.whose {
            Whose::Peer(peer) => self.servers.start(peer, interrupt)?,
            Whose::Piecework => None,
        };
        let mut command = Command::new(match measure.whose {
            Whose::Peer(_) => &self.peers,
            Whose::Piecework => &self.bench,
        });
        command.args(words);
        if let Some(server) = &server {
            command.args(server.words());
        }
        let report = self.run(measure.name, &mut command, measure.dir_option(), interrupt)?;
        Reading::of(&report).with_context(|| format!("could not find rate and times in {report}"))
    }

    /// One run of what is not compared.
    fn amount(&self, amount: &Amount, options: &Options, interrupt: &Interrupt) -> Result<f64> {
        let mut command = Command::new(&self.bench);
        command.args(amount.words(options));
        amount.read(&self.run(amount.name, &mut command, Some("--data-dir"), interrupt)?)
    }

    /// Runs one to its end. `dir_option`: what it is told a directory of its own with.
    fn run(
        &self,
        name: &str,
        command: &mut Command,
        dir_option: Option<&str>,
        interrupt: &Interrupt,
    ) -> Result<Value> {
        let data = fresh_directory(&self.directory, "data")?;
        if let Some(option) = dir_option {
            command.arg(option).arg(&data);
        }
        // SIGINT: a bench ends its daemon with it.
        let program = Program::start(name, command, Signal::INT, &self.directory)?;
        let told = program.finish(interrupt)?;
        serde_json::from_str(&told).context("could not read what it told")
    }
}

impl Measured {
    /// The figures of a measure.
    pub(crate) fn figures(&self, name: &str) -> Option<&Figures> {
        self.figures.get(name)
    }

    /// An amount, in its unit.
    pub(crate) fn amount(&self, name: &str) -> Option<f64> {
        self.amounts.get(name).copied()
    }

    /// Why it has none.
    pub(crate) fn absent(&self, name: &str) -> Option<&Absent> {
        self.absent.get(name)
    }

    /// Names of measures that were tried and failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        let failed = self.absent.iter().filter(|(_, why)| matches!(why, Absent::Failed(_)));
        failed.map(|(name, _)| *name).collect()
    }

    #[cfg(test)]
    pub(crate) fn of(
        figures: impl IntoIterator<Item = (&'static str, Figures)>,
        amounts: impl IntoIterator<Item = (&'static str, f64)>,
        absent: impl IntoIterator<Item = (&'static str, Absent)>,
    ) -> Self {
        Self {
            figures: figures.into_iter().collect(),
            amounts: amounts.into_iter().collect(),
            absent: absent.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_brings_its_measures_and_what_they_need() {
        let names = |words: &[&str]| {
            let options = Options::parse(words).expect("are options");
            wanted(&options).iter().map(|measure| measure.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["--only", "checkpoints"]), ["cycle-64", "mixed-quiet", "mixed-busy"]);
        assert_eq!(names(&["--only", "start"]), Vec::<&str>::new());
        assert_eq!(names(&[]).len(), MEASURES.len(), "each is there for a row");
    }
}
