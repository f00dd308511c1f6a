//! Tasks as CSV: a header, then one task a row.
//!
//! Columns with the name of a task's field are that field, `label.NAME` is a
//! label. All other columns together are the payload, as a JSON object of
//! strings; where there is a column `payload`, there may be no others.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use csv::StringRecord;
use piecework_client::proto::v1::NewTask;
use serde_json::{Map, Value};

use super::jsonl::{deadline, expected};
use super::{Line, at};
use crate::failure::input;

/// Reads tasks row by row.
#[derive(Debug)]
pub(super) struct Reader<R> {
    path: PathBuf,
    rows: csv::Reader<R>,
    columns: Vec<Column>,
    row: StringRecord,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Id,
    Payload,
    ContentType,
    Priority,
    Deadline,
    Overlap,
    ExpectedDuration,
    Label(String),
    /// A field of the payload.
    Field(String),
}

impl Column {
    fn of(name: &str) -> Self {
        match name {
            "id" | "taskId" | "task_id" => Self::Id,
            "payload" => Self::Payload,
            "contentType" | "content_type" => Self::ContentType,
            "priority" => Self::Priority,
            "deadline" => Self::Deadline,
            "overlap" => Self::Overlap,
            "expectedDuration" | "expected_duration" => Self::ExpectedDuration,
            _ => match name.strip_prefix("label.") {
                Some(label) => Self::Label(label.to_owned()),
                None => Self::Field(name.to_owned()),
            },
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header. `path` is for messages only.
    pub(super) fn new(path: &Path, input: R) -> Result<Self> {
        let mut rows = csv::ReaderBuilder::new().from_reader(input);
        let header = rows.headers().map_err(|error| broken(path, &error))?;
        let columns: Vec<Column> = header.iter().map(Column::of).collect();
        for (index, column) in columns.iter().enumerate() {
            let name = &header[index];
            let wrong = |problem: &str| {
                let (path, column) = (path.display(), index + 1);
                Err(crate::failure::input(format!("{path}:1: column {column} `{name}`: {problem}")))
            };
            if name.is_empty() {
                return wrong("has no name");
            }
            if columns[..index].contains(column) {
                return wrong("stands twice in the header");
            }
            if matches!(column, Column::Field(_)) && columns.contains(&Column::Payload) {
                return wrong("unknown column; beside `payload` there may be none");
            }
        }
        let has_payload = |c: &Column| matches!(c, Column::Payload | Column::Field(_));
        if !columns.iter().any(has_payload) {
            return Err(at(path, 1, "no column for the payload"));
        }
        Ok(Self { path: path.to_owned(), rows, columns, row: StringRecord::new() })
    }

    fn read(&mut self) -> Result<Option<Line>> {
        let read = self.rows.read_record(&mut self.row).map_err(|e| broken(&self.path, &e))?;
        if !read {
            return Ok(None);
        }
        let number = self.row.position().map_or(0, csv::Position::line);
        let task = self.task().map_err(|problem| at(&self.path, number, problem))?;
        Ok(Some(Line { number, task }))
    }

    fn task(&self) -> Result<NewTask, String> {
        let mut task = NewTask::default();
        let mut fields = Map::new();
        for (column, cell) in self.columns.iter().zip(&self.row) {
            match column {
                Column::Id if cell.is_empty() => return Err("field `id`: is empty".to_owned()),
                Column::Id => cell.clone_into(&mut task.task_id),
                Column::Payload => task.payload = cell.as_bytes().to_vec().into(),
                Column::Field(name) => {
                    fields.insert(name.clone(), Value::String(cell.to_owned()));
                }
                // An empty cell says nothing.
                _ if cell.is_empty() => {}
                Column::ContentType => cell.clone_into(&mut task.content_type),
                Column::Priority => task.priority = number("priority", cell)?,
                Column::Overlap => task.overlap = number("overlap", cell)?,
                Column::Deadline => task.deadline = Some(deadline(cell)?),
                Column::ExpectedDuration => task.expected_duration = expected(Some(cell))?,
                Column::Label(name) => {
                    task.labels.insert(name.clone(), cell.to_owned());
                }
            }
        }
        let default = if self.columns.contains(&Column::Payload) {
            "text/plain; charset=utf-8"
        } else {
            task.payload = Value::Object(fields).to_string().into();
            "application/json"
        };
        if task.content_type.is_empty() {
            default.clone_into(&mut task.content_type);
        }
        Ok(task)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// What the CSV reader found, with file, line and column.
pub(crate) fn broken(path: &Path, error: &csv::Error) -> anyhow::Error {
    let shown = path.display();
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let column = expected_len.min(len) + 1;
            input(format!(
                "{shown}:{line}: column {column}: the row has {len} fields, the header {expected_len}"
            ))
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            let column = err.field() + 1;
            input(format!("{shown}:{line}: column {column}: not UTF-8"))
        }
        _ => input(format!("{shown}:{line}: {error}")),
    }
}

fn number<N: std::str::FromStr>(field: &str, cell: &str) -> Result<N, String> {
    cell.parse().map_err(|_| format!("field `{field}`: `{cell}` is not a number that fits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(text: &str) -> Result<Vec<Line>> {
        Reader::new(Path::new("tasks.csv"), text.as_bytes())?.collect()
    }

    #[test]
    fn columns_of_ones_own_are_the_payload() {
        let text =
            "id,url,overlap,label.batch,note\nt1,http://x/1,3,b7,\"a,\nb\"\nt2,http://x/2,,,\n";
        let lines = tasks(text).unwrap();
        let first = &lines[0].task;
        assert_eq!(&first.payload[..], br#"{"url":"http://x/1","note":"a,\nb"}"#);
        assert_eq!((first.task_id.as_str(), first.overlap), ("t1", 3));
        assert_eq!(first.labels["batch"], "b7");
        assert_eq!((lines[1].number, lines[1].task.overlap), (4, 0));
    }

    #[test]
    fn a_payload_column_is_delivered_as_it_is() {
        let lines = tasks("payload,content_type\nhello,\n{},application/json\n").unwrap();
        assert_eq!(&lines[0].task.payload[..], b"hello");
        assert_eq!(lines[0].task.content_type, "text/plain; charset=utf-8");
        assert_eq!(lines[1].task.content_type, "application/json");
    }

    #[test]
    fn a_mistake_is_named_with_line_and_column() {
        for (text, message) in [
            ("id,payload,colour\n", "tasks.csv:1: column 3 `colour`: unknown column"),
            ("a,a\n", "tasks.csv:1: column 2 `a`: stands twice"),
            ("id\n", "tasks.csv:1: no column for the payload"),
            ("a,b\n1,2\n1\n", "tasks.csv:3: column 2: the row has 1 fields, the header 2"),
            ("a,overlap\n1,x\n", "tasks.csv:2: field `overlap`: `x` is not a number"),
            ("id,a\n,1\n", "tasks.csv:2: field `id`: is empty"),
        ] {
            let error = tasks(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
