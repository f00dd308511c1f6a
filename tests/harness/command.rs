//! The `piecework` executable as a person runs it.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const WITHIN: Duration = Duration::from_secs(180);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit status; `None`: a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Fails unless it ended with this status.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Ran {
        let Ran { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "\n-- stdout\n{stdout}\n-- stderr\n{stderr}");
        self
    }

    /// Its stdout, which must be one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON: {error}\n{}", self.stdout))
    }

    /// Fails unless each of these is in its stdout.
    #[track_caller]
    pub(crate) fn prints(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stdout.contains(part), "no {part:?} in:\n{}", self.stdout);
        }
    }

    /// Fails unless each of these is in its stderr.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Ran {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in:\n{}", self.stderr);
        }
        self
    }
}

/// Runs it to its end.
pub(crate) async fn piecework<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    let mut command = bare();
    command.args(args);
    let ran = timeout(WITHIN, command.output()).await.expect("it ends in time").expect("it runs");
    Ran {
        code: ran.status.code(),
        stdout: String::from_utf8(ran.stdout).expect("UTF-8"),
        stderr: String::from_utf8(ran.stderr).expect("UTF-8"),
    }
}

/// The same, with a daemon to talk to.
pub(crate) async fn piecework_at(server: &str, args: &[&str]) -> Ran {
    piecework(&[&["--server", server], args].concat()).await
}

/// Starts it; its output is kept for `Child::wait_with_output`.
pub(crate) fn start_piecework(args: &[&str]) -> Child {
    bare().args(args).spawn().expect("it runs")
}

/// Without settings from outside, and never left behind.
pub(super) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_piecework"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PIECEWORK_")) {
            command.env_remove(name);
        }
    }
    command
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
