//! `admin drain`.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use piecework_client::proto::v1::DrainRequest;
use piecework_client::to_proto;

use crate::quantities::duration;
use crate::session::{Session, answer};

/// How the daemon is, and its end
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// End the daemon in good order, as SIGTERM does; safe to run again
    Drain(Drain),
}

/// Drain the daemon
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// How long calls and streams may take to finish, at most 1h; by default as configured
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    within: Option<Duration>,
}

impl Admin {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let Self::Drain(Drain { within }) = self;
        let request = DrainRequest { within: within.map(to_proto) };
        let reply = answer(session.client.admin().drain(request).await)?;
        session.output().one(&reply)
    }
}
