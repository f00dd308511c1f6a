//! One log as a client reads it: which types, from where, in bounded stretches.
//!
//! `previous` counts only records of the types asked for and travels in the
//! token, so a client sees that it missed nothing, also across reconnects.
//!
//! Not here: waiting for more (`watch.rs`), what a record says (`records.rs`).

use piecework_core::Sequence;
use piecework_core::event::{Event, Log, ResultState, What};
use piecework_proto::v1::EventType;
use prost::Message;

use crate::services::reader::{Reader, no_project};
use crate::services::referred::Referred;
use crate::wire::failure::Failure;
use crate::wire::tokens::{self, Cursor, Scope};
use crate::wire::{invalid, names, status};

/// Bytes of records written out at a time: what one reader holds in memory.
const STRETCH_BYTES_MAX: usize = 1024 * 1024;

/// A log with the types that a client asked for.
#[derive(Debug, Clone)]
pub(crate) struct LogQuery {
    /// Which log.
    pub(crate) log: Log,
    /// As the client named it.
    pub(crate) parent: String,
    /// Of which types; empty: all.
    types: Vec<EventType>,
    scope: Scope,
}

/// A record on its way to a client.
#[derive(Debug)]
pub(crate) struct Record {
    /// What happened.
    pub(crate) event: Event,
    /// The sequence of the record before it among the types asked for.
    pub(crate) previous: Sequence,
    /// Resumes after it.
    pub(crate) token: String,
}

/// Some records, written out.
#[derive(Debug)]
pub(crate) struct Stretch<M> {
    /// In the order of their sequence.
    pub(crate) written: Vec<M>,
    /// Where to go on.
    pub(crate) cursor: Cursor,
}

impl LogQuery {
    /// `types`: no UNSPECIFIED among them.
    pub(crate) fn new(log: Log, parent: String, types: Vec<EventType>) -> LogQuery {
        let numbers: Vec<i32> = types.iter().map(|kind| *kind as i32).collect();
        LogQuery { log, parent, types, scope: Scope::of_log(log, &numbers) }
    }

    /// Where a client with this token goes on.
    ///
    /// # Errors
    /// The token is foreign, lies ahead of the log, or behind what is kept.
    pub(crate) fn begin(&self, reader: &Reader, token: &str) -> Result<Cursor, Failure> {
        let Some(cursor) = tokens::read_resume(token, self.scope)? else {
            return Ok(Cursor::default());
        };
        let end = reader.log_end(self.log)?;
        if cursor.after > end {
            return Err(invalid::resume_token());
        }
        let begin = reader.log_begin(self.log)?.unwrap_or(end.next());
        self.check_kept(cursor, begin)?;
        Ok(cursor)
    }

    /// The next records, at most `limit`, as far as they fit into a bounded
    /// memory. `write`: `None` passes over a record whose task is gone.
    pub(crate) fn stretch<M: Message>(
        &self,
        reader: &Reader,
        cursor: Cursor,
        limit: usize,
        write: impl Fn(&Referred<'_>, Record) -> Result<Option<M>, Failure>,
    ) -> Result<Stretch<M>, Failure> {
        let mut wanted = |event: &Event| self.wants(event);
        let found = reader.events(self.log, cursor.after, limit, &mut wanted)?;
        if found.through > cursor.after && cursor.after > Sequence(0) {
            // Read after the records: what was pruned meanwhile is seen.
            let begin = reader.log_begin(self.log)?.unwrap_or(found.through);
            self.check_kept(cursor, begin)?;
        }
        let referred = Referred::by(&found.events, reader)?;
        let (mut written, mut bytes, mut at) = (Vec::new(), 0, cursor);
        for event in found.events {
            let previous = at.previous;
            at = Cursor { after: event.sequence, previous: event.sequence };
            let token = self.token(at);
            if let Some(message) = write(&referred, Record { event, previous, token })? {
                bytes += message.encoded_len();
                written.push(message);
            }
            if bytes > STRETCH_BYTES_MAX {
                return Ok(Stretch { written, cursor: at });
            }
        }
        let cursor = Cursor { after: found.through, previous: at.previous };
        Ok(Stretch { written, cursor })
    }

    /// The text of a cursor.
    pub(crate) fn token(&self, cursor: Cursor) -> String {
        tokens::resume(self.scope, cursor)
    }

    /// The text of a page's end.
    pub(crate) fn page_token(&self, cursor: Cursor) -> String {
        tokens::event_page(self.scope, cursor)
    }

    /// `None` for the first page.
    pub(crate) fn read_page_token(&self, text: &str) -> Result<Option<Cursor>, Failure> {
        tokens::read_event_page(text, self.scope)
    }

    /// The project was deleted while somebody watched.
    pub(crate) fn parent_is_gone(&self) -> Failure {
        match names::project("parent", &self.parent) {
            Ok(project) => no_project(&project),
            Err(failure) => failure,
        }
    }

    fn wants(&self, event: &Event) -> bool {
        self.types.is_empty() || self.types.contains(&type_of(&event.what))
    }

    fn check_kept(&self, cursor: Cursor, begin: Sequence) -> Result<(), Failure> {
        if cursor.after.next() >= begin {
            return Ok(());
        }
        let before = Sequence(begin.0.saturating_sub(1));
        let earliest = self.token(Cursor { after: before, previous: Sequence(0) });
        Err(status::cursor_pruned(&self.parent, begin.0, &earliest))
    }
}

/// What kind of record it is.
pub(crate) fn type_of(what: &What) -> EventType {
    match what {
        What::Submitted(_) => EventType::Submission,
        What::Result(result) if result.state == ResultState::Provisional => {
            EventType::ProvisionalResult
        }
        What::Result(_) => EventType::Result,
        What::TaskEnded { .. } => EventType::TaskEnded,
        What::Worker { .. } => EventType::Worker,
    }
}
