//! A program to start, shown exactly as a person would type it.
//!
//! Invariant: what `Display` prints is what runs.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{self, Stdio};

use anyhow::{Context, Result, bail};

/// A program, its arguments and the variables it needs.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

/// Where a test runner writes its closing line.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Err,
}

impl Command {
    /// `words`: the program and its arguments.
    pub(crate) fn new(words: &[&str]) -> Command {
        let mut words = words.iter().map(|word| (*word).to_owned());
        let program = words.next().expect("a command has a program");
        Command { program, arguments: words.collect(), variables: Vec::new() }
    }

    /// The same command with one more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Command {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it in `directory` with our own output.
    ///
    /// # Errors
    /// It could not be started or did not exit with 0.
    pub(crate) fn run(&self, directory: &Path) -> Result<()> {
        let status = self
            .process(directory)
            .status()
            .with_context(|| format!("could not start `{}`", self.program))?;
        self.check(status)
    }

    /// Runs a test runner, passing on every byte, and returns its closing lines.
    ///
    /// # Errors
    /// As [`Command::run`].
    pub(crate) fn run_tests(&self, directory: &Path) -> Result<Vec<String>> {
        let mut process = self.process(directory);
        // nextest reports on stderr, the built-in runner on stdout.
        let stream = if self.arguments.iter().any(|word| word == "nextest") {
            process.stderr(Stdio::piped());
            Stream::Err
        } else {
            process.stdout(Stdio::piped());
            Stream::Out
        };
        let mut child =
            process.spawn().with_context(|| format!("could not start `{}`", self.program))?;
        let closing = match stream {
            Stream::Err => child.stderr.take().map(|pipe| pass_on(pipe, &mut std::io::stderr())),
            Stream::Out => child.stdout.take().map(|pipe| pass_on(pipe, &mut std::io::stdout())),
        };
        let status = child.wait().with_context(|| format!("could not wait for `{self}`"))?;
        self.check(status)?;
        closing.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Runs it and returns what it printed on stdout.
    ///
    /// # Errors
    /// As [`Command::run`], or the output is not UTF-8.
    pub(crate) fn read(&self, directory: &Path) -> Result<String> {
        let output = self
            .process(directory)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("could not start `{}`", self.program))?;
        self.check(output.status)?;
        String::from_utf8(output.stdout).with_context(|| format!("could not read from `{self}`"))
    }

    /// Runs it and returns what it printed on both streams, and whether it passed.
    ///
    /// # Errors
    /// It could not be started.
    pub(crate) fn output(&self, directory: &Path) -> Result<(String, bool)> {
        let output = self
            .process(directory)
            .output()
            .with_context(|| format!("could not start `{}`", self.program))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((text, output.status.success()))
    }

    /// Whether a program, or one of cargo's own, can be started at all.
    pub(crate) fn is_there(words: &[&str]) -> bool {
        Command::new(words)
            .process(Path::new("."))
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn process(&self, directory: &Path) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.args(&self.arguments).current_dir(directory).stdin(Stdio::null());
        process.envs(self.variables.iter().map(|(name, value)| (name, value)));
        process
    }

    fn check(&self, status: process::ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("`{self}` failed: {status}");
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&quoted(&self.program))?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// A word as a shell needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Copies lines as they come and keeps those that close a test run.
fn pass_on(from: impl Read, to: &mut impl Write) -> Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut closing = Vec::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("could not read the test runner's output")? > 0
    {
        to.write_all(&line).context("could not pass on the test runner's output")?;
        let text = String::from_utf8_lossy(&line);
        if closes(&text) {
            closing.push(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        line.clear();
    }
    Ok(closing)
}

fn closes(line: &str) -> bool {
    // What the long tests say of themselves.
    let own = ["crash: kills=", "full disk: ", "fixture: "];
    line.trim_start().starts_with("Summary [")
        || line.starts_with("test result: ")
        || own.iter().any(|begin| line.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let command = Command::new(&["cargo", "doc", "it's"]).with("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(command.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
    }

    #[test]
    fn closing_lines_are_kept_and_every_byte_is_passed_on() {
        let text =
            b"PASS a\n     Summary [   0.1s] 1 test run: 1 passed\ntest result: ok. 2 passed\n\xff";
        let mut seen = Vec::new();
        let closing = pass_on(&text[..], &mut seen).expect("reads");
        assert_eq!(seen, text);
        assert_eq!(
            closing,
            ["     Summary [   0.1s] 1 test run: 1 passed", "test result: ok. 2 passed"]
        );
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        let error = Command::new(&["false"]).run(Path::new(".")).expect_err("fails");
        assert!(error.to_string().starts_with("`false` failed: "), "{error}");
    }
}
