//! `project quality NAME`: how far answers agree, who errs how, what one more was worth.

use std::fmt::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};
use piecework_client::proto::v1::{
    AgreementBin, AnswerValue, FieldConfusion, GetProjectQualityRequest, ProjectQuality,
    WorkerQuality,
};

use crate::names::{self, id};
use crate::output::{Format, horizontal, print};
use crate::session::{Session, answer};
use crate::shown::Shown;

/// Bars of an agreement histogram are at most so long.
const BAR: u64 = 40;
/// Workers and numbers of answers shown to people, unless only they are asked for.
const SHOWN: usize = 20;

/// Show what a project's answers are worth, and what they cost
#[derive(Debug, Args)]
pub(crate) struct Quality {
    /// The project's id
    project: String,
    /// Only this part; CSV shows the workers unless another is named
    #[arg(long, value_enum)]
    only: Option<Part>,
}

/// A part of what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// How many tasks agree how far
    Agreement,
    /// What was given where the result is another thing
    Confusion,
    /// Who answered, and how often it was right
    Workers,
    /// How sure one, two, three answers make it
    Values,
}

impl Quality {
    /// Asks and tells.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let name = names::project(&self.project)?;
        let request = GetProjectQualityRequest { name, min_position: String::new() };
        let told = answer(session.client.projects().get_project_quality(request).await)?;
        let quality = told.quality.unwrap_or_default();
        let output = session.output();
        match (output.format, self.only.unwrap_or(Part::Workers)) {
            (Format::Json | Format::Jsonl, _) => output.one(&quality),
            (Format::Table, part) => print(&story(&quality, self.only.map(|_| part))),
            (Format::Csv, Part::Agreement) => output.list(&quality.agreement),
            (Format::Csv, Part::Workers) => output.list(&quality.workers),
            (Format::Csv, Part::Values) => output.list(&quality.values),
            (Format::Csv, Part::Confusion) => output.rows(&cells(&quality.confusion)),
        }
    }
}

/// One cell of a confusion matrix.
#[derive(Debug, serde::Serialize)]
struct Cell {
    field: String,
    result: String,
    given: String,
    answers: u64,
}

fn cells(fields: &[FieldConfusion]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for field in fields {
        for (result, row) in field.choices.iter().zip(&field.rows) {
            for (given, answers) in field.choices.iter().zip(&row.given) {
                cells.push(Cell {
                    field: field.field.clone(),
                    result: result.clone(),
                    given: given.clone(),
                    answers: *answers,
                });
            }
        }
    }
    cells
}

fn story(told: &ProjectQuality, only: Option<Part>) -> String {
    let wanted = |part| only.is_none_or(|only| only == part);
    let most = if only.is_some() { usize::MAX } else { SHOWN };
    let mut story = String::new();
    let (tasks, answers) = (told.tasks, told.answers);
    let saved = told.answers_at_most.saturating_sub(answers);
    _ = writeln!(story, "{tasks} finished tasks with {answers} answers");
    if saved > 0 {
        let most = told.answers_at_most;
        let percent = 100.0 * saved as f64 / most as f64;
        _ = writeln!(story, "{saved} of {most} answers saved ({percent:.0} %)");
    }
    if wanted(Part::Agreement) {
        let largest = told.agreement.iter().map(|bin| bin.tasks).max().unwrap_or(0).max(1);
        let rows = told.agreement.iter().map(|bin| {
            let bar = "#".repeat(usize::try_from(bin.tasks * BAR / largest).unwrap_or(0));
            [bin.cells(), vec![bar]].concat()
        });
        _ = write!(story, "\n{}", horizontal(&["agreement", "tasks", ""], rows));
    }
    if wanted(Part::Confusion) {
        told.confusion.iter().for_each(|field| _ = write!(story, "\n{}", matrix(field)));
    }
    if wanted(Part::Workers) {
        let rows = told.workers.iter().take(most).map(WorkerQuality::cells);
        _ = write!(story, "\n{}", horizontal(WorkerQuality::COLUMNS, rows));
    }
    if wanted(Part::Values) {
        let rows = told.values.iter().take(most).map(AnswerValue::cells);
        _ = write!(story, "\n{}", horizontal(AnswerValue::COLUMNS, rows));
    }
    story
}

/// Results down, what was given across.
fn matrix(field: &FieldConfusion) -> String {
    let corner = format!("{}: result, given", field.field);
    let mut head = vec![corner.as_str()];
    head.extend(field.choices.iter().map(String::as_str));
    let row = |(result, row): (&String, &piecework_client::proto::v1::ConfusionRow)| {
        let given = row.given.iter().map(ToString::to_string);
        std::iter::once(result.clone()).chain(given).collect()
    };
    horizontal(&head, field.choices.iter().zip(&field.rows).map(row))
}

impl Shown for ProjectQuality {
    const MESSAGE: &'static str = "ProjectQuality";
    const COLUMNS: &'static [&'static str] = &["project", "tasks", "answers", "at most"];

    fn cells(&self) -> Vec<String> {
        vec![
            id(&self.project).to_owned(),
            self.tasks.to_string(),
            self.answers.to_string(),
            self.answers_at_most.to_string(),
        ]
    }
}

impl Shown for AgreementBin {
    const MESSAGE: &'static str = "AgreementBin";
    const COLUMNS: &'static [&'static str] = &["agreement", "tasks"];

    fn cells(&self) -> Vec<String> {
        vec![format!("{:.1}\u{2013}{:.1}", self.from, self.to), self.tasks.to_string()]
    }
}

impl Shown for WorkerQuality {
    const MESSAGE: &'static str = "WorkerQuality";
    const COLUMNS: &'static [&'static str] = &["worker", "answers", "agreed", "accuracy"];

    fn cells(&self) -> Vec<String> {
        vec![
            id(&self.worker).to_owned(),
            self.answers.to_string(),
            self.agreed.to_string(),
            format!("{:.3}", self.accuracy),
        ]
    }
}

impl Shown for AnswerValue {
    const MESSAGE: &'static str = "AnswerValue";
    const COLUMNS: &'static [&'static str] =
        &["with answers", "tasks", "mean confidence", "as in the end"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.answers.to_string(),
            self.tasks.to_string(),
            format!("{:.3}", self.confidence),
            format!("{:.3}", self.settled),
        ]
    }
}
