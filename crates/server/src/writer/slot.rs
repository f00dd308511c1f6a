//! Where an answer goes: to a call that waits for it, or into a stream's mail.
//!
//! A stream speaks for thousands of workers in one task, so its answers come in one
//! queue, in the order in which they became durable, and not in a future for each.
//!
//! Not here: what a stream does with its mail (`services/work`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use piecework_core::WorkerId;
use tokio::sync::{mpsc, oneshot};

use super::ended::Ended;
use super::inbox::{Answer, Unanswered};

/// What comes of a request, in the end.
pub(crate) type Answered = Result<Answer, Unanswered>;

/// Takes one answer.
pub(crate) enum ReplySlot {
    /// A call waits.
    Call(oneshot::Sender<Answered>),
    /// A stream goes on.
    Mail(MailSlot),
}

/// What a stream hears.
#[derive(Debug)]
pub(crate) enum Mail {
    /// The answer to a request of its own, by the number it gave it. Exactly one each.
    Answer(u64, Box<Answered>),
    /// A lease lives no more, whoever ended it.
    Ended(Ended),
    /// A newer stream speaks for this worker.
    Lost(WorkerId),
}

/// A place for one answer in a stream's mail.
pub(crate) struct MailSlot {
    to: mpsc::UnboundedSender<Mail>,
    number: u64,
    given_up: Arc<AtomicBool>,
    answered: bool,
}

impl ReplySlot {
    /// Hands the answer over.
    ///
    /// # Errors
    /// Nobody waits any more; the answer comes back.
    pub(crate) fn send(self, answer: Answered) -> Result<(), Answered> {
        match self {
            ReplySlot::Call(to) => to.send(answer),
            ReplySlot::Mail(slot) => slot.send(answer),
        }
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            ReplySlot::Call(to) => to.is_closed(),
            ReplySlot::Mail(slot) => slot.given_up.load(Ordering::Acquire) || slot.to.is_closed(),
        }
    }
}

impl MailSlot {
    /// `given_up`: becomes true when the stream wants no answer any more.
    pub(crate) fn new(
        to: mpsc::UnboundedSender<Mail>,
        number: u64,
        given_up: Arc<AtomicBool>,
    ) -> MailSlot {
        MailSlot { to, number, given_up, answered: false }
    }

    fn send(mut self, answer: Answered) -> Result<(), Answered> {
        self.answered = true;
        match self.to.send(Mail::Answer(self.number, Box::new(answer))) {
            Err(mpsc::error::SendError(Mail::Answer(_, answer))) => Err(*answer),
            _ => Ok(()),
        }
    }
}

impl Drop for MailSlot {
    /// As a call hears of it when its sender is dropped.
    fn drop(&mut self) {
        if !self.answered {
            let gone = Box::new(Err(Unanswered::Stopped));
            // The stream may be gone as well.
            let _ = self.to.send(Mail::Answer(self.number, gone));
        }
    }
}
