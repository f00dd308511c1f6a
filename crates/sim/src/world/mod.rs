//! A simulated daemon, its disks, its clients' connections, and time.
//!
//! `World::perform` does one step and says what clients heard. Everything that
//! may not happen is a `Failure`. The world itself chooses nothing.
//!
//! Not here: which step comes next (`run/`), what clients want (`workload/`).

mod history;
mod place;
mod rows;
mod step;
mod watcher;

use std::collections::BTreeMap;
use std::fmt;

use piecework_core::{Limits, Now, Position, Request, WallTime};
use piecework_server::stepped::{NotStarted, Pending, Reading, SteppedWriter, Told, Untold};
use piecework_storage::{Journal, LyingDisk, Progress, SteppedJournal};

use history::{History, Life};
use place::Place;
use watcher::Watcher;

pub use place::Sizes;
pub use step::{Crash, Step, Tables};

use crate::model::Model;
use crate::run::Coverage;

/// Watchers of a run.
pub const WATCHERS: usize = 2;

/// Something that may never happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One word: shrinking keeps to failures of the same kind.
    pub kind: &'static str,
    /// What happened.
    pub what: String,
}

impl Failure {
    pub(crate) fn new(kind: &'static str, what: String) -> Failure {
        Failure { kind, what }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}

/// What a client hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An answer.
    Told(Told),
    /// Nothing: whether it happened is not known.
    Lost,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Events {
    /// Processes that died.
    pub crashes: u64,
    /// Of these, with a power cut.
    pub power_cuts: u64,
    /// Recoveries that died.
    pub died_in_recovery: u64,
    /// Writers that ended by themselves, after an error of the disk.
    pub writer_deaths: u64,
    /// Tables lost, damaged or hanging at a start.
    pub tables_in_doubt: u64,
    /// Checkpoints that ended.
    pub checkpoints: u64,
    /// Snapshots that were published.
    pub snapshots: u64,
    /// Replies that never arrived.
    pub lost_replies: u64,
    /// Requests that were refused before anything happened.
    pub turned_away: u64,
    /// Turns before which a clock had jumped.
    pub jumps: u64,
    /// Failed syncs and full disks.
    pub disk_faults: u64,
    /// Files of snapshots that were not as they were written.
    pub rotten_files: u64,
}

impl Events {
    /// Adds another run's.
    pub fn add(&mut self, other: &Events) {
        self.crashes += other.crashes;
        self.power_cuts += other.power_cuts;
        self.died_in_recovery += other.died_in_recovery;
        self.writer_deaths += other.writer_deaths;
        self.tables_in_doubt += other.tables_in_doubt;
        self.checkpoints += other.checkpoints;
        self.snapshots += other.snapshots;
        self.lost_replies += other.lost_replies;
        self.turned_away += other.turned_away;
        self.jumps += other.jumps;
        self.disk_faults += other.disk_faults;
        self.rotten_files += other.rotten_files;
    }
}

/// The world.
pub struct World {
    place: Place,
    limits: Limits,
    writer: Option<SteppedWriter<SteppedJournal<LyingDisk>, LyingDisk>>,
    pending: BTreeMap<u64, Call>,
    history: History,
    watchers: Vec<Watcher>,
    boot_ms: u64,
    wall: WallTime,
    now: Now,
    /// What the disk was known to have when the process died.
    durable: Position,
    events: Events,
}

struct Call {
    request: Request,
    /// Positions already told to somebody when it was sent.
    floor: Position,
    pending: Pending,
}

impl World {
    /// A fresh daemon.
    ///
    /// # Errors
    /// It does not start.
    pub fn new(seed: u64, sizes: Sizes, limits: Limits) -> Result<World, Failure> {
        let mut world = World {
            place: Place::new(seed, sizes),
            limits: limits.clone(),
            writer: None,
            pending: BTreeMap::new(),
            history: History::new(limits),
            watchers: (0..WATCHERS).map(|_| Watcher::default()).collect(),
            boot_ms: 1_000,
            wall: WallTime(1_750_000_000_000),
            now: Now::default(),
            durable: Position(0),
            events: Events::default(),
        };
        world.writer = Some(world.open().map_err(|error| {
            Failure::new("start", format!("a fresh daemon does not start: {error}"))
        })?);
        Ok(world)
    }

    /// The times of the last turn.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// How often what happened.
    #[must_use]
    pub fn events(&self) -> Events {
        self.events
    }

    /// The process is gone and only a crash goes on from here.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.writer.is_none()
    }

    /// Calls that have not been answered.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The call that has waited longest.
    #[must_use]
    pub fn oldest_pending(&self) -> Option<(u64, &Request)> {
        self.pending.iter().next().map(|(call, waits)| (*call, &waits.request))
    }

    /// When something is due though nobody asks, in milliseconds from now.
    #[must_use]
    pub fn due_in(&self) -> Option<u64> {
        let (due, busy) = self.writer.as_ref()?.due();
        if busy {
            return Some(0);
        }
        let engine = due.engine.map(|at| at.0.saturating_sub(self.now.engine.0));
        let wall = due.wall.map(|at| at.0.saturating_sub(self.now.wall.0));
        engine.into_iter().chain(wall).min()
    }

    /// How often what happened to leases and answers, up to the last crash.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.history.coverage()
    }

    /// The model as of the last crash.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.history.model()
    }

    /// Of everything that happened and everything that lies on the disks.
    #[must_use]
    pub fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = self.history.fingerprint();
        self.place.fingerprint(&mut hasher);
        hasher.finalize()
    }

    /// Does one step. Returns what clients heard, by call.
    ///
    /// # Errors
    /// Something happened that may never happen.
    pub fn perform(&mut self, step: &Step) -> Result<Vec<(u64, Heard)>, Failure> {
        if let Step::Crash(crash) = step {
            return self.crash(*crash);
        }
        let Some(writer) = &mut self.writer else { return Ok(Vec::new()) };
        match step {
            Step::Send { call, request, wait } => {
                let Some(pending) = writer.send(request.clone(), *wait) else {
                    self.events.turned_away += 1;
                    return Ok(vec![(*call, Heard::Lost)]);
                };
                let (request, floor) = (request.clone(), self.history.told());
                self.pending.insert(*call, Call { request, floor, pending });
            }
            Step::HangUp { call } => {
                let gone = self.pending.remove(call).is_some();
                return Ok(gone.then_some((*call, Heard::Lost)).into_iter().collect());
            }
            Step::Turn { passed_ms, stepped_ms, most } => {
                return self.turn(*passed_ms, *stepped_ms, *most);
            }
            Step::Sync { idle } => _ = writer.journal().step_sync(*idle),
            Step::Keeper => _ = writer.journal().step_keeper(),
            Step::RetrySpace => writer.journal().retry_space(),
            Step::Checkpoint => {
                let progress = writer.store().checkpoint_step();
                // Between checkpoints there is time to look for settled tasks.
                let noted = writer.store().note_step();
                match progress.and_then(|progress| noted.map(|_| progress)) {
                    Ok(Progress::Done(_)) => self.events.checkpoints += 1,
                    Ok(Progress::Working | Progress::Idle) => {}
                    Err(error) => {
                        return Err(Failure::new("tables", format!("no checkpoint: {error}")));
                    }
                }
            }
            Step::Snapshot { rots } => self.snapshot(*rots)?,
            Step::Cold => _ = writer.step_cold(),
            Step::Deliver { lost } => return self.deliver(*lost),
            Step::Watch { watcher, most } => {
                let watchers = self.watchers.len();
                self.watchers[watcher % watchers].read(writer.store(), *most)?;
            }
            Step::FailSync => {
                self.events.disk_faults += 1;
                self.place.fail_next_sync();
            }
            Step::FailWrites(after) => {
                self.events.disk_faults += 1;
                self.place.fail_writes(*after);
            }
            Step::Room(bytes) => {
                self.events.disk_faults += u64::from(bytes.is_some());
                self.place.set_room(*bytes);
            }
            Step::Check => {
                writer.check().map_err(|broken| Failure::new("engine", broken))?;
            }
            Step::Crash(_) => unreachable!("handled above"),
        }
        Ok(Vec::new())
    }

    fn snapshot(&mut self, rots: bool) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let there = self.place.snapshot_files();
        match writer.step_snapshot(true) {
            Ok(made) => self.events.snapshots += u64::from(made.is_some()),
            // The disk refused: another one is begun later.
            Err(error) if self.place.is_full() && !error.is_damage() => {}
            Err(error) if self.place.has_rotted() && error.is_damage() => {}
            Err(error) => return Err(Failure::new("snapshot", describe(&error))),
        }
        if rots {
            self.events.rotten_files += self.place.rot_all_but(&there);
        }
        Ok(())
    }

    fn turn(
        &mut self,
        passed_ms: u64,
        stepped_ms: i64,
        most: usize,
    ) -> Result<Vec<(u64, Heard)>, Failure> {
        let Some(writer) = &mut self.writer else { return Ok(Vec::new()) };
        self.boot_ms += passed_ms;
        let wall = self.wall.0.saturating_add(passed_ms).saturating_add_signed(stepped_ms);
        self.wall = WallTime(wall);
        self.events.jumps += u64::from(stepped_ms != 0 || passed_ms > 10_000);
        let reading = Reading { boot_ms: self.boot_ms, wall: self.wall };
        match writer.turn(reading, most) {
            Ok(now) => {
                let grown = now.engine.0.saturating_sub(self.now.engine.0);
                if grown > 2_000 || now.engine < self.now.engine {
                    let what = format!("P12: a turn took {grown} ms of engine time");
                    return Err(Failure::new("time", what));
                }
                self.now = now;
                Ok(Vec::new())
            }
            Err(_) => {
                self.events.writer_deaths += 1;
                Ok(self.die())
            }
        }
    }

    fn deliver(&mut self, lost: bool) -> Result<Vec<(u64, Heard)>, Failure> {
        let Some(writer) = &mut self.writer else { return Ok(Vec::new()) };
        writer.deliver();
        let durable = writer.journal().bounds().synced;
        let mut heard = Vec::new();
        let mut failure = None;
        let history = &mut self.history;
        self.pending.retain(|id, call| {
            let Some(answer) = call.pending.poll() else { return true };
            match answer {
                Ok(told) => {
                    let said = history.hears(&told, &call.request, call.floor, durable);
                    failure = failure.take().or(said.err());
                    self.events.lost_replies += u64::from(lost);
                    heard.push((*id, if lost { Heard::Lost } else { Heard::Told(told) }));
                }
                Err(Untold::NothingHappened | Untold::Unknown) => heard.push((*id, Heard::Lost)),
            }
            false
        });
        failure.map_or(Ok(heard), Err)
    }

    /// The process is gone; whoever waited does not know what happened.
    fn die(&mut self) -> Vec<(u64, Heard)> {
        if let Some(mut writer) = self.writer.take() {
            self.durable = writer.journal().bounds().synced;
        }
        let pending = std::mem::take(&mut self.pending);
        pending.into_keys().map(|call| (call, Heard::Lost)).collect()
    }

    fn crash(&mut self, crash: Crash) -> Result<Vec<(u64, Heard)>, Failure> {
        let heard = self.die();
        self.events.crashes += 1;
        self.events.power_cuts += u64::from(crash.power);
        self.events.tables_in_doubt += u64::from(crash.tables != Tables::Kept);
        let life = self.history.end_life();
        self.place.crash(crash);
        let mut opened = self.open();
        if crash.again_at.is_some() {
            // It died in there, or shortly after; either way it starts once more.
            self.events.died_in_recovery += u64::from(opened.is_err());
            drop(opened);
            // The first command of a run is never durable before its first step.
            drop(self.history.end_life());
            self.place.crash_again(crash.power);
            opened = self.open();
        }
        let writer = opened.map_err(|error| not_started(&error))?;
        self.recovered(life, &writer)?;
        self.writer = Some(writer);
        Ok(heard)
    }

    fn open(
        &mut self,
    ) -> Result<SteppedWriter<SteppedJournal<LyingDisk>, LyingDisk>, Box<NotStarted>> {
        let reading = Reading { boot_ms: self.boot_ms, wall: self.wall };
        let opened = SteppedWriter::open(&self.place, &self.limits, reading, self.history.tap());
        opened.inspect(|_| self.place.loaded()).map_err(Box::new)
    }

    fn recovered(
        &mut self,
        life: Life,
        writer: &SteppedWriter<SteppedJournal<LyingDisk>, LyingDisk>,
    ) -> Result<(), Failure> {
        let survived = self.history.begun_behind();
        // Engine time goes on from what was logged last.
        self.now = self.history.begun_at();
        self.history.survive(life, survived, self.durable, &self.watchers)?;
        if let Some(damage) = self.place.lost() {
            return Err(Failure::new("tables", format!("a crash has damaged them: {damage}")));
        }
        let read = |error| Failure::new("read", format!("the tables cannot be read: {error}"));
        let (found, expected) = (writer.store().digest().map_err(read)?, self.history.digest());
        if found != expected {
            let what = format!("at {survived} the tables have {found}, the history {expected}");
            return Err(Failure::new("digest", what));
        }
        writer.check().map_err(|broken| Failure::new("engine", broken))
    }
}

fn not_started(error: &NotStarted) -> Failure {
    Failure::new("start", format!("the daemon does not start: {}", describe(error)))
}

/// An error and its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let mut what = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        what = format!("{what}: {error}");
        cause = error.source();
    }
    what
}
