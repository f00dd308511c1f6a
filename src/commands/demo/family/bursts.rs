//! Short bursts: a quarter of an hour here and there, over a connection that keeps dropping.
//!
//! Each parent runs the client's own runtime. It resumes what it holds, submits again what
//! may not have arrived, and at the end of a burst finishes what runs and returns the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use piecework_client::proto::v1::work_request::PresentWorker;
use piecework_client::{Client, End, Finished, Runtime, Task, Work};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::notebook::Notebook;
use super::road::Road;
use crate::commands::demo::images;

const BURSTS: u32 = 4;
/// A quarter of an hour, at this demo's pace.
const BURST: Duration = Duration::from_millis(900);
const PAUSE: Duration = Duration::from_millis(200);
/// How long one picture takes.
const LOOK: Duration = Duration::from_millis(25);

/// What came of the bursts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bursts {
    pub(super) parents: usize,
    pub(super) bursts: u64,
    pub(super) answers: u64,
    pub(super) dropped: u64,
}

/// Every parent works its bursts.
pub(super) async fn work(
    road: &Road,
    notebook: &Notebook,
    project: &str,
    parents: &[String],
) -> Result<Bursts> {
    let answers = Arc::new(AtomicU64::new(0));
    let mut working = JoinSet::new();
    for (number, parent) in (0_u32..).zip(parents) {
        let client = Client::new(&road.server())?;
        let (notebook, answers) = (notebook.clone(), Arc::clone(&answers));
        let (parent, project) = (parent.clone(), project.to_owned());
        working.spawn(async move {
            // They do not all begin at the same moment.
            sleep(PAUSE * number / 2).await;
            for _ in 0..BURSTS {
                burst(&client, &parent, &project, &notebook, &answers).await?;
                sleep(PAUSE).await;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = working.join_next().await {
        ended??;
    }
    Ok(Bursts {
        parents: parents.len(),
        bursts: u64::from(BURSTS) * parents.len() as u64,
        answers: answers.load(Ordering::Relaxed),
        dropped: road.dropped(),
    })
}

async fn burst(
    client: &Client,
    parent: &str,
    project: &str,
    notebook: &Notebook,
    answers: &Arc<AtomicU64>,
) -> Result<()> {
    let (writing, noting, counting) = (notebook.clone(), notebook.clone(), Arc::clone(answers));
    let wishes = PresentWorker { projects: vec![project.to_owned()], ..PresentWorker::default() };
    Runtime::builder(client.clone(), parent)
        .handler(move |task| look(task, writing.clone()))
        .wishes(wishes)
        .concurrency(2)
        .report(move |finished| note(&finished, &noting, &counting))
        .run(sleep(BURST))
        .await
        .with_context(|| format!("{parent} cannot go on"))?;
    Ok(())
}

async fn look(task: Task, notebook: Notebook) -> Work {
    sleep(LOOK).await;
    let answer = seen(&task.lease.payload);
    notebook.finished(&task.lease.name, &answer);
    Work::Answer(answer)
}

fn note(finished: &Finished, notebook: &Notebook, answers: &AtomicU64) {
    match &finished.end {
        End::Done(_) => {
            notebook.acknowledged(&finished.lease.name);
            answers.fetch_add(1, Ordering::Relaxed);
        }
        End::Refused(refused) => notebook.refused(&finished.lease.name, &refused.reason),
        // Nothing was finished, or the comparison shows whether it arrived.
        End::Returned(_) | End::Ended(_) | End::Unanswered => {}
    }
}

/// The family looks closely.
pub(super) fn seen(payload: &[u8]) -> Bytes {
    images::answer(images::image_of(payload).map_or(0, images::truth))
}
