//! `task requeue PROJECT/tasks/TASK`: a failed task is open again.

use anyhow::{Result, anyhow};
use clap::Subcommand;
use piecework_client::Refused;
use piecework_client::proto::v1::RequeueTasksRequest;
use piecework_client::proto::v1::change_task_result::Outcome;

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
}

impl Tasks {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let Self::Requeue { task } = self;
        let (parent, name) = names::full_task(&task)?;
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
}
