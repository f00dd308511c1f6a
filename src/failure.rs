//! What a command that failed tells a person, and its exit status.
//!
//! The message first, then which fields are wrong, the reason, and what to do.
//! Never a Rust value: a person cannot read one.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use piecework_client::proto::v1::ErrorReason;
use piecework_client::{CallError, ConnectError, FieldProblem, Refused, WatchError};
use piecework_server::offline::OfflineError;
use tonic::Code;

const REFUSED: u8 = 1;
const USAGE: u8 = 2;
const DAMAGED: u8 = 3;
const UNREACHABLE: u8 = 4;
const START_AGAIN: u8 = 75;

/// A failure that is not the daemon's word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Wrong usage, configuration or input file: the person can mend it.
    #[error("{0}")]
    Input(String),
    /// Data are damaged, on disk or in a stream.
    #[error("{0}")]
    Damaged(String),
    /// The daemon ended so that a new start mends what it found.
    #[error("{0}")]
    StartAgain(String),
    /// A message that stands for a gRPC error that was told already.
    #[error("{0}")]
    Incomplete(String),
}

/// Shorthand for [`Failure::Input`].
pub(crate) fn input(message: impl Into<String>) -> anyhow::Error {
    Failure::Input(message.into()).into()
}

/// A failure with a data directory, with the exit status of its kind.
pub(crate) fn offline_failed(error: OfflineError) -> anyhow::Error {
    let (code, error) = (error.exit_code(), anyhow::Error::from(error));
    match code {
        USAGE => Failure::Input(format!("{error:#}")).into(),
        DAMAGED => Failure::Damaged(format!("{error:#}")).into(),
        _ => error,
    }
}

/// Prints the error to stderr and returns the exit status that belongs to it.
pub(crate) fn report(error: &anyhow::Error, server: &str) -> ExitCode {
    if is_closed_pipe(error) {
        // Whoever read our output has had enough; that is no failure.
        return ExitCode::SUCCESS;
    }
    let text = describe(error, server);
    let mut stderr = std::io::stderr().lock();
    let head = if is_coloured() { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
    // There is nowhere left to report a failure of this.
    let _ = writeln!(stderr, "{head} {text}");
    ExitCode::from(status(error))
}

/// Whether stderr takes colours and nobody has asked for none.
pub(crate) fn is_coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}

/// One line for notes between results, such as a refused item.
pub(crate) fn one_line(refused: &Refused) -> String {
    let fields: Vec<String> =
        others(refused).map(|f| format!("; {}: {}", f.field, f.problem)).collect();
    let reason =
        if refused.reason.is_empty() { String::new() } else { format!(" [{}]", refused.reason) };
    format!("{}{}{reason}", refused.message, fields.concat())
}

/// Problems of fields that the message does not tell already.
fn others(refused: &Refused) -> impl Iterator<Item = &FieldProblem> {
    refused.fields.iter().filter(|field| field.problem != refused.message)
}

fn status(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return match failure {
                Failure::Input(_) => USAGE,
                Failure::Damaged(_) => DAMAGED,
                Failure::StartAgain(_) => START_AGAIN,
                Failure::Incomplete(_) => REFUSED,
            };
        }
        if cause.is::<ConnectError>() {
            return USAGE;
        }
        if let Some(WatchError::Gap { .. }) = cause.downcast_ref() {
            return DAMAGED;
        }
        if let Some(call) = call_in(cause) {
            return match call {
                CallError::Refused(refused) if refused.code != Code::Unavailable => REFUSED,
                _ => UNREACHABLE,
            };
        }
    }
    REFUSED
}

fn call_in<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a CallError> {
    match cause.downcast_ref::<WatchError>() {
        Some(WatchError::Refused(call)) => Some(call),
        _ => cause.downcast_ref::<CallError>(),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |e: &std::io::Error| e.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(closed))
}

fn describe(error: &anyhow::Error, server: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut head: Vec<String> = Vec::new();
    for cause in error.chain() {
        match call_in(cause) {
            Some(CallError::Refused(refused)) => {
                head.push(refused.message.clone());
                lines.extend(details(refused));
                break;
            }
            Some(CallError::Lost { message, .. }) => {
                head.push(format!("the daemon at {server} cannot be reached: {message}"));
                lines.push(
                    "  try: start it with `piecework serve`, or name another with --server".into(),
                );
                break;
            }
            None => head.push(cause.to_string()),
        }
    }
    head.dedup();
    lines.insert(0, head.join(": "));
    lines.join("\n")
}

fn details(refused: &Refused) -> Vec<String> {
    let mut lines = Vec::new();
    for field in others(refused) {
        lines.push(format!("  field {}: {}", field.field, field.problem));
    }
    if refused.reason.is_empty() {
        lines.push(format!("  code: {:?}", refused.code));
    } else {
        let numbers: Vec<String> =
            refused.metadata.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let numbers =
            if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
        lines.push(format!("  reason: {}{numbers}", refused.reason));
    }
    if let Some(wait) = refused.retry_after {
        lines.push(format!("  try: again in {:.1} s", wait.as_secs_f64()));
    } else if let Some(advice) = advice(refused) {
        lines.push(format!("  try: {advice}"));
    }
    lines
}

/// What to do about a refusal, in terms of this command.
fn advice(refused: &Refused) -> Option<&'static str> {
    Some(match ErrorReason::from_reason(&refused.reason)? {
        ErrorReason::RequesterNotFound => {
            "`piecework requester list`, or `piecework requester create ID`"
        }
        ErrorReason::ProjectNotFound => "`piecework project list` shows the projects there are",
        ErrorReason::WorkerNotFound => {
            "`piecework worker list`, or `piecework worker create ID --kind human`"
        }
        ErrorReason::IdTaken => "another id; the one that exists has other content",
        ErrorReason::ProjectPaused => "`piecework project resume PROJECT`",
        ErrorReason::ProjectClosed | ErrorReason::ProjectCancelled => "another project",
        ErrorReason::WorkerSuspended => "`piecework worker reinstate WORKER`, if you may",
        ErrorReason::AssignmentMismatch => "with --task where workers pick, without it elsewhere",
        ErrorReason::CursorPruned | ErrorReason::ResumeTokenInvalid => "without --from",
        ErrorReason::NotYet => "a newer daemon; this one does not have the call",
        ErrorReason::SnapshotFailed => "once more when the daemon's log says that it is mended",
        ErrorReason::Internal => "read the daemon's log; this is a mistake of ours",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: Code, reason: ErrorReason) -> anyhow::Error {
        let refused = Refused {
            code,
            reason: reason.reason().to_owned(),
            message: "project projects/cats not found".to_owned(),
            fields: Vec::new(),
            metadata: [("name".to_owned(), "projects/cats".to_owned())].into(),
            retry_after: None,
        };
        CallError::Refused(Box::new(refused)).into()
    }

    fn lost() -> anyhow::Error {
        CallError::from(tonic::Status::unavailable("connection refused")).into()
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_status() {
        assert_eq!(status(&refused(Code::NotFound, ErrorReason::ProjectNotFound)), 1);
        assert_eq!(status(&refused(Code::Unavailable, ErrorReason::Draining)), 4);
        assert_eq!(status(&lost().context("could not import")), 4);
        assert_eq!(status(&input("tasks.jsonl:3:7: unknown field")), 2);
        assert_eq!(status(&WatchError::Gap { seen: 1, claimed: 2, got: 3 }.into()), 3);
        assert_eq!(status(&anyhow::anyhow!("something else")), 1);
    }

    #[test]
    fn a_refusal_says_what_why_and_what_to_do() {
        let error = refused(Code::NotFound, ErrorReason::ProjectNotFound);
        assert_eq!(
            describe(&error, "http://x"),
            "project projects/cats not found\n  \
             reason: PROJECT_NOT_FOUND (name projects/cats)\n  \
             try: `piecework project list` shows the projects there are"
        );
    }

    #[test]
    fn a_lost_call_names_the_server() {
        let text = describe(&lost().context("could not import"), "http://127.0.0.1:7420");
        assert!(text.starts_with(
            "could not import: the daemon at http://127.0.0.1:7420 cannot be reached: "
        ));
    }
}
