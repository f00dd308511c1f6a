//! A daemon of our own, for as long as a command runs.
//!
//! The real one: this executable's own `serve` as a child process, on a free
//! port. It stops when its stdin closes, which the kernel does for us however
//! this process ends, so none is ever left behind.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const START_WITHIN: Duration = Duration::from_secs(20);
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// A daemon of ours. Dropping it kills the child; `stop` lets it finish.
#[derive(Debug)]
pub(crate) struct Daemon {
    running: Running,
    data: PathBuf,
    settings: Vec<(String, String)>,
    _directory: Option<TempDir>,
}

/// A running child.
#[derive(Debug)]
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    // Kept open, so that a late write of the child does not fail.
    _stdout: BufReader<ChildStdout>,
    server: String,
    metrics: String,
}

impl Daemon {
    /// Starts one and waits until it answers. `keep`: its data directory; without
    /// one, a directory that goes away with the daemon.
    pub(crate) async fn start(keep: Option<&Path>) -> Result<Self> {
        Self::with(keep, Vec::new()).await
    }

    /// The same. `settings`: environment variables for it.
    pub(crate) async fn with(keep: Option<&Path>, settings: Vec<(String, String)>) -> Result<Self> {
        let directory = if keep.is_none() {
            Some(tempfile::Builder::new().prefix("piecework-").tempdir()?)
        } else {
            None
        };
        let data: PathBuf = match (keep, &directory) {
            (Some(keep), _) => keep.to_owned(),
            (None, Some(temporary)) => temporary.path().join("data"),
            (None, None) => unreachable!("one of them is given"),
        };
        let running = Running::start(&data, &settings, START_WITHIN).await?;
        Ok(Self { running, data, settings, _directory: directory })
    }

    /// Where it listens.
    pub(crate) fn server(&self) -> &str {
        &self.running.server
    }

    /// Where its metrics are, as `address:port`.
    pub(crate) fn metrics(&self) -> &str {
        &self.running.metrics
    }

    /// Its process; none once it has ended.
    pub(crate) fn process(&self) -> Option<u32> {
        self.running.child.id()
    }

    /// Kills it with SIGKILL and waits for its end.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.running.child.kill().await.context("could not kill the daemon")
    }

    /// Starts it again on the same data, after it was killed; it listens elsewhere then.
    pub(crate) async fn resume(&mut self, within: Duration) -> Result<()> {
        self.running = Running::start(&self.data, &self.settings, within).await?;
        Ok(())
    }

    /// Asks it to stop and waits for that.
    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.running.stdin.take());
        let Ok(status) = timeout(STOP_WITHIN, self.running.child.wait()).await else {
            bail!("the daemon did not stop within {} s", STOP_WITHIN.as_secs());
        };
        let status = status?;
        if status.success() { Ok(()) } else { bail!("the daemon failed while stopping: {status}") }
    }
}

impl Running {
    async fn start(data: &Path, settings: &[(String, String)], within: Duration) -> Result<Self> {
        let mut command = command(data)?;
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().context("could not start the daemon")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("the daemon has no stdout")?;
        let mut stdout = BufReader::new(stdout);
        let (server, metrics) = match timeout(within, ready(&mut stdout)).await {
            Err(_) => bail!("the daemon was not ready within {} s", within.as_secs()),
            Ok(Some((server, metrics))) => (format!("http://{server}"), metrics),
            Ok(None) => {
                let status = child.wait().await?;
                bail!("the daemon ended before it was ready: {status}; its log is above");
            }
        };
        Ok(Self { child, stdin, _stdout: stdout, server, metrics })
    }
}

fn command(data: &Path) -> Result<Command> {
    let executable = std::env::current_exe().context("could not find this executable")?;
    let mut command = Command::new(executable);
    command
        .arg("serve")
        .args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
        .arg("--until-stdin-closes")
        .arg("--data-dir")
        .arg(data)
        .env("PIECEWORK_LOG__FILTER", "warn")
        // Ctrl-C is for the parent, which then lets the child finish.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("PIECEWORK_"));
        if ours && name != "PIECEWORK_LOG__FILTER" {
            // Settings of another daemon.
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// The addresses in the child's `ready` line; `None` when the child ends without it.
async fn ready(stdout: &mut BufReader<ChildStdout>) -> Option<(String, String)> {
    let mut line = String::new();
    while stdout.read_line(&mut line).await.ok()? > 0 {
        if let Some(addresses) = addresses(&line) {
            return Some(addresses);
        }
        line.clear();
    }
    None
}

/// Where calls and where metrics are served.
fn addresses(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    if words.next()? != "ready" {
        return None;
    }
    let of = |key| line.split_whitespace().find_map(|word| word.strip_prefix(key));
    Some((of("listen=")?.to_owned(), of("metrics=")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_addresses() {
        let line = "ready listen=127.0.0.1:40123 metrics=127.0.0.1:40124\n";
        let both = ("127.0.0.1:40123".to_owned(), "127.0.0.1:40124".to_owned());
        assert_eq!(addresses(line), Some(both));
        assert_eq!(addresses("ready\n"), None);
        assert_eq!(addresses("ready listen=1\n"), None);
        assert_eq!(addresses("already listen=1 metrics=2\n"), None);
    }
}
