//! Results on stdout: as a table, JSON, JSON lines or CSV.
//!
//! Everything that is not a result (progress, notes, errors) goes to stderr,
//! so that a pipe carries results only.

use std::io::{Write, stdout};

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::shown::Shown;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// The JSON of the API's messages
    Json,
    /// The same, one message a line
    Jsonl,
    /// The table's columns
    Csv,
}

/// Prints results in one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
}

impl Output {
    /// Prints in this format.
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// One object.
    pub(crate) fn one<M: Shown>(self, message: &M) -> Result<()> {
        let text = match self.format {
            Format::Table => vertical(M::COLUMNS.iter().copied().zip(message.cells())),
            Format::Json => format!("{:#}\n", message.to_json()?),
            Format::Jsonl => format!("{}\n", message.to_json()?),
            Format::Csv => csv(M::COLUMNS, [message.cells()])?,
        };
        print(&text)
    }

    /// A list of objects.
    pub(crate) fn list<M: Shown>(self, messages: &[M]) -> Result<()> {
        let text = match self.format {
            Format::Table => horizontal(M::COLUMNS, messages.iter().map(Shown::cells)),
            Format::Json => {
                let all: Result<Vec<Value>> = messages.iter().map(Shown::to_json).collect();
                format!("{:#}\n", Value::Array(all?))
            }
            Format::Jsonl => {
                let lines: Result<Vec<String>> =
                    messages.iter().map(|m| Ok(format!("{}\n", m.to_json()?))).collect();
                lines?.concat()
            }
            Format::Csv => csv(M::COLUMNS, messages.iter().map(Shown::cells))?,
        };
        print(&text)
    }

    /// One of an endless row of objects, on its own line. `first`: nothing was printed before.
    pub(crate) fn line<M: Shown>(self, message: &M, first: bool) -> Result<()> {
        let text = match self.format {
            Format::Json | Format::Jsonl => format!("{}\n", message.to_json()?),
            Format::Csv => {
                let all = csv(M::COLUMNS, [message.cells()])?;
                let body = all.split_once('\n').map_or("", |(_, body)| body);
                if first { all } else { body.to_owned() }
            }
            Format::Table => {
                let head =
                    if first { format!("{}\n", M::COLUMNS.join("\t")) } else { String::new() };
                format!("{head}{}\n", message.cells().join("\t"))
            }
        };
        print(&text)
    }

    /// What a command has to say of its own, as rows with the same plain values.
    pub(crate) fn rows<S: Serialize>(self, rows: &[S]) -> Result<()> {
        let text = match self.format {
            Format::Json => format!("{:#}\n", serde_json::to_value(rows)?),
            Format::Jsonl => {
                let lines: Result<Vec<String>> = rows
                    .iter()
                    .map(|row| Ok(format!("{}\n", serde_json::to_value(row)?)))
                    .collect();
                lines?.concat()
            }
            Format::Table | Format::Csv => {
                let (head, cells) = columns(rows)?;
                let head: Vec<&str> = head.iter().map(String::as_str).collect();
                if self.format == Format::Csv {
                    csv(&head, cells)?
                } else {
                    horizontal(&head, cells)
                }
            }
        };
        print(&text)
    }

    /// What a command has to say of its own: an object of plain values.
    pub(crate) fn summary<S: Serialize>(self, summary: &S) -> Result<()> {
        let value = serde_json::to_value(summary)?;
        let text = match self.format {
            Format::Json => format!("{value:#}\n"),
            Format::Jsonl => format!("{value}\n"),
            Format::Table => vertical(cells_of(&value)),
            Format::Csv => {
                let (columns, cells): (Vec<_>, Vec<_>) = cells_of(&value).unzip();
                csv(&columns, [cells])?
            }
        };
        print(&text)
    }
}

/// The table's cells of plain values, and their columns.
fn columns<S: Serialize>(rows: &[S]) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let values: Vec<Value> = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    let head = values.first().into_iter().flat_map(cells_of).map(|(key, _)| key.to_owned());
    let cells = values.iter().map(|value| cells_of(value).map(|(_, cell)| cell).collect());
    Ok((head.collect(), cells.collect()))
}

/// A table with a head.
pub(crate) fn horizontal(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = empty_table();
    table.set_header(columns);
    table.add_rows(rows);
    trimmed(&table)
}

/// Prints to stdout at once.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn vertical<'a>(rows: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut table = empty_table();
    for (column, cell) in rows {
        table.add_row([column, &cell]);
    }
    trimmed(&table)
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// Without the spaces that the layout leaves at the ends.
fn trimmed(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim())).collect()
}

fn csv(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns)?;
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn cells_of(value: &Value) -> impl Iterator<Item = (&str, String)> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    value.as_object().into_iter().flatten().map(move |(key, v)| (key.as_str(), plain(v)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_align_and_carry_no_frame() {
        let rows = [vec!["cats".to_owned(), "7".to_owned()], vec!["d".to_owned(), "12".to_owned()]];
        assert_eq!(horizontal(&["name", "open"], rows), "name  open\ncats  7\nd     12\n");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let text = csv(&["a", "b"], [vec!["x,y".to_owned(), "\"".to_owned()]]).unwrap();
        assert_eq!(text, "a,b\n\"x,y\",\"\"\"\"\n");
    }

    #[test]
    fn a_summary_becomes_rows_in_its_own_order() {
        let value = json!({"tasks": 3, "accuracy": null, "project": "projects/x"});
        assert_eq!(vertical(cells_of(&value)), "tasks     3\naccuracy\nproject   projects/x\n");
    }
}
