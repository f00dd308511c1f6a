//! A PostgreSQL of our own: a cluster in a directory of ours, durable, otherwise as it comes.
//!
//! It does not run as root; then it runs as the user that its package has made.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::compare::install;
use crate::compare::interrupt::Interrupt;
use crate::compare::program::Program;
use crate::compare::servers::{Running, free_port, fresh_directory};

/// Where Debian has the programs of all its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who owns the database, in PostgreSQL's own eyes.
const ROLE: &str = "postgres";
/// The line of `postmaster.pid` that says whether it serves, from 0.
const STATUS_LINE: usize = 7;

/// Where its programs are, and as whom they run.
#[derive(Debug)]
pub(crate) struct Postgres {
    bin: PathBuf,
    /// Another user and group than ours.
    run_as: Option<(u32, u32)>,
}

impl Postgres {
    /// # Errors
    /// It is not installed, or nobody is there as whom it may run; the sentence says what to do.
    pub(crate) fn find() -> Result<Self, String> {
        let bin = install::find_or_install("postgres", "postgresql", find_bin)?;
        let is_root = rustix::process::geteuid().is_root();
        let run_as = if is_root { Some(other_user()?) } else { None };
        Ok(Self { bin, run_as })
    }

    /// Its name and version.
    pub(crate) fn version(&self) -> String {
        let version = install::version(&self.bin.join("postgres"));
        format!("PostgreSQL {}", version.unwrap_or_default())
    }

    /// Starts one with nothing in it. `directory`: below it its data.
    pub(crate) fn start(&self, directory: &Path, interrupt: &Interrupt) -> Result<Running> {
        let data = fresh_directory(directory, "postgresql")?;
        if let Some((user, group)) = self.run_as {
            chown(&data, Some(user), Some(group))
                .with_context(|| format!("could not give away {}", data.display()))?;
        }
        let mut command = self.command("initdb", &data);
        command.args(["--auth=trust", "--locale=C", "--encoding=UTF8"]);
        command.args(["--username", ROLE]);
        Program::start("initdb", &mut command, Signal::TERM, directory)?.finish(interrupt)?;
        let port = free_port()?;
        let mut command = self.command("postgres", &data);
        command.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "shared_buffers=1GB"]);
        command.args(["-c", "synchronous_commit=on"]);
        // SIGINT: connections are ended, then it ends in order.
        let mut program = Program::start("postgres", &mut command, Signal::INT, directory)?;
        let status = data.join("postmaster.pid");
        program.ready(interrupt, || fs::read_to_string(&status).is_ok_and(|pid| serves(&pid)))?;
        let address = format!("host=127.0.0.1 port={port} user={ROLE} dbname=postgres");
        Ok(Running::new(program, address, data))
    }

    fn command(&self, program: &str, data: &Path) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.arg("-D").arg(data).current_dir(data).env("LC_ALL", "C");
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The directory with `postgres` and, beside it, `initdb`.
fn find_bin() -> Option<PathBuf> {
    // Its files are found from where it really is.
    let in_path = install::in_path("postgres").and_then(|program| fs::canonicalize(program).ok());
    let bin = in_path.and_then(|program| program.parent().map(Path::to_owned));
    let bin = bin.or_else(|| install::newest_bin(Path::new(VERSIONS)))?;
    ["postgres", "initdb"].iter().all(|program| bin.join(program).is_file()).then_some(bin)
}

fn other_user() -> Result<(u32, u32), String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let advice = "PostgreSQL does not run as root, and there is no user postgres; \
                  run this as another user";
    install::user("postgres", &passwd).ok_or_else(|| advice.to_owned())
}

/// What `postmaster.pid` says.
fn serves(pid_file: &str) -> bool {
    pid_file.lines().nth(STATUS_LINE).is_some_and(|status| status.trim_end() == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_when_its_file_says_so() {
        let file = |status: &str| format!("7\n/d\n1\n5432\n\n127.0.0.1\n 1 2\n{status}\n");
        assert!(serves(&file("ready   ")));
        assert!(!serves(&file("starting")));
        assert!(!serves("7\n/d\n"));
    }
}
