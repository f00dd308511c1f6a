//! The writer as step functions: a simulator decides who moves when.
//!
//! The same engine, turns, releases and recovery as in the daemon; only threads
//! and clocks are missing. Whoever drives it steps the journal, the checkpoints
//! and the reader of settled tasks itself.
//!
//! Not here: calls over the wire.

use std::sync::Arc;
use std::time::Duration;

use piecework_core::change::Changed;
use piecework_core::{Due, Limits, Now, Outcome, Position, Refusal, Request};
use piecework_storage::{Disk, Journal, SnapshotError, Store};
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::cold::{ColdReader, Fetcher};
use super::inbox::{Answer, Inbox, Unanswered, Waiting};
use super::recover::recover;
use super::release::{Releases, Said};
use super::slot::ReplySlot;
use super::snapshots::{Maker, give_up_tables};
use super::turn::{Own, Writer};
use super::{CommitError, RecoverError};

pub use super::clock::Reading;
pub use super::place::Place;

/// A command as the engine took it, refused ones and reads included.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its own position; without changes, that of the newest command before it.
    pub position: Position,
    /// The times of its turn.
    pub now: Now,
    /// What was asked.
    pub request: &'a Request,
    /// What was said, perhaps later.
    pub outcome: &'a Result<Outcome, Refusal>,
    /// What it changed.
    pub changes: &'a [Changed],
}

/// Sees every command as it is applied, before it is durable.
pub type Tap = Box<dyn FnMut(Seen<'_>) + Send>;

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// What lies there does not become a state.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The first command of the run could not be appended.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A daemon without threads, clocks and sockets.
pub struct SteppedWriter<J, D: Disk> {
    writer: Writer<J>,
    clock: Clock,
    fetcher: Fetcher,
    maker: Maker<D>,
    releases: Arc<Releases>,
    inbox: Inbox,
    replies: mpsc::UnboundedReceiver<Said>,
    store: Store,
}

/// The callers' end of one request.
pub struct Pending(oneshot::Receiver<Result<Answer, Unanswered>>);

/// What a caller hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// An outcome or a refusal.
    pub outcome: Result<Outcome, Refusal>,
    /// The position that the answer saw.
    pub position: Position,
    /// The times of its turn.
    pub now: Now,
}

/// Why there will be no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// Refused before anything happened.
    NothingHappened,
    /// Whether it took effect is not known.
    Unknown,
}

impl Pending {
    /// The answer, if it has come.
    pub fn poll(&mut self) -> Option<Result<Told, Untold>> {
        match self.0.try_recv() {
            Ok(Ok(Answer { outcome, position, now })) => Some(Ok(Told { outcome, position, now })),
            Ok(Err(Unanswered::Stopped)) => Some(Err(Untold::Unknown)),
            Ok(Err(_)) => Some(Err(Untold::NothingHappened)),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(Untold::Unknown)),
        }
    }
}

impl<J: Journal, D: Disk> SteppedWriter<J, D> {
    /// Recovers what lies at `place`, and takes the first turn.
    ///
    /// # Errors
    /// As the daemon's start.
    pub fn open<P: Place<Journal = J, Disk = D>>(
        place: &P,
        limits: &Limits,
        reading: Reading,
        tap: Tap,
    ) -> Result<SteppedWriter<J, D>, NotStarted> {
        let recovered = recover(place, limits)?;
        let (cold, fetcher) = ColdReader::new(recovered.store.clone());
        let (store, inbox, releases) = (recovered.store, recovered.inbox, recovered.releases);
        let maker = Maker::new(recovered.snapshots, store.clone());
        let own = Own {
            store: store.clone(),
            inbox: inbox.clone(),
            releases: Arc::clone(&releases),
            cold,
            covered: maker.covered(),
        };
        let mut writer = Writer::new(recovered.engine, recovered.journal, own);
        writer.tap = Some(tap);
        let mut clock = Clock::from(recovered.now.engine, reading);
        writer.begin(clock.turn(reading))?;
        let replies = recovered.replies;
        Ok(SteppedWriter { writer, clock, fetcher, maker, releases, inbox, replies, store })
    }

    /// Sends a request to its lane. `None`: refused before anything happened.
    pub fn send(&mut self, request: Request, wait: Duration) -> Option<Pending> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting::new(request, wait, ReplySlot::Call(reply));
        self.inbox.put(waiting).ok().map(|()| Pending(answer))
    }

    /// One turn over at most `most` requests. Returns its times.
    ///
    /// # Errors
    /// The writer has died: drop it and recover.
    pub fn turn(&mut self, reading: Reading, most: usize) -> Result<Now, CommitError> {
        if !self.writer.has_space()? {
            return Ok(self.writer.now());
        }
        let mut requests = Vec::new();
        self.inbox.take(&mut requests, most, most, Duration::ZERO);
        let now = self.clock.turn(reading);
        self.writer.turn(now, requests).map(|()| now)
    }

    /// Fetches the settled tasks of one waiting command. False: none waits.
    pub fn step_cold(&mut self) -> bool {
        self.fetcher.step()
    }

    /// One piece of a snapshot. `begin`: where none is being made, begins one of
    /// what the last finished checkpoint has, if that is more than the newest
    /// snapshot. The position of one that is now in place; the next turn trims.
    ///
    /// # Errors
    /// There is no snapshot, and another may be begun. `Differs`: the tables are
    /// wrong and the writer ends in its next turn; set them aside before it is
    /// opened again.
    pub fn step_snapshot(&mut self, begin: bool) -> Result<Option<Position>, SnapshotError> {
        let stepped = self.snapshot_piece(begin);
        if let Err(SnapshotError::Differs { position, snapshot, tables }) = stepped {
            let differs = || SnapshotError::Differs { position, snapshot, tables };
            give_up_tables(&self.store, &self.releases, differs());
            return Err(differs());
        }
        stepped
    }

    fn snapshot_piece(&mut self, begin: bool) -> Result<Option<Position>, SnapshotError> {
        if !self.maker.is_making() {
            if begin && self.maker.has_news() {
                self.maker.begin()?;
            }
            return Ok(None);
        }
        let journal = self.writer.journal();
        let made = self.maker.step(&|from| journal.read(from))?;
        Ok(made.map(|made| made.info.position))
    }

    /// Whether a snapshot is being made.
    pub fn is_making_snapshot(&self) -> bool {
        self.maker.is_making()
    }

    /// Fires the replies that were released.
    pub fn deliver(&mut self) {
        while let Ok(said) = self.replies.try_recv() {
            for reply in said.replies {
                // A caller that has gone needs no answer.
                let _ = reply.to.send(Ok(reply.answer));
            }
        }
    }

    /// When a turn is due though nothing arrives, and whether work is left.
    pub fn due(&self) -> (Due, bool) {
        (self.writer.due(), self.writer.is_busy())
    }

    /// The journal, to be stepped.
    pub fn journal(&mut self) -> &mut J {
        self.writer.journal()
    }

    /// Where calls over the wire put their requests.
    pub(crate) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// The tables, to be read and checkpointed.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Holds the engine's indexes against its rows.
    ///
    /// # Errors
    /// What disagrees.
    pub fn check(&self) -> Result<(), String> {
        self.writer.check().map_err(|broken| broken.to_string())
    }

    /// Ends in good order.
    ///
    /// # Errors
    /// Something appended did not become durable.
    pub fn close(self) -> Result<(), CommitError> {
        self.writer.close()
    }
}
