//! `peers`: the job of piecework, done on the durable queues that people use today.
//!
//! Durable enqueue, lease one, finish one, in a closed loop with payloads of 256 bytes;
//! and the floors below any daemon that speaks gRPC and syncs: a bare echo, a bare stream
//! and one fdatasync. One run, one object on stdout, with the keys of `piecework bench`.
//!
//! Not here: starting and stopping the servers, turns, medians and bars
//! (`cargo xtask compare`).

mod closed_loop;
mod echo;
mod echo_server;
mod fdatasync;
mod payload;
mod pg_100;
mod pg_intake;
mod pg_table;
mod redis_list;
mod redis_socket;
mod report;
mod stream;
mod stream_server;
mod usage;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::report::Format;

/// The job of piecework, done by others
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    peer: Peer,
    /// How the result is written
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Peer {
    RedisList(redis_list::RedisList),
    #[command(name = "pg-100")]
    Pg100(pg_100::Pg100),
    PgIntake(pg_intake::PgIntake),
    Echo(echo::Echo),
    #[command(hide = true)]
    EchoServer,
    Stream(stream::Stream),
    Fdatasync(fdatasync::Fdatasync),
}

/// How many, and for how long.
#[derive(Debug, Clone, Args)]
struct Load {
    /// Connections, each of which waits for its reply before it sends again
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// How long is measured, in seconds
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let report = match cli.peer {
        Peer::RedisList(peer) => peer.run().await?,
        Peer::Pg100(peer) => peer.run().await?,
        Peer::PgIntake(peer) => peer.run().await?,
        Peer::Echo(peer) => peer.run().await?,
        Peer::EchoServer => return echo_server::serve_until_stdin_closes().await,
        Peer::Stream(peer) => peer.run().await?,
        Peer::Fdatasync(peer) => peer.run()?,
    };
    report.print(cli.output)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_fit_together() {
        Cli::command().debug_assert();
    }
}
