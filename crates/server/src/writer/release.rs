//! Replies that wait until their group is durable.
//!
//! The writer queues a release per group before it appends; the journal's
//! completions come in the same order. Then, and only then, the rows become
//! visible to readers and the replies leave, one message a group.
//!
//! Invariant: no reply leaves before everything it saw is durable.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use piecework_core::planted::{self, Mistake};
use piecework_core::{Now, Position, ProjectId};
use piecework_storage::{Durable, JournalError, Store};
use tokio::sync::mpsc;

use super::ended::Ended;
use super::inbox::{Answer, Inbox};
use super::slot::ReplySlot;
use super::turn::CommitError;

/// One answer on its way out.
pub(crate) struct Reply {
    pub(crate) to: ReplySlot,
    pub(crate) answer: Answer,
}

/// What the runtime is told when a group is durable: replies first.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) replies: Vec<Reply>,
    /// Leases that the group ended; only while somebody listens.
    pub(crate) ended: Vec<Ended>,
    /// Projects that changed or have new records in their logs, and how many of both.
    pub(crate) told: Vec<(ProjectId, u32)>,
}

/// What becomes true when a group is durable.
pub(crate) struct Release {
    pub(crate) last: Position,
    pub(crate) now: Now,
    pub(crate) body: Bytes,
    pub(crate) said: Said,
    pub(crate) begun: Instant,
}

/// The queue between the writer and the journal's completions.
pub(crate) struct Releases {
    queue: Mutex<VecDeque<Release>>,
    runtime: mpsc::UnboundedSender<Said>,
    store: Store,
    inbox: Inbox,
    failed: Mutex<Option<CommitError>>,
    /// Something failed: nothing is said any more.
    over: AtomicBool,
}

impl Releases {
    pub(crate) fn new(
        store: Store,
        inbox: Inbox,
        runtime: mpsc::UnboundedSender<Said>,
    ) -> Arc<Releases> {
        let (queue, failed, over) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Arc::new(Releases { queue, runtime, store, inbox, failed, over })
    }

    /// Queues what the next append will release.
    pub(crate) fn push(&self, mut release: Release) {
        if planted::is(Mistake::ReplyBeforeDurable) {
            self.say(std::mem::take(&mut release.said));
        }
        if planted::is(Mistake::PublishBeforeDurable) {
            let body = std::mem::take(&mut release.body);
            self.store.publish(&body, release.last, release.now).expect("only when planted");
        }
        self.inbox.syncing();
        lock(&self.queue).push_back(release);
    }

    /// Replies that changed nothing leave with the newest group that they may
    /// have seen; at once when all is durable.
    pub(crate) fn after(&self, replies: Vec<Reply>) {
        let mut queue = lock(&self.queue);
        if self.over.load(Ordering::Acquire) {
            return;
        }
        if planted::is(Mistake::ReadBeforeDurable) {
            return self.say(Said { replies, ..Said::default() });
        }
        match queue.back_mut() {
            Some(release) => release.said.replies.extend(replies),
            None => self.say(Said { replies, ..Said::default() }),
        }
    }

    /// The journal's completion of the oldest append.
    pub(crate) fn durable(&self, result: Result<Durable, JournalError>) {
        let durable = match result {
            Ok(durable) => durable,
            Err(error) => {
                return self.fail(CommitError::Sync { source: error });
            }
        };
        // It stays in the queue while its rows are published, so that `after`
        // finds either this release or everything that it saw visible.
        let (body, last, now) = {
            let mut queue = lock(&self.queue);
            if self.over.load(Ordering::Acquire) {
                return;
            }
            let Some(release) = queue.front_mut() else { return };
            assert_eq!(release.last, durable.last, "completions come in the order of appends");
            (std::mem::take(&mut release.body), release.last, release.now)
        };
        if let Err(source) = self.store.publish_own(&body, last, now) {
            return self.fail(CommitError::Publish { source });
        }
        let mut queue = lock(&self.queue);
        if self.over.load(Ordering::Acquire) {
            return;
        }
        if let Some(release) = queue.pop_front() {
            metrics::histogram!(crate::metrics::COMMIT_SECONDS).record(release.begun.elapsed());
            self.say(release.said);
        }
        drop(queue);
        self.inbox.synced();
    }

    /// Why nothing more may be said, if something failed.
    pub(crate) fn take_failure(&self) -> Option<CommitError> {
        lock(&self.failed).take()
    }

    /// Something failed: nothing more is said, and the writer ends.
    pub(crate) fn fail(&self, error: CommitError) {
        // Dropped senders tell the callers that they must ask again.
        let mut queue = lock(&self.queue);
        self.over.store(true, Ordering::Release);
        if planted::is(Mistake::ReplyAfterError) {
            queue.drain(..).for_each(|release| self.say(release.said));
        }
        queue.clear();
        *lock(&self.failed) = Some(error);
        drop(queue);
        self.inbox.nudge();
    }

    fn say(&self, said: Said) {
        if !said.replies.is_empty() || !said.ended.is_empty() || !said.told.is_empty() {
            // The receiver outlives the writer; after it nobody waits any more.
            let _ = self.runtime.send(said);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fires the reply slots, then tells of the leases that ended; runs in the runtime,
/// where the callers wait. `unheard`: takes an answer whose caller has gone. `told`: hears of
/// projects with new records.
pub(crate) async fn fire(
    mut groups: mpsc::UnboundedReceiver<Said>,
    ended: impl Fn(Vec<Ended>),
    unheard: impl Fn(Answer),
    told: impl Fn(Vec<(ProjectId, u32)>),
) {
    while let Some(said) = groups.recv().await {
        for reply in said.replies {
            if let Err(Ok(answer)) = reply.to.send(Ok(reply.answer)) {
                unheard(answer);
            }
        }
        if !said.ended.is_empty() {
            ended(said.ended);
        }
        if !said.told.is_empty() {
            told(said.told);
        }
    }
}
