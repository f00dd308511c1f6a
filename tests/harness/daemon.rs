//! A daemon of a test's own: started, killed, started again, stopped.
//!
//! It stops when its stdin closes, so none outlives the test that started it,
//! however that ends. Its log goes to a file, which a failing test prints.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use piecework_client::Client;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::command::bare;
use super::platform::Platform;

const START_WITHIN: Duration = Duration::from_secs(30);
/// Promised: a stop takes no longer.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Settings of every test's daemon. Small segments, since each start prepares
/// some; no grace, since most tests want to see leases expire.
const SETTINGS: [(&str, &str); 4] = [
    ("PIECEWORK_SEGMENT_BYTES", "16777216"),
    ("PIECEWORK_CACHE_BYTES", "16777216"),
    ("PIECEWORK_TIMES__RESTART_GRACE_MS", "0"),
    ("PIECEWORK_LOG__FILTER", "info"),
];

/// A data directory and, most of the time, a daemon on it.
#[derive(Debug)]
pub(crate) struct Daemon {
    home: TempDir,
    settings: Vec<(&'static str, String)>,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    // Closing it stops the daemon.
    _stdin: ChildStdin,
    // Closing it would fail a late write.
    _stdout: BufReader<ChildStdout>,
    listen: SocketAddr,
    metrics: SocketAddr,
}

impl Process {
    fn signal(&self, signal: Signal) {
        send_signal(&self.child, signal);
    }
}

/// Asks a child to end in good order.
pub(crate) fn terminate(child: &Child) {
    send_signal(child, Signal::TERM);
}

fn send_signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), signal).expect("signalled");
}

/// A start that came to nothing.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Daemon {
    /// A fresh one.
    pub(crate) async fn start() -> Daemon {
        Daemon::with(&[]).await
    }

    /// A fresh one with settings as environment variables.
    pub(crate) async fn with(settings: &[(&'static str, &str)]) -> Daemon {
        let mut daemon = Daemon::not_started(settings);
        daemon.resume().await;
        daemon
    }

    /// One without data, or with data that the test puts in its place first.
    pub(crate) fn not_started(settings: &[(&'static str, &str)]) -> Daemon {
        let home = tempfile::Builder::new().prefix("piecework-test-").tempdir().expect("temp");
        let all = SETTINGS.iter().chain(settings);
        let settings = all.map(|(name, value)| (*name, (*value).to_owned())).collect();
        Daemon { home, settings, process: None }
    }

    /// Starts it again on the same data.
    pub(crate) async fn resume(&mut self) {
        if let Err(failed) = self.try_resume().await {
            panic!("the daemon did not start: {}\n{}", failed.status, failed.stderr);
        }
    }

    /// The same, where it may well refuse.
    pub(crate) async fn try_resume(&mut self) -> Result<(), NotStarted> {
        assert!(self.process.is_none(), "it runs already");
        let begins = std::fs::metadata(self.log_file()).map_or(0, |log| log.len());
        match self.spawn().await {
            Ok(process) => {
                self.process = Some(process);
                Ok(())
            }
            Err(status) => {
                let log = self.log();
                let begins = usize::try_from(begins).expect("a short log");
                Err(NotStarted { status, stderr: log[begins..].to_owned() })
            }
        }
    }

    /// Starts it and kills it after `life`, ready or not. Returns whether that
    /// was before it was ready.
    pub(crate) async fn die_young(&mut self, life: Duration) -> bool {
        assert!(self.process.is_none(), "it runs already");
        let (mut child, _stdin, mut stdout) = self.launch();
        let mut line = String::new();
        let ready = timeout(life, stdout.read_line(&mut line)).await;
        child.kill().await.expect("killed");
        ready.is_err() || line.is_empty()
    }

    async fn spawn(&self) -> Result<Process, ExitStatus> {
        let (mut child, stdin, mut stdout) = self.launch();
        let mut line = String::new();
        let read = timeout(START_WITHIN, stdout.read_line(&mut line)).await;
        read.unwrap_or_else(|_| panic!("not ready in time\n{}", self.log())).expect("a line");
        if line.is_empty() {
            return Err(child.wait().await.expect("an exit status"));
        }
        let address = |key: &str| {
            let mut words = line.strip_prefix("ready ").expect("the ready line").split_whitespace();
            let word = words.find_map(|word| word.strip_prefix(key)).expect("both addresses");
            word.parse().expect("an address")
        };
        let (listen, metrics) = (address("listen="), address("metrics="));
        Ok(Process { child, _stdin: stdin, _stdout: stdout, listen, metrics })
    }

    fn launch(&self) -> (Child, ChildStdin, BufReader<ChildStdout>) {
        let log = OpenOptions::new().append(true).create(true).open(self.log_file());
        let log: File = log.expect("a log file");
        let mut command = bare();
        command
            .args(["serve", "--until-stdin-closes", "--data-dir"])
            .arg(self.data())
            .args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("the daemon starts");
        let stdin = child.stdin.take().expect("stdin");
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        (child, stdin, stdout)
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.child.kill().await.expect("killed");
    }

    /// Killed, and started again on the same data.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        self.resume().await;
    }

    /// SIGTERM; fails if it takes longer than promised.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        let ended = timeout(STOP_WITHIN, process.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("still running\n{}", self.log())).expect("an exit status")
    }

    /// Waits until it has ended by itself, which something else made it do.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let ended = timeout(STOP_WITHIN, process.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("still running\n{}", self.log())).expect("an exit status")
    }

    /// SIGSTOP: it does nothing until it is thawed, killed or dropped.
    pub(crate) fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Where its data lie.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A place for other files of the test.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where it listens.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.process.as_ref().expect("it runs").listen
    }

    /// The same, for `--server`.
    pub(crate) fn server(&self) -> String {
        format!("http://{}", self.listen())
    }

    /// Where its metrics are.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.process.as_ref().expect("it runs").metrics
    }

    /// A client of the running daemon.
    pub(crate) fn platform(&self) -> Platform {
        Platform { client: Client::new(&self.server()).expect("an address") }
    }

    /// All that it logged so far, over all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // The directory can go once the process is gone, and its lock with it.
            let lock = File::open(self.data().join("LOCK"));
            if let (Ok(()), Ok(lock)) = (process.child.start_kill(), lock) {
                let _ = flock(lock, FlockOperation::LockExclusive);
            }
        }
        if std::thread::panicking() {
            eprintln!("-- log of the daemon\n{}", self.log());
        }
    }
}
