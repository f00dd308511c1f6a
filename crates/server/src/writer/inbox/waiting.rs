//! One request on its way, and what it takes.
//!
//! Not here: the lanes (`inbox.rs`), what a turn does with it (`turn.rs`).

use std::time::Duration;

use piecework_core::limits::ITEMS_PER_CALL_MAX;
use piecework_core::{Command, Request};
use tokio::sync::oneshot;

use super::{Answer, Unanswered};
use crate::writer::slot::{MailSlot, ReplySlot};

/// One request on its way.
pub(crate) struct Waiting {
    pub(crate) request: Request,
    /// How long a `Lease` without work may wait for some.
    pub(crate) wait: Duration,
    pub(crate) reply: ReplySlot,
    /// About how much memory it takes.
    pub(super) bytes: usize,
    /// About how much work it is for the engine: an answer or a lease is one.
    pub(super) weight: usize,
}

impl Waiting {
    pub(in crate::writer) fn new(request: Request, wait: Duration, reply: ReplySlot) -> Waiting {
        let (bytes, weight) = (size_of(&request.command), weight_of(&request.command));
        Waiting { request, wait, reply, bytes, weight }
    }

    /// On behalf of a stream, whose mail brings the answer.
    pub(crate) fn mail(request: Request, wait: Duration, reply: MailSlot) -> Waiting {
        Waiting::new(request, wait, ReplySlot::Mail(reply))
    }

    /// With the caller's end of it.
    pub(super) fn call(
        request: Request,
        wait: Duration,
    ) -> (Waiting, oneshot::Receiver<Result<Answer, Unanswered>>) {
        let (reply, answer) = oneshot::channel();
        (Waiting::new(request, wait, ReplySlot::Call(reply)), answer)
    }
}

/// About how much memory a command takes while it waits.
fn size_of(command: &Command) -> usize {
    let content = match command {
        Command::CreateTasks(c) => c.tasks.iter().map(|t| 256 + t.payload.len()).sum(),
        Command::Submit(c) => c.items.iter().map(|i| 256 + i.answer.bytes.len()).sum(),
        Command::SaveDraft(c) => c.bytes.len(),
        _ => 0,
    };
    512 + content
}

/// A task that is created is an eighth of one that is leased or answered.
fn weight_of(command: &Command) -> usize {
    let items = match command {
        Command::CreateTasks(c) => c.tasks.len() / 8,
        Command::Submit(c) => c.items.len(),
        Command::Lease(c) => usize::try_from(c.count).unwrap_or(usize::MAX),
        _ => 1,
    };
    items.clamp(1, ITEMS_PER_CALL_MAX)
}
