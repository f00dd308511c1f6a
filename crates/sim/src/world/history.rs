//! What happened, in the order of the journal, and whether it may have.
//!
//! A life is what one process applied. When it has died, the next recovery says
//! how much of it survived; that part is history for good: it obeys the laws, the model
//! replays it and must agree, the rows are folded, and whatever anybody was told must be
//! in it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piecework_core::change::{Change, Changed};
use piecework_core::event::{Event, Log};
use piecework_core::{Command, Limits, Now, Outcome, Position, Refusal, Request, Sequence};
use piecework_server::stepped::{Seen, Tap, Told};
use piecework_storage::RowsDigest;

use super::Failure;
use super::rows::Rows;
use super::watcher::Watcher;
use crate::laws::Laws;
use crate::model::Model;
use crate::run::{Counter, Coverage};

/// A command as it was applied.
#[derive(Debug, Clone)]
struct Entry {
    position: Position,
    now: Now,
    request: Request,
    outcome: Result<Outcome, Refusal>,
    changes: Vec<Changed>,
}

/// Everything that happened so far.
pub(super) struct History {
    /// What the present process has applied, durable or not.
    life: Arc<Mutex<Vec<Entry>>>,
    /// The newest position that anybody was told of.
    told: Position,
    model: Model,
    laws: Laws,
    rows: Rows,
    events: BTreeMap<(Log, Sequence), Event>,
    counter: Counter,
    /// The last position that is history for good.
    pub(super) settled: Position,
    hasher: blake3::Hasher,
}

impl History {
    pub(super) fn new(limits: Limits) -> History {
        History {
            life: Arc::default(),
            told: Position(0),
            model: Model::new(limits),
            laws: Laws::default(),
            rows: Rows::default(),
            events: BTreeMap::new(),
            counter: Counter::default(),
            settled: Position(0),
            hasher: blake3::Hasher::new(),
        }
    }

    /// Sees what a new process applies.
    pub(super) fn tap(&self) -> Tap {
        let life = Arc::clone(&self.life);
        Box::new(move |seen: Seen<'_>| {
            lock(&life).push(Entry {
                position: seen.position,
                now: seen.now,
                request: seen.request.clone(),
                outcome: seen.outcome.clone(),
                changes: seen.changes.to_vec(),
            });
        })
    }

    /// What the present process has applied goes aside: it has died.
    pub(super) fn end_life(&mut self) -> Life {
        Life(mem::take(&mut *lock(&self.life)))
    }

    /// The last position before the first command of the present process.
    pub(super) fn begun_behind(&self) -> Position {
        match lock(&self.life).first() {
            Some(first) if matches!(first.request.command, Command::Restarted) => {
                Position(first.position.0 - 1)
            }
            _ => Position(0),
        }
    }

    /// The times of the first command of the present process.
    pub(super) fn begun_at(&self) -> Now {
        lock(&self.life).first().map_or(Now::default(), |first| first.now)
    }

    /// A client hears. `durable`: what the disk has.
    pub(super) fn hears(
        &mut self,
        told: &Told,
        request: &Request,
        floor: Position,
        durable: Position,
    ) -> Result<(), Failure> {
        let position = told.position;
        if position > durable {
            let what =
                format!("P1: told of position {position}, durable is {durable}: {request:?}");
            return Err(Failure::new("early", what));
        }
        if position < floor {
            let what = format!("P10: told of position {position} after {floor}: {request:?}");
            return Err(Failure::new("order", what));
        }
        let life = lock(&self.life);
        let begin = life.partition_point(|entry| entry.position < position);
        let said = |entry: &&Entry| {
            entry.position == position && entry.outcome == told.outcome && entry.request == *request
        };
        if !life[begin..].iter().take_while(|e| e.position <= position).any(|e| said(&e)) {
            let what = format!("told what was never decided: {told:?} to {request:?}");
            return Err(Failure::new("invented", what));
        }
        drop(life);
        self.told = self.told.max(position);
        Ok(())
    }

    /// The newest position that anybody was told of.
    pub(super) fn told(&self) -> Position {
        self.told
    }

    /// A life is over and `survived` is what recovery found of it.
    pub(super) fn survive(
        &mut self,
        life: Life,
        survived: Position,
        durable: Position,
        watchers: &[Watcher],
    ) -> Result<(), Failure> {
        if survived < self.told || survived < durable {
            let told = self.told.max(durable);
            let what = format!("P1: position {told} was durable, recovery found {survived}");
            return Err(Failure::new("lost", what));
        }
        let newest = life.0.last().map_or(self.settled, |entry| entry.position);
        if survived > newest {
            let what = format!("recovery found {survived}, nothing was applied after {newest}");
            return Err(Failure::new("invented", what));
        }
        let kept = life.0.into_iter().filter(|entry| entry.position <= survived);
        for entry in kept {
            self.absorb(entry)?;
        }
        self.settled = survived;
        for ((log, sequence), event) in watchers.iter().flat_map(|w| &w.shown) {
            if self.events.get(&(*log, *sequence)) != Some(event) {
                let what = format!("P9: {log:?} {sequence:?} was streamed and is gone: {event:?}");
                return Err(Failure::new("streamed", what));
            }
        }
        Ok(())
    }

    fn absorb(&mut self, entry: Entry) -> Result<(), Failure> {
        let Entry { position, now, request, outcome, changes } = entry;
        self.laws.take(&changes).map_err(|broken| {
            Failure::new("log", format!("position {position}, {:?}: {broken}", request.command))
        })?;
        let predicted = self.model.apply(position, now, &request, &outcome);
        self.model.compare(&predicted, &outcome, &changes).map_err(|disagreement| {
            let what = format!("position {position}, {:?}: {disagreement}", request.command);
            Failure::new("model", what)
        })?;
        self.model.check().map_err(|broken| {
            Failure::new("law", format!("position {position}, {:?}: {broken}", request.command))
        })?;
        let said = format!("{position} {now:?} {} {outcome:?}", request.command.kind());
        self.hasher.update(said.as_bytes());
        self.counter.count(&outcome, &changes);
        for changed in &changes {
            if let Change::Event(event) = &changed.change {
                self.events.insert((event.log, event.sequence), (**event).clone());
            }
        }
        self.rows.fold(&changes);
        Ok(())
    }

    /// The digest of all rows at the settled position.
    pub(super) fn digest(&self) -> RowsDigest {
        self.rows.digest()
    }

    /// How often what happened to leases and answers.
    pub(super) fn coverage(&self) -> Coverage {
        self.counter.counts()
    }

    /// The model, at the settled position.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// Of everything that happened.
    pub(super) fn fingerprint(&self) -> blake3::Hasher {
        self.hasher.clone()
    }
}

/// What a process that has died had applied.
pub(super) struct Life(Vec<Entry>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
