//! Logs: on stderr, for people or for machines.

use std::io::IsTerminal;

use anyhow::Result;
use piecework_server::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

use crate::failure::{input, is_coloured};

/// Starts logging, once a process.
pub(crate) fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| input(format!("log.filter = {:?}: {error}", log.filter)))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal() && is_coloured();
            subscriber.with_ansi(colours).with_target(false).try_init()
        }
    };
    started.map_err(|error| anyhow::anyhow!("could not start logging: {error}"))
}
