//! `compare`: piecework beside the durable queues that people use, on one machine, in one go.
//!
//! Peers and piecework run in turns, A B A B, so that whatever the machine does meanwhile
//! falls on both; of several rounds the median counts. Ends with the table of bars.
//!
//! Not here: the job as the peers do it (`crates/peers`), the load on piecework
//! (`piecework bench`).

mod amounts;
mod bars;
mod figures;
mod install;
mod interrupt;
mod machine;
mod measures;
mod options;
mod postgres;
mod program;
mod redis;
mod rounds;
mod servers;
mod steady;
mod table;

pub(crate) use options::Options;
pub(crate) use steady::{Steady, steady};

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command::Command;
use crate::compare::interrupt::Interrupt;
use crate::compare::machine::Machine;
use crate::compare::measures::Whose;
use crate::compare::options::Format;
use crate::compare::rounds::Tools;
use crate::compare::servers::Servers;
use crate::compare::table::Comparison;
use crate::step::Done;
use crate::workspace::Workspace;

/// Passing through is enough: the servers of others may run as another user.
const DIRECTORY_MODE: u32 = 0o711;

/// Builds, runs, prints.
///
/// # Errors
/// Something could not be built or started, or a run failed; what was measured all the
/// same has been printed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Done> {
    let interrupt = Interrupt::listen()?;
    let bench = build(workspace, "piecework", options.piecework.as_deref())?;
    let peers = build(workspace, "peers", options.peers.as_deref())?;
    interrupt.check()?;
    let directory = directory(&options.dir)?;
    let measures = rounds::wanted(options);
    let is_needed = |peer| measures.iter().any(|measure| measure.whose == Whose::Peer(peer));
    let servers = Servers::find(directory.path(), &interrupt, is_needed)?;
    let machine = Machine::look(workspace, directory.path(), servers.versions());
    if machine.is_in_memory() {
        eprintln!("the data lie in memory: nothing is durable; name a disk with --dir DIR");
    }
    let tools = Tools { bench, peers, servers, directory: directory.path().to_owned() };
    let measured = rounds::run(&tools, options, &interrupt)?;
    let failed = measured.failed();
    let comparison = Comparison { machine, options, measured };
    match options.format {
        Format::Table => print!("{comparison}"),
        Format::Json => println!("{:#}", comparison.to_json()),
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(Done::Passed)
}

/// A directory for all data, which goes away.
fn directory(within: &Path) -> Result<TempDir> {
    let why = || format!("could not make a directory in {}", within.display());
    let directory = tempfile::Builder::new()
        .prefix("piecework-compare-")
        .tempdir_in(fs::canonicalize(within).with_context(why)?)
        .with_context(why)?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(DIRECTORY_MODE))
        .with_context(why)?;
    Ok(directory)
}

/// The program of a package, built for speed; `ready`: another build of it to take instead.
fn build(workspace: &Workspace, package: &str, ready: Option<&str>) -> Result<PathBuf> {
    if let Some(ready) = ready {
        return fs::canonicalize(ready).with_context(|| format!("could not find {ready}"));
    }
    // One at a time: together their dependencies would be built with the features of both.
    let words = ["cargo", "build", "--release", "--locked", "--package", package];
    Command::new(&words).run(&workspace.root)?;
    Ok(workspace.target.join("release").join(package))
}
