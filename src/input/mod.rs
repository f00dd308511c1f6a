//! A file of tasks: JSON lines or CSV.
//!
//! Read twice: once to check all of it, so that a wrong line imports nothing,
//! once to import. Both times line by line; a file may be larger than memory.
//!
//! A task's key is its own id, or else the file's digest and the line's
//! number, so the same file imports once however often it is submitted.

mod jsonl;
pub(crate) mod sheet;

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Result;
use piecework_client::proto::v1::NewTask;

use crate::failure::input;
use crate::names::is_id;

/// The daemon's limits on one task, checked here before anything is sent.
const PAYLOAD_BYTES_MAX: usize = 65_536;
const OVERLAP_MAX: u32 = 1_000;
const PRIORITY_MAX: u32 = 100;

/// A file of which every line is known to be a task.
#[derive(Debug)]
pub(crate) struct TaskFile {
    path: PathBuf,
    kind: Kind,
    /// Of the whole file, the first 16 hexadecimal digits.
    digest: String,
    /// How many there are.
    pub(crate) tasks: u64,
}

/// One task and where it stands.
#[derive(Debug)]
pub(crate) struct Line {
    /// The line's number, from 1.
    pub(crate) number: u64,
    /// Without an id where the file gives none.
    pub(crate) task: NewTask,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Jsonl,
    Csv,
}

type Lines = Box<dyn Iterator<Item = Result<Line>> + Send>;

impl TaskFile {
    /// Reads the whole file and finds nothing wrong with it.
    ///
    /// # Errors
    /// Names file, line, and column or field of the first mistake.
    pub(crate) fn check(path: &Path) -> Result<Self> {
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl" | "ndjson") => Kind::Jsonl,
            Some("csv") => Kind::Csv,
            _ => return Err(input(format!("{}: must end in .jsonl or .csv", path.display()))),
        };
        let digest = digest(path)?;
        let mut file = Self { path: path.to_owned(), kind, digest, tasks: 0 };
        let mut seen: HashMap<u128, u64> = HashMap::new();
        for line in file.lines()? {
            let Line { number, task } = line?;
            check_task(&task).map_err(|problem| at(path, number, problem))?;
            file.tasks += 1;
            if task.task_id.is_empty() {
                continue;
            }
            // Half the memory of the ids themselves, and no two ids have met yet.
            let mark = blake3::hash(task.task_id.as_bytes());
            let mark = mark.as_bytes().iter().take(16).fold(0, |m, b| (m << 8) | u128::from(*b));
            if let Some(first) = seen.insert(mark, number) {
                let problem = format!("field `id`: `{}` stands in line {first} too", task.task_id);
                return Err(at(path, number, problem));
            }
        }
        Ok(file)
    }

    /// All tasks in order, each with its key.
    pub(crate) fn tasks(&self) -> Result<impl Iterator<Item = Result<Line>>> {
        let digest = self.digest.clone();
        Ok(self.lines()?.map(move |line| {
            let mut line = line?;
            if line.task.task_id.is_empty() {
                line.task.task_id = key(&digest, line.number);
            }
            Ok(line)
        }))
    }

    fn lines(&self) -> Result<Lines> {
        let reader = BufReader::new(open(&self.path)?);
        Ok(match self.kind {
            Kind::Jsonl => Box::new(jsonl::Reader::new(&self.path, reader)),
            Kind::Csv => Box::new(sheet::Reader::new(&self.path, reader)?),
        })
    }
}

/// An error in an input file, as editors and people read it.
pub(crate) fn at(path: &Path, line: u64, problem: impl Display) -> anyhow::Error {
    input(format!("{}:{line}: {problem}", path.display()))
}

/// Opens an input file.
pub(crate) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| input(format!("{}: {error}", path.display())))
}

/// The first 16 hexadecimal digits of a file's BLAKE3 hash.
pub(crate) fn digest(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let read = std::io::copy(&mut open(path)?, &mut hasher);
    read.map_err(|error| input(format!("{}: {error}", path.display())))?;
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// The key of a task that has no id of its own.
fn key(digest: &str, line: u64) -> String {
    format!("file-{digest}-{line}")
}

fn check_task(task: &NewTask) -> Result<(), String> {
    if !task.task_id.is_empty() && !is_id(&task.task_id) {
        return Err(format!(
            "field `id`: `{}` must be 1 to 128 of A-Z a-z 0-9 . _ ~ : @ + = -, not begin with `~` \
             and not be `-` alone",
            task.task_id
        ));
    }
    if task.payload.len() > PAYLOAD_BYTES_MAX {
        let size = task.payload.len();
        return Err(format!("field `payload`: {size} bytes, at most {PAYLOAD_BYTES_MAX}"));
    }
    if task.overlap > OVERLAP_MAX {
        return Err(format!("field `overlap`: {}, at most {OVERLAP_MAX}", task.overlap));
    }
    if task.priority.unsigned_abs() > PRIORITY_MAX {
        return Err(format!("field `priority`: {}, must be -100 to 100", task.priority));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(extension: &str, text: &str) -> tempfile::TempPath {
        let file = tempfile::Builder::new().suffix(extension).tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file.into_temp_path()
    }

    fn problem(extension: &str, text: &str) -> String {
        let path = file(extension, text);
        let error = TaskFile::check(&path).unwrap_err().to_string();
        error.strip_prefix(path.to_str().unwrap()).unwrap().to_owned()
    }

    fn ids(path: &Path) -> Vec<String> {
        let file = TaskFile::check(path).unwrap();
        file.tasks().unwrap().map(|line| line.unwrap().task.task_id).collect()
    }

    #[test]
    fn a_key_is_the_id_or_digest_and_line() {
        let text = "{\"id\":\"a\",\"payload\":1}\n\n{\"payload\":2}\n";
        let path = file(".jsonl", text);
        let first = ids(&path);
        let digest = &blake3::hash(text.as_bytes()).to_hex()[..16];
        assert_eq!(first, ["a".to_owned(), format!("file-{digest}-3")]);
        assert!(is_id(&first[1]));
        assert_eq!(ids(&file(".jsonl", text)), first, "the same content has the same keys");
        assert_ne!(ids(&file(".jsonl", &text.replace('2', "3")))[1], first[1]);
    }

    #[test]
    fn a_mistake_anywhere_is_found_before_anything_is_sent() {
        let good = "{\"payload\":1}\n";
        assert!(
            problem(".jsonl", &format!("{good}{{\"payload\":1,\"colour\":2}}"))
                .starts_with(":2:21: unknown field `colour`")
        );
        assert!(problem(".jsonl", "{\"payload\":1,\"id\":\"a b\"}").starts_with(":1: field `id`"));
        assert!(problem(".jsonl", "{\"payload\":1,\"id\":\"~77\"}").contains("begin with `~`"));
        assert!(problem(".jsonl", "{\"payload\":1,\"overlap\":1001}").contains("at most 1000"));
        assert!(problem(".jsonl", "{\"payload\":1,\"priority\":-101}").contains("-100 to 100"));
        let long = format!("{{\"payload\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES_MAX + 1));
        assert!(problem(".jsonl", &long).starts_with(":1: field `payload`: 65537 bytes"));
        let twice = "{\"id\":\"a\",\"payload\":1}\n".repeat(2);
        assert!(problem(".jsonl", &twice).contains("stands in line 1 too"));
    }

    #[test]
    fn the_name_says_what_a_file_is() {
        let path = file(".txt", "");
        assert!(TaskFile::check(&path).unwrap_err().to_string().contains(".jsonl or .csv"));
        assert!(TaskFile::check(Path::new("nowhere.jsonl")).is_err());
    }
}
