//! `serve`: run the daemon until it is asked to stop.
//!
//! When calls are answered, one line on stdout says where:
//! `ready listen=127.0.0.1:7420 metrics=127.0.0.1:7421`. Scripts, tests and
//! our own `demo` wait for it; everything else is logged to stderr.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use piecework_server::{Config, Ready, ServeError};
use serde::Serialize;
use tokio::io::{AsyncReadExt, stdin};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::{config, telemetry};

/// Run the daemon
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A file with all settings; these flags and PIECEWORK_… variables win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop when stdin is closed: a daemon that must not outlive its parent
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Settings that were given as flags, under the daemon's own keys.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Settings {
    /// Where everything is kept; created at the first start
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// Where metrics and health are served
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_listen: Option<String>,
    /// Allow addresses that others can reach; there are no credentials
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure_bind: bool,
}

impl Serve {
    /// Runs until a signal, or the end of stdin where that was asked for.
    pub(crate) async fn run(self) -> Result<()> {
        let interrupt = Interrupt::listen()?;
        let config: Config = config::load(self.config.as_deref(), &self.settings)?;
        telemetry::start(&config.log)?;
        let (ready, is_ready) = oneshot::channel();
        tokio::spawn(async {
            if let Ok(at) = is_ready.await {
                say_ready(&at);
            }
        });
        let stop = stop(interrupt, self.until_stdin_closes);
        piecework_server::serve(config, ready, stop).await.map_err(failed)
    }
}

/// Tells whoever started us; who does not listen is not told.
fn say_ready(at: &Ready) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "ready listen={} metrics={}", at.listen, at.metrics);
    let _ = stdout.flush();
}

/// Nothing is mended by guessing: what the tables and snapshots make good was
/// made good before it came to this.
const DAMAGED_ADVICE: &str = "  try: `piecework verify --data-dir DIR` lists all that is damaged; put \
    the named file back as it was, from a copy of the data directory; or, in a new directory, \
    `piecework restore` the newest snapshot that is whole; keep this directory until then";

/// The exit status follows from the kind of failure.
fn failed(error: ServeError) -> anyhow::Error {
    let (code, error) = (error.exit_code(), anyhow::Error::from(error));
    match code {
        2 => Failure::Input(format!("{error:#}")).into(),
        3 => Failure::Damaged(format!("{error:#}\n{DAMAGED_ADVICE}")).into(),
        75 => Failure::StartAgain(format!("{error:#}")).into(),
        _ => error,
    }
}

/// Returns once the daemon is to stop.
async fn stop(mut interrupt: Interrupt, until_stdin_closes: bool) {
    let closed = async {
        if !until_stdin_closes {
            std::future::pending::<()>().await;
        }
        let (mut input, mut ignored) = (stdin(), [0; 256]);
        while input.read(&mut ignored).await.is_ok_and(|bytes| bytes > 0) {}
    };
    tokio::select! {
        () = interrupt.asked() => {}
        () = closed => {}
    }
}
