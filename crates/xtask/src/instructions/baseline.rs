//! The committed file: a line a bench, its name and its instructions.
//!
//! Not here: when it is too little (`comparison.rs`).

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};

const HEAD: &str = "\
# Instructions of the hot paths, as callgrind counts them. `cargo xtask instructions`
# compares; `cargo xtask instructions --accept` writes this file, and the commit says why.
";
const WITH: &str = "# Counted with ";

/// What counts depend on besides our source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Release of rustc.
    pub(crate) compiler: String,
    /// Its target.
    pub(crate) host: String,
}

/// What the benches are to take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    pub(crate) machine: Machine,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Baseline {
    /// Takes the file apart.
    pub(crate) fn parse(text: &str) -> Result<Baseline> {
        let mut machine = None;
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            if let Some(with) = line.strip_prefix(WITH) {
                machine = Some(Machine::parse(with).with_context(|| format!("in {line:?}"))?);
            }
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let (name, count) = line.split_once(' ').with_context(|| format!("in {line:?}"))?;
            let count = count.trim().parse().with_context(|| format!("in {line:?}"))?;
            if counts.insert(name.to_owned(), count).is_some() {
                bail!("{name} is there twice");
            }
        }
        let machine = machine.context("it does not say with which compiler it was counted")?;
        Ok(Baseline { machine, counts })
    }
}

impl Machine {
    fn parse(text: &str) -> Option<Machine> {
        let (compiler, host) = text.strip_prefix("rustc ")?.split_once(" on ")?;
        Some(Machine { compiler: compiler.to_owned(), host: host.to_owned() })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rustc {} on {}", self.compiler, self.host)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{WITH}{}", self.machine)?;
        let width = self.counts.keys().map(String::len).max().unwrap_or_default();
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "{name:width$} {count:>10}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let counts = BTreeMap::from([("core/a/b".to_owned(), 12), ("x/longer/name".to_owned(), 7)]);
        let machine = Machine { compiler: "1.95.0".to_owned(), host: "x86_64-linux".to_owned() };
        let baseline = Baseline { machine, counts };
        assert_eq!(Baseline::parse(&baseline.to_string()).expect("our own"), baseline);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_must_is_refused() {
        let with = "# Counted with rustc 1.95.0 on x86_64-linux\n";
        let wrong = |text: &str| Baseline::parse(text).is_err();
        assert!(!wrong(with));
        assert!(wrong("core/a/b 12\n"));
        assert!(wrong(&format!("{with}core/a/b\n")));
        assert!(wrong(&format!("{with}core/a/b twelve\n")));
        assert!(wrong(&format!("{with}core/a/b 12\ncore/a/b 13\n")));
        assert!(wrong("# Counted with love\n"));
    }
}
