//! What can be written on the command line.
//!
//! Each verb's own flags stand in its file under `commands/`.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    admin, bench, completions, demo, explain, offers, project, replay, requester, restore, serve,
    snapshot, submit, task, verify, watch, work, worker,
};
use crate::output::Format;

/// Dispatches micro-tasks to people and AI models over gRPC.
#[derive(Debug, Parser)]
#[command(
    name = "piecework",
    version,
    propagate_version = true,
    after_help = "Exit status: 0 done, 1 the daemon said no, 2 wrong usage or input file, \
                  3 damaged data, 4 the daemon cannot be reached."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// Address of the daemon; by default http://127.0.0.1:7420
    #[arg(long, global = true, env = "PIECEWORK_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// How to print results; by default a table, in `watch` JSON lines
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}

/// Where a daemon listens unless told otherwise.
const DEFAULT_SERVER: &str = "http://127.0.0.1:7420";

impl Connection {
    /// The address given, or the default one.
    pub(crate) fn address(&self) -> &str {
        self.server.as_deref().unwrap_or(DEFAULT_SERVER)
    }
}

/// One verb, or one noun with its verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon
    Serve(serve::Serve),
    /// Show what it does: a project, a simulated crowd, its results; ends by itself
    Demo(demo::Demo),
    /// Those who have work done
    #[command(subcommand)]
    Requester(requester::Requesters),
    /// What is asked
    #[command(subcommand)]
    Project(project::Projects),
    /// One piece of work
    #[command(subcommand)]
    Task(task::Tasks),
    /// Those who answer
    #[command(subcommand)]
    Worker(worker::Workers),
    /// Bring a file of tasks into a project; safe to run again
    Submit(submit::Submit),
    /// Answer tasks here in the terminal, or with a program
    Work(work::Work),
    /// Stream a project's results, for ever and without a gap
    Watch(watch::Watch),
    /// What is open to a worker, before it commits itself
    Offers(offers::Offers),
    /// Why a task waits, or why a worker is idle
    #[command(subcommand)]
    Explain(explain::Explain),
    /// Snapshots of the daemon's state: for backups, and what keeps its journal short
    #[command(subcommand)]
    Snapshot(snapshot::Snapshots),
    /// How the daemon is, and its end
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Make a new data directory from a snapshot, and check it
    Restore(restore::Restore),
    /// Check a data directory on which no daemon runs; changes nothing
    Verify(verify::Verify),
    /// Send a recorded crowd through the daemon and compare with the known truth
    Replay(replay::Replay),
    /// Measure a daemon under load: rates, times, CPU, memory, disk
    ///
    /// Starts a daemon of its own as a process, on fresh data that are removed afterwards. With --server it puts the
    /// load on that one, leaves its projects there, and cannot tell CPU, memory and journal. Load and daemon share
    /// this machine. Every time counts until the daemon has it on disk, and is told in microseconds.
    Bench(bench::Bench),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

impl Command {
    /// On how many threads it wants to run; none: as many as there are cores.
    pub(crate) fn threads(&self) -> Option<usize> {
        match self {
            Self::Bench(bench) => bench.threads(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn flags_and_names_do_not_collide() {
        Cli::command().debug_assert();
    }
}
