//! One thing that happens to a simulated daemon.
//!
//! A run is a list of steps: chosen one by one when a seed runs, taken from the
//! list when a run is repeated or shrunk. A step says everything, so leaving
//! another one out does not change what it means.

use std::fmt;
use std::time::Duration;

use piecework_core::Request;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A client sends a request. Two steps may carry the same one: a duplicate.
    Send {
        /// Names this call in the run.
        call: u64,
        /// What is asked.
        request: Request,
        /// How long a `Lease` may wait for work.
        wait: Duration,
    },
    /// The client hangs up before it hears.
    HangUp {
        /// Which call.
        call: u64,
    },
    /// One turn of the writer.
    Turn {
        /// The boot-time clock goes on by so much, in milliseconds.
        passed_ms: u64,
        /// The calendar clock steps by so much besides, in milliseconds.
        stepped_ms: i64,
        /// At most so many requests.
        most: usize,
    },
    /// One round of the sync thread.
    Sync {
        /// Nothing came for a while: it may leave a marker.
        idle: bool,
    },
    /// One job of the journal's keeper.
    Keeper,
    /// The keeper looks at a full disk again.
    RetrySpace,
    /// One piece of a checkpoint.
    Checkpoint,
    /// One piece of a snapshot.
    Snapshot {
        /// A file that this writes is not as it was written.
        rots: bool,
    },
    /// The settled tasks of one command are fetched.
    Cold,
    /// Released replies arrive, or are lost on the way.
    Deliver {
        /// The connection broke.
        lost: bool,
    },
    /// A watcher reads what is new.
    Watch {
        /// Which one.
        watcher: usize,
        /// At most so many records of each log.
        most: usize,
    },
    /// The process dies and is started again.
    Crash(Crash),
    /// The next sync of a journal file fails.
    FailSync,
    /// So many disk operations from now every one fails, until the process is gone.
    FailWrites(u64),
    /// The disk holds no more than it has now and so many bytes; `None`: as much as it likes.
    Room(Option<u64>),
    /// Engine, tables and journal are held against each other.
    Check,
}

/// How a process dies, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crash {
    /// The power fails, too: what was not synced may be gone or torn.
    pub power: bool,
    /// Of the tables' batches since their last flush, so many are left.
    pub batches_kept: usize,
    /// What becomes of the tables besides.
    pub tables: Tables,
    /// It dies again so many disk operations into the recovery, once.
    pub again_at: Option<u64>,
}

/// What becomes of the tables in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tables {
    /// Nothing.
    #[default]
    Kept,
    /// Opening them hangs: the watchdog has them set aside.
    Hang,
    /// One key, the how-manieth modulo all, is silently gone.
    LoseKey(usize),
    /// One byte of one value, chosen in the same way, has changed.
    FlipByte(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Send { call, request, wait } => {
                let tenant = request.tenant.0;
                write!(f, "call {call} (tenant {tenant}): {:?}", request.command)?;
                if wait.is_zero() { Ok(()) } else { write!(f, ", waits {} ms", wait.as_millis()) }
            }
            Step::HangUp { call } => write!(f, "call {call} hangs up"),
            Step::Turn { passed_ms, stepped_ms, most } => {
                write!(f, "turn after {passed_ms} ms, at most {most} requests")?;
                if *stepped_ms == 0 { Ok(()) } else { write!(f, ", wall steps {stepped_ms} ms") }
            }
            Step::Sync { idle: false } => f.write_str("sync"),
            Step::Sync { idle: true } => f.write_str("sync, idle"),
            Step::Keeper => f.write_str("keeper"),
            Step::RetrySpace => f.write_str("keeper looks for space"),
            Step::Checkpoint => f.write_str("piece of a checkpoint"),
            Step::Snapshot { rots: false } => f.write_str("piece of a snapshot"),
            Step::Snapshot { rots: true } => f.write_str("piece of a snapshot, which rots"),
            Step::Cold => f.write_str("settled tasks are fetched"),
            Step::Deliver { lost: false } => f.write_str("replies arrive"),
            Step::Deliver { lost: true } => f.write_str("replies are lost"),
            Step::Watch { watcher, most } => write!(f, "watcher {watcher} reads {most}"),
            Step::Crash(crash) => write!(f, "crash: {crash:?}"),
            Step::FailSync => f.write_str("the next sync fails"),
            Step::FailWrites(after) => write!(f, "{after} disk operations on, all fail"),
            Step::Room(None) => f.write_str("the disk has room"),
            Step::Room(Some(bytes)) => write!(f, "the disk has {bytes} bytes left"),
            Step::Check => f.write_str("check"),
        }
    }
}
