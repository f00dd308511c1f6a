//! What one lease decision costs, and that it does not depend on what waits.
//!
//! `cargo bench -p piecework-core` prints a table: the time of one `Lease` as the
//! engine decides it, grant or empty answer, with all its changes; nothing is written
//! to disk. What comes between two decisions (answers, new tasks) is not measured.
//! Words after `--` choose rows by their beginning.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a measurement reads a clock and prints"
)]

#[path = "../tests/market/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod market;

use std::time::Instant;

use piecework_core::command::LeaseTasks;
use piecework_core::project::ProjectSpec;
use piecework_core::{Command, Limits, Millis, Outcome};

use market::{Market, id, skilled, spec};

const WARM_UP: usize = 500;
const SAMPLES: usize = 5_000;

/// One row: builds a market, then decides once and says what it took.
struct Row {
    name: &'static str,
    build: fn() -> Market,
    decide: fn(&mut Market, usize) -> u64,
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    println!("| one lease decision | median µs | p99 µs | largest µs |");
    println!("|---|---|---|---|");
    for row in ROWS {
        if !chosen.is_empty() && !chosen.iter().any(|c| row.name.starts_with(c.as_str())) {
            continue;
        }
        let mut market = (row.build)();
        let mut took: Vec<u64> =
            (0..WARM_UP + SAMPLES).map(|n| (row.decide)(&mut market, n)).skip(WARM_UP).collect();
        took.sort_unstable();
        let at = |part: usize| took[(took.len() - 1) * part / 1_000] as f64 / 1_000.0;
        println!("| {} | {:.2} | {:.2} | {:.2} |", row.name, at(500), at(990), at(1_000));
    }
}

const ROWS: &[Row] = &[
    Row { name: "1,000 open tasks", build: || open_tasks(1_000), decide: answer },
    Row { name: "100,000 open tasks", build: || open_tasks(100_000), decide: answer },
    Row { name: "10,000,000 open tasks", build: || open_tasks(10_000_000), decide: answer },
    Row { name: "10 projects, each with a skill of its own", build: || skills(10), decide: answer },
    Row {
        name: "10,000 projects, each with a skill of its own",
        build: || skills(10_000),
        decide: answer,
    },
    Row { name: "1,000 waiting workers, one task comes", build: || waiting(1_000), decide: wake },
    Row {
        name: "100,000 waiting workers, one task comes",
        build: || waiting(100_000),
        decide: wake,
    },
    Row { name: "the worker has answered everything", build: answered, decide: nothing },
    Row { name: "all 10,000 projects fit", build: || fitting(Limits::default()), decide: answer },
    Row { name: "none of 10,000 fits, all need its skill", build: rarest, decide: nothing },
    Row {
        name: "all of 10,000 projects are overdue",
        build: || fitting(Limits { service_gap: Millis(0), ..Limits::default() }),
        decide: answer,
    },
];

/// Times one lease, then answers it.
fn answer(market: &mut Market, n: usize) -> u64 {
    let worker = format!("w{}", n % 100);
    let (took, lease) = ask(market, &worker);
    let lease = lease.expect("there is work");
    market.submit(&worker, lease.id);
    market.forget();
    took
}

/// Times an empty answer that waits on.
fn nothing(market: &mut Market, _: usize) -> u64 {
    let (took, lease) = ask(market, "w0");
    assert!(lease.is_none(), "nothing was to be found");
    took
}

/// One lease, whatever turns it takes: the time of the longest.
fn ask(market: &mut Market, worker: &str) -> (u64, Option<piecework_core::lease::Lease>) {
    let request = Command::Lease(LeaseTasks::any(id(worker)));
    let mut longest = 0;
    loop {
        let begun = Instant::now();
        let outcome = market.try_lease(request.clone());
        longest = longest.max(u64::try_from(begun.elapsed().as_nanos()).expect("a short time"));
        match outcome {
            Outcome::Leased(leased) if leased.unfinished => {}
            Outcome::Leased(leased) => {
                return (longest, leased.grants.into_iter().next().map(|grant| grant.lease));
            }
            other => panic!("no answer: {other:?}"),
        }
    }
}

/// Times finding the worker that a new task wakes, and its lease.
fn wake(market: &mut Market, n: usize) -> u64 {
    market.wait(1);
    market.tasks(&format!("p{}", n % 10), 1, 0);
    let begun = Instant::now();
    let worker = market.engine.next_woken(market.now).expect("somebody waits");
    let found = u64::try_from(begun.elapsed().as_nanos()).expect("a short time");
    let worker = format!("w{}", worker.0 - 1);
    let (took, lease) = ask(market, &worker);
    let lease = lease.expect("it was woken for a task");
    market.submit(&worker, lease.id);
    market.forget();
    while market.engine.next_woken(market.now).is_some() {}
    found + took
}

fn workers(market: &mut Market, count: usize) {
    (0..count).for_each(|n| market.worker(&format!("w{n}")));
}

fn open_tasks(count: usize) -> Market {
    let mut market = Market::new(Limits::default());
    for p in 0..10 {
        market.requester(&format!("r{p}"), 100);
        market.project(
            &format!("p{p}"),
            &format!("r{p}"),
            ProjectSpec { overlap: 1_000, ..spec(2) },
        );
        for _ in 0..count.div_ceil(10_000) {
            market.tasks(&format!("p{p}"), (count / 10).min(1_000), 0);
        }
    }
    workers(&mut market, 100);
    market
}

fn skills(projects: usize) -> Market {
    let mut market = Market::new(Limits::default());
    (0..10).for_each(|r| market.requester(&format!("r{r}"), 100));
    for p in 0..projects {
        let spec = ProjectSpec { requirements: skilled(&format!("s{p}"), 50), ..spec(2) };
        market.project(&format!("p{p}"), &format!("r{}", p % 10), spec);
        market.tasks(&format!("p{p}"), 1_000, 0);
    }
    workers(&mut market, 100);
    for w in 0..100 {
        for s in 0..3 {
            market.skill(&format!("w{w}"), &format!("s{}", (w * 7 + s * 31) % projects), 60);
        }
    }
    market
}

fn waiting(count: usize) -> Market {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    for p in 0..10 {
        let spec = ProjectSpec { requirements: skilled(&format!("s{p}"), 50), ..spec(2) };
        market.project(&format!("p{p}"), "r", spec);
    }
    workers(&mut market, count);
    for w in 0..count {
        market.skill(&format!("w{w}"), &format!("s{}", w % 10), 60);
        market.engine.park(market.now, market.tenant(), &id(&format!("w{w}"))).expect("a worker");
    }
    while market.engine.is_waking() {
        market.engine.next_woken(market.now);
    }
    market
}

fn fitting(limits: Limits) -> Market {
    let mut market = Market::new(limits);
    for r in 0..100 {
        market.requester(&format!("r{r}"), 1 + r * 10);
    }
    for p in 0..10_000 {
        market.project(&format!("p{p}"), &format!("r{}", p % 100), spec(2));
        market.tasks(&format!("p{p}"), 100, 0);
    }
    workers(&mut market, 100);
    market
}

fn answered() -> Market {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    for p in 0..10 {
        market.project(&format!("p{p}"), "r", ProjectSpec { overlap: 2, ..spec(2) });
        market.tasks(&format!("p{p}"), 1_000, 0);
    }
    workers(&mut market, 1);
    while let Some(lease) = ask(&mut market, "w0").1 {
        market.submit("w0", lease.id);
    }
    market
}

fn rarest() -> Market {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    for p in 0..10_000 {
        let mut needs = skilled("rare", 50);
        needs.skills.insert(format!("s{p}"), 50);
        market.project(&format!("p{p}"), "r", ProjectSpec { requirements: needs, ..spec(2) });
        market.tasks(&format!("p{p}"), 1, 0);
    }
    workers(&mut market, 1);
    market.skill("w0", "rare", 90);
    market
}
