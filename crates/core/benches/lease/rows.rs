//! The rows of the table: a market, and a decision in it.
//!
//! A family is one kind of market in several sizes, smallest first.

use piecework_core::{Limits, Millis};

use crate::decisions::{self, Turns};
use crate::market::Market;
use crate::markets;

/// One row: builds a market, then decides once.
pub(crate) struct Row {
    pub(crate) family: &'static str,
    pub(crate) name: &'static str,
    pub(crate) build: fn() -> Market,
    pub(crate) decide: fn(&mut Market, usize) -> Turns,
}

const fn row(
    family: &'static str,
    name: &'static str,
    build: fn() -> Market,
    decide: fn(&mut Market, usize) -> Turns,
) -> Row {
    Row { family, name, build, decide }
}

fn overdue() -> Limits {
    Limits { service_gap: Millis(0), ..Limits::default() }
}

/// All rows in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    row("open tasks", "1,000 open tasks", || markets::open_tasks(1_000), decisions::answer),
    row("open tasks", "100,000 open tasks", || markets::open_tasks(100_000), decisions::answer),
    row(
        "open tasks",
        "10,000,000 open tasks",
        || markets::open_tasks(10_000_000),
        decisions::answer,
    ),
    row(
        "projects",
        "10 projects, each with a skill of its own",
        || markets::skills(10),
        decisions::answer,
    ),
    row(
        "projects",
        "10,000 projects, each with a skill of its own",
        || markets::skills(10_000),
        decisions::answer,
    ),
    row(
        "waiting workers",
        "1,000 waiting workers, one task comes",
        || markets::waiting(1_000),
        decisions::wake,
    ),
    row(
        "waiting workers",
        "100,000 waiting workers, one task comes",
        || markets::waiting(100_000),
        decisions::wake,
    ),
    row(
        "everything answered",
        "the worker has answered everything, 1,000 tasks",
        || markets::answered(1_000),
        decisions::nothing,
    ),
    row(
        "everything answered",
        "the worker has answered everything, 100,000 tasks",
        || markets::answered(100_000),
        decisions::nothing,
    ),
    row(
        "all projects fit",
        "all 10 projects fit",
        || markets::fitting(10, Limits::default()),
        decisions::answer,
    ),
    row(
        "all projects fit",
        "all 10,000 projects fit",
        || markets::fitting(10_000, Limits::default()),
        decisions::answer,
    ),
    row(
        "none fits",
        "none of 10 projects fits, all need its skill",
        || markets::rarest(10),
        decisions::nothing,
    ),
    row(
        "none fits",
        "none of 10,000 projects fits, all need its skill",
        || markets::rarest(10_000),
        decisions::nothing,
    ),
    row(
        "all overdue",
        "all of 10 projects are overdue",
        || markets::fitting(10, overdue()),
        decisions::answer,
    ),
    row(
        "all overdue",
        "all of 10,000 projects are overdue",
        || markets::fitting(10_000, overdue()),
        decisions::answer,
    ),
];
