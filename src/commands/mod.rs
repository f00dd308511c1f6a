//! One file for each verb, or for each noun with its verbs.

pub(crate) mod admin;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod offers;
pub(crate) mod project;
pub(crate) mod rating;
pub(crate) mod replay;
pub(crate) mod requester;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod submit;
pub(crate) mod task;
pub(crate) mod verify;
pub(crate) mod watch;
pub(crate) mod work;
pub(crate) mod worker;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::session::Session;

/// Runs what was asked for.
pub(crate) async fn run(cli: Cli) -> Result<()> {
    let connection = cli.connection;
    let session = || Session::open(&connection);
    match cli.command {
        Command::Serve(command) => command.run().await,
        Command::Demo(command) => command.run(&connection).await,
        Command::Requester(command) => command.run(&session()?).await,
        Command::Project(command) => command.run(&session()?).await,
        Command::Task(command) => command.run(&session()?).await,
        Command::Worker(command) => command.run(&session()?).await,
        Command::Submit(command) => command.run(&session()?).await,
        Command::Work(command) => command.run(&session()?).await,
        Command::Watch(command) => command.run(&session()?).await,
        Command::Offers(command) => command.run(&session()?).await,
        Command::Explain(command) => command.run(&session()?).await,
        Command::Snapshot(command) => command.run(&connection).await,
        Command::Admin(command) => command.run(&session()?).await,
        Command::Restore(command) => command.run(&connection),
        Command::Verify(command) => command.run(&connection),
        Command::Replay(command) => command.run(&connection).await,
        Command::Bench(command) => command.run(&connection).await,
        Command::Completions(command) => command.run(),
    }
}
