//! A Redis of our own: each write on disk before its reply, otherwise as it comes.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use rustix::process::Signal;

use crate::compare::install;
use crate::compare::interrupt::Interrupt;
use crate::compare::program::Program;
use crate::compare::servers::{Running, free_port, fresh_directory};

/// Where its program is.
#[derive(Debug)]
pub(crate) struct Redis {
    program: PathBuf,
}

impl Redis {
    /// # Errors
    /// It is not installed; the sentence says what to do.
    pub(crate) fn find() -> Result<Self, String> {
        let find = || install::in_path("redis-server");
        let program = install::find_or_install("redis-server", "redis-server", find)?;
        Ok(Self { program })
    }

    /// Its name and version.
    pub(crate) fn version(&self) -> String {
        format!("Redis {}", install::version(&self.program).unwrap_or_default())
    }

    /// Starts one with nothing in it. `directory`: below it its data.
    pub(crate) fn start(&self, directory: &Path, interrupt: &Interrupt) -> Result<Running> {
        let data = fresh_directory(directory, "redis")?;
        let port = free_port()?;
        let mut command = Command::new(&self.program);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        command.arg("--dir").arg(&data);
        let mut program = Program::start("redis-server", &mut command, Signal::TERM, directory)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        program.ready(interrupt, || TcpStream::connect(address).is_ok())?;
        Ok(Running::new(program, address.to_string(), data))
    }
}
