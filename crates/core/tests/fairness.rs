//! Whose turn it is, over many grants: tiers, weights, the bounded service gap, and
//! every pick held against a naive one.

mod market;
#[path = "market/waiting.rs"]
mod waiting;

use std::collections::BTreeMap;

use piecework_core::command::{LeaseTasks, Steer, TaskKey, TaskRef};
use piecework_core::lease::{Lease, ReturnReason};
use piecework_core::project::{Assignment, ProjectSpec};
use piecework_core::{Command, Limits, Millis, Outcome, ProjectId, TaskId, TaskNumber};

use market::naive::{Naive, Place, Venture};
use market::{Market, id, skilled, spec};

/// Repeatable numbers, not in any order.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Projects per requester, and what each requester weighs.
type Shares = &'static [(u32, usize)];

/// Grants that each requester got of 10,000, all of them with work for everybody.
fn saturate(shares: Shares) -> Vec<u32> {
    let mut market = Market::new(Limits::default());
    let mut whose = BTreeMap::new();
    for (r, (weight, projects)) in shares.iter().enumerate() {
        market.requester(&format!("r{r}"), *weight);
        for p in 0..*projects {
            let name = format!("r{r}-p{p}");
            whose.insert(market.project(&name, &format!("r{r}"), spec(2)), r);
            market.tasks(&name, 10_000, 0);
        }
    }
    market.worker("w");
    let mut got = vec![0; shares.len()];
    for _ in 0..10_000 {
        let lease = market.ask("w", &[]).expect("there is work");
        got[whose[&lease.id.task.project]] += 1;
        market.submit("w", lease.id);
        market.forget();
    }
    market.check();
    got
}

#[test]
fn weights_hold_within_five_percent_over_ten_thousand_grants() {
    let cases: [Shares; 4] = [
        &[(100, 1), (100, 1)],
        &[(50, 3), (100, 1), (300, 2)],
        &[(1, 2), (10_000, 1), (5_000, 4)],
        &[(700, 1), (90, 5), (90, 1), (400, 2), (33, 1)],
    ];
    for shares in cases {
        let got = saturate(shares);
        let all: u32 = shares.iter().map(|(weight, _)| weight).sum();
        for ((weight, _), got) in shares.iter().zip(&got) {
            let due = 10_000.0 * f64::from(*weight) / f64::from(all);
            // A share of one grant cannot be met more closely than by one grant.
            let off = (f64::from(*got) - due).abs();
            assert!(off <= (due * 0.05).max(1.0), "{shares:?} got {got:?}, due {due}");
        }
    }
}

/// The longest wait of each project for its next grant, while `late` of them stand in
/// tier 4 behind a tier 0 that always has work. `backlog`: how long everything waits
/// before the first worker asks.
fn starve(late: usize, backlog: u64, gap: u64) -> (u64, u64) {
    const EVERY_MS: u64 = 100;
    let mut market = Market::new(Limits { service_gap: Millis(gap), ..Limits::default() });
    market.requester("rich", 10_000);
    market.requester("poor", 1);
    let first = market.project("first", "rich", spec(0));
    market.tasks("first", 12_000, 0);
    let mut waits = BTreeMap::new();
    for n in 0..late {
        let name = format!("late{n}");
        let project = market.project(&name, "poor", spec(4));
        market.tasks(&name, 2_000, 0);
        waits.insert(project, 0);
    }
    market.worker("w");
    market.wait(backlog);
    let begin = market.now.engine.0;
    let (mut longest, mut out_of_turn) = (0, 0);
    for _ in 0..10_000 {
        market.wait(EVERY_MS);
        let lease = market.ask("w", &[]).expect("there is work");
        market.submit("w", lease.id);
        let project = lease.id.task.project;
        out_of_turn += u64::from(project != first);
        if let Some(last) = waits.get_mut(&project) {
            longest = longest.max(market.now.engine.0 - begin.max(*last));
            *last = market.now.engine.0;
        }
    }
    for last in waits.values() {
        longest = longest.max(market.now.engine.0 - begin.max(*last));
    }
    market.check();
    (longest / EVERY_MS, out_of_turn)
}

#[test]
fn the_gap_is_bounded_while_a_higher_tier_is_saturated() {
    let (longest, out_of_turn) = starve(3, 0, 30_000);
    assert!(longest <= 300 + 10 * 3, "{longest} grants without one");
    assert!((90..=1_000).contains(&out_of_turn), "{out_of_turn} of 10,000");
}

#[test]
fn the_gap_is_bounded_while_the_backlog_is_older_than_any_bound() {
    let (longest, out_of_turn) = starve(40, 24 * 3_600_000, 60_000);
    assert!(longest <= 600 + 10 * 40, "{longest} grants without one");
    assert!(out_of_turn <= 1_000, "{out_of_turn} of 10,000: more than one in ten");
}

#[test]
fn who_is_overdue_comes_up_behind_hundreds_of_places_that_the_worker_knows() {
    let mut market = Market::new(Limits { service_gap: Millis(30_000), ..Limits::default() });
    market.requester("r", 100);
    market.project("first", "r", spec(0));
    market.project("known", "r", ProjectSpec { overlap: 2, ..spec(4) });
    market.worker("w");
    market.tasks("known", 1_000, 0);
    // What it declined bars it for a while only, so no cursor ever passes it.
    let declined = market.ask("w", &["known"]).expect("there is work");
    market.give_back("w", declined.id, ReturnReason::Declined);
    for _ in 1..1_000 {
        let lease = market.ask("w", &["known"]).expect("there is work");
        market.submit("w", lease.id);
    }
    market.wait(1);
    let late = market.project("late", "r", spec(4));
    market.tasks("late", 1, 0);
    market.tasks("first", 100, 0);
    market.wait(30_000);
    // Four picks to get past a thousand places, ten for the grant, and one to begin.
    let served = (1..=15).find(|_| {
        let lease = market.ask("w", &[]).expect("there is work");
        market.submit("w", lease.id);
        lease.id.task.project == late
    });
    assert!(served.is_some_and(|nth| nth > 10), "served at grant {served:?}");
    market.check();
}

/// A random history, each grant and what it charges held against the naive rules.
struct Court {
    market: Market,
    naive: Naive,
    dice: Dice,
    names: Vec<(String, ProjectId)>,
    numbers: BTreeMap<ProjectId, u32>,
    held: Vec<(usize, Lease)>,
    /// Where each task stands when it is free.
    past: BTreeMap<TaskId, Place>,
    granted: u64,
}

const WORKERS: usize = 6;
const SKILLS: usize = 3;

impl Court {
    fn new(seed: u64) -> Court {
        let gap = 500;
        let limits = Limits { service_gap: Millis(gap), ..Limits::default() };
        let (market, naive) = (Market::new(limits), Naive { gap, ..Naive::default() });
        let (names, numbers, held) = (Vec::new(), BTreeMap::new(), Vec::new());
        let dice = Dice(seed);
        let mut court =
            Court { market, naive, dice, names, numbers, held, past: BTreeMap::new(), granted: 0 };
        for n in 1..=4 {
            let weight = [1, 50, 100, 10_000][court.dice.below(4)];
            let rate = [0, 0, 0, 90][court.dice.below(4)];
            court.market.requester_at(&format!("r{n}"), weight, rate);
            court.naive.weights.insert(n, weight);
            court.naive.rates.insert(n, (rate.into(), 0));
        }
        for w in 0..WORKERS {
            court.market.worker(&format!("w{w}"));
            let skills = (0..SKILLS).filter(|s| (w >> s) & 1 == 1).collect();
            for skill in &skills {
                court.market.skill(&format!("w{w}"), &format!("s{skill}"), 50);
            }
            court.naive.skills.push(skills);
        }
        for _ in 0..8 {
            court.project();
        }
        court
    }

    fn project(&mut self) {
        let requester = u32::try_from(1 + self.dice.below(4)).expect("small");
        let tier = [0, 2, 2, 2, 4][self.dice.below(5)];
        let skill = Some(self.dice.below(2 * SKILLS)).filter(|s| *s < SKILLS);
        let worker_picks = self.dice.one_in(8);
        let rate = [0, 0, 30, 240][self.dice.below(4)];
        let spec = ProjectSpec {
            assignment: match worker_picks {
                true => Assignment::WorkerPicks,
                false => Assignment::ServerPicks,
            },
            requirements: skill.map(|s| skilled(&format!("s{s}"), 50)).unwrap_or_default(),
            grants_per_minute: rate,
            ..spec(tier)
        };
        let name = format!("p{}", self.names.len());
        let project = self.market.project(&name, &format!("r{requester}"), spec);
        self.names.push((name, project));
        let rate = rate.into();
        let venture = Venture { requester, tier, skill, worker_picks, rate, ..Venture::default() };
        self.naive.ventures.insert(project, venture);
    }

    fn tasks(&mut self) {
        let (name, project) = self.names[self.dice.below(self.names.len())].clone();
        let (count, priority) = (1 + self.dice.below(12), self.dice.below(3));
        let priority = i8::try_from(priority).expect("small");
        self.market.tasks(&name, count, priority);
        let ready_at = self.market.now.engine.0;
        let last = self.numbers.entry(project).or_default();
        let venture = self.naive.ventures.get_mut(&project).expect("a project");
        for _ in 0..count {
            *last += 1;
            let place = (-i16::from(priority), ready_at, *last);
            venture.places.insert(place);
            self.past.insert(TaskId { project, number: TaskNumber(*last) }, place);
        }
    }

    fn ask(&mut self) {
        let worker = self.dice.below(WORKERS);
        let mut among = Vec::new();
        if self.dice.one_in(5) {
            for _ in 0..=self.dice.below(3) {
                among.push(self.names[self.dice.below(self.names.len())].clone());
            }
        }
        let (names, ids): (Vec<String>, Vec<ProjectId>) = among.into_iter().unzip();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lease = self.market.ask(&format!("w{worker}"), &names);
        let due = self.naive.pick(worker, &ids);
        assert_eq!(lease.as_ref().map(|l| l.id.task), due, "worker {worker} among {names:?}");
        self.granted(worker, lease);
    }

    /// A worker names a task, where it may.
    fn ask_for(&mut self) {
        let (worker, nth) = (self.dice.below(WORKERS), self.dice.below(self.names.len()));
        let (name, project) = self.names[nth].clone();
        let venture = &self.naive.ventures[&project];
        let Some(place) = venture.places.first().copied().filter(|_| venture.worker_picks) else {
            return;
        };
        let mut command = LeaseTasks::any(id(&format!("w{worker}")));
        let task = TaskKey::Number(TaskNumber(place.2));
        command.task = Some(TaskRef { project: id(&name), task });
        let Ok(Outcome::Leased(leased)) = self.market.act(Command::Lease(command)) else { return };
        self.naive.charge(project, 0, None);
        self.naive.ventures.get_mut(&project).expect("a project").places.remove(&place);
        let lease = leased.grants.into_iter().next().map(|grant| grant.lease);
        self.naive.settle();
        self.granted(worker, lease);
    }

    fn granted(&mut self, worker: usize, lease: Option<Lease>) {
        let Some(lease) = lease else { return };
        self.granted += 1;
        self.held.push((worker, lease));
    }

    fn finish(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let (worker, lease) = self.held.swap_remove(self.dice.below(self.held.len()));
        let (name, task) = (format!("w{worker}"), lease.id.task);
        match self.dice.below(4) {
            0 => self.market.give_back(&name, lease.id, ReturnReason::Unstarted),
            1 => {
                self.market.give_back(&name, lease.id, ReturnReason::NotForMe);
                self.naive.never.insert((worker, task));
            }
            _ => return self.market.submit(&name, lease.id),
        }
        let place = self.past[&task];
        self.naive.ventures.get_mut(&task.project).expect("a project").places.insert(place);
    }

    fn steer(&mut self) {
        let (name, project) = self.names[self.dice.below(self.names.len())].clone();
        let venture = self.naive.ventures.get_mut(&project).expect("a project");
        venture.paused = !venture.paused;
        let to = if venture.paused { Steer::Pause } else { Steer::Resume };
        self.market.steer(&name, to);
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0 => self.tasks(),
            1 => self.steer(),
            2..=4 => {
                let ms = [1, 100, 1_500][self.dice.below(3)];
                self.market.wait(ms);
                self.naive.now = self.market.now.engine.0;
            }
            5..=8 => self.finish(),
            9 => self.ask_for(),
            10 if self.names.len() < 24 => self.project(),
            _ => self.ask(),
        }
        self.naive.settle();
        for (project, venture) in &self.naive.ventures {
            let tally = self.market.tallies[project];
            let is = (tally.virtual_time, tally.requester_time, tally.waiting_since.0);
            let due = (venture.virtual_time, venture.requester_time, venture.waiting_since);
            assert_eq!(is, due, "times of {project}");
        }
        self.market.check();
    }
}

#[test]
fn every_pick_is_the_naive_one() {
    let (mut granted, mut overdue) = (0, 0);
    for seed in 1..=64 {
        let mut court = Court::new(seed * 0x9E37_79B9);
        court.naive.now = court.market.now.engine.0;
        for _ in 0..400 {
            court.step();
        }
        granted += court.granted;
        overdue += court.naive.overdue;
    }
    assert!(granted >= 3_000, "only {granted} grants: nothing is proved");
    assert!(overdue >= 20, "only {overdue} overdue grants: nothing is proved");
}

/// Grants of an hour of a limited project, asked for every 100 ms, and how many of them
/// came one after the other before the project beside it had its turn.
fn beside(rate: u32) -> (u64, u64) {
    let mut market = Market::new(Limits::default());
    market.requester("slow", 10_000);
    market.requester("fast", 1);
    let limited = ProjectSpec { grants_per_minute: rate, ..spec(0) };
    let slow = market.project("slow", "slow", limited);
    market.project("fast", "fast", spec(4));
    market.tasks("slow", 20_000, 0);
    market.tasks("fast", 40_000, 0);
    market.worker("w");
    let (mut grants, mut in_a_row, mut most) = (0, 0, 0);
    for _ in 0..36_000 {
        market.wait(100);
        let lease = market.ask("w", &[]).expect("the other project always has work");
        market.submit("w", lease.id);
        if lease.id.task.project == slow {
            (grants, in_a_row) = (grants + 1, in_a_row + 1);
        } else {
            in_a_row = 0;
        }
        most = most.max(in_a_row);
    }
    market.check();
    (grants, most)
}

#[test]
fn a_throttled_project_never_delays_another() {
    // It has the better tier and all the weight; between its grants the other works.
    assert_eq!(beside(6), (360, 1));
    assert_eq!(beside(300).0, 18_000 + 4);
}
