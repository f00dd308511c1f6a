//! What `compare` is asked for.

use std::path::PathBuf;

use crate::compare::amounts::AMOUNTS;
use crate::compare::bars::BARS;

/// Where temporary files lie on a disk also where `/tmp` is in memory.
pub(crate) const DIR: &str = "/var/tmp";

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Markdown.
    Table,
    /// One object.
    Json,
}

/// `compare` with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How often each measure is taken.
    pub(crate) rounds: u32,
    /// How long each, in seconds.
    pub(crate) seconds: u32,
    /// Tasks of an intake, and open ones where there are many.
    pub(crate) tasks: u32,
    /// Finished tasks beside those at a start; none: that row is left out.
    pub(crate) finished: Option<u32>,
    /// Names of rows; all, where there are none.
    pub(crate) only: Vec<String>,
    pub(crate) format: Format,
    /// All data lie below it.
    pub(crate) dir: PathBuf,
    /// Another build of `piecework`.
    pub(crate) piecework: Option<String>,
    /// Another build of `peers`.
    pub(crate) peers: Option<String>,
}

impl Options {
    fn long() -> Self {
        let (dir, format) = (PathBuf::from(DIR), Format::Table);
        let (piecework, peers, only) = (None, None, Vec::new());
        let (rounds, seconds, tasks, finished) = (5, 10, 10_000_000, None);
        Self { rounds, seconds, tasks, finished, only, format, dir, piecework, peers }
    }

    fn short() -> Self {
        Self { rounds: 3, seconds: 4, tasks: 1_000_000, ..Self::long() }
    }

    /// Reads them, in any order; `None` for anything else.
    pub(crate) fn parse(options: &[&str]) -> Option<Self> {
        let is_short = options.contains(&"--short");
        let mut read = if is_short { Self::short() } else { Self::long() };
        let mut words = options.iter().filter(|word| **word != "--short");
        while let Some(name) = words.next() {
            let value = words.next()?;
            match *name {
                "--rounds" => read.rounds = at_least_one(value)?,
                "--seconds" => read.seconds = at_least_one(value)?,
                "--tasks" => read.tasks = at_least_one(value)?,
                "--finished" => read.finished = Some(at_least_one(value)?),
                "--only" => read.only = rows(value)?,
                "--dir" => read.dir = PathBuf::from(value),
                "--piecework" => read.piecework = Some((*value).to_owned()),
                "--peers" => read.peers = Some((*value).to_owned()),
                "-o" | "--output" => read.format = Format::parse(value)?,
                _ => return None,
            }
        }
        Some(read)
    }

    /// Whether the row of this name is asked for.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == row)
    }

    /// A text with the sizes of this run: `{tasks}`, half and a tenth of them, a million or
    /// all when they are fewer, and the `{finished}` ones.
    pub(crate) fn sized(&self, text: &str) -> String {
        let finished = self.finished.unwrap_or_default();
        let sizes = [
            ("{tasks}", self.tasks),
            ("{half}", (self.tasks / 2).max(1)),
            ("{tenth}", (self.tasks / 10).max(1)),
            ("{million}", self.tasks.min(1_000_000)),
            ("{finished}", finished),
        ];
        let sized =
            |text: String, (name, size): &(&str, u32)| text.replace(name, &size.to_string());
        sizes.iter().fold(text.to_owned(), sized)
    }
}

/// Names of rows that there are.
fn rows(words: &str) -> Option<Vec<String>> {
    let known = |name: &&str| row_names().any(|row| row == *name);
    let unknown = words.split(',').find(|name| !known(name));
    if let Some(name) = unknown {
        eprintln!("no row is called {name}; rows: {}", row_names().collect::<Vec<_>>().join(", "));
        return None;
    }
    Some(words.split(',').map(str::to_owned).collect())
}

fn row_names() -> impl Iterator<Item = &'static str> {
    BARS.iter().map(|bar| bar.name).chain(AMOUNTS.iter().map(|amount| amount.name))
}

impl Format {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "table" => Some(Self::Table),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

pub(crate) fn at_least_one(word: &str) -> Option<u32> {
    word.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order() {
        assert_eq!(Options::parse(&[]), Some(Options::long()));
        assert_eq!(Options::parse(&["--short"]), Some(Options::short()));
        let both = Options { rounds: 1, format: Format::Json, ..Options::short() };
        for words in
            [["--short", "-o", "json", "--rounds", "1"], ["--rounds", "1", "-o", "json", "--short"]]
        {
            assert_eq!(Options::parse(&words).as_ref(), Some(&both));
        }
    }

    #[test]
    fn rows_are_chosen_by_their_names_and_all_names_differ() {
        let some = Options::parse(&["--only", "intake,open"]).expect("are rows");
        assert!(some.wants("open") && !some.wants("redis-64"));
        assert!(Options::long().wants("redis-64"));
        for name in row_names() {
            assert_eq!(row_names().filter(|other| *other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_run() {
        let options = Options { tasks: 300, finished: Some(7), ..Options::short() };
        let sized = options.sized("{tasks} {half} {tenth} {million} {finished}");
        assert_eq!(sized, "300 150 30 300 7");
        assert_eq!(Options::long().sized("{million}"), "1000000");
    }

    #[test]
    fn anything_else_is_misuse() {
        for words in [
            &["--long"][..],
            &["--rounds"],
            &["--rounds", "0"],
            &["--seconds", "x"],
            &["-o", "csv"],
            &["--only", "redis-64,no-such-row"],
            &["--finished", "0"],
        ] {
            assert_eq!(Options::parse(words), None, "{words:?}");
        }
    }
}
