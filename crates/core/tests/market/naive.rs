//! Whose turn it is, written once more and naively: every project is looked at.
//!
//! Follows the rules alone and shares no code with the engine. Tasks have one place;
//! a worker never gets a task again that it returned as not for it.

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::{ProjectId, TaskId, TaskNumber};

/// (−priority, ready at, number)
pub(crate) type Place = (i16, u64, u32);

/// A project as a pick sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Venture {
    pub(crate) requester: u32,
    pub(crate) tier: u8,
    pub(crate) skill: Option<usize>,
    pub(crate) worker_picks: bool,
    pub(crate) paused: bool,
    pub(crate) places: BTreeSet<Place>,
    pub(crate) virtual_time: u64,
    pub(crate) requester_time: u64,
    pub(crate) waiting_since: u64,
    /// Grants a minute; 0: no limit.
    pub(crate) rate: u64,
    pub(crate) tat_us: u64,
    pub(crate) passes: u8,
    pub(crate) in_rota: bool,
}

/// All projects, and whom they suit.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    pub(crate) gap: u64,
    pub(crate) now: u64,
    pub(crate) weights: BTreeMap<u32, u32>,
    /// By requester: grants a minute, and until when its grants are paid for.
    pub(crate) rates: BTreeMap<u32, (u64, u64)>,
    pub(crate) ventures: BTreeMap<ProjectId, Venture>,
    pub(crate) skills: Vec<BTreeSet<usize>>,
    pub(crate) never: BTreeSet<(usize, TaskId)>,
    /// Grants of overdue projects out of turn.
    pub(crate) overdue: u64,
}

impl Naive {
    /// Who has places and may grant is in the rota; who comes waits from now on.
    pub(crate) fn settle(&mut self) {
        for venture in self.ventures.values_mut() {
            let shared = self.rates.get(&venture.requester).copied().unwrap_or_default();
            let own = (venture.rate, venture.tat_us);
            let early = |(rate, tat): (u64, u64)| {
                let interval = 60_000_000_u64.checked_div(rate);
                let slack = interval.map(|interval| 1_000_000_u64.saturating_sub(interval));
                slack.is_some_and(|slack| tat > self.now * 1_000 + slack)
            };
            let throttled = early(own) || early(shared);
            let wants = !venture.paused && !venture.places.is_empty() && !throttled;
            if wants && !venture.in_rota {
                venture.waiting_since = self.now;
            }
            if !wants {
                venture.passes = 0;
            }
            venture.in_rota = wants;
        }
    }

    fn time(&self, tier: u8, requester: u32) -> u64 {
        let own = self.ventures.values().filter(|v| (v.tier, v.requester) == (tier, requester));
        own.map(|v| v.requester_time).max().unwrap_or(0)
    }

    fn cost(&self, requester: u32) -> u64 {
        1_000_000 / u64::from(self.weights[&requester])
    }

    fn turn(&self, project: ProjectId) -> (u8, u64, u32, u64, ProjectId) {
        let v = &self.ventures[&project];
        (v.tier, self.time(v.tier, v.requester), v.requester, v.virtual_time, project)
    }

    fn suits(&self, worker: usize, venture: &Venture) -> bool {
        venture.skill.is_none_or(|skill| self.skills[worker].contains(&skill))
    }

    fn first(&self, worker: usize, project: ProjectId) -> Option<Place> {
        let task = |number| TaskId { project, number: TaskNumber(number) };
        let mut places = self.ventures[&project].places.iter();
        places.find(|(_, _, number)| !self.never.contains(&(worker, task(*number)))).copied()
    }

    /// The grant that a worker must get, with all that it changes.
    pub(crate) fn pick(&mut self, worker: usize, among: &[ProjectId]) -> Option<TaskId> {
        let asked = |p: &ProjectId| among.is_empty() || among.contains(p);
        let fits = |v: &Venture| v.in_rota && !v.worker_picks && self.suits(worker, v);
        let candidates = self.ventures.iter().filter(|(p, v)| asked(p) && fits(v));
        let candidates: Vec<ProjectId> = candidates.map(|(p, _)| *p).collect();
        let open = candidates.iter().copied().filter(|p| self.first(worker, *p).is_some());
        let normal = open.clone().min_by_key(|p| self.turn(*p))?;
        let waited = |p: &ProjectId| self.now - self.ventures[p].waiting_since;
        let overdue = open.filter(|p| waited(p) >= self.gap);
        let overdue = overdue.min_by_key(|p| (self.ventures[p].waiting_since, *p));
        let mut winner = normal;
        if let Some(late) = overdue.filter(|late| *late != normal) {
            if self.ventures[&late].passes >= 9 {
                (winner, self.overdue) = (late, self.overdue + 1);
            } else {
                self.ventures.get_mut(&late).expect("a candidate").passes += 1;
            }
        }
        let (tier, _, requester, _, _) = self.turn(winner);
        let of_tier = || candidates.iter().filter(|p| self.ventures[*p].tier == tier);
        let others = of_tier().filter(|p| self.ventures[*p].requester != requester);
        let other = others.map(|p| (self.turn(*p).1, self.turn(*p).2)).min();
        let least = other.map_or(0, |(time, other)| time.saturating_sub(self.cost(other)));
        let own = of_tier().filter(|p| self.ventures[*p].requester == requester && **p != winner);
        let sibling = own.map(|p| self.ventures[p].virtual_time).min();
        let place = self.first(worker, winner).expect("an open candidate");
        self.charge(winner, least, sibling);
        self.ventures.get_mut(&winner).expect("a candidate").places.remove(&place);
        self.settle();
        Some(TaskId { project: winner, number: TaskNumber(place.2) })
    }

    /// `least`: where a runner-up brings the requester up to.
    pub(crate) fn charge(&mut self, project: ProjectId, least: u64, sibling: Option<u64>) {
        let (tier, own, requester, _, _) = self.turn(project);
        let time = own.max(least) + self.cost(requester);
        assert_eq!(tier, self.ventures[&project].tier);
        let venture = self.ventures.get_mut(&project).expect("a project");
        venture.requester_time = time;
        let behind = sibling.unwrap_or(0).saturating_sub(1);
        venture.virtual_time = venture.virtual_time.max(behind) + 1;
        venture.waiting_since = self.now;
        venture.passes = 0;
        let now_us = self.now * 1_000;
        let pay = |tat: u64, rate: u64| match 60_000_000_u64.checked_div(rate) {
            Some(interval) => tat.max(now_us) + interval,
            None => tat,
        };
        venture.tat_us = pay(venture.tat_us, venture.rate);
        let shared = self.rates.entry(requester).or_default();
        shared.1 = pay(shared.1, shared.0);
    }
}
