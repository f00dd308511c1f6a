//! Chooses the next step of a seed's run.
//!
//! First a faulty phase: actors move in any order, faults come as the seed has
//! them. Then the faults stop, clients behave, and everything must drain.

use std::fmt;

use piecework_core::{ClientId, TenantId};

use crate::Random;
use crate::workload::{self, Workload};
use crate::world::{Crash, Heard, Step, Tables, World};

use super::swarm::Swarm;

/// Calls that may wait at once.
const PENDING_MAX: usize = 24;
/// Marks the second copy of a call.
const COPY: u64 = 1 << 63;
/// Steps within which everything must drain.
const DRAIN_STEPS: u64 = 60_000;

/// How a run goes on.
#[derive(Debug)]
pub(super) enum Next {
    /// With this.
    Step(Box<Step>),
    /// Everything is settled.
    Over,
    /// It did not drain.
    Stuck,
}

/// Chooses steps, by seed and by what was heard.
pub(super) struct Chooser {
    random: Random,
    swarm: Swarm,
    workload: Workload,
    /// Calls held back.
    held: Vec<workload::Call>,
    /// Calls that are left in the faulty phase.
    calls: u64,
    /// Decided, and to be done next.
    queue: Vec<Step>,
    is_full: bool,
    drained: u64,
    is_last: bool,
}

impl Chooser {
    pub(super) fn new(seed: u64, swarm: Swarm) -> Chooser {
        let mut random = Random::new(seed);
        let workload = Workload::new(random.bits(), swarm.mix.clone());
        let calls = swarm.mix.calls;
        Chooser {
            random,
            swarm,
            workload,
            held: Vec::new(),
            calls,
            queue: Vec::new(),
            is_full: false,
            drained: 0,
            is_last: false,
        }
    }

    /// Whether some client knows of a project.
    pub(super) fn knows(&self, tenant: TenantId, project: &ClientId) -> bool {
        self.workload.knows(tenant, project)
    }

    /// Tells clients what they hear.
    pub(super) fn heard(&mut self, heard: &[(u64, Heard)]) {
        for (call, what) in heard.iter().filter(|(call, _)| call & COPY == 0) {
            match what {
                Heard::Told(told) => {
                    self.workload.heard(*call, workload::Heard::Answer(&told.outcome));
                }
                Heard::Lost => self.workload.heard(*call, workload::Heard::Lost),
            }
        }
    }

    /// Chooses the next step.
    pub(super) fn next(&mut self, world: &World) -> Next {
        if let Some(next) = self.queue.pop() {
            return Next::Step(Box::new(next));
        }
        if self.is_last {
            return Next::Over;
        }
        if world.is_dead() {
            return Next::Step(Box::new(self.crash()));
        }
        if self.calls > 0 {
            return Next::Step(Box::new(self.faulty(world)));
        }
        if self.drained == 0 {
            self.workload.settle();
            self.queue.push(Step::RetrySpace);
            self.queue.push(Step::Room(None));
        }
        self.drained += 1;
        if self.workload.is_settled() && world.pending() == 0 && self.held.is_empty() {
            // What is durable by now must be all there is.
            self.is_last = true;
            self.queue.push(Step::Crash(Crash { power: true, ..Crash::default() }));
            self.queue.extend((0..4).map(|_| Step::Sync { idle: true }));
            return self.next(world);
        }
        if self.drained > DRAIN_STEPS {
            return Next::Stuck;
        }
        Next::Step(Box::new(self.draining(world)))
    }

    fn faulty(&mut self, world: &World) -> Step {
        let faults = self.swarm.faults;
        if chance(&mut self.random, faults.crash) {
            return self.crash();
        }
        if chance(&mut self.random, faults.fail_sync) {
            return match self.random.one_in(3) {
                true => Step::FailWrites(self.random.below(20)),
                false => Step::FailSync,
            };
        }
        if self.is_full && self.random.one_in(60) {
            self.is_full = false;
            self.queue.push(Step::RetrySpace);
            return Step::Room(None);
        }
        if !self.is_full && chance(&mut self.random, faults.full) {
            self.is_full = true;
            return Step::Room(Some(self.random.below(200_000)));
        }
        let pace = self.swarm.pace;
        let weights = [
            pace.send,
            pace.turn,
            pace.sync,
            pace.keeper,
            pace.checkpoint,
            pace.snapshot,
            pace.cold,
            pace.deliver,
            pace.watch,
            1,
        ];
        let mut at = self.random.below(weights.iter().sum());
        let actor = weights.iter().position(|weight| {
            let here = at < *weight;
            at = at.wrapping_sub(*weight);
            here
        });
        match actor.expect("weights add up") {
            0 => self.send(world),
            1 => self.turn(),
            2 => Step::Sync { idle: self.random.one_in(4) },
            3 => Step::Keeper,
            4 => Step::Checkpoint,
            5 => Step::Snapshot { rots: chance(&mut self.random, faults.rot) },
            6 => Step::Cold,
            7 => Step::Deliver { lost: chance(&mut self.random, faults.lost) },
            8 => self.watch(),
            _ => Step::Check,
        }
    }

    fn draining(&mut self, world: &World) -> Step {
        if let Some(call) = self.held.pop() {
            return sent(call);
        }
        match self.drained % 8 {
            1 | 2 if world.pending() < PENDING_MAX => match self.workload.next(world.now()) {
                Some(call) => sent(call),
                None => Step::Cold,
            },
            3 => {
                // Quiet times go by faster.
                let passed_ms = world.due_in().unwrap_or(2_000).clamp(10, 2_000);
                Step::Turn { passed_ms, stepped_ms: 0, most: 64 }
            }
            4 => Step::Sync { idle: false },
            5 => Step::Keeper,
            6 if self.drained % 32 == 6 => self.watch(),
            6 | 7 => Step::Checkpoint,
            0 => Step::Deliver { lost: false },
            _ => Step::Cold,
        }
    }

    fn send(&mut self, world: &World) -> Step {
        if world.pending() >= PENDING_MAX {
            return self.turn();
        }
        if !self.held.is_empty() && self.random.one_in(3) {
            let at = index(&mut self.random, self.held.len());
            let call = self.held.swap_remove(at);
            return sent(call);
        }
        let Some(call) = self.workload.next(world.now()) else { return self.turn() };
        self.calls -= 1;
        let faults = self.swarm.faults;
        if chance(&mut self.random, faults.late) && self.calls > 0 {
            self.held.push(call);
            return Step::Cold;
        }
        if chance(&mut self.random, faults.hang_up) {
            self.queue.push(Step::HangUp { call: call.id });
            if self.random.one_in(2) {
                let turn = self.turn();
                self.queue.push(turn);
            }
        }
        if chance(&mut self.random, faults.twice) {
            let (call, request, wait) = (call.id | COPY, call.request.clone(), call.wait);
            self.queue.push(Step::Send { call, request, wait });
        }
        sent(call)
    }

    fn turn(&mut self) -> Step {
        let jumps = chance(&mut self.random, self.swarm.faults.jump);
        let (mut passed_ms, mut stepped_ms) = (1 + self.random.below(self.swarm.pace.pause_ms), 0);
        if jumps && self.random.one_in(2) {
            passed_ms += 3_600_000;
        } else if jumps {
            stepped_ms = [-3_600_000, 3_600_000, -500, 86_400_000][index(&mut self.random, 4)];
        }
        Step::Turn { passed_ms, stepped_ms, most: [1, 4, 64][index(&mut self.random, 3)] }
    }

    fn watch(&mut self) -> Step {
        Step::Watch { watcher: index(&mut self.random, 8), most: 1 + index(&mut self.random, 20) }
    }

    fn crash(&mut self) -> Step {
        let faults = self.swarm.faults;
        let nth = index(&mut self.random, 1 << 20);
        let tables = match self.random.below(3) {
            _ if !chance(&mut self.random, faults.tables) => Tables::Kept,
            0 => Tables::Hang,
            1 => Tables::LoseKey(nth),
            _ => Tables::FlipByte(nth),
        };
        self.is_full = false;
        Step::Crash(Crash {
            power: chance(&mut self.random, faults.power),
            batches_kept: index(&mut self.random, 12),
            tables,
            again_at: chance(&mut self.random, faults.again).then(|| 1 + self.random.below(12)),
        })
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, clients) = (self.held.len(), self.workload.is_settled());
        write!(f, "{held} held back, clients settled: {clients}")
    }
}

fn sent(call: workload::Call) -> Step {
    Step::Send { call: call.id, request: call.request, wait: call.wait }
}

fn chance(random: &mut Random, one_in: u64) -> bool {
    one_in > 0 && random.one_in(one_in)
}

fn index(random: &mut Random, below: usize) -> usize {
    usize::try_from(random.below(below as u64)).expect("below a usize")
}
