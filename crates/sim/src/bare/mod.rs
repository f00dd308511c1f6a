//! The engine alone against its clients: no disk, no network, virtual time.
//!
//! Every call is applied at once; settled tasks leave the engine as soon as they
//! may, so that cold paths are the usual ones; now and then the engine is rebuilt
//! from its rows. Time passes at random; what is due rings, sometimes late. In the
//! end everything must drain.
//!
//! Not here: crashes, lost writes, slow disks (`world/`).

mod coverage;
mod rows;

use std::collections::VecDeque;

use piecework_core::{
    Command, Engine, EngineTime, Now, Outcome, Position, Refusal, Request, Restore, Step, TaskId,
    TenantId, WallTime,
};

use crate::laws::Laws;
use crate::model::Model;
use crate::random::Random;
use crate::workload::{Heard, Mix, Workload};
use rows::Rows;

pub use coverage::Coverage;

/// Calls after which a run that does not drain is given up.
const SETTLE_CALLS_MAX: u64 = 20_000;
/// Commands told with a failure.
const TOLD: usize = 12;

/// What went wrong in a run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("seed {seed}, after {commands} commands: {what}\nthe last commands:\n{story}")]
pub struct Failure {
    /// Replays it.
    pub seed: u64,
    /// How many commands had been applied.
    pub commands: u64,
    /// What.
    pub what: String,
    /// The last commands, newest last, one a line.
    pub story: String,
}

/// Runs one seed to its end.
///
/// # Errors
/// The first thing that went wrong.
pub fn run(seed: u64) -> Result<Coverage, Failure> {
    let mut bare = Bare::new(seed);
    match bare.play() {
        Ok(()) => Ok(bare.coverage),
        Err(what) => {
            let line = |(now, request): &(Now, Request)| {
                format!("  {} {:?} {:?}\n", now.engine, request.tenant, request.command)
            };
            let story = bare.told.iter().map(line).collect();
            Err(Failure { seed, commands: bare.coverage.commands, what, story })
        }
    }
}

/// How a run treats its clients and its time.
struct Manner {
    /// Replies lost, in a hundred.
    lost: u64,
    /// Steps between restarts, about; zero: none.
    restarts: u64,
    /// Steps between jumps of the wall clock, about; zero: none.
    jumps: u64,
    /// What is due rings at once, or one time in so many.
    late_ticks: u64,
    /// Whether settled tasks leave the engine.
    forgets: bool,
}

struct Bare {
    random: Random,
    manner: Manner,
    workload: Workload,
    engine: Engine,
    model: Model,
    laws: Laws,
    rows: Rows,
    position: Position,
    now: Now,
    /// The times of the last command that changed something.
    logged: Now,
    coverage: Coverage,
    told: VecDeque<(Now, Request)>,
}

impl Bare {
    fn new(seed: u64) -> Bare {
        let mut random = Random::new(seed ^ 0x6261_7265);
        let mix = Mix::of(seed);
        let now = Now { engine: EngineTime(0), wall: WallTime(1_000_000) };
        let manner = Manner {
            lost: if random.one_in(2) { random.below(12) } else { 0 },
            restarts: if random.one_in(2) { random.between(80, 600) } else { 0 },
            jumps: if random.one_in(3) { random.between(100, 500) } else { 0 },
            late_ticks: random.between(1, 4),
            forgets: !random.one_in(6),
        };
        Bare {
            engine: Engine::new(mix.limits.clone()),
            model: Model::new(mix.limits.clone()),
            laws: Laws::default(),
            workload: Workload::new(seed, mix),
            random,
            manner,
            rows: Rows::default(),
            position: Position(0),
            now,
            logged: now,
            coverage: Coverage::default(),
            told: VecDeque::new(),
        }
    }

    fn play(&mut self) -> Result<(), String> {
        while !self.workload.is_done() {
            self.pass_time();
            if self.random.one_in(self.manner.late_ticks) {
                self.ring()?;
            }
            if self.random.one_in(4) {
                self.sweep()?;
            }
            if self.random.one_in(self.manner.restarts) {
                self.restart()?;
            }
            self.call(true)?;
        }
        self.workload.settle();
        for _ in 0..SETTLE_CALLS_MAX {
            if self.workload.is_settled() {
                self.check()?;
                let left = self.model.unfinished();
                return if left.is_empty() { Ok(()) } else { Err(left.join(", ")) };
            }
            self.pass_time();
            self.ring()?;
            self.sweep()?;
            self.call(false)?;
        }
        Err(format!("nothing settled within {SETTLE_CALLS_MAX} calls"))
    }

    /// One call of a client, if one has something to ask.
    fn call(&mut self, faults: bool) -> Result<(), String> {
        let Some(call) = self.workload.next(self.now) else { return Ok(()) };
        let lost = faults && self.random.percent(self.manner.lost);
        if lost && self.random.one_in(2) {
            // The request never came.
            self.coverage.lost += 1;
            self.workload.heard(call.id, Heard::Lost);
            return Ok(());
        }
        let outcome = self.apply(&call.request)?;
        if lost {
            self.coverage.lost += 1;
            self.workload.heard(call.id, Heard::Lost);
        } else {
            self.workload.heard(call.id, Heard::Answer(&outcome));
        }
        Ok(())
    }

    fn pass_time(&mut self) {
        let ms = match self.random.below(100) {
            0..50 => self.random.below(20),
            50..85 => self.random.below(250),
            85..98 => self.random.below(1_000),
            _ => self.random.below(2_000),
        };
        self.now.engine.0 += ms;
        self.now.wall.0 += ms;
        if self.random.one_in(self.manner.jumps) {
            let back = self.random.one_in(2);
            let jump = self.random.below(50_000);
            self.now.wall.0 = match back {
                true => self.now.wall.0.saturating_sub(jump),
                false => self.now.wall.0 + jump,
            };
        }
    }

    /// Rings everything that is due.
    fn ring(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            let due = self.engine.next_due();
            let engine = due.engine.is_some_and(|at| at <= self.now.engine);
            if !engine && due.wall.is_none_or(|at| at > self.now.wall) {
                return Ok(());
            }
            self.own(Command::Tick)?;
        }
        Err("timers ring without end".into())
    }

    fn sweep(&mut self) -> Result<(), String> {
        match self.engine.sweep_due() {
            Some(project) => self.own(Command::Sweep { project }),
            None => Ok(()),
        }
    }

    /// The engine is built anew from its rows; time goes on from what was logged.
    fn restart(&mut self) -> Result<(), String> {
        self.coverage.restarts += 1;
        let mut restore = Restore::new(self.workload.mix().limits.clone(), self.logged);
        for row in self.rows.image(self.logged.engine) {
            restore.row(row);
        }
        self.engine = restore.finish();
        self.now.engine = self.logged.engine;
        self.check()?;
        if self.position > Position(0) {
            self.own(Command::Restarted)?;
        }
        Ok(())
    }

    fn own(&mut self, command: Command) -> Result<(), String> {
        self.apply(&Request { tenant: TenantId(0), command }).map(drop)
    }

    /// Applies one command and everything that follows from it.
    fn apply(&mut self, request: &Request) -> Result<Result<Outcome, Refusal>, String> {
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back((self.now, request.clone()));
        let position = self.position.next();
        let mut pinned: Vec<TaskId> = Vec::new();
        let (outcome, changes) = loop {
            match self.engine.apply(position, self.now, request) {
                Step::Done { outcome, changes } => break (outcome, changes),
                Step::NeedCold(tasks) if pinned.is_empty() => {
                    for task in &tasks {
                        let cold = self.rows.cold(*task);
                        let cold = cold
                            .ok_or_else(|| format!("{task} is asked for cold and has no record"))?;
                        self.engine.warm(self.now, cold);
                    }
                    self.coverage.fetched += tasks.len() as u64;
                    pinned = tasks;
                }
                Step::NeedCold(tasks) => return Err(format!("asked twice for {tasks:?}")),
            }
        };
        self.engine.unpin(&pinned);
        if !changes.is_empty() {
            self.position = position;
            self.logged = self.now;
            self.rows.fold(&changes);
        }
        self.laws.take(&changes).map_err(|broken| broken.to_string())?;
        let predicted = self.model.apply(position, self.now, request, &outcome);
        let agree = self.model.compare(&predicted, &outcome, &changes);
        agree.map_err(|disagreement| disagreement.to_string())?;
        self.coverage.see(&outcome, &changes);
        if self.manner.forgets {
            self.engine.forget(self.position);
        }
        if self.coverage.commands.is_multiple_of(64) {
            self.check()?;
        }
        Ok(outcome)
    }

    fn check(&self) -> Result<(), String> {
        self.engine.check(self.now).map_err(|broken| broken.to_string())?;
        self.model.check()
    }
}
