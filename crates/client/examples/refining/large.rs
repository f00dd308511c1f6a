//! The large project: three answers to each task, by workers who err.

use std::time::{Duration, Instant};

use piecework_client::Client;
use piecework_client::proto::v1;

use super::Failure;

const PARENT: &str = "projects/large";
const OVERLAP: u32 = 3;
const WORKERS: usize = 64;
const BATCH: usize = 1_000;
/// Answers of a call.
const BUNDLE: u32 = 500;
/// How often we look whether a refinement is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the daemon tells of its refinements.
pub(super) struct Settled {
    pub(super) answers: u64,
    pub(super) rounds: u64,
    pub(super) took: Duration,
}

/// Creates the tasks and has them answered; returns how long the answers took.
pub(super) async fn fill(
    client: &Client,
    tasks: usize,
    choices: usize,
) -> Result<Duration, Failure> {
    let label = v1::AnswerField {
        name: "label".into(),
        kind: v1::AnswerFieldKind::Choice.into(),
        choices: (0..choices).map(|choice| format!("c{choice}")).collect(),
        required: true,
        ..Default::default()
    };
    let project = v1::Project {
        requester: "requesters/bench".into(),
        title: "Large".into(),
        overlap: OVERLAP,
        schema: Some(v1::AnswerSchema { fields: vec![label] }),
        ..Default::default()
    };
    let request = v1::CreateProjectRequest {
        project_id: "large".into(),
        project: Some(project),
        ..Default::default()
    };
    client.projects().create_project(request).await?;
    create(client, tasks, "first").await?;
    for worker in 0..WORKERS {
        let worker_id = format!("m{worker}");
        let worker = v1::Worker {
            kind: v1::WorkerKind::Ai.into(),
            capacity: 2 * BUNDLE,
            ..Default::default()
        };
        let request =
            v1::CreateWorkerRequest { worker_id, worker: Some(worker), ..Default::default() };
        client.workers().create_worker(request).await?;
    }
    let begun = Instant::now();
    answer(client, choices).await?;
    Ok(begun.elapsed())
}

/// A few tasks more, which makes a refinement due, and waits until it has come.
pub(super) async fn refined_again(client: &Client, turn: u64) -> Result<(), Failure> {
    let before = settled(client).await?.rounds;
    create(client, 10, &format!("turn-{turn}")).await?;
    answer(client, 2).await?;
    while stats(client).await?.rounds == before {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Waits until every answer has been gone through.
pub(super) async fn settled(client: &Client) -> Result<Settled, Failure> {
    loop {
        let refinement = stats(client).await?;
        if refinement.pending_answers == 0 {
            let took = refinement.took.unwrap_or_default();
            let took = Duration::try_from(took).map_err(|_| "the daemon tells no duration")?;
            return Ok(Settled { answers: refinement.answers, rounds: refinement.rounds, took });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn stats(client: &Client) -> Result<v1::Refinement, Failure> {
    let request = v1::GetProjectStatsRequest { name: PARENT.into(), ..Default::default() };
    let stats = client.projects().get_project_stats(request).await?.into_inner().stats;
    Ok(stats.and_then(|stats| stats.refinement).ok_or("nothing is refined")?)
}

async fn create(client: &Client, tasks: usize, key: &str) -> Result<(), Failure> {
    for first in (0..tasks).step_by(BATCH) {
        let task = v1::NewTask {
            payload: vec![b'x'; 16].into(),
            content_type: "text/plain".into(),
            ..Default::default()
        };
        let request = v1::CreateTasksRequest {
            parent: PARENT.into(),
            tasks: vec![task; BATCH.min(tasks - first)],
            request_id: format!("{key}-{first}"),
        };
        client.tasks().create_tasks(request).await?;
    }
    Ok(())
}

/// All workers, until nothing is left for them.
async fn answer(client: &Client, choices: usize) -> Result<(), Failure> {
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let client = client.clone();
        running.spawn(async move { work(&client, worker, choices).await });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

async fn work(client: &Client, worker: usize, choices: usize) -> Result<(), Failure> {
    let name = format!("workers/m{worker}");
    let mut noise = worker as u64 + 1;
    let mut leases: Vec<v1::Lease> = Vec::new();
    loop {
        let mut answered = Vec::with_capacity(leases.len());
        for lease in &leases {
            answered.push(v1::Answer {
                lease: lease.name.clone(),
                answer: label(&lease.task, choices, &mut noise).into(),
                content_type: "application/json".into(),
            });
        }
        let mut dispatch = client.dispatch();
        let is_first = answered.is_empty();
        leases = match is_first {
            true => {
                let request = v1::LeaseRequest {
                    worker: name.clone(),
                    count: BUNDLE,
                    projects: vec![PARENT.into()],
                    ..Default::default()
                };
                dispatch.lease(request).await?.into_inner().leases
            }
            false => {
                let request = v1::SubmitAnswersRequest {
                    worker: name.clone(),
                    answers: answered,
                    next: Some(v1::NextLease {
                        count: BUNDLE,
                        projects: vec![PARENT.into()],
                        ..Default::default()
                    }),
                };
                let taken = dispatch.submit_answers(request).await?.into_inner();
                taken.next.map_or(Vec::new(), |next| next.leases)
            }
        };
        if leases.is_empty() {
            return Ok(());
        }
    }
}

/// The task's class, four times in five.
fn label(task: &str, choices: usize, noise: &mut u64) -> String {
    let mut truth = 0xcbf2_9ce4_8422_2325_u64;
    task.bytes().for_each(|b| truth = (truth ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    *noise ^= *noise << 13;
    *noise ^= *noise >> 7;
    *noise ^= *noise << 17;
    let drawn = if noise.is_multiple_of(5) { *noise >> 8 } else { truth >> 8 };
    format!("{{\"label\":\"c{}\"}}", drawn % choices as u64)
}
