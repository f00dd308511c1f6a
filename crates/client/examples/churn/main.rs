//! Measures whether disk use stays bounded under a steady load that also deletes.
//!
//! Starts the real daemon from beside this program on a fresh data directory.
//! Project after project is created with 1,000 tasks of 256 random bytes, worked
//! off at a limited rate, read and closed; the one that was made 20 projects
//! before is deleted. Every ten seconds a line tells what lies on disk, in
//! allocated blocks, beside the live data: the newest snapshot's bytes. Those
//! are compressed, but random payloads do not become smaller by it.
//!
//! ```text
//! cargo build --release
//! PIECEWORK_SEGMENT_BYTES=4194304 PIECEWORK_SNAPSHOT_JOURNAL_BYTES=16777216 \
//!     PIECEWORK_OVERLAY_BYTES=8388608 PIECEWORK_CACHE_BYTES=67108864 \
//!     PIECEWORK_TIMES__CREATE_KEYS_KEPT_MS=60000 \
//!     cargo run --release -p piecework-client --example churn -- [SECONDS] [CYCLES_PER_SECOND]
//! ```
//!
//! The daemon takes its settings from the environment, all but addresses and directory;
//! with these everything turns over many times within ten minutes.
//!
//! Not here: how fast the daemon is (`piecework bench`).

mod calls;
mod daemon;
mod disk;
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use piecework_client::Client;
use piecework_client::proto::v1;

use daemon::Daemon;
use disk::{Sample, summarize};
use load::{WORKERS, request, work};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SAMPLE_EVERY: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: usize| args.next().map_or(Ok(default), |a| a.parse());
    let (seconds, rate) = (number(600)?, number(400)?.max(1));

    let directory = tempfile::tempdir()?;
    let daemon = Daemon::start(directory.path().into())?;
    let client = Client::new(&daemon.server)?;
    let cycles = Arc::new(AtomicU64::new(0));
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let pause = Duration::from_secs_f64(WORKERS as f64 / rate as f64);
        running.spawn(work(client.clone(), worker, pause, cycles.clone()));
    }
    running.spawn(request(client.clone()));

    println!("seconds  cycles  journal  tables  snapshots  total  live (bytes)");
    let (begun, mut samples) = (Instant::now(), Vec::new());
    let mut clock = tokio::time::interval(SAMPLE_EVERY);
    clock.tick().await;
    while begun.elapsed().as_secs() < seconds as u64 {
        tokio::select! {
            _ = clock.tick() => {}
            // Neither ends by itself.
            ended = running.join_next() => return Err(format!("the load broke off: {ended:?}").into()),
        }
        let live = live_bytes(&client).await?;
        let sample = Sample::take(begun.elapsed(), directory.path(), live)?;
        sample.print(cycles.load(Ordering::Relaxed));
        samples.push(sample);
    }
    running.shutdown().await;
    summarize(&samples);
    Ok(())
}

/// Bytes of the newest snapshot's files; 0 before the first.
async fn live_bytes(client: &Client) -> Result<u64, Failure> {
    let list = client.admin().list_snapshots(v1::ListSnapshotsRequest {}).await?.into_inner();
    Ok(list.snapshots.last().map_or(0, |snapshot| snapshot.stored_bytes))
}
