//! A log as a stream: what is durable, from a cursor on, for as long as it lasts.
//!
//! A task per stream reads bounded stretches by sequence and hands each over whole: the
//! next one is read while the transport takes the frames of the one before. A slow reader
//! makes the task wait, and holds two stretches in memory, never a queue. When there is
//! nothing more the task waits for the next published position.
//!
//! Not here: which log, and what a record says (`log.rs`, `records.rs`).

mod handed;

use std::sync::Arc;
use std::time::Duration;

use piecework_core::Position;
use piecework_core::event::Log;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::services::call::off_the_runtime;
use crate::services::log::{LogQuery, Record, Stretch};
use crate::services::reader::Reader;
use crate::services::referred::Referred;
use crate::wire::failure::Failure;
use crate::wire::status;
use crate::wire::tokens::Cursor;
use crate::writer::Unanswered;

pub(crate) use handed::Handed;
use handed::Handful;

/// Records read at a time.
const STRETCH_MAX: usize = 256;
/// After a look that found nothing the next one waits: every group in the
/// journal wakes every stream, and most are about other logs. A stream waits a
/// twentieth of the time that its log has been quiet, within these bounds.
const LOOK_GAP: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// How long a reader that does not read has to hear that the stream ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How the frames of a kind of stream are written.
pub(crate) struct Frames<M> {
    /// A record's frame; `None`: what it is about is gone.
    pub(crate) record: fn(&Referred<'_>, Record) -> Result<Option<M>, Failure>,
    /// An idle stream's frame, with the token to remember.
    pub(crate) heartbeat: fn(String) -> M,
}

impl<M> Clone for Frames<M> {
    fn clone(&self) -> Frames<M> {
        *self
    }
}

impl<M> Copy for Frames<M> {}

/// Where streams read, and what they listen to.
#[derive(Clone)]
pub(crate) struct Source {
    /// The tables.
    pub(crate) reader: Arc<Reader>,
    /// The newest position that readers can see.
    pub(crate) published: watch::Receiver<Position>,
    /// Becomes true when streams are to end.
    pub(crate) stopping: watch::Receiver<bool>,
}

struct Follower<M> {
    source: Source,
    query: Arc<LogQuery>,
    cursor: Cursor,
    frames: Frames<M>,
    every: Duration,
    to: mpsc::Sender<Handful<M>>,
    last_frame: Instant,
    last_record: Instant,
}

/// Why a stream ends.
enum End {
    /// The client has gone; there is nobody to tell.
    Gone,
    /// The client is told.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failed(failure)
    }
}

/// Follows a log from `cursor` on. `every`: how often an idle stream shows that
/// it lives.
pub(crate) fn follow<M: Message + 'static>(
    source: Source,
    query: LogQuery,
    cursor: Cursor,
    frames: Frames<M>,
    every: Duration,
) -> Handed<M> {
    let (to, stream) = handed::channel();
    let follower = Follower {
        source,
        query: Arc::new(query),
        cursor,
        frames,
        every,
        to,
        last_frame: Instant::now(),
        last_record: Instant::now(),
    };
    tokio::spawn(follower.run());
    stream
}

impl<M: Message + 'static> Follower<M> {
    async fn run(mut self) {
        let mut stopping = self.source.stopping.clone();
        let to = self.to.clone();
        let end = tokio::select! {
            biased;
            // A closed channel is an end, too.
            _ = stopping.wait_for(|stopping| *stopping) => {
                End::Failed(status::unanswered(Unanswered::Draining))
            }
            () = to.closed() => End::Gone,
            end = self.go_on() => end,
        };
        if let End::Failed(failure) = end {
            // Whether it is heard or not, the stream is over.
            let _ = timeout(FAREWELL, to.send(Err(failure.into()))).await;
        }
    }

    async fn go_on(&mut self) -> End {
        loop {
            if let Err(end) = self.round().await {
                return end;
            }
        }
    }

    /// Reads and sends one stretch, or waits for something to read.
    async fn round(&mut self) -> Result<(), End> {
        // First room, then a stretch: none is held that cannot be handed over.
        let room = self.to.clone().reserve_owned().await.map_err(|_| End::Gone)?;
        // Before reading: what is published meanwhile wakes the wait below.
        self.source.published.borrow_and_update();
        let looked = Instant::now();
        let before = self.cursor;
        let (query, write) = (Arc::clone(&self.query), self.frames.record);
        let read = move |reader: &Reader| query.stretch(reader, before, STRETCH_MAX, write);
        let Stretch { written, cursor } = off_the_runtime(&self.source.reader, read).await?;
        self.cursor = cursor;
        if !written.is_empty() {
            room.send(Ok(written));
            self.last_frame = Instant::now();
            self.last_record = self.last_frame;
        } else {
            drop(room);
        }
        if cursor != before {
            return Ok(());
        }
        self.wait(looked).await
    }

    /// Until there may be more; meanwhile shows that the stream lives.
    async fn wait(&mut self, looked: Instant) -> Result<(), End> {
        loop {
            let next = self.last_frame + self.every;
            tokio::select! {
                changed = self.source.published.changed() => {
                    if changed.is_err() {
                        return Err(status::unanswered(Unanswered::Stopped).into());
                    }
                    let quiet = looked.duration_since(self.last_record) / 20;
                    sleep_until(looked + quiet.clamp(LOOK_GAP[0], LOOK_GAP[1])).await;
                    return Ok(());
                }
                () = sleep_until(next) => {
                    self.check_parent().await?;
                    let token = self.query.token(self.cursor);
                    let heartbeat = (self.frames.heartbeat)(token);
                    self.to.send(Ok(vec![heartbeat])).await.map_err(|_| End::Gone)?;
                    self.last_frame = Instant::now();
                }
            }
        }
    }

    /// A project may have been deleted: then nothing more will ever come.
    async fn check_parent(&self) -> Result<(), End> {
        let Log::Project(id) = self.query.log else { return Ok(()) };
        let query = Arc::clone(&self.query);
        let check = move |reader: &Reader| match reader.live_project(id)? {
            Some(_) => Ok(()),
            None => Err(query.parent_is_gone()),
        };
        Ok(off_the_runtime(&self.source.reader, check).await?)
    }
}

#[cfg(test)]
mod tests;
