//! The markets in which decisions are measured.

use piecework_core::command::{LeaseTasks, SubmitAnswers, SubmitItem};
use piecework_core::project::ProjectSpec;
use piecework_core::schema::Answer;
use piecework_core::{Command, Limits, Outcome};

use crate::market::{Market, id, skilled, spec};

/// Workers that ask in turn.
fn workers(market: &mut Market, count: usize) {
    (0..count).for_each(|n| market.worker(&format!("w{n}")));
}

/// Ten projects for everybody; their tasks came a thousand at a time, no two calls at
/// the same time.
pub(crate) fn open_tasks(count: usize) -> Market {
    let mut market = Market::new(Limits::default());
    for p in 0..10 {
        market.requester(&format!("r{p}"), 100);
        let spec = ProjectSpec { overlap: 1_000, ..spec(2) };
        market.project(&format!("p{p}"), &format!("r{p}"), spec);
        for _ in 0..count.div_ceil(10_000) {
            market.tasks(&format!("p{p}"), (count / 10).min(1_000), 0);
            market.wait(1);
        }
    }
    workers(&mut market, 100);
    market
}

/// Projects that each need a skill of their own; every worker has three of them.
pub(crate) fn skills(projects: usize) -> Market {
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

/// Workers of ten skills that wait for work.
pub(crate) fn waiting(count: usize) -> Market {
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

/// Projects for everybody, of a hundred requesters with different weights.
pub(crate) fn fitting(projects: usize, limits: Limits) -> Market {
    let mut market = Market::new(limits);
    for r in 0..100 {
        market.requester(&format!("r{r}"), 1 + r * 10);
    }
    for p in 0..projects {
        market.project(&format!("p{p}"), &format!("r{}", p % 100), spec(2));
        market.tasks(&format!("p{p}"), (1_000_000 / projects).min(1_000), 0);
    }
    workers(&mut market, 100);
    market
}

/// Ten projects whose every task has one answer of the worker and wants another.
pub(crate) fn answered(tasks: usize) -> Market {
    const AT_ONCE: usize = 100;
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    for p in 0..10 {
        market.project(&format!("p{p}"), "r", ProjectSpec { overlap: 2, ..spec(2) });
        for _ in 0..tasks.div_ceil(10_000) {
            market.tasks(&format!("p{p}"), (tasks / 10).min(1_000), 0);
        }
    }
    workers(&mut market, 1);
    let mut request = LeaseTasks::any(id("w0"));
    request.count = u32::try_from(AT_ONCE).expect("a hundred");
    let mut done = 0;
    while done < tasks {
        let Outcome::Leased(leased) = market.try_lease(Command::Lease(request.clone())) else {
            panic!("no leases")
        };
        done += leased.grants.len();
        let answer = |grant: piecework_core::lease::Grant| SubmitItem {
            lease: grant.lease.id,
            answer: Answer::default(),
        };
        let items = leased.grants.into_iter().map(answer).collect();
        let submit = SubmitAnswers { worker: id("w0"), items };
        market.act(Command::Submit(submit)).expect("verdicts");
    }
    market
}

/// One task in each project; all need a skill that the worker has, and one that nobody
/// has.
pub(crate) fn rarest(projects: usize) -> Market {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    for p in 0..projects {
        let mut needs = skilled("rare", 50);
        needs.skills.insert(format!("s{p}"), 50);
        market.project(&format!("p{p}"), "r", ProjectSpec { requirements: needs, ..spec(2) });
        market.tasks(&format!("p{p}"), 1, 0);
    }
    workers(&mut market, 1);
    market.skill("w0", "rare", 90);
    market
}
