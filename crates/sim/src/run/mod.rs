//! A seed's run: choose, perform, and what came of it.

mod chooser;
mod coverage;
mod shrink;
mod story;
mod swarm;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use chooser::{Chooser, Next};

use crate::world::{Events, Failure, Heard, Step, World};

pub(crate) use coverage::Counter;
pub use coverage::{Coverage, Unknown};
pub use shrink::shrink;
pub use story::story;
pub use swarm::{Faults, Pace, Swarm};

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// Which seed.
    pub seed: u64,
    /// Every step, the failing one last.
    pub steps: Vec<Step>,
    /// What may never happen, if it did.
    pub failure: Option<Failure>,
    /// How often what happened on the disks and in time.
    pub events: Events,
    /// How often what happened to leases and answers.
    pub coverage: Coverage,
    /// Of everything that happened and is left; zeros after a failure.
    pub fingerprint: [u8; 32],
    /// How long it took.
    pub took: Duration,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64) -> Run {
    let began = Instant::now();
    let swarm = Swarm::of(seed);
    let mut chooser = Chooser::new(seed, swarm.clone());
    let mut steps = Vec::new();
    let mut run = Run {
        seed,
        steps: Vec::new(),
        failure: None,
        events: Events::default(),
        coverage: Coverage::default(),
        fingerprint: [0; 32],
        took: Duration::ZERO,
    };
    match World::new(seed, swarm.sizes, swarm.mix.limits) {
        Ok(mut world) => {
            run.failure = go(&mut chooser, &mut world, &mut steps).err();
            run.events = world.events();
            run.coverage = world.coverage();
            if run.failure.is_none() {
                run.fingerprint = *world.fingerprint().as_bytes();
            }
        }
        Err(failure) => run.failure = Some(failure),
    }
    run.steps = steps;
    run.took = began.elapsed();
    run
}

fn go(chooser: &mut Chooser, world: &mut World, steps: &mut Vec<Step>) -> Result<(), Failure> {
    loop {
        match chooser.next(world) {
            Next::Step(step) => {
                steps.push(*step);
                let step = steps.last().expect("just pushed");
                let heard = perform(world, step)?;
                chooser.heard(&heard);
            }
            Next::Over => return drained(chooser, world),
            Next::Stuck => {
                let what = format!(
                    "clients behave, faults have stopped, and it does not drain: waits: {:?}, \
                     {chooser:?}, due in {:?} ms at {:?}, {:?}",
                    world.oldest_pending(),
                    world.due_in(),
                    world.now(),
                    world.events(),
                );
                return Err(Failure::new("stuck", what));
            }
        }
    }
}

/// One step; a panic in it is a failure like any other.
fn perform(world: &mut World, step: &Step) -> Result<Vec<(u64, Heard)>, Failure> {
    // Nobody looks at the world again after a failure.
    let performed = catch_unwind(AssertUnwindSafe(|| world.perform(step)));
    performed.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Failure::new("panic", text.unwrap_or_else(|| "a panic without words".to_owned())))
    })
}

/// Every task is final, every lease has ended.
fn drained(chooser: &Chooser, world: &World) -> Result<(), Failure> {
    // A create that was retried when its key was forgotten made two; nobody asks
    // for the tasks of a project that no client knows of any more.
    let unfinished = world.model().unfinished_of(&|tenant, name| chooser.knows(tenant, name));
    if unfinished.is_empty() {
        return Ok(());
    }
    let what = format!("left after everything was settled: {}", unfinished.join("; "));
    Err(Failure::new("undrained", what))
}

/// Performs a list of steps in the world of a seed. `Some`: how it failed.
#[must_use]
pub fn replay(seed: u64, steps: &[Step]) -> Option<Failure> {
    let swarm = Swarm::of(seed);
    let mut world = match World::new(seed, swarm.sizes, swarm.mix.limits) {
        Ok(world) => world,
        Err(failure) => return Some(failure),
    };
    steps.iter().find_map(|step| perform(&mut world, step).err())
}
