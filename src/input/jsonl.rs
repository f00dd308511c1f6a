//! Tasks as JSON lines: one object a line, `payload` required.
//!
//! `payload` is any JSON value, delivered as it is written; a string is
//! delivered as its text. Fields are those of a task in the API; `id` is its
//! `taskId`. A field that does not exist is a mistake, not a note.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bytes::Bytes;
use jiff::Timestamp;
use piecework_client::proto::v1::NewTask;
use piecework_client::to_proto;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Line, at};
use crate::failure::input;
use crate::quantities::duration;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Reads tasks line by line.
#[derive(Debug)]
pub(super) struct Reader<R> {
    path: PathBuf,
    input: R,
    number: u64,
    text: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(default, alias = "taskId", alias = "task_id")]
    id: Option<String>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(default, alias = "content_type")]
    content_type: Option<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    deadline: Option<String>,
    #[serde(default)]
    overlap: u32,
    #[serde(default, alias = "expected_duration")]
    expected_duration: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl<R: BufRead> Reader<R> {
    /// `path` is for messages only.
    pub(super) fn new(path: &Path, input: R) -> Self {
        Self { path: path.to_owned(), input, number: 0, text: Vec::new() }
    }

    fn read(&mut self) -> Result<Option<Line>> {
        loop {
            self.text.clear();
            let read = self.input.read_until(b'\n', &mut self.text);
            let bytes = read.map_err(|e| input(format!("{}: {e}", self.path.display())))?;
            if bytes == 0 {
                return Ok(None);
            }
            self.number += 1;
            let mut text = self.text.as_slice();
            if self.number == 1 {
                // Some editors put a mark in front.
                text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
            }
            if !text.iter().all(u8::is_ascii_whitespace) {
                let task = self.task(text)?;
                return Ok(Some(Line { number: self.number, task }));
            }
        }
    }

    fn task(&self, text: &[u8]) -> Result<NewTask> {
        let fields: Fields<'_> = serde_json::from_slice(text).map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            let (path, line, column) = (self.path.display(), self.number, error.column());
            input(format!("{path}:{line}:{column}: {message}"))
        })?;
        let wrong = |problem: String| at(&self.path, self.number, problem);
        let (payload, content_type) = payload(fields.payload).map_err(wrong)?;
        Ok(NewTask {
            task_id: fields.id.unwrap_or_default(),
            payload,
            content_type: fields.content_type.unwrap_or_else(|| content_type.to_owned()),
            priority: fields.priority,
            deadline: fields.deadline.as_deref().map(deadline).transpose().map_err(wrong)?,
            overlap: fields.overlap,
            expected_duration: expected(fields.expected_duration.as_deref()).map_err(wrong)?,
            labels: fields.labels,
        })
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A point in time as RFC 3339 writes it.
pub(super) fn deadline(text: &str) -> Result<prost_types::Timestamp, String> {
    let time: Timestamp = text
        .parse()
        .map_err(|_| format!("field `deadline`: `{text}` is not like 2030-01-31T12:00:00Z"))?;
    Ok(prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

/// How long one answer takes.
pub(super) fn expected(text: Option<&str>) -> Result<Option<prost_types::Duration>, String> {
    let parsed = text.map(duration).transpose();
    Ok(parsed.map_err(|problem| format!("field `expectedDuration`: {problem}"))?.map(to_proto))
}

fn payload(raw: &RawValue) -> Result<(Bytes, &'static str), String> {
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|e| format!("payload: {e}"))?;
        return Ok((text.into_bytes().into(), TEXT));
    }
    Ok((Bytes::copy_from_slice(raw.get().as_bytes()), JSON))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(text: &str) -> Result<Vec<NewTask>> {
        let reader = Reader::new(Path::new("tasks.jsonl"), text.as_bytes());
        reader.map(|line| Ok(line?.task)).collect()
    }

    #[test]
    fn a_payload_is_delivered_as_it_is_written() {
        let text = "\u{feff}{\"payload\": {\"n\": 12345678901234567890123, \"b\":1.0}}\n{\"payload\":\"hi\\n\"}\r\n";
        let tasks = tasks(text).unwrap();
        assert_eq!(&tasks[0].payload[..], b"{\"n\": 12345678901234567890123, \"b\":1.0}");
        assert_eq!(tasks[0].content_type, JSON);
        assert_eq!((&tasks[1].payload[..], tasks[1].content_type.as_str()), (&b"hi\n"[..], TEXT));
    }

    #[test]
    fn every_field_of_a_task_can_be_given() {
        let text = r#"{"taskId":"a","payload":1,"contentType":"x/y","priority":-3,"overlap":2,
            "deadline":"2030-01-31T12:00:00Z","expectedDuration":"30s","labels":{"k":"v"}}"#;
        let task = tasks(&text.replace('\n', " ")).unwrap().remove(0);
        assert_eq!((task.task_id.as_str(), task.content_type.as_str()), ("a", "x/y"));
        assert_eq!((task.priority, task.overlap), (-3, 2));
        assert_eq!(task.deadline.unwrap().seconds, 1_896_091_200);
        assert_eq!(task.expected_duration.unwrap().seconds, 30);
        assert_eq!(task.labels["k"], "v");
    }

    #[test]
    fn a_mistake_is_named_with_line_and_column() {
        for (text, message) in [
            ("{\"payload\":1}\n{\"payload\":}", "tasks.jsonl:2:12: expected value"),
            ("{\"id\":\"a\"}", "tasks.jsonl:1:10: missing field `payload`"),
            ("{\"payload\":1,\"overlap\":\"x\"}", "tasks.jsonl:1:26: invalid type"),
            ("{\"payload\":1,\"deadline\":\"soon\"}", "tasks.jsonl:1: field `deadline`"),
            ("[1]", "tasks.jsonl:1:"),
        ] {
            let error = tasks(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
