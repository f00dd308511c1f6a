//! The fields of an answer, as flags or as a file.
//!
//! Flags make fields in the order choices, some, boolean, number, text, free; a file has
//! any order, tolerance and bounds included.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::{AnswerField, AnswerFieldKind, AnswerSchema};

use super::create::from_file;
use crate::failure::input;
use crate::quantities::pair;

const NUMBER: &str = "write it like age, age=0..120 or weight=0..~0.5";

/// The fields of an answer; all but the free ones are required.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// A file with the answer's schema as JSON, in place of the fields below
    #[arg(
        long,
        value_name = "SCHEMA.json",
        conflicts_with_all = ["choices", "some", "booleans", "numbers", "texts", "free"]
    )]
    schema: Option<PathBuf>,
    /// A field of the answer and its values, such as `label=cat,dog`; several times
    #[arg(long, value_name = "FIELD=A,B,…", value_parser = pair)]
    choices: Vec<(String, String)>,
    /// A field that holds any number of these values; several times
    #[arg(long, value_name = "FIELD=A,B,…", value_parser = pair)]
    some: Vec<(String, String)>,
    /// A field that is true or false; several times
    #[arg(long = "boolean", value_name = "FIELD")]
    booleans: Vec<String>,
    /// A number, perhaps within bounds and with how far answers may differ: `age=0..120~1`; several times
    #[arg(long = "number", value_name = "FIELD[=LEAST..MOST][~TOLERANCE]", value_parser = number)]
    numbers: Vec<AnswerField>,
    /// A text, compared without regard to case and spaces; several times
    #[arg(long = "text", value_name = "FIELD")]
    texts: Vec<String>,
    /// A field of the answer that may hold anything, or be left out; several times
    #[arg(long, value_name = "FIELD")]
    free: Vec<String>,
}

impl Fields {
    /// `None`: any bytes are an answer.
    pub(super) fn schema(&self) -> Result<Option<AnswerSchema>> {
        if let Some(file) = &self.schema {
            return from_file("AnswerSchema", file).map(Some);
        }
        let mut fields = Vec::new();
        for (name, choices) in &self.choices {
            fields.push(chosen("--choices", AnswerFieldKind::Choice, name, choices)?);
        }
        for (name, choices) in &self.some {
            fields.push(chosen("--some", AnswerFieldKind::MultiChoice, name, choices)?);
        }
        fields.extend(self.booleans.iter().map(|name| field(name, AnswerFieldKind::Boolean)));
        fields.extend(self.numbers.iter().cloned());
        fields.extend(self.texts.iter().map(|name| field(name, AnswerFieldKind::Text)));
        let free = |name| AnswerField { required: false, ..field(name, AnswerFieldKind::Free) };
        fields.extend(self.free.iter().map(|name| free(name)));
        Ok((!fields.is_empty()).then_some(AnswerSchema { fields }))
    }
}

fn field(name: &str, kind: AnswerFieldKind) -> AnswerField {
    let name = name.to_owned();
    AnswerField { name, kind: kind.into(), required: true, ..AnswerField::default() }
}

fn chosen(flag: &str, kind: AnswerFieldKind, name: &str, choices: &str) -> Result<AnswerField> {
    let choices: Vec<String> = choices.split(',').map(|choice| choice.trim().to_owned()).collect();
    if choices.iter().any(String::is_empty) {
        return Err(input(format!("{flag} {name}: a value is empty")));
    }
    Ok(AnswerField { choices, ..field(name, kind) })
}

/// `age`, `age=0..120`, `age=18..`, `age~0.5`, `age=0..120~1`.
fn number(text: &str) -> Result<AnswerField, String> {
    let wrong = || format!("`{text}` is not a number field; {NUMBER}");
    let parse = |number: &str| match number.trim() {
        "" => Ok(None),
        number => number.parse::<f64>().map(Some).map_err(|_| wrong()),
    };
    // A name may have a `~` of its own, bounds have none.
    let (name, rule) = match text.split_once('=') {
        Some((name, rule)) => (name, rule),
        None => text.rfind('~').map_or((text, ""), |at| text.split_at(at)),
    };
    let (bounds, tolerance) = rule.split_once('~').unwrap_or((rule, ""));
    let (least, most) = match bounds {
        "" => ("", ""),
        bounds => bounds.split_once("..").ok_or_else(wrong)?,
    };
    if name.trim().is_empty() {
        return Err(wrong());
    }
    Ok(AnswerField {
        tolerance: parse(tolerance)?.unwrap_or_default(),
        least: parse(least)?,
        most: parse(most)?,
        ..field(name.trim(), AnswerFieldKind::Number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_have_bounds_and_a_tolerance() {
        let read = |text: &str| {
            let field = number(text).unwrap();
            assert_eq!(field.kind(), AnswerFieldKind::Number);
            (field.name, field.least, field.most, field.tolerance)
        };
        assert_eq!(read("age"), ("age".to_owned(), None, None, 0.0));
        assert_eq!(read("age=0..120"), ("age".to_owned(), Some(0.0), Some(120.0), 0.0));
        assert_eq!(read("age=18..~1"), ("age".to_owned(), Some(18.0), None, 1.0));
        assert_eq!(read("cold=..-2.5"), ("cold".to_owned(), None, Some(-2.5), 0.0));
        assert_eq!(read("age~0.5"), ("age".to_owned(), None, None, 0.5));
        for wrong in ["", "=0..1", "age=7", "age=a..b", "age~x", "age=0..1~x"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
