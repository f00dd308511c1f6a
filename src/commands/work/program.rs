//! A program that works: payload on stdin, answer on stdout.
//!
//! A status other than 0 means that it could not: the lease goes back. While
//! it runs its lease is extended, however busy it is.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result};
use bytes::Bytes;
use piecework_client::proto::v1::{Lease, ReturnReason};
use piecework_client::{KeptLease, LeaseKeeper};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::desk::{Desk, Held};
use super::{Done, answer};
use crate::interrupt::Interrupt;

/// A shell command, run once for each task.
#[derive(Debug)]
pub(super) struct Program {
    command: String,
}

impl Program {
    /// `command` is given to `sh -c`.
    pub(super) fn new(command: String) -> Self {
        Self { command }
    }

    /// Runs it on one task.
    pub(super) async fn work_on(
        &self,
        desk: &Desk,
        held: &Held,
        interrupt: &mut Interrupt,
    ) -> Result<Done> {
        let keeper = LeaseKeeper::start(desk.client.clone(), &held.lease, held.received);
        let mut child = self.spawn(&held.lease)?;
        let ran = tokio::select! {
            ran = run(&mut child, held.lease.payload.clone()) => Some(ran?),
            // Asked once, the program may finish; asked twice, it may not.
            () = interrupt.insisted() => None,
            () = revoked(keeper.state()) => {
                eprintln!("{} was taken away", held.lease.name);
                child.kill().await?;
                return Ok(Done::Return(ReturnReason::OutOfTime));
            }
        };
        let Some((status, printed)) = ran else {
            child.kill().await?;
            return Ok(Done::Quit(ReturnReason::OutOfTime));
        };
        if !status.success() {
            eprintln!("the program failed on {}: {status}", held.lease.name);
            // Given back as out of time it would come straight back, for ever.
            return Ok(Done::Return(ReturnReason::NotForMe));
        }
        Ok(Done::Answer(answer::from_program(held.lease.schema.as_ref(), &printed)))
    }

    fn spawn(&self, lease: &Lease) -> Result<Child> {
        let instructions =
            lease.instructions.get("en").or_else(|| lease.instructions.values().next());
        Command::new("sh")
            .arg("-c")
            .arg(&self.command)
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
}

async fn run(child: &mut Child, payload: Bytes) -> Result<(ExitStatus, Vec<u8>)> {
    let stdin = child.stdin.take();
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

/// Returns once the lease is known to be gone for good; an expired one may still be answered.
async fn revoked(mut state: watch::Receiver<KeptLease>) {
    let is_revoked = |state: &KeptLease| match state {
        KeptLease::Ended(why) => why.metadata.get("state").is_some_and(|s| s == "REVOKED"),
        _ => false,
    };
    if state.wait_for(is_revoked).await.is_err() {
        std::future::pending::<()>().await;
    }
}
