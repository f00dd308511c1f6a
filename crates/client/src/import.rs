//! Many tasks into one project, a few calls at a time.
//!
//! Tasks are packed into calls of at most 1,000 items and 3 MiB, of which a
//! few are on their way at once. A call that is lost is sent again; that is
//! safe because every task carries its own id or its call a request id.
//!
//! Calls may overtake each other, so tasks are numbered in file order only
//! within a call.

use std::collections::VecDeque;

use piecework_proto::v1::create_task_result::Outcome;
use piecework_proto::v1::{CreateTasksRequest, CreatedTask, NewTask};
use prost::Message;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::{CallError, Refused};
use crate::request_id::request_id;
use crate::retry::Retry;

const ITEMS_MAX: usize = 1_000;
/// Below the daemon's 4 MiB, with room for what goes around the items.
const BYTES_MAX: usize = 3 << 20;
const CALLS_IN_FLIGHT_MAX: usize = 4;

/// An import under way. Dropping it stops the calls that are on their way.
#[derive(Debug)]
pub struct Import {
    client: Client,
    project: String,
    retry: Retry,
    chunk: Chunk,
    first: usize,
    in_flight: VecDeque<Call>,
}

/// What became of one call's tasks.
#[derive(Debug)]
pub struct ImportedChunk {
    /// Which task of the import the first of these is, from 0.
    pub first: usize,
    /// One for each task, in order.
    pub outcomes: Vec<TaskOutcome>,
}

/// What became of one task.
#[derive(Debug)]
pub enum TaskOutcome {
    /// It exists, now or since an earlier import.
    Created(CreatedTask),
    /// The daemon did not take it.
    Refused(Box<Refused>),
}

#[derive(Debug)]
struct Call {
    first: usize,
    reply: JoinHandle<Result<Vec<TaskOutcome>, CallError>>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.reply.abort();
    }
}

/// Tasks that will go in one call.
#[derive(Debug, Default)]
struct Chunk {
    tasks: Vec<NewTask>,
    bytes: usize,
}

impl Chunk {
    fn has_room(&self, bytes: usize) -> bool {
        self.tasks.is_empty()
            || (self.tasks.len() < ITEMS_MAX && self.bytes.saturating_add(bytes) <= BYTES_MAX)
    }
}

impl Import {
    /// Into `project` (`projects/{project}`); lost calls are repeated as `retry` says.
    #[must_use]
    pub fn new(client: Client, project: String, retry: Retry) -> Self {
        Self {
            client,
            project,
            retry,
            chunk: Chunk::default(),
            first: 0,
            in_flight: VecDeque::new(),
        }
    }

    /// Adds a task. Waits while too much is on its way, and returns what has come back.
    ///
    /// # Errors
    /// A call was refused as a whole, or lost for too long.
    pub async fn push(&mut self, task: NewTask) -> Result<Option<ImportedChunk>, CallError> {
        // One more for the field's tag and a few for its length.
        let bytes = task.encoded_len() + 6;
        let mut done = None;
        if !self.chunk.has_room(bytes) {
            if self.in_flight.len() >= CALLS_IN_FLIGHT_MAX {
                done = self.oldest().await?;
            }
            self.send();
        }
        self.chunk.bytes += bytes;
        self.chunk.tasks.push(task);
        Ok(done)
    }

    /// After the last task: what is still to come back, call by call, then `None`.
    ///
    /// # Errors
    /// As `push`.
    pub async fn finish(&mut self) -> Result<Option<ImportedChunk>, CallError> {
        if !self.chunk.tasks.is_empty() {
            self.send();
        }
        self.oldest().await
    }

    fn send(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        let first = self.first;
        self.first += chunk.tasks.len();
        let request = CreateTasksRequest {
            parent: self.project.clone(),
            tasks: chunk.tasks,
            request_id: request_id(),
        };
        let (client, retry) = (self.client.clone(), self.retry);
        let reply = tokio::spawn(async move {
            let reply = retry
                .send(&client.tasks(), &request, |mut s, r| async move { s.create_tasks(r).await })
                .await?;
            let results = reply.results;
            Ok(results.into_iter().map(|result| outcome(result.outcome)).collect())
        });
        self.in_flight.push_back(Call { first, reply });
    }

    async fn oldest(&mut self) -> Result<Option<ImportedChunk>, CallError> {
        let Some(mut call) = self.in_flight.pop_front() else { return Ok(None) };
        match (&mut call.reply).await {
            Ok(outcomes) => Ok(Some(ImportedChunk { first: call.first, outcomes: outcomes? })),
            Err(fault) => Err(CallError::from(tonic::Status::cancelled(fault.to_string()))),
        }
    }
}

fn outcome(outcome: Option<Outcome>) -> TaskOutcome {
    match outcome {
        Some(Outcome::Task(task)) => TaskOutcome::Created(task),
        Some(Outcome::Error(status)) => TaskOutcome::Refused(Box::new(Refused::from(&status))),
        None => {
            let status = tonic_types::pb::Status {
                code: tonic::Code::Unknown as i32,
                message: "the daemon did not say what became of the task".to_owned(),
                details: Vec::new(),
            };
            TaskOutcome::Refused(Box::new(Refused::from(&status)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_ends_by_items_or_by_bytes() {
        let task = |bytes: usize| NewTask { payload: vec![0; bytes].into(), ..NewTask::default() };
        let mut chunk = Chunk { tasks: vec![task(1); ITEMS_MAX - 1], bytes: ITEMS_MAX };
        assert!(chunk.has_room(100));
        chunk.tasks.push(task(1));
        assert!(!chunk.has_room(0));
        let heavy = Chunk { tasks: vec![task(1)], bytes: BYTES_MAX - 10 };
        assert!(heavy.has_room(10) && !heavy.has_room(11));
        assert!(
            Chunk::default().has_room(BYTES_MAX * 2),
            "one task always fits: the daemon judges"
        );
    }
}
