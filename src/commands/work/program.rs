//! A program that works: payload on stdin, answer on stdout, one run for each task.
//!
//! Leases come over the stream and are kept while it runs, however busy it is. A
//! status other than 0 means that it could not: the lease goes back. After some
//! failures in a row there is a pause before the next run, in the end a stop.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use piecework_client::proto::v1::work_request::PresentWorker;
use piecework_client::proto::v1::{Lease, ReturnReason};
use piecework_client::{End, Ended, Finished, Runtime, Stopped, Task, Work, WorkError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::answer;
use crate::failure::{Failure, one_line};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::shown::plain;

/// A program that fails so often in a row is broken, and is not tried for ever.
const FAILURES_MAX: u32 = 5;
/// An outage of the daemon is ridden out.
const RECONNECT_WITHIN: Duration = Duration::from_secs(60);

/// What the program is to do, and for whom.
#[derive(Debug)]
pub(super) struct Job {
    /// Given to `sh -c`.
    pub(super) command: String,
    /// Who works, and on what.
    pub(super) wishes: PresentWorker,
    /// Runs at a time.
    pub(super) concurrency: u32,
    /// Only this lease, which the worker holds.
    pub(super) lease: Option<String>,
    /// End after so many tasks.
    pub(super) at_most: Option<u64>,
    /// How long to wait when there is nothing to do.
    pub(super) wait: Duration,
    /// Where receipts go.
    pub(super) output: Output,
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Ledger {
    handled: u64,
    receipts: u64,
    /// In a row.
    failures: u32,
    /// Why it cannot go on.
    broken: Option<anyhow::Error>,
}

/// The ledger, and how to ask for the end. Clones share it.
#[derive(Debug, Clone, Default)]
struct Desk {
    ledger: Arc<Mutex<Ledger>>,
    enough: Arc<Notify>,
}

impl Desk {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes why it cannot go on, and asks for the end.
    fn stop(&self, why: anyhow::Error) {
        self.ledger().broken.get_or_insert(why);
        self.enough.notify_one();
    }

    fn failed(&self) {
        let failures = {
            let mut ledger = self.ledger();
            ledger.failures += 1;
            ledger.failures
        };
        if failures >= FAILURES_MAX {
            let message = format!("the program failed {failures} times in a row");
            self.stop(Failure::Incomplete(message).into());
        }
    }

    /// Says how a lease ended.
    fn note(&self, finished: &Finished, output: Output) {
        let name = &finished.lease.name;
        self.ledger().handled += u64::from(finished.started);
        match &finished.end {
            End::Done(receipt) => {
                let first = {
                    let mut ledger = self.ledger();
                    ledger.receipts += 1;
                    ledger.failures = 0;
                    ledger.receipts == 1
                };
                if let Err(error) = output.line(receipt, first) {
                    self.stop(error);
                }
            }
            End::Refused(refused) => {
                eprintln!("answer refused: {}", one_line(refused));
                self.failed();
            }
            End::Returned(reason) => {
                let reason = plain(reason.as_str_name(), "RETURN_REASON_");
                eprintln!("returned {name}: {reason}");
            }
            End::Ended(Ended::Revoked(why)) => eprintln!("{name} was taken away: {why}"),
            End::Ended(Ended::Elsewhere) => eprintln!("{name} was ended over another connection"),
            End::Ended(Ended::Expired | Ended::Away) => eprintln!("{name} ran out"),
            End::Unanswered => eprintln!("it is not known whether the answer to {name} was taken"),
        }
    }
}

/// Works until there is nothing to do, enough is done, or somebody asks to stop.
pub(super) async fn work(
    client: piecework_client::Client,
    job: Job,
    interrupt: &Interrupt,
) -> Result<()> {
    let Job { command, wishes, concurrency, lease, at_most, wait, output } = job;
    let desk = Desk::default();
    let (asked, insisted, hand) = (interrupt.clone(), interrupt.clone(), interrupt.clone());
    let (noting, enough, ledger) = (desk.clone(), Arc::clone(&desk.enough), desk.clone());
    let command: Arc<str> = command.into();
    let mut runtime = Runtime::builder(client, wishes.worker.clone())
        .handler(move |task| run(Arc::clone(&command), task, desk.clone(), hand.clone()))
        .wishes(wishes)
        .concurrency(concurrency)
        .idle_within(wait)
        .reconnect_within(RECONNECT_WITHIN)
        .report(move |finished| noting.note(&finished, output))
        .hurry(asked_twice(insisted));
    if let Some(most) = at_most {
        runtime = runtime.at_most(most);
    }
    if let Some(lease) = lease {
        runtime = runtime.only(lease);
    }
    let stopped = runtime.run(asked_or_enough(asked, enough)).await;
    let mut ledger = ledger.ledger();
    if let Ok(Stopped::Idle(why)) = &stopped {
        eprintln!("nothing to do: {why}");
    }
    eprintln!("tasks: {}, answers taken: {}", ledger.handled, ledger.receipts);
    match (ledger.broken.take(), stopped) {
        (Some(broken), _) => Err(broken),
        (None, Ok(_)) => Ok(()),
        (None, Err(WorkError::Refused(error) | WorkError::Unreachable(error))) => Err(error.into()),
        (None, Err(error)) => Err(error.into()),
    }
}

async fn asked_or_enough(mut interrupt: Interrupt, enough: Arc<Notify>) {
    tokio::select! {
        () = interrupt.asked() => {}
        () = enough.notified() => {}
    }
}

/// Asked once, the program may finish; asked twice, it may not.
async fn asked_twice(mut interrupt: Interrupt) {
    interrupt.insisted().await;
}

/// One task. Cancelled, it kills the program.
async fn run(command: Arc<str>, task: Task, desk: Desk, mut interrupt: Interrupt) -> Work {
    let failures = desk.ledger().failures;
    if failures > 0 {
        // The next one may fail in the same way; it should not spin.
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1 << failures.min(FAILURES_MAX)) / 2) => {}
            () = interrupt.asked() => return Work::Return(ReturnReason::Unstarted),
        }
    }
    let lease = task.lease;
    match ran(&command, &lease).await {
        Ok((status, printed)) if status.success() => {
            Work::Answer(answer::from_program(lease.schema.as_ref(), &printed))
        }
        Ok((status, _)) => {
            eprintln!("the program failed on {}: {status}", lease.name);
            desk.failed();
            // Given back as out of time it would come straight back, for ever.
            Work::Return(ReturnReason::NotForMe)
        }
        Err(error) => {
            desk.stop(error);
            Work::Return(ReturnReason::Unstarted)
        }
    }
}

async fn ran(command: &str, lease: &Lease) -> Result<(ExitStatus, Vec<u8>)> {
    let mut child = spawn(command, lease)?;
    let (stdin, payload) = (child.stdin.take(), lease.payload.clone());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program need not read its payload.
            let _ = stdin.write_all(&payload).await;
        }
    };
    let mut printed = Vec::new();
    let mut stdout = child.stdout.take().context("the program has no stdout")?;
    let ((), read) = tokio::join!(feed, stdout.read_to_end(&mut printed));
    read.context("could not read what the program printed")?;
    let status = child.wait().await.context("could not wait for the program")?;
    Ok((status, printed))
}

fn spawn(command: &str, lease: &Lease) -> Result<Child> {
    let instructions = lease.instructions.get("en").or_else(|| lease.instructions.values().next());
    Command::new("sh")
        .arg("-c")
        .arg(command)
        .env("PIECEWORK_LEASE", &lease.name)
        .env("PIECEWORK_PROJECT", &lease.project)
        .env("PIECEWORK_CONTENT_TYPE", &lease.content_type)
        .env("PIECEWORK_INSTRUCTIONS", instructions.map_or("", String::as_str))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C asks us, not the program in the middle of its work.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("could not start the program")
}
