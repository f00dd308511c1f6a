//! The load: one requester that makes, reads and deletes projects, and workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use piecework_client::Client;
use piecework_client::proto::v1;
use tokio::time::MissedTickBehavior;

use super::Failure;
use super::calls::{create_requester, create_worker, lease_and_answer};

/// How many workers share the rate.
pub(super) const WORKERS: usize = 8;

const PAYLOAD_BYTES: usize = 256;
const TASKS: usize = 1_000;
/// Projects that are kept at any time.
const WINDOW: usize = 20;
/// How often we look whether a project is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes project after project, reads the results, deletes what leaves the window.
pub(super) async fn request(client: Client) -> Result<(), Failure> {
    create_requester(&client, "churn").await?;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for n in 0.. {
        let name = create(&client, n, &mut noise).await?;
        drained(&client, &name).await?;
        read(&client, &name).await?;
        let close = v1::CloseProjectRequest { name };
        client.projects().close_project(close).await?;
        if n >= WINDOW {
            let name = format!("projects/churn-{}", n - WINDOW);
            let delete = v1::DeleteProjectRequest { name, ..Default::default() };
            client.projects().delete_project(delete).await?;
        }
    }
    Ok(())
}

async fn create(client: &Client, n: usize, noise: &mut Noise) -> Result<String, Failure> {
    let project = v1::CreateProjectRequest {
        project_id: format!("churn-{n}"),
        project: Some(v1::Project {
            requester: "requesters/churn".into(),
            title: "Churn".into(),
            overlap: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    client.projects().create_project(project).await?;
    let parent = format!("projects/churn-{n}");
    let mut task = || v1::NewTask {
        payload: noise.payload().into(),
        content_type: "application/octet-stream".into(),
        ..Default::default()
    };
    let request = v1::CreateTasksRequest {
        parent: parent.clone(),
        tasks: (0..TASKS).map(|_| task()).collect(),
        request_id: format!("all-{n}"),
    };
    client.tasks().create_tasks(request).await?;
    Ok(parent)
}

async fn drained(client: &Client, name: &str) -> Result<(), Failure> {
    loop {
        let request = v1::GetProjectStatsRequest { name: name.into(), ..Default::default() };
        let stats = client.projects().get_project_stats(request).await?.into_inner().stats;
        let done = stats.and_then(|s| s.tasks).map_or(0, |tasks| tasks.done);
        if done == TASKS as u64 {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn read(client: &Client, parent: &str) -> Result<(), Failure> {
    let mut request =
        v1::ListResultsRequest { parent: parent.into(), page_size: 1_000, ..Default::default() };
    let mut results = 0;
    loop {
        let page = client.results().list_results(request.clone()).await?.into_inner();
        results += page.results.len();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if results != TASKS {
        return Err(format!("{parent} has {results} results of {TASKS} tasks").into());
    }
    Ok(())
}

/// Leases one task and answers it, once in `pause`.
pub(super) async fn work(
    client: Client,
    worker: usize,
    pause: Duration,
    cycles: Arc<AtomicU64>,
) -> Result<(), Failure> {
    let worker = create_worker(&client, &format!("w{worker}")).await?;
    let mut turn = tokio::time::interval(pause);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0_u64.. {
        turn.tick().await;
        // None: the next project is on its way.
        if lease_and_answer(&client, &worker, n).await? {
            cycles.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Bytes that do not compress (xorshift64).
struct Noise(u64);

impl Noise {
    fn payload(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PAYLOAD_BYTES);
        while bytes.len() < PAYLOAD_BYTES {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }
        bytes
    }
}
