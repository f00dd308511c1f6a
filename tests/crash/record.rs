//! What clients were told, and when: the history that the checker reads.
//!
//! Times count from the start of the run, on the clock of this process. Texts
//! are as they came over the wire; nothing here is of the daemon's own types.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One answered call. Lost ones were repeated with the same keys until an answer came.
#[derive(Debug, Clone)]
pub(super) struct Called {
    /// When it was first sent.
    pub(super) from: Duration,
    /// When the first try was lost, if it was.
    pub(super) lost: Option<Duration>,
    /// When the answer was there.
    pub(super) to: Duration,
    /// The position in the answer.
    pub(super) position: Option<String>,
    pub(super) told: Told,
}

/// What an answer said.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// A task exists. `payload` is different for each, so it tells which one was meant.
    Created { payload: String, name: String },
    /// A task is cancelled, or the reason why not.
    Cancelled { name: String, refused: Option<String> },
    /// The leases of one request id. Empty: there was no work.
    Granted { worker: String, request: String, leases: Vec<Held> },
    /// A lease has so much time left.
    Extended { lease: String, left: Duration },
    /// A lease is given back.
    Returned { lease: String },
    /// An answer was taken, or the reason why not.
    Answered { worker: String, lease: String, label: String, taken: Result<Taken, String> },
    /// A task as a reader saw it.
    Seen(Counts),
    /// A read that had to see what was acknowledged before it, and whether it did.
    ReadBack { what: String, found: bool },
    /// Only the position is of interest.
    Nothing,
}

/// A lease in a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) payload: String,
    /// `None`: it is not live any more.
    pub(super) left: Option<Duration>,
    /// Its time ran out.
    pub(super) expired: bool,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    /// As in the API, without `VERDICT_`.
    pub(super) verdict: String,
    /// All of it, to compare receipts.
    pub(super) whole: String,
}

/// A task's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) task: String,
    pub(super) counted: u32,
    pub(super) live: u32,
    pub(super) overlap: u32,
}

/// A time in which the daemon could not work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// What engine time may have grown by meanwhile, at most.
    pub(super) grows: Duration,
}

/// A SIGKILL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    pub(super) at: Duration,
    /// It came before the daemon was ready.
    pub(super) recovering: bool,
}

/// All of it, as it grows.
#[derive(Debug)]
pub(super) struct Record {
    began: Instant,
    called: Mutex<Vec<Called>>,
}

impl Record {
    pub(super) fn new() -> Record {
        Record { began: Instant::now(), called: Mutex::default() }
    }

    /// Since the run began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn add(&self, called: impl IntoIterator<Item = Called>) {
        self.called.lock().expect("no writer panicked").extend(called);
    }

    /// How many answers there are.
    pub(super) fn len(&self) -> usize {
        self.called.lock().expect("no writer panicked").len()
    }

    pub(super) fn all(&self) -> Vec<Called> {
        self.called.lock().expect("no writer panicked").clone()
    }
}
