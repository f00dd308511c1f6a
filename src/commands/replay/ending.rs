//! The end of a dynamic replay: tasks that are still unsure take what they have.
//!
//! Their labels are used up: they want no more answers than they got.

use anyhow::{Result, bail};
use piecework_client::proto::v1::{ListTasksRequest, TaskUpdate, UpdateTasksRequest};
use piecework_client::{Client, Refused, Retry};
use prost_types::FieldMask;

use crate::failure::one_line;

/// Tasks looked at, and changed, at a time.
const PAGE: u32 = 1_000;

/// Ends every open task of a project with the answers that it has.
///
/// # Errors
/// The daemon refuses, or is gone for too long.
pub(super) async fn unsure(client: &Client, retry: Retry, project: &str) -> Result<()> {
    let mut request = ListTasksRequest {
        parent: project.to_owned(),
        page_size: PAGE,
        filter: "state = OPEN".to_owned(),
        ..ListTasksRequest::default()
    };
    loop {
        let page = retry
            .send(&client.tasks(), &request, |mut s, r| async move { s.list_tasks(r).await })
            .await?;
        let counted = |task: &piecework_client::proto::v1::Task| task.counted;
        let updates = page.tasks.iter().filter(|task| counted(task) > 0).map(|task| TaskUpdate {
            name: task.name.clone(),
            overlap: counted(task),
            update_mask: Some(FieldMask { paths: vec!["overlap".to_owned()] }),
            ..TaskUpdate::default()
        });
        let updates: Vec<TaskUpdate> = updates.collect();
        if !updates.is_empty() {
            update(client, retry, project, updates).await?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

async fn update(
    client: &Client,
    retry: Retry,
    project: &str,
    updates: Vec<TaskUpdate>,
) -> Result<()> {
    let request = UpdateTasksRequest { parent: project.to_owned(), updates };
    let reply = retry
        .send(&client.tasks(), &request, |mut s, r| async move { s.update_tasks(r).await })
        .await?;
    for result in reply.results {
        if let Some(piecework_client::proto::v1::change_task_result::Outcome::Error(status)) =
            result.outcome
        {
            bail!("a task was not ended: {}", one_line(&Refused::from(&status)));
        }
    }
    Ok(())
}
