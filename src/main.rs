//! The `piecework` command: the daemon and everything to try it with.

mod cli;
mod commands;
mod config;
mod daemon;
mod failure;
mod input;
mod interrupt;
mod names;
mod output;
mod progress;
mod proto_json;
mod quantities;
mod session;
mod shown;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

/// Threads hand each other many small pieces all the time: see decision 50.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let server = cli.connection.address().to_owned();
    let outcome = match runtime(cli.command.threads()) {
        Ok(runtime) => {
            let outcome = runtime.block_on(commands::run(cli));
            // A person's terminal may still be read from; nobody waits for that.
            runtime.shutdown_background();
            outcome
        }
        Err(fault) => Err(fault.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, &server),
    }
}

/// Where everything runs. `threads`: how many, where a command was told.
fn runtime(threads: Option<usize>) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}
