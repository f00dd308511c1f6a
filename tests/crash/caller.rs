//! One client of the run: calls that are repeated until they are answered, and
//! a note of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use piecework_client::{CallError, Client, Refused, Retry};
use tokio::sync::watch;
use tonic::{Response, Status};

use super::record::{Called, Record, Told};

/// The daemon is never away for so long, however busy the machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);

/// How far the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The daemon dies now and then.
    Faults,
    /// It lives: nothing new comes in, and what is open is finished.
    Drain,
    /// Clients end.
    Over,
}

/// What all clients of a run share.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) record: Record,
    pub(super) server: String,
    pub(super) phase: watch::Receiver<Phase>,
    /// Changes on their way, to hit the daemon while it has some.
    pub(super) under_way: watch::Sender<usize>,
}

/// One client with a connection of its own.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) run: Arc<Run>,
    pub(super) client: Client,
}

/// An answer with its times and what to note of it.
pub(super) struct Answered<T> {
    from: Duration,
    lost: Option<Duration>,
    to: Duration,
    pub(super) reply: Result<T, Box<Refused>>,
}

impl Caller {
    pub(super) fn new(run: &Arc<Run>) -> Caller {
        let client = Client::new(&run.server).expect("an address");
        Caller { run: Arc::clone(run), client }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.run.phase.borrow()
    }

    /// Sends a change, again and again until it is answered. Fails if it never is.
    pub(super) async fn change<T, F>(&self, send: impl FnMut() -> F) -> Answered<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.run.under_way.send_modify(|count| *count += 1);
        let answered = self.ask(send).await;
        self.run.under_way.send_modify(|count| *count -= 1);
        answered
    }

    /// The same for what changes nothing or waits: nobody aims at it.
    pub(super) async fn ask<T, F>(&self, mut send: impl FnMut() -> F) -> Answered<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let record = &self.run.record;
        let first_lost = AtomicUsize::new(0);
        let from = record.now();
        let reply = Retry::within(ANSWERED_WITHIN)
            .call(|| {
                let sent = send();
                let first_lost = &first_lost;
                async move {
                    let reply = sent.await;
                    let is_lost = |status: &Status| {
                        matches!(CallError::from(status.clone()), CallError::Lost { .. })
                    };
                    if reply.as_ref().is_err_and(is_lost) {
                        let at = usize::try_from(record.now().as_micros()).expect("a short run");
                        // Only the first: that one may have reached the daemon before a kill.
                        let _ = first_lost.compare_exchange(
                            0,
                            at,
                            Ordering::Relaxed,
                            Ordering::Relaxed,
                        );
                    }
                    reply
                }
            })
            .await;
        let to = record.now();
        let reply = match reply {
            Ok(reply) => Ok(reply),
            Err(CallError::Refused(refused)) if !refused.is_passing() => Err(refused),
            Err(error) => panic!("no answer within {} s: {error}", ANSWERED_WITHIN.as_secs()),
        };
        let lost = first_lost.into_inner() as u64;
        Answered { from, lost: (lost > 0).then(|| Duration::from_micros(lost)), to, reply }
    }
}

impl<T> Answered<T> {
    /// Notes what it said, all of it at one position.
    pub(super) fn note(
        &self,
        record: &Record,
        position: &str,
        told: impl IntoIterator<Item = Told>,
    ) {
        let position = (!position.is_empty()).then(|| position.to_owned());
        let (from, lost, to) = (self.from, self.lost, self.to);
        let called = |told| Called { from, lost, to, position: position.clone(), told };
        record.add(told.into_iter().map(called));
    }

    /// The reply, where a refusal would be a mistake of the test.
    pub(super) fn expect(&self, what: &str) -> &T {
        self.reply.as_ref().unwrap_or_else(|refused| panic!("{what}: {refused}"))
    }
}
