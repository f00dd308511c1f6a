//! Who is woken, when steps relax, and picks that take more than one turn.

use piecework_core::command::LeaseTasks;
use piecework_core::lease::{Lease, ReturnReason};
use piecework_core::outcome::Leased;
use piecework_core::project::{ProjectSpec, Requirements};
use piecework_core::relaxation::Relaxation;
use piecework_core::{Command, Limits, Millis, Outcome, WorkerId};

use crate::market::{Market, id, skilled, spec};

impl Market {
    /// What one application of a call for work says, finished or not.
    fn ask_once(&mut self, worker: &str) -> Leased {
        match self.act(Command::Lease(LeaseTasks::any(id(worker)))) {
            Ok(Outcome::Leased(leased)) => leased,
            other => panic!("no answer: {other:?}"),
        }
    }

    fn park(&mut self, worker: &str) -> WorkerId {
        let tenant = self.tenant();
        self.engine.park(self.now, tenant, &id(worker)).expect("a worker")
    }

    /// Tries every worker that is woken, as the writer does; who got something is there
    /// no more.
    fn wake_all(&mut self, names: &[(WorkerId, &str)]) -> (Vec<WorkerId>, Vec<Lease>) {
        let (mut tried, mut leases) = (Vec::new(), Vec::new());
        while self.engine.is_waking() {
            let Some(worker) = self.engine.next_woken(self.now) else { continue };
            tried.push(worker);
            let name = names.iter().find(|(id, _)| *id == worker).expect("a waiting worker").1;
            let Outcome::Leased(leased) = self.try_lease(Command::Lease(LeaseTasks::any(id(name))))
            else {
                panic!("no answer")
            };
            assert_eq!(leased.none_because, [], "nobody hears why");
            if !leased.grants.is_empty() {
                self.engine.unpark(self.now, worker);
            }
            leases.extend(leased.grants.into_iter().map(|grant| grant.lease));
        }
        self.check();
        (tried, leases)
    }
}

#[test]
fn the_longest_idle_is_woken_and_nobody_after_the_last_place_is_taken() {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    market.project("p", "r", spec(2));
    let mut names = Vec::new();
    for name in ["c", "a", "b"] {
        market.worker(name);
        names.push((market.park(name), name));
        market.wait(10);
    }
    let (tried, _) = market.wake_all(&names);
    assert_eq!(tried, [], "nothing has come yet");
    market.tasks("p", 2, 0);
    let (tried, leases) = market.wake_all(&names);
    assert_eq!(tried, [names[0].0, names[1].0]);
    assert_eq!(leases.len(), 2);
    // Whoever has just had something goes to the end.
    market.park("c");
    market.wait(10);
    market.tasks("p", 1, 0);
    assert_eq!(market.wake_all(&names).0, [names[2].0]);
}

#[test]
fn a_threshold_that_nobody_asked_for_before_finds_those_who_wait() {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    let mut names = Vec::new();
    for (name, level) in [("low", 49), ("high", 50)] {
        market.worker(name);
        market.skill(name, "fi", level);
        names.push((market.park(name), name));
        market.wait(10);
    }
    market.project("p", "r", ProjectSpec { requirements: skilled("fi", 50), ..spec(2) });
    market.tasks("p", 1, 0);
    let (_, leases) = market.wake_all(&names);
    assert_eq!(leases.iter().map(|l| l.worker).collect::<Vec<_>>(), [names[1].0]);
    // Its traits are new when it begins to wait: it asked for a project by name.
    market.project("q", "r", ProjectSpec { requirements: skilled("se", 50), ..spec(2) });
    market.worker("late");
    market.skill("late", "se", 99);
    assert_eq!(market.wake_all(&names).1, []);
    assert!(market.ask("late", &["q"]).is_none());
    names.push((market.park("late"), "late"));
    market.tasks("q", 1, 0);
    let (_, leases) = market.wake_all(&names);
    assert_eq!(leases.iter().map(|l| l.worker).collect::<Vec<_>>(), [names[2].0]);
    // Somebody learns it while it waits.
    market.tasks("p", 1, 0);
    assert_eq!(market.wake_all(&names).1, []);
    market.skill("low", "fi", 80);
    let (_, leases) = market.wake_all(&names);
    assert_eq!(leases.iter().map(|l| l.worker).collect::<Vec<_>>(), [names[0].0]);
    // Who went away is not tried, and what stirred for them is forgotten.
    names.iter().for_each(|(worker, _)| market.engine.unpark(market.now, *worker));
    market.tasks("p", 5, 0);
    assert!(!market.engine.is_waking());
}

#[test]
fn a_step_is_for_tasks_of_its_age_and_wakes_who_waits_for_it() {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    let relaxed = Requirements::default();
    let relaxation = vec![Relaxation { after: Millis(60_000), requirements: relaxed }];
    let requirements = skilled("fi", 50);
    market.project("p", "r", ProjectSpec { requirements, relaxation, ..spec(2) });
    market.worker("w");
    market.tasks("p", 1, 0);
    market.wait(30_000);
    market.tasks("p", 1, 5);
    let names = [(market.park("w"), "w")];
    market.wait(29_999);
    assert_eq!(market.wake_all(&names).1, []);
    market.wait(1);
    // The younger task has the higher priority, and not yet the age.
    let (_, leases) = market.wake_all(&names);
    assert_eq!(leases.iter().map(|l| l.id.task.number.0).collect::<Vec<_>>(), [1]);
    market.skill("w", "fi", 50);
    let lease = market.ask("w", &[]).expect("it fits the project's own requirements now");
    assert_eq!(lease.id.task.number.0, 2);
}

/// `w` has answered all that there is in so many projects, except what it holds of the
/// first, which any pick looks at first.
fn nothing_but_the_first(projects: u32) -> (Market, Lease) {
    let mut market = Market::new(Limits::default());
    market.requester("r", 100);
    for p in 0..projects {
        let name = format!("p{p}");
        market.project(&name, "r", ProjectSpec { overlap: 2, ..spec(2) });
        market.tasks(&name, 1, 0);
    }
    market.worker("w");
    let first = market.ask("w", &[]).expect("one of the first");
    while let Some(lease) = market.ask("w", &[]) {
        market.submit("w", lease.id);
    }
    (market, first)
}

#[test]
fn a_pick_goes_on_until_it_has_looked_at_everything() {
    let (mut market, first) = nothing_but_the_first(600);
    market.submit("w", first.id);
    market.unfinished = 0;
    assert!(market.ask("w", &[]).is_none());
    assert!(market.unfinished >= 2, "600 projects in {} turns", market.unfinished + 1);
    market.tasks("p599", 1, 0);
    assert!(market.ask("w", &[]).is_some());
    market.check();
}

#[test]
fn a_place_whose_bar_ends_while_a_pick_goes_on_is_not_left_behind() {
    let (mut market, first) = nothing_but_the_first(600);
    market.give_back("w", first.id, ReturnReason::Declined);
    assert!(market.ask_once("w").unfinished);
    market.wait(Limits::default().decline_cooldown.0);
    assert_eq!(market.ask("w", &[]).map(|lease| lease.id.task), Some(first.id.task));
}

#[test]
fn a_place_given_back_while_a_pick_goes_on_is_not_left_behind() {
    let (mut market, first) = nothing_but_the_first(600);
    assert!(market.ask_once("w").unfinished);
    market.give_back("w", first.id, ReturnReason::OutOfTime);
    assert_eq!(market.ask("w", &[]).map(|lease| lease.id.task), Some(first.id.task));
}
