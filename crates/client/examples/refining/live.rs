//! The project that is served meanwhile: clients that lease one task and answer it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use hdrhistogram::Histogram;
use piecework_client::Client;
use piecework_client::proto::v1;

use super::Failure;

const PARENT: &str = "projects/live";
const BATCH: usize = 1_000;
/// Tasks that are surely enough for a second.
const TASKS_PER_SECOND: usize = 15_000;
/// A turn while refining may take so many times a turn without.
const SLACK: usize = 12;

/// Clients of the small project.
pub(super) struct Load {
    clients: Vec<Client>,
    next: AtomicU64,
}

impl Load {
    pub(super) async fn create(
        server: &str,
        clients: usize,
        seconds: usize,
    ) -> Result<Load, Failure> {
        let client = Client::new(server)?;
        let project = v1::Project {
            requester: "requesters/bench".into(),
            title: "Live".into(),
            overlap: 1,
            ..Default::default()
        };
        let request = v1::CreateProjectRequest {
            project_id: "live".into(),
            project: Some(project),
            ..Default::default()
        };
        client.projects().create_project(request).await?;
        for batch in 0..TASKS_PER_SECOND * seconds * SLACK / BATCH {
            let task = v1::NewTask {
                payload: vec![b'x'; 16].into(),
                content_type: "text/plain".into(),
                ..Default::default()
            };
            let request = v1::CreateTasksRequest {
                parent: PARENT.into(),
                tasks: vec![task; BATCH],
                request_id: format!("live-{batch}"),
            };
            client.tasks().create_tasks(request).await?;
        }
        let mut all = Vec::new();
        for worker in 0..clients {
            let request = v1::CreateWorkerRequest {
                worker_id: format!("w{worker}"),
                worker: Some(v1::Worker {
                    kind: v1::WorkerKind::Human.into(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            client.workers().create_worker(request).await?;
            all.push(Client::new(server)?);
        }
        Ok(Load { clients: all, next: AtomicU64::new(0) })
    }

    /// Works until `until` is over.
    pub(super) async fn work(
        &self,
        until: impl Future<Output = Result<(), Failure>>,
    ) -> Result<Worked, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        let mut running = tokio::task::JoinSet::new();
        let begun = Instant::now();
        for (worker, client) in self.clients.iter().enumerate() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let (client, over) = (client.clone(), Arc::clone(&over));
            running.spawn(async move { one(&client, worker, turn, &over).await });
        }
        until.await?;
        over.store(true, Ordering::Relaxed);
        let mut micros = Histogram::new(3)?;
        while let Some(done) = running.join_next().await {
            micros.add(done??)?;
        }
        Ok(Worked { micros, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// How long each answer took to be durable, microseconds.
pub(super) struct Worked {
    micros: Histogram<u64>,
    seconds: f64,
}

impl Worked {
    pub(super) fn p99(&self) -> u64 {
        self.micros.value_at_percentile(99.0)
    }

    pub(super) fn print(&self, how: &str) {
        let rate = self.micros.len() as f64 / self.seconds;
        let p50 = self.micros.value_at_percentile(50.0);
        println!("{how:<26} {rate:.0} answers/s for {:.1} s", self.seconds);
        println!("  p50, p99 of a submit     {p50} us, {} us", self.p99());
    }
}

async fn one(
    client: &Client,
    worker: usize,
    turn: u64,
    over: &AtomicBool,
) -> Result<Histogram<u64>, Failure> {
    let mut micros = Histogram::new(3)?;
    let mut dispatch = client.dispatch();
    let worker = format!("workers/w{worker}");
    for round in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let request = v1::LeaseRequest {
            worker: worker.clone(),
            request_id: format!("t{turn}-{round}"),
            projects: vec![PARENT.into()],
            ..Default::default()
        };
        let leased = dispatch.lease(request).await?.into_inner();
        let lease = leased.leases.into_iter().next().ok_or("the tasks ran out")?;
        let answer = v1::Answer {
            lease: lease.name,
            answer: "done".into(),
            content_type: "text/plain".into(),
        };
        let request = v1::SubmitAnswersRequest {
            worker: worker.clone(),
            answers: vec![answer],
            ..Default::default()
        };
        let begun = Instant::now();
        let submitted = dispatch.submit_answers(request).await?.into_inner();
        micros.record(u64::try_from(begun.elapsed().as_micros())?)?;
        let outcome = submitted.results.into_iter().next().and_then(|r| r.outcome);
        if !matches!(outcome, Some(v1::submit_answer_result::Outcome::Receipt(_))) {
            return Err(format!("an answer was refused: {outcome:?}").into());
        }
    }
    Ok(micros)
}
