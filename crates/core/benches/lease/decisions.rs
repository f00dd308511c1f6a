//! One decision, timed and counted: an answer, an empty answer, a waking.
//!
//! Not here: the markets in which they are made (`markets.rs`).

use std::time::Instant;

use piecework_core::command::LeaseTasks;
use piecework_core::lease::Lease;
use piecework_core::{Command, Outcome};

use crate::instructions::{counted, over};
use crate::market::{Market, id};

/// What one decision took.
#[derive(Default)]
pub(crate) struct Turns {
    /// Turns of the daemon.
    pub(crate) turns: usize,
    /// The time of the dearest of them.
    pub(crate) dearest_ns: u64,
}

impl Turns {
    /// One more turn.
    fn take<T>(&mut self, turn: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let outcome = counted(turn);
        let took = u64::try_from(begun.elapsed().as_nanos()).expect("a short time");
        over();
        self.turns += 1;
        self.dearest_ns = self.dearest_ns.max(took);
        outcome
    }
}

/// One of a hundred workers leases and answers; the lease is measured.
pub(crate) fn answer(market: &mut Market, n: usize) -> Turns {
    let worker = format!("w{}", n % 100);
    let (turns, lease) = ask(market, &worker);
    let lease = lease.expect("there is work");
    market.submit(&worker, lease.id);
    market.forget();
    market.wait(1);
    turns
}

/// An empty answer that waits on.
pub(crate) fn nothing(market: &mut Market, _: usize) -> Turns {
    let (turns, lease) = ask(market, "w0");
    assert!(lease.is_none(), "nothing was to be found");
    turns
}

/// A task comes: finding the worker that it wakes, and its lease, are measured as one.
pub(crate) fn wake(market: &mut Market, n: usize) -> Turns {
    market.wait(1);
    market.tasks(&format!("p{}", n % 10), 1, 0);
    let mut turns = Turns::default();
    let (name, lease) = turns.take(|| {
        let worker = market.engine.next_woken(market.now).expect("somebody waits");
        let name = format!("w{}", worker.0 - 1);
        let outcome = market.try_lease(Command::Lease(LeaseTasks::any(id(&name))));
        (name, first(outcome))
    });
    market.submit(&name, lease.expect("it was woken for a task").id);
    market.forget();
    while market.engine.next_woken(market.now).is_some() {}
    turns
}

/// One lease, whatever turns it takes.
fn ask(market: &mut Market, worker: &str) -> (Turns, Option<Lease>) {
    let request = Command::Lease(LeaseTasks::any(id(worker)));
    let mut turns = Turns::default();
    loop {
        let request = request.clone();
        match turns.take(|| market.try_lease(request)) {
            Outcome::Leased(leased) if leased.unfinished => {}
            outcome => return (turns, first(outcome)),
        }
    }
}

fn first(outcome: Outcome) -> Option<Lease> {
    match outcome {
        Outcome::Leased(leased) => leased.grants.into_iter().next().map(|grant| grant.lease),
        other => panic!("no answer: {other:?}"),
    }
}
