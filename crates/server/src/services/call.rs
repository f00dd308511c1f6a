//! What every call does: ask the engine, read the tables, wait for a position.
//!
//! Reads of the tables run on the runtime's blocking threads, since a page may
//! have to come from disk. An answer of the engine leaves only when its rows are
//! visible, so a read after it sees at least what it saw.
//!
//! Not here: what is asked (`wire/from_wire`).

use std::sync::Arc;
use std::time::Duration;

use piecework_core::command::TaskRef;
use piecework_core::explanation::{Explanation, Question};
use piecework_core::{Command, Now, Outcome, Position, Request, TaskId};
use tokio::sync::watch;
use tracing::error;

use crate::refiner::Refinements;
use crate::services::reader::Reader;
use crate::services::tenant;
use crate::services::watch::Source;
use crate::wire::failure::Failure;
use crate::wire::{status, tokens};
use crate::writer::{Answer, Inbox};

/// Longest wait for a position that somebody wants to read at.
const POSITION_WAIT: Duration = Duration::from_secs(5);

/// So few rows are read without a blocking thread.
const ROWS_READ_HERE: usize = 16;

/// How often an update is merged anew when other changes come between.
pub(crate) const UPDATE_TRIES: u32 = 5;

/// The ways into the daemon that every service shares.
pub(crate) struct Desk {
    pub(crate) inbox: Inbox,
    pub(crate) reader: Arc<Reader>,
    pub(crate) published: watch::Receiver<Position>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) refinements: Refinements,
}

/// What came of a command, with when and where in the journal.
#[derive(Debug)]
pub(crate) struct Told {
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// The text of the position that the answer saw.
    pub(crate) position: String,
    /// The logged times of its turn.
    pub(crate) now: Now,
}

impl Desk {
    /// Asks, and takes a refusal for a failed call.
    pub(crate) async fn ask(&self, command: Command) -> Result<Told, Failure> {
        self.ask_waiting(command, Duration::ZERO).await
    }

    /// The same; a `Lease` without work waits for some.
    pub(crate) async fn ask_waiting(
        &self,
        command: Command,
        wait: Duration,
    ) -> Result<Told, Failure> {
        let Answer { outcome, position, now } = self.answer(command, wait).await?;
        let outcome = outcome.map_err(|refusal| status::refused(&refusal, ""))?;
        Ok(Told { outcome, position: tokens::position(position), now })
    }

    /// Asks, and leaves a refusal to the caller.
    pub(crate) async fn answer(&self, command: Command, wait: Duration) -> Result<Answer, Failure> {
        let request = Request { tenant: tenant::current(), command };
        self.inbox.call(request, wait).await.map_err(status::unanswered)
    }

    /// The number of a task that a client named.
    pub(crate) async fn find_task(&self, task: &TaskRef) -> Result<TaskId, Failure> {
        match self.ask(Command::InspectTask(task.clone())).await?.outcome {
            Outcome::Task(id) => Ok(id),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks a question.
    pub(crate) async fn explain(&self, question: Question) -> Result<Explanation, Failure> {
        match self.ask(Command::Explain(question)).await?.outcome {
            Outcome::Explained(told) => Ok(*told),
            other => Err(unexpected(&other)),
        }
    }

    /// What streams need of it.
    pub(crate) fn source(&self) -> Source {
        let (reader, published) = (Arc::clone(&self.reader), self.published.clone());
        Source { reader, published, stopping: self.stopping.clone() }
    }

    /// Reads the tables on a blocking thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        off_the_runtime(&self.reader, read).await
    }

    /// The same where it reads so many rows by their keys: a few are read where they are
    /// asked for, since they lie in memory as a rule and another thread costs more.
    pub(crate) async fn read_rows<T: Send + 'static>(
        &self,
        rows: usize,
        read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        match rows {
            ..=ROWS_READ_HERE => read(&self.reader),
            _ => self.read(read).await,
        }
    }

    /// The newest position that readers can see.
    pub(crate) fn published(&self) -> Position {
        *self.published.borrow()
    }

    /// Waits until readers can see `min_position`; empty: does not wait.
    pub(crate) async fn reach(&self, min_position: &str) -> Result<(), Failure> {
        let durable = self.published();
        match tokens::read_position(min_position, durable)? {
            Some(wanted) if wanted > durable => self.reach_position(wanted).await,
            _ => Ok(()),
        }
    }

    async fn reach_position(&self, wanted: Position) -> Result<(), Failure> {
        let mut published = self.published.clone();
        let reached = published.wait_for(|position| *position >= wanted);
        match tokio::time::timeout(POSITION_WAIT, reached).await {
            Ok(Ok(_)) => Ok(()),
            // Too long, or the writer has gone.
            _ => Err(status::position_not_reached(&tokens::position(self.published()))),
        }
    }
}

/// Reads the tables on a blocking thread.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    reader: &Arc<Reader>,
    read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let reader = Arc::clone(reader);
    let read = tokio::task::spawn_blocking(move || read(&reader)).await;
    read.unwrap_or_else(|panic| {
        error!(%panic, "a read died");
        Err(status::internal())
    })
}

/// The engine answered with something else than what the command asks for.
pub(crate) fn unexpected(outcome: &Outcome) -> Failure {
    error!(?outcome, "the engine answered another question");
    status::internal()
}
