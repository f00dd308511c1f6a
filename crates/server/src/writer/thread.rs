//! The writer's thread: waits, takes a turn, ends.
//!
//! Turns at least once a second, so that engine time keeps up. A failure closes
//! the inbox and is told once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use piecework_core::{Due, Now};
use piecework_storage::Journal;
use tokio::sync::watch;

use super::clock::{self, Clock};
use super::inbox::{Inbox, Unanswered};
use super::turn::{CommitError, Writer, WriterFacts};
use crate::metrics;

/// Answers and leases in one group: what comes meanwhile is done beside its sync.
const GROUP_MAX: usize = 512;
/// Of these, calls that create tasks.
const INTAKE_MAX: usize = 128;
/// The longest sleep.
const PATIENCE_MAX: Duration = Duration::from_secs(1);
/// How often a journal that found the disk full is tried again.
const SPACE_EVERY: Duration = Duration::from_millis(200);
/// How often gauges are set.
const GAUGES_EVERY: Duration = Duration::from_secs(1);

/// Runs the writer until it is told to stop, then closes it in good order.
///
/// # Errors
/// Why it died. Nothing was said after that.
pub(crate) fn run<J: Journal>(
    mut writer: Writer<J>,
    mut clock: Clock,
    inbox: &Inbox,
    stop: &AtomicBool,
    facts: &watch::Sender<WriterFacts>,
) -> Result<(), CommitError> {
    let mut gauged = Instant::now();
    let mut requests = Vec::new();
    // Read once a turn: each reading may add two seconds to engine time, no more.
    let mut now = clock.turn(clock::read());
    loop {
        let stopping = stop.load(Ordering::Acquire);
        let has_space =
            writer.has_space().inspect_err(|_| drop(inbox.close(Unanswered::Stopped)))?;
        if !has_space && !stopping {
            // Requests wait in their lanes, which are bounded.
            thread::sleep(SPACE_EVERY);
            continue;
        }
        let idle = !writer.is_busy() && !stopping;
        let patience = if idle { patience(writer.due(), now) } else { Duration::ZERO };
        inbox.take(&mut requests, GROUP_MAX, INTAKE_MAX, patience);
        if stopping && (requests.is_empty() || !has_space) {
            break;
        }
        now = clock.turn(clock::read());
        let turned = writer.turn(now, std::mem::take(&mut requests));
        if let Err(error) = turned {
            drop(inbox.close(Unanswered::Stopped));
            return Err(error);
        }
        if gauged.elapsed() >= GAUGES_EVERY {
            gauged = Instant::now();
            let now = writer.facts();
            set_gauges(&now);
            facts.send_replace(now);
        }
    }
    writer.close()
}

/// Starts a thread with a name that shows in a debugger.
///
/// # Errors
/// The machine has no thread left.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name.into()).spawn(body)
}

fn patience(due: Due, now: Now) -> Duration {
    let engine = due.engine.map(|at| at.0.saturating_sub(now.engine.0));
    let wall = due.wall.map(|at| at.0.saturating_sub(now.wall.0));
    let first = engine.into_iter().chain(wall).min().map(Duration::from_millis);
    first.unwrap_or(PATIENCE_MAX).min(PATIENCE_MAX)
}

fn set_gauges(facts: &WriterFacts) {
    let WriterFacts { gauges, flows, relaxed, waiting, bounds, .. } = facts;
    metrics::flows(flows);
    metrics::relaxed(relaxed);
    metrics::tasks(&gauges.tasks);
    metrics::gauge(metrics::LIVE_LEASES, gauges.live_leases);
    metrics::gauge(metrics::PROJECTS, gauges.projects);
    metrics::gauge(metrics::WORKERS, gauges.workers);
    metrics::gauge(metrics::WAITING_WORKERS, *waiting as u64);
    metrics::gauge(metrics::JOURNAL_BYTES, bounds.bytes);
    metrics::gauge(metrics::JOURNAL_POSITION, bounds.synced.0);
}
