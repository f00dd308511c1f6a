//! The real daemon, started from beside this program.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::Failure;

/// A daemon that dies with this program.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    /// Where it answers, as clients are told.
    pub(crate) server: String,
}

impl Daemon {
    /// Starts one on a data directory; returns when it is ready.
    pub(crate) fn start(data: PathBuf) -> Result<Daemon, Failure> {
        let here = std::env::current_exe()?;
        let program = here.ancestors().nth(2).ok_or("no parent directory")?.join("piecework");
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data)
            .env("PIECEWORK_LOG__FILTER", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let listen = line.split_whitespace().find_map(|w| w.strip_prefix("listen="));
        let server = format!("http://{}", listen.ok_or("the daemon is not ready")?);
        Ok(Daemon { child, server })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
