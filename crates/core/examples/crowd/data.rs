//! The shared sets of real crowd answers, as numbers.
//!
//! Not here: what is made of them.

use std::collections::BTreeMap;
use std::path::Path;

use piecework_core::quality::Votes;
use piecework_core::{TaskNumber, WorkerId};

/// One answer: places in the lists of the set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) task: usize,
    pub(crate) worker: WorkerId,
    pub(crate) class: u16,
}

/// One set of answers, some of whose tasks have a known truth.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) tasks: usize,
    pub(crate) classes: u16,
    /// In the order of the file.
    pub(crate) answers: Vec<Answer>,
    pub(crate) truth: Vec<Option<u16>>,
}

impl Set {
    /// Reads `labels.csv` and `truth.csv` of a folder; `None` where there is no truth.
    pub(crate) fn read(folder: &Path) -> Result<Option<Set>, String> {
        let truth_file = folder.join("truth.csv");
        if !truth_file.exists() {
            return Ok(None);
        }
        let rows = rows(&folder.join("labels.csv"), &["task", "worker", "label"])?;
        let truths = rows_of_truth(&truth_file)?;
        // Labels ascending as text, like the categories of the library we compare with.
        let mut labels: Vec<&String> = rows.iter().map(|row| &row[2]).collect();
        labels.sort_unstable();
        labels.dedup();
        let class =
            |label: &String| labels.binary_search(&label).ok().and_then(|c| u16::try_from(c).ok());
        let (mut tasks, mut workers) = (BTreeMap::new(), BTreeMap::new());
        let mut answers = Vec::with_capacity(rows.len());
        for row in &rows {
            let (next_task, next_worker) = (tasks.len(), workers.len());
            let task = *tasks.entry(row[0].clone()).or_insert(next_task);
            let worker = *workers.entry(row[1].clone()).or_insert(next_worker);
            let worker = WorkerId(u32::try_from(worker).map_err(|e| e.to_string())?);
            let class = class(&row[2]).ok_or_else(|| format!("no label {:?}", row[2]))?;
            answers.push(Answer { task, worker, class });
        }
        let mut truth = vec![None; tasks.len()];
        for row in &truths {
            if let Some(task) = tasks.get(&row[0]) {
                truth[*task] = class(&row[1]);
            }
        }
        let name =
            folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let classes = u16::try_from(labels.len()).map_err(|e| e.to_string())?;
        Ok(Some(Set { name, tasks: tasks.len(), classes, answers, truth }))
    }

    /// The answers as votes.
    pub(crate) fn votes(&self, answers: &[Answer]) -> Votes {
        let mut votes = Votes::new(self.classes);
        for answer in answers {
            votes.put(task_number(answer.task), answer.worker, answer.class);
        }
        votes
    }

    /// Of each task its votes, in the order of the file.
    pub(crate) fn by_task(&self) -> Vec<Vec<(WorkerId, u16)>> {
        let mut tasks = vec![Vec::new(); self.tasks];
        for answer in &self.answers {
            tasks[answer.task].push((answer.worker, answer.class));
        }
        tasks
    }

    /// Percent of the tasks with a known truth that were answered right.
    pub(crate) fn accuracy(&self, answers: &[Option<u16>]) -> f64 {
        let judged = self.truth.iter().zip(answers).filter(|(truth, _)| truth.is_some());
        let (mut right, mut all) = (0, 0);
        for (truth, answer) in judged {
            right += u32::from(truth == answer);
            all += 1;
        }
        100.0 * f64::from(right) / f64::from(all.max(1))
    }
}

/// Tasks are numbered from one.
pub(crate) fn task_number(task: usize) -> TaskNumber {
    TaskNumber(u32::try_from(task + 1).expect("few tasks"))
}

fn rows_of_truth(file: &Path) -> Result<Vec<Vec<String>>, String> {
    rows(file, &["task", "label"])
}

/// The named columns of a CSV file with a header.
fn rows(file: &Path, columns: &[&str]) -> Result<Vec<Vec<String>>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut lines = text.lines().map(cells);
    let header = lines.next().ok_or_else(|| format!("{}: empty", file.display()))?;
    let places: Option<Vec<usize>> =
        columns.iter().map(|c| header.iter().position(|h| h == c)).collect();
    let places = places.ok_or_else(|| format!("{}: lacks one of {columns:?}", file.display()))?;
    let pick = |cells: Vec<String>| places.iter().map(|p| cells.get(*p).cloned()).collect();
    let all: Option<Vec<Vec<String>>> = lines.map(pick).collect();
    all.ok_or_else(|| format!("{}: a line is too short", file.display()))
}

/// The cells of a line; quoted ones may hold commas and doubled quotes.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                cell.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}
