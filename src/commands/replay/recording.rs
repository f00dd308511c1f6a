//! A recorded crowd: `labels.csv` and, where the truth is known, `truth.csv`.
//!
//! All of it is read and checked before anything is sent. Columns are found by
//! name; further columns are passed over.

use std::collections::{HashMap, HashSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Result;
use csv::StringRecord;

use crate::failure::input;
use crate::input::sheet::broken;
use crate::input::{at, digest, open};

/// The daemon's limits, checked here so that nothing is half imported.
const OVERLAP_MAX: u32 = 1_000;
const CHOICES_MAX: usize = 1_000;
const CHOICE_BYTES_MAX: usize = 256;
const SOURCE_BYTES_MAX: usize = 1_024;

/// What was recorded.
#[derive(Debug)]
pub(super) struct Recording {
    /// The directory's own name.
    pub(super) name: String,
    /// Of `labels.csv`, the first 16 hexadecimal digits.
    pub(super) digest: String,
    /// In the order in which they first appear.
    pub(super) tasks: Vec<Task>,
    /// Ids as in the source, in the order in which they first appear.
    pub(super) workers: Vec<String>,
    /// The different labels, in the order in which they first appear.
    pub(super) choices: Vec<String>,
    /// In file order.
    pub(super) rows: Vec<Row>,
    /// Task and label, where there is a `truth.csv`.
    pub(super) truth: Option<Vec<(String, String)>>,
}

/// One task of the recording.
#[derive(Debug)]
pub(super) struct Task {
    /// Its id as in the source.
    pub(super) source: String,
    /// Different workers who labelled it.
    pub(super) workers: u32,
}

/// One answer of the recording. Numbers are places in the recording's lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Its line in `labels.csv`.
    pub(super) line: u64,
    pub(super) task: usize,
    pub(super) worker: usize,
    pub(super) choice: usize,
    /// The worker has labelled this task in an earlier row.
    pub(super) is_repeat: bool,
}

/// Numbers things in the order in which they first appear.
#[derive(Debug, Default)]
struct Places {
    by_name: HashMap<String, usize>,
    names: Vec<String>,
}

impl Places {
    fn of(&mut self, name: &str) -> usize {
        if let Some(&place) = self.by_name.get(name) {
            return place;
        }
        let place = self.names.len();
        self.by_name.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        place
    }
}

/// A CSV file with columns found by name.
struct Sheet {
    path: PathBuf,
    rows: csv::Reader<BufReader<std::fs::File>>,
    row: StringRecord,
}

impl Sheet {
    fn open(path: &Path) -> Result<Self> {
        let rows = csv::Reader::from_reader(BufReader::new(open(path)?));
        Ok(Self { path: path.to_owned(), rows, row: StringRecord::new() })
    }

    fn columns<const N: usize>(&mut self, names: [&str; N]) -> Result<[usize; N]> {
        let header = self.rows.headers().map_err(|error| broken(&self.path, &error))?;
        let mut columns = [0; N];
        for (column, name) in columns.iter_mut().zip(names) {
            let mut found = header.iter().enumerate().filter(|(_, cell)| *cell == name);
            let first = found.next().map(|(index, _)| index);
            *column = first.ok_or_else(|| at(&self.path, 1, format!("no column `{name}`")))?;
            if let Some((second, _)) = found.next() {
                let problem = format!("column {}: `{name}` stands twice", second + 1);
                return Err(at(&self.path, 1, problem));
            }
        }
        Ok(columns)
    }

    fn next(&mut self) -> Result<bool> {
        self.rows.read_record(&mut self.row).map_err(|error| broken(&self.path, &error))
    }

    fn line(&self) -> u64 {
        self.row.position().map_or(0, csv::Position::line)
    }

    /// A cell with something in it.
    fn cell(&self, column: usize, name: &str, bytes_max: usize) -> Result<&str> {
        let cell = &self.row[column];
        let problem = if cell.is_empty() {
            "is empty".to_owned()
        } else if cell.len() > bytes_max {
            format!("has {} bytes, at most {bytes_max}", cell.len())
        } else {
            return Ok(cell);
        };
        Err(at(&self.path, self.line(), format!("column {} `{name}`: {problem}", column + 1)))
    }
}

impl Recording {
    /// Reads a directory.
    ///
    /// # Errors
    /// Names file, line and column of the first mistake.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("labels.csv");
        let digest = digest(&path)?;
        let absolute = directory.canonicalize()?;
        let name = absolute.file_name().and_then(|name| name.to_str()).unwrap_or("recording");
        let truth = directory.join("truth.csv");
        let truth = if truth.exists() { Some(read_truth(&truth)?) } else { None };
        let mut recording = read_labels(&path)?;
        recording.name = name.to_owned();
        recording.digest = digest;
        recording.truth = truth;
        Ok(recording)
    }

    /// Puts the labels into an order that the seed says: Fisher and Yates with splitmix64,
    /// so that a seed means the same order in every version.
    pub(super) fn shuffle(&mut self, seed: u64) {
        let mut state = seed;
        for last in (1..self.rows.len()).rev() {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let place = (z ^ (z >> 31)) % (last as u64 + 1);
            self.rows.swap(last, usize::try_from(place).unwrap_or(0));
        }
        let mut pairs = HashSet::new();
        for row in &mut self.rows {
            row.is_repeat = !pairs.insert((row.task, row.worker));
        }
    }

    /// Different pairs of task and worker: as many answers as can count.
    pub(super) fn pairs(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.workers)).sum()
    }
}

fn read_labels(path: &Path) -> Result<Recording> {
    let mut sheet = Sheet::open(path)?;
    let [task, worker, label] = sheet.columns(["task", "worker", "label"])?;
    let (mut tasks, mut workers, mut choices) =
        (Places::default(), Places::default(), Places::default());
    let mut overlaps: Vec<u32> = Vec::new();
    let mut rows = Vec::new();
    let mut pairs = HashSet::new();
    while sheet.next()? {
        let line = sheet.line();
        let row = Row {
            line,
            task: tasks.of(sheet.cell(task, "task", SOURCE_BYTES_MAX)?),
            worker: workers.of(sheet.cell(worker, "worker", SOURCE_BYTES_MAX)?),
            choice: choices.of(sheet.cell(label, "label", CHOICE_BYTES_MAX)?),
            is_repeat: false,
        };
        if choices.names.len() > CHOICES_MAX {
            let problem =
                format!("column {} `label`: more than {CHOICES_MAX} different ones", label + 1);
            return Err(at(path, line, problem));
        }
        overlaps.resize(tasks.names.len(), 0);
        let is_repeat = !pairs.insert((row.task, row.worker));
        overlaps[row.task] += u32::from(!is_repeat);
        if overlaps[row.task] > OVERLAP_MAX {
            let problem = format!("column {} `task`: more than {OVERLAP_MAX} workers", task + 1);
            return Err(at(path, line, problem));
        }
        rows.push(Row { is_repeat, ..row });
    }
    if rows.is_empty() {
        return Err(input(format!("{}: has no rows", path.display())));
    }
    let tasks = tasks.names.into_iter().zip(overlaps);
    Ok(Recording {
        name: String::new(),
        digest: String::new(),
        tasks: tasks.map(|(source, workers)| Task { source, workers }).collect(),
        workers: workers.names,
        choices: choices.names,
        rows,
        truth: None,
    })
}

fn read_truth(path: &Path) -> Result<Vec<(String, String)>> {
    let mut sheet = Sheet::open(path)?;
    let [task, label] = sheet.columns(["task", "label"])?;
    let mut seen = HashMap::new();
    let mut truth = Vec::new();
    while sheet.next()? {
        let source = sheet.cell(task, "task", SOURCE_BYTES_MAX)?.to_owned();
        let label = sheet.cell(label, "label", CHOICE_BYTES_MAX)?.to_owned();
        if let Some(first) = seen.insert(source.clone(), sheet.line()) {
            let problem = format!("column {} `task`: stands in line {first} too", task + 1);
            return Err(at(path, sheet.line(), problem));
        }
        truth.push((source, label));
    }
    Ok(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &str, truth: Option<&str>) -> Result<Recording> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("labels.csv"), labels)?;
        if let Some(truth) = truth {
            std::fs::write(directory.path().join("truth.csv"), truth)?;
        }
        Recording::read(directory.path())
    }

    fn problem(labels: &str, truth: Option<&str>) -> String {
        let text = read(labels, truth).unwrap_err().to_string();
        text.rsplit_once('/').unwrap().1.to_owned()
    }

    #[test]
    fn rows_keep_their_order_and_repeats_are_known() {
        let labels = "worker,label,task,extra\nw2,b,t1,x\nw1,a,t1,x\nw2,a,t1,x\nw2,a,t2,x\n";
        let recording = read(labels, Some("task,label\nt1,a\n")).unwrap();
        assert_eq!(recording.workers, ["w2", "w1"]);
        assert_eq!(recording.choices, ["b", "a"]);
        let rows: Vec<_> = recording
            .rows
            .iter()
            .map(|r| (r.line, r.task, r.worker, r.choice, r.is_repeat))
            .collect();
        let expected =
            [(2, 0, 0, 0, false), (3, 0, 1, 1, false), (4, 0, 0, 1, true), (5, 1, 0, 1, false)];
        assert_eq!(rows, expected);
        assert_eq!((recording.tasks[0].workers, recording.pairs()), (2, 3));
        assert_eq!(recording.truth.unwrap(), [("t1".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn a_mistake_is_named_with_file_line_and_column() {
        let head = "task,worker,label\n";
        for (labels, message) in [
            ("task,worker\nt,w\n".to_owned(), "labels.csv:1: no column `label`"),
            (format!("{head}t,w,a\nt,,a\n"), "labels.csv:3: column 2 `worker`: is empty"),
            (format!("{head}t,w\n"), "labels.csv:2: column 3: the row has 2 fields"),
            (head.to_owned(), "labels.csv: has no rows"),
            (format!("{head}t,w,{}\n", "x".repeat(257)), "labels.csv:2: column 3 `label`: has 257"),
        ] {
            let problem = problem(&labels, None);
            assert!(problem.starts_with(message), "{problem}");
        }
        let good = format!("{head}t,w,a\n");
        let twice = problem(&good, Some("task,label\nt,a\nt,b\n"));
        assert!(twice.starts_with("truth.csv:3: column 1 `task`: stands in line 2"), "{twice}");
    }
}
