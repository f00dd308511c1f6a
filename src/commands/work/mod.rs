//! `work PROJECT --worker W`: answer tasks, in the terminal or with a program.
//!
//! Whoever works holds one lease at a time. It ends submitted or returned,
//! also when the command is asked to stop; only a kill leaves it to expire,
//! and then the next start of `work` begins with it.

mod answer;
mod desk;
mod person;
mod program;

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use piecework_client::proto::v1::ReturnReason;
use tokio::time::Instant;

use self::desk::{Desk, Drawn, Held, Submitted};
use self::person::Person;
use self::program::Program;
use crate::commands::offers::Wishes;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::names;
use crate::output::Format;
use crate::quantities::duration;
use crate::session::Session;

/// Answer tasks here in the terminal, or with a program
#[derive(Debug, Args)]
pub(crate) struct Work {
    /// The project's id
    project: String,
    /// Who answers
    #[arg(long)]
    worker: String,
    /// A program that gets the payload on stdin and prints the answer
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// This task, in a project where workers pick
    #[arg(long, conflicts_with_all = ["count", "wait", "Wishes"])]
    task: Option<String>,
    /// End after one task
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// End after so many tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    wishes: Wishes,
    /// How long to wait when there is nothing to do; by default not at all
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
}

/// A program that fails so often in a row is broken, and is not tried for ever.
const FAILURES_MAX: u32 = 5;

/// What whoever works made of a task.
#[derive(Debug, PartialEq)]
enum Done {
    Answer(Bytes),
    Return(ReturnReason),
    /// Give it back and stop.
    Quit(ReturnReason),
}

/// Who works.
enum Hands {
    Person(Person),
    Program(Program),
}

impl Hands {
    async fn work_on(
        &mut self,
        desk: &Desk,
        held: &Held,
        interrupt: &mut Interrupt,
    ) -> Result<Done> {
        match self {
            Self::Person(person) => person.work_on(desk, held, interrupt).await,
            Self::Program(program) => program.work_on(desk, held, interrupt).await,
        }
    }
}

impl Work {
    /// Works until there is nothing to do, the count is reached, or somebody asks to stop.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let desk = Desk {
            client: session.client.clone(),
            worker: names::worker(&self.worker)?,
            project: names::project(&self.project)?,
            output: session.output_or(Format::Table),
            except: self.wishes.except()?,
            until: self.wishes.within.map(|within| Instant::now() + within),
            wishes: self.wishes,
        };
        let task = self.task.as_deref().map(|task| names::task(&desk.project, task)).transpose()?;
        let mut interrupt = Interrupt::listen()?;
        let mut hands = match self.exec {
            Some(command) => Hands::Program(Program::new(command)),
            None => Hands::Person(Person::new()),
        };
        let limit = if self.once || task.is_some() { Some(1) } else { self.count };
        let mut begun = desk.held().await?;
        let (mut handled, mut receipts, mut failures) = (0, 0, 0);
        while limit.is_none_or(|limit| handled < limit) && !interrupt.is_asked() {
            let held = match begun.pop_front() {
                Some(held) => held,
                None => match desk.draw(task.as_deref(), self.wait, &interrupt).await? {
                    Drawn::Lease(held) => *held,
                    Drawn::Nothing(why) => {
                        eprintln!("nothing to do: {why}");
                        break;
                    }
                    Drawn::Asked => break,
                },
            };
            let receipt_is_first = receipts == 0;
            handled += 1;
            match handle(&desk, &held, &mut hands, &mut interrupt, receipt_is_first).await? {
                End::Taken => (receipts, failures) = (receipts + 1, 0),
                End::Over => failures = 0,
                End::Stop => break,
                End::Failed => {
                    failures += 1;
                    if failures >= FAILURES_MAX {
                        let message = format!("the program failed {failures} times in a row");
                        return Err(Failure::Incomplete(message).into());
                    }
                    if limit.is_none_or(|limit| handled < limit) {
                        // The next one may fail in the same way; it should not spin.
                        pause(Duration::from_secs(1 << failures) / 2, &mut interrupt).await;
                    }
                }
            }
        }
        eprintln!("tasks: {handled}, answers taken: {receipts}");
        Ok(())
    }
}

async fn pause(length: Duration, interrupt: &mut Interrupt) {
    tokio::select! {
        () = tokio::time::sleep(length) => {}
        () = interrupt.asked() => {}
    }
}

/// How a task ended here.
enum End {
    /// With a receipt.
    Taken,
    /// Returned by choice, or too late.
    Over,
    /// Returned, since the program could not.
    Failed,
    /// Returned, since whoever works wants to stop.
    Stop,
}

/// One task from hand to end.
async fn handle(
    desk: &Desk,
    held: &Held,
    hands: &mut Hands,
    interrupt: &mut Interrupt,
    receipt_is_first: bool,
) -> Result<End> {
    let is_person = matches!(hands, Hands::Person(_));
    loop {
        let (reason, end) = match hands.work_on(desk, held, interrupt).await? {
            Done::Answer(answer) => match desk.submit(held, answer, receipt_is_first).await? {
                Submitted::Taken => return Ok(End::Taken),
                Submitted::Refused => return Ok(End::Over),
                // A person can correct it; a program would say the same again.
                Submitted::Unfit if is_person => continue,
                Submitted::Unfit => (ReturnReason::OutOfTime, End::Failed),
            },
            Done::Return(reason) if is_person => (reason, End::Over),
            Done::Return(reason) => (reason, End::Failed),
            Done::Quit(reason) => (reason, End::Stop),
        };
        desk.give_back(held, reason).await?;
        return Ok(end);
    }
}
