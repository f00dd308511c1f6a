//! Measures what refining a large project costs those who are served meanwhile.
//!
//! Starts the real daemon from beside this program on a fresh data directory, has a
//! project of TASKS tasks answered by three workers each, and then lets clients work on
//! another project: in turns while nothing is refined and while all answers of the large
//! one are gone through again. Client and daemon share the machine.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p piecework-client --example refining -- [TASKS] [CLIENTS] [SECONDS] [CHOICES]
//! ```
//!
//! Not here: what comes out (`piecework replay`), the methods' own cost
//! (`piecework-core --example crowd`).

#[path = "../churn/daemon.rs"]
mod daemon;
mod large;
mod live;
mod usage;

use std::time::Duration;

use piecework_client::Client;
use piecework_client::proto::v1;

use daemon::Daemon;
use live::Load;
use usage::{cpu, resident_bytes};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Turns without and with a refinement.
const TURNS: u64 = 3;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: usize| args.next().map_or(Ok(default), |a| a.parse());
    let (tasks, clients) = (number(1_000_000)?, number(16)?);
    let (seconds, choices) = (number(10)?, number(2)?);

    let directory = tempfile::tempdir()?;
    let daemon = Daemon::start(directory.path().into())?;
    let client = Client::new(&daemon.server)?;
    let requester = v1::CreateRequesterRequest {
        requester_id: "bench".into(),
        requester: Some(v1::Requester::default()),
        ..Default::default()
    };
    client.requesters().create_requester(requester).await?;
    let fill = large::fill(&client, tasks, choices).await?;
    let settled = large::settled(&client).await?;
    println!("tasks, answers, choices    {tasks}, {}, {choices}", settled.answers);
    println!("answers                    {:.0}/s", settled.answers as f64 / fill.as_secs_f64());
    println!("refinements meanwhile      {}", settled.rounds);
    println!("resident                   {} MiB", resident_bytes(&daemon.child)? >> 20);
    println!("CPU until here             {:.0} s", cpu(&daemon.child)?.as_secs_f64());

    let load = Load::create(&daemon.server, clients, seconds).await?;
    let length = Duration::from_secs(seconds as u64);
    for turn in 1..=TURNS {
        let pause = async {
            tokio::time::sleep(length).await;
            Ok(())
        };
        let without = load.work(pause).await?;
        let with = load.work(large::refined_again(&client, turn)).await?;
        let took = large::settled(&client).await?.took;
        without.print("without");
        with.print("while refining");
        println!("  that refinement took     {:.1} s", took.as_secs_f64());
        println!("  ratio of p99             {:.2}", with.p99() as f64 / without.p99() as f64);
    }
    println!("resident at the end        {} MiB", resident_bytes(&daemon.child)? >> 20);
    Ok(())
}
