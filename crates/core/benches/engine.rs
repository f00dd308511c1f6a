//! Instructions of the engine's hot commands, on what `piecework bench` makes.
//!
//! `cargo xtask instructions` runs it beside the others and compares with the committed
//! baseline; crates/README.md says what it needs. Commands of one item are counted a
//! hundred at a time, so that no single one that happens to split a node decides.
//!
//! Not here: what becomes of the changes (`storage`), whether a lease depends on what
//! waits (`lease/`).

#![expect(
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "gungraun's macros write items of their own, which read arguments and print"
)]

#[expect(dead_code, reason = "the benches of other crates use more of it")]
mod ground;

use std::hint::black_box;

use gungraun::prelude::*;
use piecework_core::command::ExtendLeases;
use piecework_core::{Command, Request, Step, TenantId};

use ground::{Ground, WORKERS, lease_tasks, tasks, tidied, worker_id};

/// An engine, and what will be asked of it.
struct Asked {
    ground: Ground,
    requests: Vec<Request>,
}

/// Every command is decided; nothing else counts.
fn decide(mut asked: Asked) -> (Asked, Vec<Step>) {
    let ground = &mut asked.ground;
    let steps = asked.requests.iter().map(|request| ground.decide(black_box(request))).collect();
    (asked, steps)
}

#[library_benchmark(setup = leases, teardown = check)]
#[bench::one(1)]
#[bench::hundred(100)]
fn lease(asked: Asked) -> (Asked, Vec<Step>) {
    decide(asked)
}

#[library_benchmark(setup = submits, teardown = check)]
#[bench::one(1)]
#[bench::hundred(100)]
fn submit(asked: Asked) -> (Asked, Vec<Step>) {
    decide(asked)
}

#[library_benchmark(setup = extensions, teardown = check)]
#[bench::one(1)]
#[bench::hundred(100)]
fn extend(asked: Asked) -> (Asked, Vec<Step>) {
    decide(asked)
}

#[library_benchmark(teardown = check)]
#[bench::thousand(creation())]
fn create_tasks(asked: Asked) -> (Asked, Vec<Step>) {
    decide(asked)
}

fn leases(count: u32) -> Asked {
    asked(count, |_, worker| lease_tasks(worker, count))
}

fn submits(count: u32) -> Asked {
    asked(count, |ground, worker| {
        let held = ground.lease(worker, count);
        ground.answers(worker, &held)
    })
}

fn extensions(count: u32) -> Asked {
    asked(count, |ground, worker| {
        let leases = ground.lease(worker, count).iter().map(|grant| grant.lease.id).collect();
        Command::Extend(ExtendLeases { worker: worker_id(worker), leases, by: None })
    })
}

fn creation() -> Asked {
    asked(u32::MAX, |_, _| tasks())
}

/// Of as many workers as make a hundred items, and at least of one.
fn asked(count: u32, mut command: impl FnMut(&mut Ground, usize) -> Command) -> Asked {
    let mut ground = Ground::warm();
    let workers = (WORKERS / count as usize).max(1);
    let commands = (0..workers).map(|worker| command(&mut ground, worker));
    let request = |command| Request { tenant: TenantId::DEFAULT, command };
    let requests = commands.map(request).collect();
    tidied(Asked { ground, requests })
}

/// None was refused, and each changed something.
fn check((asked, steps): (Asked, Vec<Step>)) {
    assert_eq!(steps.len(), asked.requests.len());
    for step in steps {
        let Step::Done { outcome, changes } = step else { panic!("nothing is cold here") };
        assert!(outcome.is_ok() && !changes.is_empty(), "{outcome:?}");
    }
}

library_benchmark_group!(name = engine, benchmarks = [lease, submit, extend, create_tasks]);
main!(library_benchmark_groups = engine);
