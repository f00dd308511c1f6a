//! Measures what idle workers on open `Work` streams cost the daemon.
//!
//! Starts the real daemon from beside this program, lets STREAMS streams speak for WORKERS
//! workers each, all with room and nothing to do, waits until every one of them is
//! synced, and then watches the daemon for SECONDS. Client and daemon share the machine.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p piecework-client --example idle -- [STREAMS] [WORKERS] [SECONDS]
//! ```
//!
//! The bars: at most 20 KiB a worker and under 5 % of a core.

#[path = "../shared/daemon.rs"]
mod daemon;
#[path = "../shared/usage.rs"]
mod usage;

use std::time::{Duration, Instant};

use piecework_client::Client;
use piecework_client::proto::v1;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use daemon::Daemon;
use usage::{cpu, resident_bytes};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Connections that the streams share, as a platform's back end would.
const CONNECTIONS: usize = 16;
/// Workers made at a time.
const MAKERS: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: usize| args.next().map_or(Ok(default), |a| a.parse());
    let (streams, workers, seconds) = (number(100)?, number(100)?, number(30)?);

    let directory = tempfile::tempdir()?;
    let daemon = Daemon::start(directory.path().into())?;
    let connections: Vec<Client> =
        (0..CONNECTIONS).map(|_| Client::new(&daemon.server)).collect::<Result<_, _>>()?;
    let all = streams * workers;
    create_workers(&connections[0], all).await?;
    let before = resident_bytes(&daemon.child)?;

    let mut open = Vec::new();
    let mut names = (0..all).map(|n| format!("workers/w{n}"));
    for n in 0..streams {
        let mine = names.by_ref().take(workers).collect();
        open.push(connect(&connections[n % CONNECTIONS], mine).await?);
    }
    // What the opening itself used for a moment is not what idling costs.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let resident = resident_bytes(&daemon.child)?;
    let (used, begun) = (cpu(&daemon.child)?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
    let used = cpu(&daemon.child)?.saturating_sub(used);
    let share = used.as_secs_f64() / begun.elapsed().as_secs_f64();

    println!("streams, workers on each   {streams}, {workers}");
    println!("resident before, after     {} KiB, {} KiB", before >> 10, resident >> 10);
    println!("growth per idle worker     {} B", resident.saturating_sub(before) / all as u64);
    println!("daemon's share of a core   {:.2} %", share * 100.0);
    Ok(())
}

async fn create_workers(client: &Client, count: usize) -> Result<(), Failure> {
    let mut under_way = tokio::task::JoinSet::new();
    for n in 0..count {
        if under_way.len() >= MAKERS {
            under_way.join_next().await.transpose()?.transpose()?;
        }
        let client = client.clone();
        let request = v1::CreateWorkerRequest {
            worker_id: format!("w{n}"),
            worker: Some(v1::Worker { kind: v1::WorkerKind::Human.into(), ..Default::default() }),
            ..Default::default()
        };
        under_way.spawn(async move { client.workers().create_worker(request).await.map(drop) });
    }
    while let Some(made) = under_way.join_next().await {
        made??;
    }
    Ok(())
}

/// A stream that is open until this is dropped.
struct Open {
    _frames: mpsc::Sender<v1::WorkRequest>,
    _reader: tokio::task::JoinHandle<()>,
}

/// Opens a stream for these workers and waits until all are synced; then answers pings.
async fn connect(client: &Client, workers: Vec<String>) -> Result<Open, Failure> {
    use v1::work_request::{Frame, Hello, Pong, PresentWorker};
    use v1::work_response::Frame as Told;

    let (frames, outgoing) = mpsc::channel(16);
    let mut missing = workers.len();
    let present = |worker| PresentWorker { worker, capacity: 1, ..Default::default() };
    let hello = Hello { workers: workers.into_iter().map(present).collect() };
    frames.send(v1::WorkRequest { op_id: 0, frame: Some(Frame::Hello(hello)) }).await?;
    let mut told = client.dispatch().work(ReceiverStream::new(outgoing)).await?.into_inner();
    while missing > 0 {
        let frame = told.next().await.ok_or("the daemon ended a stream")??.frame;
        if matches!(frame, Some(Told::Synced(_))) {
            missing -= 1;
        }
    }
    let pongs = frames.clone();
    let reader = tokio::spawn(async move {
        while let Some(Ok(response)) = told.next().await {
            if let Some(Told::Ping(ping)) = response.frame {
                let frame = Some(Frame::Pong(Pong { nonce: ping.nonce }));
                if pongs.send(v1::WorkRequest { op_id: 0, frame }).await.is_err() {
                    break;
                }
            }
        }
    });
    Ok(Open { _frames: frames, _reader: reader })
}
