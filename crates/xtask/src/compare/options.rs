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

    /// Reads them, in any order.
    ///
    /// # Errors
    /// What is wrong with which.
    pub(crate) fn parse(options: &[&str]) -> Result<Self, String> {
        let is_short = options.contains(&"--short");
        let mut read = if is_short { Self::short() } else { Self::long() };
        let mut words = options.iter().filter(|word| **word != "--short");
        while let Some(name) = words.next() {
            let value = value_of(name, words.next())?;
            match *name {
                "--rounds" => read.rounds = at_least_one(name, value)?,
                "--seconds" => read.seconds = at_least_one(name, value)?,
                "--tasks" => read.tasks = at_least_one(name, value)?,
                "--finished" => read.finished = Some(at_least_one(name, value)?),
                "--only" => read.only = rows(value)?,
                "--dir" => read.dir = directory(value)?,
                "--piecework" => read.piecework = Some(value.to_owned()),
                "--peers" => read.peers = Some(value.to_owned()),
                "-o" | "--output" => read.format = Format::parse(value)?,
                other => return Err(format!("compare has no option {other}")),
            }
        }
        Ok(read)
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
fn rows(words: &str) -> Result<Vec<String>, String> {
    let known = |name: &&str| row_names().any(|row| row == *name);
    let unknown = words.split(',').find(|name| !known(name));
    if let Some(name) = unknown {
        let rows = row_names().collect::<Vec<_>>().join(", ");
        return Err(format!("no row is called {name}; rows: {rows}"));
    }
    Ok(words.split(',').map(str::to_owned).collect())
}

fn row_names() -> impl Iterator<Item = &'static str> {
    BARS.iter().map(|bar| bar.name).chain(AMOUNTS.iter().map(|amount| amount.name))
}

impl Format {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            other => Err(format!("-o {other}: it is table or json")),
        }
    }
}

/// What follows an option.
pub(crate) fn value_of<'a>(name: &str, value: Option<&&'a str>) -> Result<&'a str, String> {
    value.copied().ok_or_else(|| format!("{name} needs a value"))
}

pub(crate) fn at_least_one(name: &str, word: &str) -> Result<u32, String> {
    let number = word.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{name} {word}: it is a whole number, at least 1"))
}

/// One that is there, before anything is built for it.
pub(crate) fn directory(word: &str) -> Result<PathBuf, String> {
    let dir = PathBuf::from(word);
    if dir.is_dir() { Ok(dir) } else { Err(format!("--dir {word}: there is no such directory")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order() {
        assert_eq!(Options::parse(&[]), Ok(Options::long()));
        assert_eq!(Options::parse(&["--short"]), Ok(Options::short()));
        let both = Options { rounds: 1, format: Format::Json, ..Options::short() };
        for words in
            [["--short", "-o", "json", "--rounds", "1"], ["--rounds", "1", "-o", "json", "--short"]]
        {
            assert_eq!(Options::parse(&words).as_ref(), Ok(&both));
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
    fn what_is_wrong_is_said() {
        for (words, says) in [
            (&["--long"][..], "--long needs a value"),
            (&["--long", "1"], "compare has no option --long"),
            (&["--rounds"], "--rounds needs a value"),
            (&["--rounds", "0"], "--rounds 0: it is a whole number, at least 1"),
            (&["--seconds", "x"], "--seconds x: it is a whole number, at least 1"),
            (&["--finished", "0"], "--finished 0: it is a whole number, at least 1"),
            (&["-o", "csv"], "-o csv: it is table or json"),
            (&["--dir", "/no/such"], "--dir /no/such: there is no such directory"),
        ] {
            assert_eq!(Options::parse(words).unwrap_err(), says);
        }
        let row = Options::parse(&["--only", "redis-64,no-such-row"]).unwrap_err();
        assert!(row.starts_with("no row is called no-such-row; rows: redis-64, "), "{row}");
    }
}
