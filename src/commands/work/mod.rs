//! `work PROJECT --worker W`: answer tasks, in the terminal or with a program.
//!
//! A person holds one lease at a time, a program as many as run at a time. Each
//! ends submitted or returned, also when the command is asked to stop; only a
//! kill leaves it to expire, and then the next start of `work` begins with it.

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
use self::program::Job;
use crate::commands::offers::Wishes;
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
    /// How many runs of the program at a time
    #[arg(long, value_name = "N", requires = "exec", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    concurrency: u32,
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

/// What whoever works made of a task.
#[derive(Debug, PartialEq)]
enum Done {
    Answer(Bytes),
    Return(ReturnReason),
    /// Give it back and stop.
    Quit(ReturnReason),
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
        if let Some(command) = self.exec {
            let lease = match task {
                None => None,
                Some(task) => match desk.draw(Some(&task), None, &interrupt).await? {
                    Drawn::Lease(held) => Some(held.lease.name),
                    Drawn::Nothing(why) => return nothing_to_do(&why),
                    Drawn::Asked => return Ok(()),
                },
            };
            let job = Job {
                command,
                wishes: desk.presence(),
                concurrency: self.concurrency,
                lease,
                at_most: if self.once { Some(1) } else { self.count },
                wait: self.wait.unwrap_or_default(),
                output: desk.output,
            };
            // Says at once when nobody is there.
            desk.is_there().await?;
            return program::work(desk.client, job, &interrupt).await;
        }
        let mut person = Person::new();
        let limit = if self.once || task.is_some() { Some(1) } else { self.count };
        let mut begun = desk.held().await?;
        let (mut handled, mut receipts) = (0, 0);
        while limit.is_none_or(|limit| handled < limit) && !interrupt.is_asked() {
            let held = match begun.pop_front() {
                Some(held) => held,
                None => match desk.draw(task.as_deref(), self.wait, &interrupt).await? {
                    Drawn::Lease(held) => *held,
                    Drawn::Nothing(why) => {
                        nothing_to_do(&why)?;
                        break;
                    }
                    Drawn::Asked => break,
                },
            };
            handled += 1;
            match handle(&desk, &held, &mut person, &mut interrupt, receipts == 0).await? {
                End::Taken => receipts += 1,
                End::Over => {}
                End::Stop => break,
            }
        }
        eprintln!("tasks: {handled}, answers taken: {receipts}");
        Ok(())
    }
}

fn nothing_to_do(why: &str) -> Result<()> {
    eprintln!("nothing to do: {why}");
    Ok(())
}

/// How a task ended here.
enum End {
    /// With a receipt.
    Taken,
    /// Returned by choice, or too late.
    Over,
    /// Returned, since whoever works wants to stop.
    Stop,
}

/// One task from hand to end.
async fn handle(
    desk: &Desk,
    held: &Held,
    person: &mut Person,
    interrupt: &mut Interrupt,
    receipt_is_first: bool,
) -> Result<End> {
    loop {
        let (reason, end) = match person.work_on(desk, held, interrupt).await? {
            Done::Answer(answer) => match desk.submit(held, answer, receipt_is_first).await? {
                Submitted::Taken => return Ok(End::Taken),
                Submitted::Refused => return Ok(End::Over),
                // A person can correct it.
                Submitted::Unfit => continue,
            },
            Done::Return(reason) => (reason, End::Over),
            Done::Quit(reason) => (reason, End::Stop),
        };
        desk.give_back(held, reason).await?;
        return Ok(end);
    }
}
