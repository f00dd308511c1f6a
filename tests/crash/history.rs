//! The checker: do the answers that clients got fit together, and with the end?
//!
//! Its rules are those of `promises.md`, read off the history alone; it shares
//! nothing with the daemon. Every violation is a sentence. What a run did not
//! meet often enough to prove anything is *unknown*, which fails as well.
//!
//! Not here: leases in time (`lease_rules.rs`), talking to the daemon.

use std::collections::{BTreeMap, BTreeSet};

use super::lease_rules;
use super::record::{Called, Counts, Kill, Outage, Taken, Told};

/// Everything that is known of a run.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) called: Vec<Called>,
    pub(super) outages: Vec<Outage>,
    pub(super) kills: Vec<Kill>,
    /// What each watcher saw: its log, and the entries in order.
    pub(super) watched: Vec<(String, Vec<Logged>)>,
    pub(super) end: End,
}

/// What the API says when all is over.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Each task with its payload.
    pub(super) tasks: Vec<(String, Counts)>,
    pub(super) cancelled: BTreeSet<String>,
    pub(super) submissions: Vec<Kept>,
    /// Whole logs.
    pub(super) logs: BTreeMap<String, Vec<Logged>>,
    /// Live leases as their workers list them.
    pub(super) live: Vec<String>,
}

/// A submission in a list.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) lease: String,
    pub(super) worker: String,
    pub(super) task: String,
    pub(super) label: String,
    pub(super) verdict: String,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) sequence: u64,
    pub(super) previous: u64,
    /// What it is about: `result` and the task, `submission` and the lease, …
    pub(super) subject: String,
    /// All of it, to compare entries.
    pub(super) whole: String,
}

/// How much a run has put to the test.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faced {
    /// Answers that promised something.
    pub(super) acknowledged: usize,
    /// SIGKILLs.
    pub(super) kills: usize,
    /// Kills that hit a call which had been sent and was then lost.
    pub(super) in_flight: usize,
    /// Kills before the daemon was ready.
    pub(super) recovering: usize,
    /// Leases seen to have expired.
    pub(super) expired: usize,
    /// Answers under expired leases, taken or refused.
    pub(super) late: usize,
    /// Tasks that were granted again after a lease of them expired.
    pub(super) reassigned: usize,
}

/// What is wrong, by the number of the promise.
pub(super) type Broken = Vec<(&'static str, String)>;

/// Reasons and verdicts that only an answer under an expired lease gets.
const LATE_REFUSALS: [&str; 3] = ["LEASE_SUPERSEDED", "LATE_WINDOW_OVER", "TASK_DONE"];
const LATE_VERDICTS: [&str; 2] = ["COUNTED_LATE", "KEPT_UNPAID"];

/// Whether the lease of this answer had run out.
pub(super) fn is_late(taken: &Result<Taken, String>) -> bool {
    match taken {
        Ok(taken) => LATE_VERDICTS.contains(&taken.verdict.as_str()),
        Err(reason) => LATE_REFUSALS.contains(&reason.as_str()),
    }
}

impl History {
    /// Everything that must not be.
    pub(super) fn broken(&self) -> Broken {
        let mut broken = Vec::new();
        self.tasks(&mut broken);
        self.answers(&mut broken);
        self.counts(&mut broken);
        self.positions(&mut broken);
        self.streams(&mut broken);
        lease_rules::names(self, &mut broken);
        lease_rules::places(self, &mut broken);
        lease_rules::time(self, &mut broken);
        broken
    }

    /// How much the run has put to the test.
    pub(super) fn faced(&self) -> Faced {
        let hit = |kill: &&Kill| {
            let lost_to =
                |c: &Called| c.lost.is_some_and(|lost| c.from < kill.at && kill.at < lost);
            self.called.iter().any(lost_to)
        };
        let late = self.answered().filter(|(.., taken)| is_late(taken));
        let promised = |c: &&Called| match &c.told {
            Told::Granted { leases, .. } => !leases.is_empty(),
            Told::Answered { taken, .. } => taken.is_ok(),
            Told::Cancelled { refused, .. } => refused.is_none(),
            Told::Created { .. } | Told::Extended { .. } | Told::Returned { .. } => true,
            Told::Seen(_) | Told::ReadBack { .. } | Told::Nothing => false,
        };
        Faced {
            acknowledged: self.called.iter().filter(promised).count(),
            kills: self.kills.len(),
            in_flight: self.kills.iter().filter(hit).count(),
            recovering: self.kills.iter().filter(|kill| kill.recovering).count(),
            expired: lease_rules::expired(self).len(),
            late: late.count(),
            reassigned: lease_rules::reassigned(self),
        }
    }

    /// Whether leases ran out, came late and went to others at least once a kill.
    pub(super) fn has_faced_enough_of_time(&self) -> bool {
        let Faced { kills, expired, late, reassigned, .. } = self.faced();
        expired.min(late).min(reassigned) >= kills
    }

    /// Worker, lease, label, outcome of every answer.
    pub(super) fn answered(
        &self,
    ) -> impl Iterator<Item = (&Called, &String, &String, &String, &Result<Taken, String>)> {
        self.called.iter().filter_map(|called| match &called.told {
            Told::Answered { worker, lease, label, taken } => {
                Some((called, worker, lease, label, taken))
            }
            _ => None,
        })
    }

    /// P1, P2: every acknowledged task is there once, under one name.
    fn tasks(&self, broken: &mut Broken) {
        let mut names: BTreeMap<&String, &String> = BTreeMap::new();
        for called in &self.called {
            match &called.told {
                Told::Created { payload, name } => {
                    let first = names.entry(payload).or_insert(name);
                    if *first != name {
                        broken.push(("P2", format!("{payload} was made twice: {first}, {name}")));
                    }
                }
                Told::Cancelled { name, refused: None } if !self.end.cancelled.contains(name) => {
                    broken.push(("P1", format!("{name} was cancelled and is not any more")));
                }
                Told::ReadBack { what, found: false } => {
                    broken.push(("P10", format!("a read does not show {what}")));
                }
                _ => {}
            }
        }
        let mut there: BTreeMap<&String, &String> = BTreeMap::new();
        for (payload, task) in &self.end.tasks {
            if let Some(other) = there.insert(payload, &task.task) {
                broken.push(("P2", format!("{payload} is there twice: {other}, {}", task.task)));
            }
        }
        for (payload, name) in &names {
            match there.remove(payload) {
                None => broken.push(("P1", format!("task {name} is lost"))),
                Some(found) if found != *name => {
                    broken.push(("P1", format!("task {name} is now called {found}")));
                }
                Some(_) => {}
            }
        }
        for name in there.values() {
            broken.push(("P2", format!("nobody was told of task {name}")));
        }
    }

    /// P1, P2, P5: receipts are kept, repeat themselves, and nothing else is kept.
    fn answers(&self, broken: &mut Broken) {
        let mut kept: BTreeMap<&String, &Kept> = BTreeMap::new();
        for submission in &self.end.submissions {
            if kept.insert(&submission.lease, submission).is_some() {
                broken.push(("P2", format!("{} has two submissions", submission.lease)));
            }
        }
        let mut receipts: BTreeMap<&String, (&String, &Taken)> = BTreeMap::new();
        for (_, worker, lease, label, taken) in self.answered() {
            match taken {
                Ok(taken) => {
                    let (first, receipt) = receipts.entry(lease).or_insert((label, taken));
                    if (*first, *receipt) != (label, taken) {
                        let told = (receipt, taken);
                        broken.push(("P2", format!("{lease} has two receipts: {told:?}")));
                    }
                    let same = |k: &&Kept| {
                        (&k.worker, &k.label, &k.verdict) == (worker, label, &taken.verdict)
                    };
                    match kept.get(lease) {
                        None => broken.push(("P1", format!("the answer under {lease} is lost"))),
                        found if found.as_ref().is_some_and(|k| same(k)) => {}
                        found => broken
                            .push(("P1", format!("{lease}: {label} {taken:?} became {found:?}"))),
                    }
                }
                Err(reason) => self.refusal(lease, reason, receipts.contains_key(lease), broken),
            }
        }
        for lease in kept.keys().filter(|lease| !receipts.contains_key(*lease)) {
            broken.push(("P2", format!("a submission under {lease}, and nobody has a receipt")));
        }
    }

    /// P5: a refused answer has one of the reasons of the late rule, and the
    /// reason is true as far as clients know.
    fn refusal(&self, lease: &str, reason: &str, has_receipt: bool, broken: &mut Broken) {
        let returned = |c: &Called| matches!(&c.told, Told::Returned { lease: l } if l == lease);
        let is_true = match reason {
            "LEASE_USED" => has_receipt,
            "LEASE_ENDED" => self.called.iter().any(returned),
            "TASK_CANCELLED" => !self.end.cancelled.is_empty(),
            other => LATE_REFUSALS.contains(&other),
        };
        if !is_true {
            broken.push(("P5", format!("the answer under {lease} was refused as {reason}")));
        }
    }

    /// P4: no task with more than it wants; one counted answer a worker and task.
    fn counts(&self, broken: &mut Broken) {
        let seen = self.called.iter().filter_map(|called| match &called.told {
            Told::Seen(counts) => Some(counts),
            _ => None,
        });
        for task in seen.chain(self.end.tasks.iter().map(|(_, task)| task)) {
            if task.counted + task.live > task.overlap {
                broken.push(("P4", format!("{task:?}")));
            }
        }
        let mut counted: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for kept in self.end.submissions.iter().filter(|kept| kept.verdict.starts_with("COUNTED")) {
            if !counted.entry(&kept.task).or_default().insert(&kept.worker) {
                let Kept { worker, task, .. } = kept;
                broken.push(("P2", format!("two answers of {worker} count for {task}")));
            }
        }
        for (_, task) in &self.end.tasks {
            let answers = counted.get(&task.task).map_or(0, BTreeSet::len);
            if answers != task.counted as usize {
                broken.push(("P2", format!("{task:?} has {answers} counted answers")));
            }
        }
    }

    /// P10: what came after an answer has no earlier position, whoever asked.
    fn positions(&self, broken: &mut Broken) {
        let placed = |c: &Called| Some((c.from, c.to, number(c.position.as_deref()?)));
        let mut by_start: Vec<_> = self.called.iter().filter_map(placed).collect();
        let mut by_end = by_start.clone();
        by_start.sort_by_key(|(from, ..)| *from);
        by_end.sort_by_key(|(_, to, _)| *to);
        let (mut ended, mut newest) = (by_end.into_iter().peekable(), 0);
        for (from, _, position) in by_start {
            while let Some((.., earlier)) = ended.next_if(|(_, to, _)| *to < from) {
                newest = newest.max(earlier);
            }
            if position < newest {
                broken.push((
                    "P10",
                    format!("a call sent at {from:?} got {position}; {newest} was there before"),
                ));
            }
        }
    }

    /// P9: logs are dense, watchers saw all of them, in order and as they still are.
    fn streams(&self, broken: &mut Broken) {
        for (log, entries) in &self.end.logs {
            for (entry, sequence) in entries.iter().zip(1..) {
                if entry.sequence != sequence {
                    broken
                        .push(("P9", format!("{log}: {} where {sequence} is due", entry.sequence)));
                    break;
                }
            }
        }
        for (log, seen) in &self.watched {
            for pair in seen.windows(2) {
                if pair[1].previous != pair[0].sequence || pair[1].sequence <= pair[0].sequence {
                    let (one, other) = (pair[0].sequence, pair[1].sequence);
                    broken.push(("P9", format!("{log}: a watcher saw {other} after {one}")));
                }
            }
            let there = self.end.logs.get(log).map(Vec::as_slice).unwrap_or_default();
            let differs = seen.iter().zip(there).find(|(seen, there)| seen != there);
            if let Some((seen, there)) = differs {
                broken.push(("P9", format!("{log}: a watcher saw {seen:?}, now it is {there:?}")));
            } else if seen.len() != there.len() {
                let (saw, are) = (seen.len(), there.len());
                broken.push(("P9", format!("{log}: a watcher saw {saw} entries of {are}")));
            }
        }
        let mut told: BTreeSet<&String> = BTreeSet::new();
        for entry in self.end.logs.values().flatten() {
            if entry.subject.starts_with("submission ") && !told.insert(&entry.subject) {
                broken.push(("P9", format!("{} is told twice", entry.subject)));
            }
        }
        if !self.end.logs.is_empty() && told.len() != self.end.submissions.len() {
            let (told, kept) = (told.len(), self.end.submissions.len());
            broken.push(("P9", format!("{told} submissions in the logs, {kept} in the lists")));
        }
    }
}

/// Opaque to clients; a test may look: the number within a position's text.
fn number(position: &str) -> u64 {
    let digits = position.get(8..24).expect("a position's text");
    u64::from_str_radix(digits, 16).expect("a position's number")
}
