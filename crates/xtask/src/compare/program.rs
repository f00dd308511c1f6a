//! A program that we started, and that ends with us.
//!
//! Each is in a process group of its own: Ctrl-C reaches us alone, and we end them in
//! order. What they print goes to files.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::compare::interrupt::Interrupt;

/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// It is killed when it has not ended so long after it was asked to.
const END_WITHIN: Duration = Duration::from_secs(30);
/// It must serve within.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Lines of its last words that are shown.
const LAST_LINES: usize = 10;

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    child: Child,
    /// By which it ends in order.
    end_by: Signal,
    /// What it prints on stdout and stderr.
    out: PathBuf,
    err: PathBuf,
}

impl Program {
    /// Starts it. `logs`: where what it prints is kept.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        end_by: Signal,
        logs: &Path,
    ) -> Result<Self> {
        let (out, err) = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
        let file = |path: &Path| {
            File::create(path).with_context(|| format!("could not create {}", path.display()))
        };
        command.process_group(0).stdin(Stdio::null()).stdout(file(&out)?).stderr(file(&err)?);
        let child = command.spawn().with_context(|| format!("could not start {name}"))?;
        Ok(Self { name: name.to_owned(), child, end_by, out, err })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Runs until it ends, and meanwhile does something every so often.
    ///
    /// # Errors
    /// As [`Program::finish`], or what is done failed.
    pub(crate) fn finish_watched(
        mut self,
        interrupt: &Interrupt,
        every: Duration,
        mut watch: impl FnMut() -> Result<()>,
    ) -> Result<String> {
        let mut due = Instant::now() + every;
        while self.ended()?.is_none() {
            interrupt.check()?;
            if Instant::now() >= due {
                due += every;
                watch()?;
            }
            sleep(LOOK_EVERY);
        }
        self.finish(interrupt)
    }

    /// What it has printed on stdout until now.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// Waits for its end and returns what it printed on stdout.
    ///
    /// # Errors
    /// It failed, or we were asked to end.
    pub(crate) fn finish(mut self, interrupt: &Interrupt) -> Result<String> {
        loop {
            interrupt.check()?;
            if let Some(status) = self.ended()? {
                if !status.success() {
                    bail!("{} failed: {status}: {}", self.name, self.last_words());
                }
                return fs::read_to_string(&self.out).context("could not read what it printed");
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// It ended, took too long, or we were asked to end.
    pub(crate) fn ready(
        &mut self,
        interrupt: &Interrupt,
        is_ready: impl Fn() -> bool,
    ) -> Result<()> {
        let begun = Instant::now();
        loop {
            interrupt.check()?;
            // In this order: another's port may answer when ours could not be had.
            if let Some(status) = self.ended()? {
                bail!("{} ended before it was ready: {status}: {}", self.name, self.last_words());
            }
            if is_ready() {
                return Ok(());
            }
            if begun.elapsed() > READY_WITHIN {
                let (within, last) = (READY_WITHIN.as_secs(), self.last_words());
                bail!("{} was not ready within {within} s: {last}", self.name);
            }
            sleep(LOOK_EVERY);
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("could not wait for {}", self.name))
    }

    fn last_words(&self) -> String {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let text = read(&self.out) + &read(&self.err);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// Asks it to end, and kills it when it does not. Nothing happens to one that has ended.
    fn end(&mut self) {
        let pid = Pid::from_child(&self.child);
        let begun = Instant::now();
        // While it was not waited for, its number is nobody else's.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // It may end this moment; then there is nothing to ask.
        let _ = kill_process(pid, self.end_by);
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > END_WITHIN {
                eprintln!("{} does not end; it is killed", self.name);
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = self.child.wait();
                return;
            }
            sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, logs: &Path) -> Program {
        let mut command = Command::new("sh");
        Program::start("it", command.args(["-c", script]), Signal::TERM, logs).expect("starts")
    }

    #[test]
    fn what_it_printed_is_told() {
        let logs = tempfile::tempdir().expect("a temporary directory");
        let said = shell("echo said", logs.path()).finish(&Interrupt::never()).expect("ends well");
        assert_eq!(said, "said\n");
    }

    #[test]
    fn its_last_words_explain_a_failure() {
        let logs = tempfile::tempdir().expect("a temporary directory");
        let program = shell("echo no disk >&2; exit 3", logs.path());
        let error = program.finish(&Interrupt::never()).expect_err("fails").to_string();
        assert!(error.starts_with("it failed: ") && error.ends_with("no disk"), "{error}");
        let mut program = shell("echo no port >&2; exit 3", logs.path());
        let error = program.ready(&Interrupt::never(), || false).expect_err("fails").to_string();
        assert!(error.contains("before it was ready") && error.ends_with("no port"), "{error}");
    }

    #[test]
    fn it_ends_in_order_when_we_are_asked_to_end() {
        let logs = tempfile::tempdir().expect("a temporary directory");
        let mark = logs.path().join("mark");
        let script = format!(
            "trap 'echo ended > {0}; exit' TERM; echo > {0}; while :; do sleep 0.01; done",
            mark.display()
        );
        let mut program = shell(&script, logs.path());
        program.ready(&Interrupt::never(), || mark.exists()).expect("runs");
        let id = program.id();
        let error = program.finish(&Interrupt::asked()).expect_err("interrupted").to_string();
        assert_eq!(error, "interrupted");
        assert_eq!(fs::read_to_string(mark).expect("a mark"), "ended\n");
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
