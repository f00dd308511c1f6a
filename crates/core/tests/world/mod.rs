//! A virtual world around one engine: what the writer does, without disk or clock.
//!
//! Every step folds the changes into a row store, hands cold tasks out of that
//! store, forgets whatever may be forgotten (so that cold paths are the usual
//! ones), checks the engine's indexes, and holds the new rows against the laws
//! that every history keeps (`laws.rs`).

mod laws;
mod rows;

use piecework_core::change::Changed;
use piecework_core::project::ProjectTally;
use piecework_core::{
    Command, Engine, LeaseId, Limits, Now, Outcome, Position, Refusal, Request, Restore, Step,
    TaskId, TenantId, Totals,
};

pub(crate) use rows::Rows;

/// One engine and the rows that a disk would hold.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) rows: Rows,
    /// Of the newest command that changed something.
    pub(crate) position: Position,
    pub(crate) limits: Limits,
    /// Whether settled tasks leave the engine after every step.
    pub(crate) forgets: bool,
    /// Tasks that were fetched for a command.
    pub(crate) fetched: u64,
    /// Whether account clusters stay as they were created.
    pub(crate) clusters_stay: bool,
}

/// What one command did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Did {
    pub(crate) outcome: Result<Outcome, Refusal>,
    pub(crate) changes: Vec<Changed>,
    /// Leases that lived before and have run out now.
    pub(crate) expired: Vec<LeaseId>,
}

impl World {
    pub(crate) fn new(limits: Limits) -> World {
        World {
            engine: Engine::new(limits.clone()),
            rows: Rows::default(),
            position: Position(0),
            limits,
            forgets: true,
            fetched: 0,
            clusters_stay: true,
        }
    }

    /// Applies one command and everything that follows from it.
    pub(crate) fn step(&mut self, now: Now, tenant: TenantId, command: Command) -> Did {
        let request = Request { tenant, command };
        let mut pinned: Vec<TaskId> = Vec::new();
        let (outcome, changes) = loop {
            match self.engine.apply(self.position.next(), now, &request) {
                // A pick that looked at as much as it may goes on, as the writer lets it.
                Step::Done { outcome: Ok(Outcome::Leased(leased)), .. } if leased.unfinished => {}
                Step::Done { outcome, changes } => break (outcome, changes),
                Step::NeedCold(tasks) => {
                    assert!(pinned.is_empty(), "asked twice for cold tasks: {tasks:?}");
                    for task in &tasks {
                        self.engine.warm(now, self.rows.cold(*task));
                    }
                    self.fetched += tasks.len() as u64;
                    pinned = tasks;
                }
            }
        };
        self.engine.unpin(&pinned);
        assert!(outcome.is_ok() || changes.is_empty(), "a refusal changed something");
        let expired = self.rows.run_out(&changes);
        if !changes.is_empty() {
            self.position = self.position.next();
            laws::keep(&self.rows, &changes);
            self.rows.fold(&changes);
            laws::hold(&self.rows, &changes, self.clusters_stay);
        }
        if self.forgets {
            self.engine.forget(self.position);
        }
        if let Err(broken) = self.engine.check(now) {
            panic!("after {request:?}: {broken}");
        }
        Did { outcome, changes, expired }
    }

    /// A second engine, made of the rows alone.
    pub(crate) fn rebuilt(&self, now: Now) -> Engine {
        let mut restore = Restore::new(self.limits.clone(), now);
        for row in self.rows.image(now.engine) {
            restore.row(row);
        }
        restore.finish()
    }

    /// Holds an engine made of the rows against the one that made them.
    pub(crate) fn check_rebuilt(&self, now: Now) {
        let second = self.rebuilt(now);
        if let Err(broken) = second.check(now) {
            panic!("rebuilt from the rows: {broken}");
        }
        // What was granted within a limit is forgotten, and so are its timers.
        let rows = &self.rows;
        let limited = rows.requesters.values().any(|r| r.grants_per_minute > 0)
            || rows.projects.values().any(|p| p.spec.grants_per_minute > 0);
        if now.engine < rows.partition.grace_until || limited {
            return;
        }
        // Timers already past ring in any case; the second engine need not have them.
        let (first, second_due) = (self.engine.next_due(), second.next_due());
        if first.engine.is_none_or(|at| at > now.engine) {
            assert_eq!(first.engine, second_due.engine, "engine time due after a rebuild");
        }
        if first.wall.is_none_or(|at| at > now.wall) {
            assert_eq!(first.wall, second_due.wall, "wall time due after a rebuild");
        }
        assert_eq!(self.engine.sweep_due(), second.sweep_due(), "sweep due after a rebuild");
        let (mine, theirs) = (self.engine.gauges(), second.gauges());
        assert_eq!(
            (mine.requesters, mine.projects, mine.workers, mine.live_leases),
            (theirs.requesters, theirs.projects, theirs.workers, theirs.live_leases),
            "gauges after a rebuild"
        );
        let sum = |count: fn(&ProjectTally) -> u64| self.rows.tallies.values().map(count).sum();
        let (open, done) = (sum(|t| t.open), sum(|t| t.done));
        let (failed, cancelled) = (sum(|t| t.failed), sum(|t| t.cancelled));
        let totals = Totals { open, done, failed, cancelled };
        assert_eq!(mine.tasks, totals, "tasks of all projects");
        assert_eq!(theirs.tasks, totals, "tasks of all projects after a rebuild");
    }

    /// The daemon stops and starts again.
    pub(crate) fn restart(&mut self, now: Now, tenant: TenantId) -> Did {
        self.engine = self.rebuilt(now);
        self.step(now, tenant, Command::Restarted)
    }

    /// Rings everything that is due.
    pub(crate) fn ring(&mut self, now: Now, tenant: TenantId) -> Vec<Did> {
        let mut done = Vec::new();
        loop {
            let due = self.engine.next_due();
            let engine = due.engine.is_some_and(|at| at <= now.engine);
            let wall = due.wall.is_some_and(|at| at <= now.wall);
            if !engine && !wall {
                return done;
            }
            assert!(done.len() < 10_000, "timers ring without end at {now:?}");
            done.push(self.step(now, tenant, Command::Tick));
        }
    }
}
