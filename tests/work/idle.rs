//! What workers cost who only wait. A measurement: `cargo nextest run -p piecework
//! --run-ignored all -E 'test(/work::idle/)' --no-capture`.

use std::time::Duration;

use piecework_client::proto::v1::{CreateWorkerRequest, Worker, WorkerKind};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::work::Work;
use crate::harness::{Daemon, Platform};

const STREAMS: usize = 100;
const WORKERS_A_STREAM: usize = 100;
/// Bytes that one idle worker may cost.
const BYTES_MAX: u64 = 20 * 1024;
const WATCHED: Duration = Duration::from_secs(30);

#[tokio::test]
#[ignore = "takes minutes; a measurement"]
async fn ten_thousand_idle_workers_cost_little() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let mut crews: Vec<Vec<String>> = Vec::new();
    for stream in 0..STREAMS {
        let names: JoinSet<String> =
            (0..WORKERS_A_STREAM).map(|n| worker(platform.clone(), stream, n)).collect();
        crews.push(names.join_all().await);
    }
    let before = daemon.resident_bytes();
    let mut streams: Vec<Work> = Vec::new();
    for crew in &crews {
        let present: Vec<(&str, u32)> = crew.iter().map(|name| (name.as_str(), 1)).collect();
        streams.push(platform.synced_work(&present).await);
    }
    let bytes = (daemon.resident_bytes() - before) / (STREAMS * WORKERS_A_STREAM) as u64;
    let cpu = daemon.cpu_time();
    // They only answer pings.
    let mut reading = JoinSet::new();
    for mut stream in streams {
        reading.spawn(async move { timeout(WATCHED, stream.read()).await.is_err() });
    }
    assert!(reading.join_all().await.into_iter().all(|quiet| quiet), "nothing was to come");
    let share = (daemon.cpu_time() - cpu).as_secs_f64() / WATCHED.as_secs_f64();
    eprintln!("{bytes} bytes a worker, {:.1} % of a core", share * 100.0);
    assert!(bytes <= BYTES_MAX, "{bytes} bytes a worker");
    assert!(share < 0.05, "{:.1} % of a core", share * 100.0);
}

async fn worker(platform: Platform, stream: usize, n: usize) -> String {
    let worker = Worker { kind: WorkerKind::Human.into(), ..Worker::default() };
    let request = CreateWorkerRequest {
        worker: Some(worker),
        worker_id: format!("w-{stream}-{n}"),
        request_id: String::new(),
    };
    let created = platform.client.workers().create_worker(request).await.expect("a worker");
    created.into_inner().worker.expect("a worker").name
}
