//! Measures durable lease + submit cycles over gRPC, and memory per open task.
//!
//! Starts the real daemon from beside this program on a fresh data directory,
//! creates tasks of 256 bytes, then lets clients lease one and answer it, each
//! waiting for both replies. Client and daemon share the machine.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p piecework-client --example cycle -- [TASKS] [CLIENTS] [SECONDS]
//! ```
//!
//! Not here: a load generator for users; `piecework bench` comes with the speed issue.

#[path = "../shared/mod.rs"]
mod shared;
#[path = "../shared/usage.rs"]
mod usage;

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use piecework_client::Client;
use piecework_client::proto::v1;

use shared::{Daemon, Failure, create_requester, create_worker, lease_and_answer};
use usage::{cpu, resident_bytes};

const PAYLOAD_BYTES: usize = 256;
const BATCH: usize = 1_000;
const CONNECTIONS: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: usize| args.next().map_or(Ok(default), |a| a.parse());
    let (tasks, clients, seconds) = (number(1_000_000)?, number(64)?, number(10)?);

    let directory = tempfile::tempdir()?;
    let daemon = Daemon::start(directory.path().into())?;
    let empty = resident_bytes(&daemon.child)?;
    let seconds_intake = create(&daemon, tasks).await?;
    let full = resident_bytes(&daemon.child)?;
    let cycles = measure(&daemon, clients, Duration::from_secs(seconds as u64)).await?;

    println!("tasks open beforehand      {tasks}");
    println!("intake                     {:.0} tasks/s", tasks as f64 / seconds_intake);
    println!("resident, empty and full   {} MiB, {} MiB", empty >> 20, full >> 20);
    println!("growth per open task       {} B", (full.saturating_sub(empty)) / tasks.max(1) as u64);
    cycles.print(clients);
    drop(daemon);

    let again = Instant::now();
    let daemon = Daemon::start(directory.path().into())?;
    println!("restart to first answer    {:.1} s", again.elapsed().as_secs_f64());
    println!("resident after the restart {} MiB", resident_bytes(&daemon.child)? >> 20);
    Ok(())
}

async fn create(daemon: &Daemon, tasks: usize) -> Result<f64, Failure> {
    let client = Client::new(&daemon.server)?;
    create_requester(&client, "bench").await?;
    let project = v1::CreateProjectRequest {
        project_id: "cycle".into(),
        project: Some(v1::Project {
            requester: "requesters/bench".into(),
            title: "Cycles".into(),
            overlap: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    client.projects().create_project(project).await?;
    let begun = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for first in (0..tasks).step_by(BATCH) {
        if under_way.len() >= 4 {
            under_way.join_next().await.transpose()?.transpose()?;
        }
        let client = client.clone();
        let count = BATCH.min(tasks - first);
        under_way.spawn(async move {
            let task = v1::NewTask {
                payload: vec![b'x'; PAYLOAD_BYTES].into(),
                content_type: "text/plain".into(),
                ..Default::default()
            };
            let request = v1::CreateTasksRequest {
                parent: "projects/cycle".into(),
                tasks: vec![task; count],
                request_id: format!("batch-{first}"),
            };
            client.tasks().create_tasks(request).await.map(drop)
        });
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// What was measured.
struct Cycles {
    count: u64,
    took: Duration,
    cpu: Duration,
    micros: Histogram<u64>,
}

async fn measure(daemon: &Daemon, clients: usize, length: Duration) -> Result<Cycles, Failure> {
    let connections: Vec<Client> =
        (0..CONNECTIONS).map(|_| Client::new(&daemon.server)).collect::<Result<_, _>>()?;
    for worker in 0..clients {
        create_worker(&connections[0], &format!("w{worker}")).await?;
    }
    let (cpu_before, begun) = (cpu(&daemon.child)?, Instant::now());
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..clients {
        let client = connections[worker % CONNECTIONS].clone();
        running.spawn(work(client, format!("workers/w{worker}"), begun + length));
    }
    let mut micros = Histogram::new(3)?;
    while let Some(done) = running.join_next().await {
        micros.add(done??)?;
    }
    let cpu = cpu(&daemon.child)?.saturating_sub(cpu_before);
    Ok(Cycles { count: micros.len(), took: begun.elapsed(), cpu, micros })
}

/// Leases one, answers it, until the time is over.
async fn work(client: Client, worker: String, until: Instant) -> Result<Histogram<u64>, Failure> {
    let mut micros = Histogram::new(3)?;
    for n in 0_u64.. {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        if !lease_and_answer(&client, &worker, n).await? {
            return Err("the tasks ran out; create more".into());
        }
        micros.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
    Ok(micros)
}

impl Cycles {
    fn print(&self, clients: usize) {
        let rate = self.count as f64 / self.took.as_secs_f64();
        let cpu = self.cpu.as_micros() as f64 / self.count.max(1) as f64;
        println!("cycles, {clients} clients         {rate:.0}/s");
        println!(
            "p50, p99 of a cycle        {} us, {} us",
            self.percentile(50.0),
            self.percentile(99.0)
        );
        println!("daemon's CPU per cycle     {cpu:.1} us");
    }

    fn percentile(&self, percent: f64) -> u64 {
        self.micros.value_at_percentile(percent)
    }
}
