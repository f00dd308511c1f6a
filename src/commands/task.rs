//! `task requeue PROJECT/tasks/TASK`: a failed task is open again;
//! `task resolve PROJECT/tasks/TASK ANSWER`: the requester says what its result is.

use std::io::Read;

use anyhow::{Result, anyhow};
use clap::Subcommand;
use piecework_client::Refused;
use piecework_client::proto::v1::change_task_result::Outcome;
use piecework_client::proto::v1::{ChangedTask, RequeueTasksRequest, ResolveTaskRequest};

use crate::failure::{Failure, one_line};
use crate::names;
use crate::session::{Session, answer};

/// One piece of work
#[derive(Debug, Subcommand)]
pub(crate) enum Tasks {
    /// Open a failed task again; its attempts and reports are forgotten
    Requeue {
        /// Its full name, such as `cats/tasks/photo-1`, or by number `cats/tasks/~7`
        task: String,
    },
    /// Say what a task's result is, whatever its answers say
    Resolve {
        /// Its full name, such as `cats/tasks/photo-1`, or by number `cats/tasks/~7`
        task: String,
        /// The answer, such as `{"label":"cat"}`; `-` reads it from stdin
        answer: String,
    },
}

impl Tasks {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Requeue { task } => requeue(session, &task).await,
            Self::Resolve { task, answer } => resolve(session, &task, answer).await,
        }
    }
}

async fn requeue(session: &Session, task: &str) -> Result<()> {
    let (parent, name) = names::full_task(task)?;
    let request = RequeueTasksRequest { parent, names: vec![name] };
    let reply = answer(session.client.tasks().requeue_tasks(request).await)?;
    match reply.results.into_iter().next().and_then(|result| result.outcome) {
        Some(Outcome::Task(task)) => session.output().one(&task),
        Some(Outcome::Error(status)) => {
            Err(Failure::Incomplete(one_line(&Refused::from(&status))).into())
        }
        None => Err(anyhow!("the daemon told nothing of {task}")),
    }
}

async fn resolve(session: &Session, task: &str, given: String) -> Result<()> {
    let (_, name) = names::full_task(task)?;
    let bytes = match given.as_str() {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes)?;
            bytes
        }
        _ => given.into_bytes(),
    };
    let shown = name.clone();
    let request = ResolveTaskRequest { name, answer: bytes.into(), content_type: String::new() };
    let reply = answer(session.client.tasks().resolve_task(request).await)?;
    let changed = ChangedTask { name: shown, state: reply.state, ..ChangedTask::default() };
    session.output().one(&changed)
}
