//! A recorded crowd as the tests read it: their own CSV, their own majority.
//!
//! Shares nothing with the daemon or its command line, since it is what their
//! results are compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// `labels.csv`, row by row.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    /// Task, worker, label.
    pub(crate) rows: Vec<[String; 3]>,
}

impl Sheet {
    /// Reads a file with columns `task`, `worker` and `label`.
    pub(crate) fn read(path: &Path) -> Sheet {
        let text = std::fs::read_to_string(path).expect("the labels");
        let mut records = records(&text).into_iter();
        let header = records.next().expect("a header");
        let column = |name| header.iter().position(|cell| cell == name).expect("its columns");
        let columns = ["task", "worker", "label"].map(column);
        Sheet { rows: records.map(|record| columns.map(|at| record[at].clone())).collect() }
    }

    /// Writes such a file.
    pub(crate) fn write(&self, path: &Path) {
        let cell = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
        let line = |row: &[String; 3]| format!("{}\n", row.each_ref().map(cell).join(","));
        let text: String = self.rows.iter().map(line).collect();
        std::fs::write(path, format!("task,worker,label\n{text}")).expect("written");
    }

    /// Distinct pairs of task and worker: the answers that count.
    pub(crate) fn pairs(&self) -> usize {
        let pairs: BTreeSet<_> = self.rows.iter().map(|[task, worker, _]| (task, worker)).collect();
        pairs.len()
    }

    /// For each task the label with most votes, of equals the one given first.
    /// Of a worker's several answers to a task the first counts.
    pub(crate) fn majorities(&self) -> BTreeMap<String, String> {
        let mut seen = BTreeSet::new();
        let mut votes: BTreeMap<&String, Vec<(&String, usize)>> = BTreeMap::new();
        for [task, worker, label] in &self.rows {
            if !seen.insert((task, worker)) {
                continue;
            }
            let of_task = votes.entry(task).or_default();
            match of_task.iter_mut().find(|(other, _)| *other == label) {
                Some((_, count)) => *count += 1,
                None => of_task.push((label, 1)),
            }
        }
        let winner = |of_task: Vec<(&String, usize)>| {
            let most = of_task.iter().map(|(_, count)| *count).max();
            let first = of_task.into_iter().find(|(_, count)| Some(*count) == most);
            first.expect("a task has answers").0.clone()
        };
        votes.into_iter().map(|(task, of_task)| (task.clone(), winner(of_task))).collect()
    }
}

/// The label that an answer chooses.
pub(crate) fn label_of(answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).expect("an answer in JSON");
    answer["label"].as_str().expect("a label").to_owned()
}

/// Records of RFC 4180.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (quoted, char) {
            (true, '"') if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            (_, '"') => quoted = !quoted,
            (false, ',') => record.push(std::mem::take(&mut cell)),
            (false, '\r') => {}
            (false, '\n') => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            (_, char) => cell.push(char),
        }
    }
    if !record.is_empty() || !cell.is_empty() {
        record.push(cell);
        records.push(record);
    }
    records
}

#[test]
fn the_tests_own_majority_is_right() {
    let row = |task: &str, worker: &str, label: &str| [task, worker, label].map(str::to_owned);
    let rows = vec![
        row("tie", "w1", "b"),
        row("tie", "w2", "a"),
        row("most", "w1", "a"),
        row("most", "w2", "b"),
        row("most", "w3", "b"),
        // Second thoughts do not count.
        row("tie", "w2", "b"),
        row("most", "w2", "a"),
    ];
    let sheet = Sheet { rows };
    let majorities = sheet.majorities();
    assert_eq!((majorities["tie"].as_str(), majorities["most"].as_str()), ("b", "b"));
    assert_eq!(sheet.pairs(), 5);
    let parsed = records("a,\"b \"\"x\"\", c\",\r\n\"d\n\",,e");
    assert_eq!(parsed, [vec!["a", "b \"x\", c", ""], vec!["d\n", "", "e"]]);
}
