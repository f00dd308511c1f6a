//! One turn of the writer: apply all, append once, release what is durable.
//!
//! The one place that meets both decisions and disk; the first file to read.
//! A turn takes what has arrived, lets the engine decide each command in memory,
//! encodes what changed as one group, hands it to the journal and returns; the
//! sync thread makes it durable while the next turn runs. Replies wait for their
//! group, reads and refusals for the group that they may have seen.
//!
//! Invariant: after an error nothing more is said; memory is ahead of disk, so
//! the writer dies and the daemon recovers.
//!
//! Not here: calls that wait for work (`turn/waiting.rs`), the thread and its waiting
//! (`thread.rs`), completions (`release.rs`).

mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use piecework_core::change::{Change, Changed};
use piecework_core::event::Log;
use piecework_core::forecast::Flows;
use piecework_core::limits::RELAXATION_STEPS_MAX;
use piecework_core::planted::{self, Mistake};
use piecework_core::{
    Command, Due, Engine, Gauges, Now, Outcome, Position, Refusal, Request, Step, TaskId, TenantId,
    WorkerId,
};
use piecework_storage::{
    Bounds, CommandHeader, Group, GroupBody, Journal, JournalError, SnapshotError, Store,
    StoreError,
};

use super::cold::{Cold, ColdReader, Warmed};
use super::ended;
use super::gates::Lag;
use super::inbox::{Answer, Inbox, Unanswered, Waiting};
use super::meter::Meter;
use super::parked::Lot;
use super::release::{Release, Releases, Reply, Said};
use super::snapshots::Covered;

/// A group is not known to be durable, or the tables cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The journal took no group.
    #[error("could not append a group of {commands} commands")]
    Append {
        /// How many.
        commands: u32,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// The journal failed after it took a group.
    #[error("a group did not become durable")]
    Sync {
        /// Why.
        #[source]
        source: JournalError,
    },
    /// A durable group could not be made visible.
    #[error("a durable group could not be published")]
    Publish {
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The tables took no checkpoint.
    #[error("could not write a checkpoint of the tables")]
    Checkpoint {
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The journal could not be trimmed.
    #[error("could not trim the journal")]
    Trim {
        /// Why.
        #[source]
        source: JournalError,
    },
    /// The tables are not what the journal says.
    #[error("the tables are wrong; the next start makes them anew")]
    Snapshot {
        /// How that was found.
        #[source]
        source: SnapshotError,
    },
    /// A settled task could not be read.
    #[error("could not read a settled task from the tables")]
    Cold {
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// The writer: engine, journal, and what waits.
pub(crate) struct Writer<J> {
    engine: Engine,
    journal: J,
    store: Store,
    inbox: Inbox,
    releases: Arc<Releases>,
    cold: ColdReader,
    covered: Covered,
    /// Below this the journal was given up.
    trimmed: Position,
    lot: Lot,
    /// Calls whose pick goes on in the next turn.
    unfinished: Vec<Waiting>,
    /// Waiting workers of which a pick goes on in the next turn.
    going_on: BTreeSet<WorkerId>,
    /// The newest position given to a command.
    last: Position,
    /// The times of the last turn.
    now: Now,
    /// A group that the journal had no space for. Nothing is decided before it is taken.
    stalled: Option<Group>,
    lag: Lag,
    meter: Meter,
    /// Sees every command as it was applied.
    #[cfg(feature = "testing")]
    pub(crate) tap: Option<super::stepped::Tap>,
}

/// What a writer has besides its engine and its journal.
pub(crate) struct Own {
    pub(crate) store: Store,
    pub(crate) inbox: Inbox,
    pub(crate) releases: Arc<Releases>,
    pub(crate) cold: ColdReader,
    pub(crate) covered: Covered,
}

/// What a turn collects on the way.
struct Collected {
    now: Now,
    body: GroupBody,
    said: Said,
    first: Position,
    commands: u32,
}

/// What the writer says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriterFacts {
    pub(crate) gauges: Gauges,
    pub(crate) flows: Flows,
    /// Projects by the step of their relaxation that is in force, from the first on.
    pub(crate) relaxed: [u64; RELAXATION_STEPS_MAX],
    /// `Lease` calls that wait for work.
    pub(crate) waiting: usize,
    pub(crate) bounds: Bounds,
    pub(crate) now: Now,
}

impl Collected {
    fn new(now: Now, first: Position) -> Collected {
        Collected { now, body: GroupBody::default(), said: Said::default(), first, commands: 0 }
    }
}

impl<J: Journal> Writer<J> {
    pub(crate) fn new(engine: Engine, journal: J, own: Own) -> Writer<J> {
        let Own { store, inbox, releases, cold, covered } = own;
        let last = Position(journal.bounds().next.0 - 1);
        let lot = Lot::default();
        let now = Now::default();
        Writer {
            engine,
            journal,
            store,
            inbox,
            releases,
            cold,
            covered,
            trimmed: Position(0),
            lot,
            unfinished: Vec::new(),
            going_on: BTreeSet::new(),
            last,
            now,
            stalled: None,
            lag: Lag::default(),
            meter: Meter::new(),
            #[cfg(feature = "testing")]
            tap: None,
        }
    }

    /// Applies one group of requests, hands it to the journal and lets replies
    /// go whose group is durable.
    ///
    /// `inbox`: requests in the order of their lanes, possibly none. `now`: never
    /// earlier than in the last turn. Cost: one append, whatever its size.
    ///
    /// # Errors
    /// Send nothing more; drop the writer; recover.
    pub(crate) fn turn(&mut self, now: Now, inbox: Vec<Waiting>) -> Result<(), CommitError> {
        if let Some(error) = self.releases.take_failure() {
            return Err(error);
        }
        if !self.has_space()? {
            // Unanswered: they were not looked at, and who asks again is served.
            return Ok(());
        }
        let begun = Instant::now();
        self.now = now;
        let mut turn = Collected::new(now, self.last.next());
        self.own_commands(&mut turn);
        for warmed in self.cold.take() {
            self.warmed(&mut turn, warmed)?;
        }
        for waiting in std::mem::take(&mut self.unfinished) {
            // A caller that has gone is never granted anything, and while the daemon ends nobody is.
            if self.inbox.is_draining() {
                let _ = waiting.reply.send(Err(Unanswered::Draining));
            } else if !waiting.reply.is_closed() {
                self.one(&mut turn, waiting, Vec::new());
            }
        }
        for waiting in inbox {
            self.one(&mut turn, waiting, Vec::new());
        }
        self.parked(&mut turn);
        self.commit(turn, begun)?;
        self.engine.forget(self.store.published());
        self.trim()?;
        self.set_gates();
        Ok(())
    }

    /// When a turn is due even if nothing arrives.
    pub(crate) fn due(&self) -> Due {
        let due = self.engine.next_due();
        let parked = self.lot.next();
        Due { engine: due.engine.into_iter().chain(parked).min(), wall: due.wall }
    }

    /// Work is left that no request brings.
    pub(crate) fn is_busy(&self) -> bool {
        self.engine.sweep_due().is_some()
            || self.engine.is_waking()
            || !self.unfinished.is_empty()
            || !self.going_on.is_empty()
    }

    /// Commands that the writer gives itself: what time does, and sweeps.
    fn own_commands(&mut self, turn: &mut Collected) {
        let due = self.engine.next_due();
        let rings = due.engine.is_some_and(|at| at <= turn.now.engine)
            || due.wall.is_some_and(|at| at <= turn.now.wall);
        if rings {
            self.own(turn, Command::Tick);
        }
        if let Some(project) = self.engine.sweep_due() {
            self.own(turn, Command::Sweep { project });
        }
    }

    /// Applies a command of our own; nobody waits for its answer.
    fn own(&mut self, turn: &mut Collected, command: Command) {
        let request = Request { tenant: TenantId(0), command };
        match self.engine.apply(self.last.next(), turn.now, &request) {
            Step::Done { outcome, changes } => self.take(turn, &request, &outcome, &changes),
            Step::NeedCold(tasks) => {
                panic!("{} needs {} cold tasks", request.command.kind(), tasks.len())
            }
        }
    }

    /// Applies a caller's request, or parks it. `held`: tasks that were fetched for it.
    fn one(&mut self, turn: &mut Collected, waiting: Waiting, held: Vec<TaskId>) {
        let waits = !waiting.wait.is_zero();
        let (position, request) = (self.last.next(), &waiting.request);
        let step = match waits {
            true => self.engine.try_lease(position, turn.now, request),
            false => self.engine.apply(position, turn.now, request),
        };
        match step {
            Step::Done { outcome, .. } if is_unfinished(&outcome) => self.unfinished.push(waiting),
            Step::Done { outcome, .. } if waits && found_nothing(&outcome) => {
                self.park(turn, waiting);
            }
            Step::Done { outcome, changes } => {
                self.take(turn, &waiting.request, &outcome, &changes);
                let answer = Answer { outcome, position: self.last, now: turn.now };
                turn.said.replies.push(Reply { to: waiting.reply, answer });
            }
            Step::NeedCold(tasks) => return self.cold.fetch(Cold { waiting, tasks, held }),
        }
        self.engine.unpin(&held);
    }

    /// A request whose settled tasks have come.
    fn warmed(&mut self, turn: &mut Collected, warmed: Warmed) -> Result<(), CommitError> {
        let Warmed { cold: Cold { waiting, tasks, mut held }, found } = warmed;
        for task in found.map_err(|source| CommitError::Cold { source })? {
            self.engine.warm(turn.now, task);
        }
        held.extend(tasks);
        self.one(turn, waiting, held);
        Ok(())
    }

    /// The daemon is ending: nobody needs to wait for work here.
    fn send_away(&mut self) {
        for parked in self.lot.clear() {
            self.engine.unpark(self.now, parked.worker);
            // The caller may have gone.
            let _ = parked.waiting.reply.send(Err(Unanswered::SentAway));
        }
    }

    /// Gives a command its position and its place in the group, if it changed anything.
    fn take(
        &mut self,
        turn: &mut Collected,
        request: &Request,
        outcome: &Result<Outcome, Refusal>,
        changes: &[Changed],
    ) {
        self.meter.count(&request.command, outcome, changes);
        if !changes.is_empty() {
            self.last = self.last.next();
        }
        #[cfg(feature = "testing")]
        if let Some(tap) = &mut self.tap {
            tap(super::stepped::Seen {
                position: self.last,
                now: turn.now,
                request,
                outcome,
                changes,
            });
        }
        if changes.is_empty() {
            return;
        }
        turn.commands += 1;
        if self.inbox.has_listeners() {
            turn.said.ended.extend(ended::of(changes));
        }
        for changed in changes {
            let project = match &changed.change {
                Change::Event(event) => match event.log {
                    Log::Project(project) => project,
                    Log::Workers(_) => continue,
                },
                Change::Project(project) => project.id,
                _ => continue,
            };
            match turn.said.told.last_mut() {
                Some((last, records)) if *last == project => *records += 1,
                _ => turn.said.told.push((project, 1)),
            }
        }
        let header = CommandHeader {
            tenant: request.tenant,
            kind: request.command.kind(),
            actor: request.command.actor(),
            request_id: request.command.request_id(),
            refusal: None,
        };
        turn.body.push(&header, changes);
    }

    /// Appends the group, if there is one; its release is queued first.
    fn commit(&mut self, turn: Collected, begun: Instant) -> Result<(), CommitError> {
        self.meter.turn(turn.commands);
        if turn.commands == 0 {
            self.releases.after(turn.said.replies);
            return Ok(());
        }
        let Collected { now, body, said, first, commands } = turn;
        let group = Group { first, count: commands, now, body: Bytes::from(body.finish()) };
        let body = group.body.clone();
        self.releases.push(Release { last: self.last, now, body, said, begun });
        let appended = match self.inbox.is_quiet_beside(commands) {
            true => self.journal.append_alone(group.clone()),
            false => self.journal.append(group.clone()),
        };
        match appended {
            Ok(_) => Ok(()),
            // The journal lives on, and so do the replies that wait for this group.
            Err(JournalError::Full { .. }) => {
                self.stalled = Some(group);
                Ok(())
            }
            Err(source) => Err(CommitError::Append { commands, source }),
        }
    }

    /// Tries once more to append a group that found the disk full. False: it
    /// still is; take no turn.
    ///
    /// # Errors
    /// As `turn`.
    pub(crate) fn has_space(&mut self) -> Result<bool, CommitError> {
        let Some(group) = self.stalled.take() else { return Ok(true) };
        let commands = group.count;
        match self.journal.append(group.clone()) {
            Ok(_) => Ok(true),
            Err(JournalError::Full { .. }) => {
                self.stalled = Some(group);
                Ok(false)
            }
            Err(source) => Err(CommitError::Append { commands, source }),
        }
    }

    /// Gives up the journal as far as both a verified snapshot and the tables have it.
    fn trim(&mut self) -> Result<(), CommitError> {
        let through = if planted::is(Mistake::TrimTooEarly) {
            self.store.published()
        } else {
            self.covered.get().min(self.store.applied())
        };
        if through <= self.trimmed {
            return Ok(());
        }
        self.trimmed = through;
        let trimmed = self.journal.trim(through.next());
        trimmed.map(drop).map_err(|source| CommitError::Trim { source })
    }

    /// Says which lanes give way to what the disk has still to take.
    fn set_gates(&mut self) {
        let bounds = self.journal.bounds();
        self.meter.journal(bounds.written);
        let space_low = bounds.space_low || self.store.space_low();
        self.inbox.set_gates(self.lag.gates(self.store.room(), space_low, self.now.engine));
    }

    /// The first turn of a run: nothing expires for one heartbeat, if there is
    /// anything at all.
    pub(crate) fn begin(&mut self, now: Now) -> Result<(), CommitError> {
        if self.last == Position(0) {
            return Ok(());
        }
        let begun = Instant::now();
        self.now = now;
        let mut turn = Collected::new(now, self.last.next());
        self.own(&mut turn, Command::Restarted);
        self.commit(turn, begun)
    }

    /// Counts for metrics and status.
    pub(crate) fn facts(&self) -> WriterFacts {
        WriterFacts {
            gauges: self.engine.gauges(),
            flows: self.engine.flows(self.now.engine),
            relaxed: self.engine.relaxed(self.now.engine),
            waiting: self.lot.len(),
            bounds: self.journal.bounds(),
            now: self.now,
        }
    }

    /// The journal, for whoever steps it.
    #[cfg(feature = "testing")]
    pub(crate) fn journal(&mut self) -> &mut J {
        &mut self.journal
    }

    /// The times of the last turn.
    #[cfg(feature = "testing")]
    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// Holds the engine's indexes against its rows.
    #[cfg(feature = "testing")]
    pub(crate) fn check(&self) -> Result<(), piecework_core::Broken> {
        self.engine.check(self.now)
    }

    /// Ends in good order: everything appended becomes durable, a marker says so.
    pub(crate) fn close(mut self) -> Result<(), CommitError> {
        self.send_away();
        self.journal.close().map_err(|source| CommitError::Sync { source })
    }
}

fn found_nothing(outcome: &Result<Outcome, Refusal>) -> bool {
    matches!(outcome, Ok(Outcome::Leased(leased)) if leased.grants.is_empty())
}

fn is_unfinished(outcome: &Result<Outcome, Refusal>) -> bool {
    matches!(outcome, Ok(Outcome::Leased(leased)) if leased.unfinished)
}
