//! Every known mistake in turn: how many seeds until it is found, and how.

use std::fmt;
use std::time::{Duration, Instant};

use piecework_core::planted::{Mistake, plant};
use piecework_sim::run;

/// What came of a mistake.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub(crate) mistake: Mistake,
    /// Seeds until it was found, and the kind of failure. `None`: it was not.
    pub(crate) found: Option<(u64, &'static str)>,
    pub(crate) took: Duration,
}

/// Runs seeds from 0 on under each mistake until one fails, at most `seeds_max`.
pub(crate) fn hunt_all(seeds_max: u64) -> Vec<Hunt> {
    let hunts = Mistake::ALL.iter().map(|mistake| hunt(*mistake, seeds_max));
    hunts.inspect(|hunt| eprintln!("{hunt}")).collect()
}

fn hunt(mistake: Mistake, seeds_max: u64) -> Hunt {
    let began = Instant::now();
    plant(Some(mistake));
    let found = (0..seeds_max).find_map(|seed| Some((seed + 1, run::run(seed).failure?.kind)));
    plant(None);
    Hunt { mistake, found, took: began.elapsed() }
}

/// One line of a table in Markdown.
impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, what) = (self.mistake.name(), self.mistake.what());
        let seconds = self.took.as_secs_f64();
        match self.found {
            Some((seeds, kind)) => {
                write!(f, "| `{name}` | {what} | {seeds} | {kind} | {seconds:.1} |")
            }
            None => write!(f, "| `{name}` | {what} | **not found** | | {seconds:.1} |"),
        }
    }
}
