//! Whose turn it is: tiers, weighted requesters in a tier, a requester's projects.
//!
//! A grant advances its requester's virtual time by 1 / weight and its project's by
//! one. Before that, both are brought up to at most one grant behind the runner-up:
//! whoever was away, or had nothing for the workers that asked, gets one grant ahead
//! of the others and no credit for its absence.
//!
//! Invariant: `Accounts` holds every project of the tenant, in its tier, with the
//! requester's time that its tally remembers.
//!
//! Not here: finding candidates (`pick.rs`), order inside a project (`order.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{TIER_MAX, WEIGHT_DEFAULT};
use crate::planted::{self, Mistake};
use crate::{ProjectId, RequesterId};

/// Virtual time of one grant at weight 1.
const GRANT: u64 = 1_000_000;

/// What one grant costs a requester of this weight.
pub(crate) fn cost(weight: u32) -> u64 {
    let weight = if planted::is(Mistake::WeightIgnored) { WEIGHT_DEFAULT } else { weight };
    GRANT / u64::from(weight.max(1))
}

/// A requester in one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    pub(crate) tier: u8,
    pub(crate) requester: RequesterId,
}

/// Whose turn a project is: the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub(crate) tier: u8,
    pub(crate) requester_time: u64,
    pub(crate) requester: RequesterId,
    pub(crate) project_time: u64,
    pub(crate) project: ProjectId,
}

/// Who else could have had a grant: what keeps its winner from saving up credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RunnersUp {
    /// The next other requester of the tier, and its time.
    pub(crate) requester: Option<(u64, RequesterId)>,
    /// The time of the requester's next other project in the tier.
    pub(crate) project: Option<u64>,
}

/// The requester's time after a grant. `cost`: of its grant; `runner_up`: time and
/// cost of the next other requester.
pub(crate) fn requester_time(own: u64, cost: u64, runner_up: Option<(u64, u64)>) -> u64 {
    let least = runner_up.map_or(0, |(time, its_cost)| time.saturating_sub(its_cost));
    own.max(least) + cost
}

/// The project's time after a grant.
pub(crate) fn project_time(own: u64, runner_up: Option<u64>) -> u64 {
    own.max(runner_up.unwrap_or_default().saturating_sub(1)) + 1
}

/// The virtual times of one tenant's requesters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Accounts {
    of: BTreeMap<Account, Times>,
}

/// The times that the projects of an account remember, and the largest: every look at
/// a project asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Times {
    largest: u64,
    projects: BTreeSet<(u64, ProjectId)>,
}

impl Accounts {
    /// A requester's time in a tier: its projects' largest; 0 without projects.
    pub(crate) fn time(&self, account: Account) -> u64 {
        self.of.get(&account).map_or(0, |times| times.largest)
    }

    /// All projects of a requester.
    pub(crate) fn projects(&self, requester: RequesterId) -> impl Iterator<Item = ProjectId> + '_ {
        let tiers =
            (0..=TIER_MAX).filter_map(move |tier| self.of.get(&Account { tier, requester }));
        tiers.flat_map(|times| &times.projects).map(|(_, project)| *project)
    }

    /// A project stands in this tier and remembers this time.
    pub(crate) fn add(&mut self, account: Account, time: u64, project: ProjectId) {
        let times = self.of.entry(account).or_default();
        times.projects.insert((time, project));
        times.largest = times.largest.max(time);
    }

    /// A project stands there no more.
    pub(crate) fn remove(&mut self, account: Account, time: u64, project: ProjectId) {
        let Some(times) = self.of.get_mut(&account) else { return };
        times.projects.remove(&(time, project));
        match times.projects.last() {
            Some((largest, _)) => times.largest = *largest,
            None => _ = self.of.remove(&account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two requesters whose projects always have work; returns grants of each.
    fn run(weights: [u32; 2], grants: u32, mut times: [u64; 2]) -> ([u32; 2], [u64; 2]) {
        let mut got = [0, 0];
        for _ in 0..grants {
            let (winner, other) = if times[0] <= times[1] { (0, 1) } else { (1, 0) };
            let runner_up = Some((times[other], cost(weights[other])));
            times[winner] = requester_time(times[winner], cost(weights[winner]), runner_up);
            got[winner] += 1;
        }
        (got, times)
    }

    #[test]
    fn grants_follow_weights() {
        let (got, _) = run([100, 300], 400, [0, 0]);
        assert!(got[0].abs_diff(100) <= 1, "{got:?}");
    }

    #[test]
    fn who_comes_late_goes_first_once_and_shares_from_then_on() {
        let (_, times) = run([100, 100], 2_000, [0, 0]);
        let (got, _) = run([100, 100], 10, [times[0], 0]);
        assert!(got[1].abs_diff(got[0]) <= 1, "{got:?}");
    }

    #[test]
    fn a_project_that_comes_late_goes_first_once() {
        let late = project_time(0, Some(50));
        assert_eq!(late, 50);
        assert_eq!(project_time(late, Some(50)), 51);
    }

    #[test]
    fn a_requester_is_as_late_as_its_latest_project() {
        let account = Account { tier: 2, requester: RequesterId(1) };
        let mut accounts = Accounts::default();
        accounts.add(account, 5, ProjectId(1));
        accounts.add(account, 9, ProjectId(2));
        assert_eq!(accounts.time(account), 9);
        accounts.remove(account, 9, ProjectId(2));
        assert_eq!(accounts.time(account), 5);
        accounts.remove(account, 5, ProjectId(1));
        assert_eq!(accounts, Accounts::default());
    }
}
