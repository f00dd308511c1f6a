//! A person at the terminal: sees the task and the time left, types the answer.
//!
//! The task and all questions go to stderr; stdout carries receipts only. The
//! lease is extended when the person asks for it: nobody knows better whether
//! somebody is still there.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use piecework_client::proto::v1::extend_lease_result::Outcome;
use piecework_client::proto::v1::{AnswerField, ExtendLeasesRequest, Lease, ReturnReason};
use piecework_client::{Refused, Retry, from_proto};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::time::{Instant, sleep_until};

use super::desk::{Desk, Held};
use super::{Done, answer};
use crate::failure::one_line;
use crate::interrupt::Interrupt;
use crate::quantities::{spoken, spoken_money};
use crate::shown::readable;

/// Up to here a task may be put back without blame.
const FREE_WITHIN: Duration = Duration::from_secs(30);
const HELP: &str = "s skip, b broken task, m more time, q quit";

/// Whoever types.
#[derive(Debug)]
pub(super) struct Person {
    lines: Lines<BufReader<Stdin>>,
}

/// What was typed in reply to a question.
#[derive(Debug, PartialEq, Eq)]
enum Typed<'a> {
    Skip,
    Broken,
    More,
    Quit,
    Text(&'a str),
}

impl<'a> Typed<'a> {
    /// In answer to a choice a letter is a command; where text is asked for it needs a colon.
    fn of(line: &'a str, asks_for_text: bool) -> Self {
        let line = line.trim();
        let command = if asks_for_text { line.strip_prefix(':') } else { Some(line) };
        match command {
            Some("s") => Self::Skip,
            Some("b") => Self::Broken,
            Some("m") => Self::More,
            Some("q") => Self::Quit,
            _ => Self::Text(line),
        }
    }
}

/// A question's end: its value (none where it was left out), or the task's.
enum Reply {
    Value(Option<Value>),
    Done(Done),
}

impl Person {
    /// Reads from stdin.
    pub(super) fn new() -> Self {
        Self { lines: BufReader::new(stdin()).lines() }
    }

    /// Shows one task and asks for its answer, field by field.
    pub(super) async fn work_on(
        &mut self,
        desk: &Desk,
        held: &Held,
        interrupt: &mut Interrupt,
    ) -> Result<Done> {
        show(&held.lease);
        let mut until = held.until();
        let Some(schema) = &held.lease.schema else {
            let whole = AnswerField { name: "answer".into(), required: true, ..Default::default() };
            return Ok(match self.ask(desk, held, &whole, &mut until, interrupt).await? {
                Reply::Value(value) => Done::Answer(text_of(value)),
                Reply::Done(done) => done,
            });
        };
        let mut fields = Vec::new();
        for field in &schema.fields {
            match self.ask(desk, held, field, &mut until, interrupt).await? {
                Reply::Value(None) => {}
                Reply::Value(Some(value)) => fields.push((field.name.clone(), value)),
                Reply::Done(done) => return Ok(done),
            }
        }
        Ok(Done::Answer(answer::object(fields)))
    }

    async fn ask(
        &mut self,
        desk: &Desk,
        held: &Held,
        field: &AnswerField,
        until: &mut Instant,
        interrupt: &mut Interrupt,
    ) -> Result<Reply> {
        let quit = || Ok(Reply::Done(Done::Quit(quit_reason(held))));
        let mut is_over = false;
        loop {
            prompt(field, *until);
            let line = tokio::select! {
                line = self.lines.next_line() => line?,
                () = interrupt.asked() => return quit(),
                () = sleep_until(*until), if !is_over => {
                    eprintln!("\ntime is over; an answer still counts unless somebody was faster");
                    is_over = true;
                    continue;
                }
            };
            let Some(line) = line else { return quit() };
            match Typed::of(&line, answer::is_text(field)) {
                Typed::Quit => return quit(),
                Typed::Skip => return Ok(Reply::Done(Done::Return(ReturnReason::Declined))),
                Typed::Broken => return Ok(Reply::Done(Done::Return(ReturnReason::BrokenTask))),
                Typed::More => *until = extend(desk, held, *until).await?,
                Typed::Text("") if field.required => {}
                Typed::Text("") => return Ok(Reply::Value(None)),
                Typed::Text(text) if held.lease.schema.is_none() => {
                    return Ok(Reply::Value(Some(Value::from(text))));
                }
                Typed::Text(text) => match answer::typed(field, text) {
                    Ok(value) => return Ok(Reply::Value(Some(value))),
                    Err(wanted) => eprintln!("type {wanted}, or {HELP}"),
                },
            }
        }
    }
}

/// Within the first moments a task goes back as if it had never been offered.
fn quit_reason(held: &Held) -> ReturnReason {
    if held.received.elapsed() < FREE_WITHIN {
        ReturnReason::Declined
    } else {
        ReturnReason::OutOfTime
    }
}

fn text_of(value: Option<Value>) -> Bytes {
    match value {
        Some(Value::String(text)) => text.into(),
        _ => Bytes::new(),
    }
}

fn show(lease: &Lease) {
    eprintln!();
    let reward = spoken_money(lease.reward.as_ref());
    let reward = if reward.is_empty() { "unpaid".to_owned() } else { reward };
    eprintln!("{}  {}  {reward}", lease.name, lease.project);
    if let Some(text) = lease.instructions.get("en").or_else(|| lease.instructions.values().next())
    {
        eprintln!("{text}");
    }
    let json = serde_json::from_slice::<Value>(&lease.payload);
    let payload = json.map_or_else(|_| readable(&lease.payload), |json| format!("{json:#}"));
    eprintln!("{payload}");
}

fn prompt(field: &AnswerField, until: Instant) {
    for (index, choice) in field.choices.iter().enumerate() {
        eprintln!("  {}) {choice}", index + 1);
    }
    let left = until.saturating_duration_since(Instant::now());
    let left = if left.is_zero() { "over".to_owned() } else { format!("{} left", spoken(left)) };
    let colon = if answer::is_text(field) { ", each after a colon" } else { "" };
    let optional = if field.required { "" } else { ", may be empty" };
    eprint!("{}{optional} ({left}; {HELP}{colon}) > ", field.name);
}

async fn extend(desk: &Desk, held: &Held, until: Instant) -> Result<Instant> {
    let request = ExtendLeasesRequest {
        worker: desk.worker.clone(),
        leases: vec![held.lease.name.clone()],
        duration: None,
    };
    let reply = Retry::within(Duration::from_secs(10))
        .send(&desk.client.dispatch(), &request, |mut s, r| async move { s.extend_leases(r).await })
        .await?;
    match reply.results.into_iter().next().and_then(|result| result.outcome) {
        Some(Outcome::Extension(extension)) => Ok(Instant::now() + from_proto(extension.remaining)),
        Some(Outcome::Error(status)) => {
            eprintln!("no more time: {}", one_line(&Refused::from(&status)));
            Ok(until)
        }
        None => Ok(until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_commands_and_text_needs_a_colon_for_them() {
        assert_eq!(Typed::of(" s \n", false), Typed::Skip);
        assert_eq!(Typed::of("q", false), Typed::Quit);
        assert_eq!(Typed::of("2", false), Typed::Text("2"));
        assert_eq!(Typed::of("s", true), Typed::Text("s"));
        assert_eq!(Typed::of(":b", true), Typed::Broken);
        assert_eq!(Typed::of(":m", true), Typed::More);
        assert_eq!(Typed::of(": q", true), Typed::Text(": q"));
    }
}
