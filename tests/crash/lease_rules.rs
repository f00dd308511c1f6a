//! The checker's rules on leases: their names, their places, their time.
//!
//! Clients know when they sent and when they heard, and the daemon decided
//! somewhere between. Each rule takes the side that favours the daemon, so what
//! it finds is a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history::{Broken, History, is_late};
use super::record::{Called, Counts, Held, Told};

/// Engine time counts whole milliseconds, and so do replies.
const ROUNDING: Duration = Duration::from_millis(5);

fn granted(history: &History) -> impl Iterator<Item = (&Called, &String, &String, &Vec<Held>)> {
    history.called.iter().filter_map(|called| match &called.told {
        Told::Granted { worker, request, leases } => Some((called, worker, request, leases)),
        _ => None,
    })
}

/// P1, P2, P3: a request has the same leases whenever it is asked, no name is
/// given twice, and a worker gets no task that it has answered.
pub(super) fn names(history: &History, broken: &mut Broken) {
    let mut owners: BTreeMap<&String, (&String, &String)> = BTreeMap::new();
    let mut requests: BTreeMap<(&String, &String), BTreeSet<&String>> = BTreeMap::new();
    for (_, worker, request, leases) in granted(history) {
        let names: BTreeSet<&String> = leases.iter().map(|lease| &lease.name).collect();
        for name in &names {
            let owner = owners.entry(name).or_insert((worker, request));
            if *owner != (worker, request) {
                let other = (worker, request);
                broken.push(("P3", format!("{name} was granted to {owner:?} and {other:?}")));
            }
        }
        // An empty answer is not recorded: asked again, there may be work.
        let before = requests.entry((worker, request)).or_default();
        if before.is_empty() {
            *before = names;
        } else if *before != names {
            broken.push(("P2", format!("{worker} {request}: first {before:?}, then {names:?}")));
        }
    }
    for name in history.end.live.iter().filter(|name| !owners.contains_key(name)) {
        broken.push(("P6", format!("{name} lives, and its worker never heard of it")));
    }
    let tasks = payloads(history);
    let mut done: BTreeMap<(&String, &String), Duration> = BTreeMap::new();
    for (called, worker, lease, _, taken) in history.answered() {
        if let (Ok(_), Some(task)) = (taken, tasks.get(lease)) {
            let first = done.entry((worker, task)).or_insert(called.to);
            *first = called.to.min(*first);
        }
    }
    let mut met = BTreeSet::new();
    for (called, worker, _, leases) in granted(history) {
        // Only the first time that a lease is told: later ones are repetitions.
        for lease in leases.iter().filter(|lease| met.insert(&lease.name)) {
            if done.get(&(worker, &lease.payload)).is_some_and(|answered| *answered < called.from) {
                let Held { name, payload, .. } = lease;
                broken.push(("P3", format!("{worker} got {payload} again, as {name}")));
            }
        }
    }
}

/// P3, P4: at no moment certainly more live leases and counted answers of a
/// task than it wants.
pub(super) fn places(history: &History, broken: &mut Broken) {
    let wants: BTreeMap<&String, &Counts> =
        history.end.tasks.iter().map(|(payload, counts)| (payload, counts)).collect();
    let tasks = payloads(history);
    let mut ends: BTreeMap<&String, Duration> = BTreeMap::new();
    let mut end = |lease, at: Duration| {
        let first = ends.entry(lease).or_insert(at);
        *first = at.min(*first);
    };
    // Per task: when certainly one more is taken, or may be free again.
    let mut steps: BTreeMap<&String, Vec<(Duration, i32)>> = BTreeMap::new();
    let mut counted = BTreeSet::new();
    for called in &history.called {
        match &called.told {
            Told::Answered { lease, taken, .. } => {
                end(lease, called.from);
                let counts = taken.as_ref().is_ok_and(|t| t.verdict.starts_with("COUNTED"));
                // Once, however often the receipt is asked for.
                if let (true, Some(task)) = (counts && counted.insert(lease), tasks.get(lease)) {
                    steps.entry(task).or_default().push((called.to, 1));
                }
            }
            // Given back in this call, whatever else it says.
            Told::Returned { lease } => end(lease, called.from),
            _ => {}
        }
    }
    let mut met = BTreeSet::new();
    for (called, .., leases) in granted(history) {
        for lease in leases.iter().filter(|lease| met.insert(&lease.name)) {
            // Engine time is never faster than ours: so long it lives at least.
            let Some(left) = lease.left else { continue };
            let over = ends.get(&lease.name).copied().unwrap_or(Duration::MAX);
            let over = over.min(called.from + left);
            if called.to < over {
                let of_task = steps.entry(&lease.payload).or_default();
                of_task.extend([(called.to, 1), (over, -1)]);
            }
        }
    }
    for (payload, mut steps) in steps {
        // What ends at the same moment ends first.
        steps.sort_unstable();
        let mut taken = 0;
        let most = steps.iter().map(|(_, step)| {
            taken += step;
            taken
        });
        let (most, wanted) = (most.max().unwrap_or(0), wants.get(payload).map(|c| c.overlap));
        if wanted.is_some_and(|wanted| most > i32::try_from(wanted).unwrap_or(i32::MAX)) {
            broken.push(("P4", format!("{payload} wants {wanted:?} and had {most} at a time")));
        }
    }
}

/// P12: no lease is over before the engine can have lived through its time.
pub(super) fn time(history: &History, broken: &mut Broken) {
    let over = expired(history);
    let tellings = history.called.iter().flat_map(|called| {
        let told: Vec<(&String, Duration)> = match &called.told {
            Told::Granted { leases, .. } => {
                leases.iter().filter_map(|lease| Some((&lease.name, lease.left?))).collect()
            }
            Told::Extended { lease, left } => vec![(lease, *left)],
            _ => Vec::new(),
        };
        told.into_iter().map(move |(lease, left)| (called.from, lease, left))
    });
    for (from, lease, left) in tellings {
        let Some(seen) = over.get(lease) else { continue };
        let lived = engine_at_most(history, from, *seen);
        if lived + ROUNDING < left {
            broken.push((
                "P12",
                format!(
                    "{lease} had {left:?} left at {from:?}, was over at {seen:?}: lived {lived:?}"
                ),
            ));
        }
    }
}

/// Leases that ran out, with when that was first known for certain.
pub(super) fn expired(history: &History) -> BTreeMap<&String, Duration> {
    let mut over: BTreeMap<&String, Duration> = BTreeMap::new();
    let mut see = |lease, at: Duration| {
        let first = over.entry(lease).or_insert(at);
        *first = at.min(*first);
    };
    for called in &history.called {
        match &called.told {
            Told::Granted { leases, .. } => {
                leases.iter().filter(|l| l.expired).for_each(|l| see(&l.name, called.to));
            }
            Told::Answered { lease, taken, .. } if is_late(taken) => see(lease, called.to),
            _ => {}
        }
    }
    over
}

/// How many tasks were granted again after a lease of them had run out.
pub(super) fn reassigned(history: &History) -> usize {
    let (tasks, over) = (payloads(history), expired(history));
    let mut lapsed: BTreeMap<&String, (&String, Duration)> = BTreeMap::new();
    for (called, .., leases) in granted(history) {
        for lease in leases.iter().filter(|lease| over.contains_key(&lease.name)) {
            let first = lapsed.entry(&lease.payload).or_insert((&lease.name, called.from));
            if called.from < first.1 {
                *first = (&lease.name, called.from);
            }
        }
    }
    let mut again = BTreeSet::new();
    for (called, .., leases) in granted(history) {
        for lease in leases {
            let Some(task) = tasks.get(&lease.name) else { continue };
            let Some((other, granted)) = lapsed.get(task) else { continue };
            if *other != &lease.name && *granted < called.from {
                again.insert(*task);
            }
        }
    }
    again.len()
}

/// The most that engine time can have grown between two moments of ours.
fn engine_at_most(history: &History, from: Duration, to: Duration) -> Duration {
    let lost = history.outages.iter().map(|outage| {
        let (begin, end) = (outage.from.max(from), outage.to.min(to));
        end.saturating_sub(begin).saturating_sub(outage.grows)
    });
    to.saturating_sub(from).saturating_sub(lost.sum())
}

/// Which task a lease is of. Leases do not name it; payloads tell.
fn payloads(history: &History) -> BTreeMap<&String, &String> {
    let leases = granted(history).flat_map(|(.., leases)| leases);
    leases.map(|lease| (&lease.name, &lease.payload)).collect()
}
