//! Which kinds of behaviour a run has, and how often: chosen by its seed.
//!
//! Swarm-wise: each seed turns some kinds off altogether and makes others frequent,
//! so that every pair of kinds meets in some run undisturbed by the rest.

use piecework_core::{Limits, Millis};

use crate::random::Random;

/// Declares the kinds once, with their usual weight in a run.
macro_rules! kinds {
    ($($variant:ident $weight:literal $what:literal,)*) => {
        /// One kind of thing that a client does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $what] $variant,)*
        }

        /// Every kind with its usual weight.
        const KINDS: &[(Kind, u64)] = &[$((Kind::$variant, $weight),)*];
    };
}

kinds! {
    // Workers.
    Ask 260 "Asks for work, for as many as it may hold or fewer.",
    Answer 200 "Answers what it holds.",
    Hoard 30 "Asks for more than it will answer.",
    AskNamed 60 "Asks for one task by its name.",
    Vanish 110 "Leaves a lease behind, to answer it late or never.",
    AnswerLate 90 "Answers a lease that it left behind.",
    AnswerAgain 30 "Answers what it has answered, with the same or another content.",
    AnswerWrong 8 "Answers with what the schema does not know.",
    GiveBack 50 "Returns a lease, for any reason.",
    GiveUp 16 "Returns a lease that it left behind.",
    Extend 40 "Asks for more time.",
    Claim 60 "Says that what was pushed has arrived.",
    SaveDraft 30 "Leaves an unfinished answer with the daemon.",
    ShowLife 25 "Its connection says on what it saw life.",
    Foreign 8 "Names a lease of somebody else, or one that never was.",
    // Requesters.
    Upload 30 "Creates tasks.",
    UpdateTask 16 "Another priority or deadline.",
    Overlap 14 "Another number of answers.",
    CancelTask 12 "Nobody wants a task any more.",
    Requeue 8 "Opens a failed task again.",
    Resolve 6 "Says what the result of a task is.",
    Pause 8 "Pauses a project.",
    Resume 16 "Resumes a project.",
    Close 1 "Closes a project.",
    Cancel 1 "Cancels a project.",
    Delete 3 "Deletes a project, or tries to.",
    Require 10 "Other requirements.",
    Terms 8 "Other terms: a new revision.",
    NewProject 2 "One more project.",
    Rename 3 "Another display name of a requester.",
    Favour 5 "Another weight, ceiling, rate or other lists of a requester.",
    // The platform.
    Suspend 6 "Suspends a worker.",
    Reinstate 24 "Reinstates a worker.",
    GrantSkill 12 "Grants a skill.",
    RevokeSkill 5 "Revokes a skill.",
    UpdateWorker 6 "Other data of a worker, its cluster included.",
    NewWorker 3 "One more worker.",
    // Anybody.
    Retry 50 "Sends an old call once more.",
    OtherContent 10 "Sends an old call with other content under its key.",
    Read 30 "Looks something up.",
    OtherTenant 6 "Names what belongs to another tenant.",
    // The refiner.
    Learn 6 "Has learned something of a project's crowd.",
    Refine 16 "Has another opinion of some tasks.",
}

/// What one run is like.
#[derive(Debug, Clone)]
pub struct Mix {
    /// Calls before the clients have done enough.
    pub calls: u64,
    /// Tenants, 1 or 2.
    pub tenants: u32,
    /// Requesters to begin with.
    pub requesters: u64,
    /// Projects to begin with.
    pub projects: u64,
    /// Tasks of a project to begin with.
    pub tasks: u64,
    /// Workers to begin with.
    pub workers: u64,
    /// Shortest and longest lease.
    pub lease: (Millis, Millis),
    /// Places of a task, at most.
    pub overlap: u64,
    /// In percent: how many projects buy more answers while a result is unsure.
    pub dynamic: u64,
    /// In percent: how many projects ask something of their workers.
    pub demanding: u64,
    /// In percent: how many projects let workers pick.
    pub worker_picks: u64,
    /// In percent: how many tasks have a deadline.
    pub deadlines: u64,
    /// In percent: how many objects the daemon names.
    pub unnamed: u64,
    /// In percent: how many workers are one of several accounts of a person.
    pub clusters: u64,
    /// In percent: how many calls for work wait for it.
    pub waits: u64,
    /// In percent: how many calls for work wish for something.
    pub wishes: u64,
    /// In percent: how many tasks and projects say how long an answer takes.
    pub paces: u64,
    /// In percent: how many calls for work want it pushed, to be claimed.
    pub pushes: u64,
    /// In percent: how many requesters have another weight, ceiling or lists.
    pub favours: u64,
    /// In percent: how many projects stand in another tier.
    pub tiers: u64,
    /// In percent: how many requesters and projects have a rate.
    pub rates: u64,
    /// In percent: how many projects with requirements relax them.
    pub relaxation: u64,
    /// The daemon's limits.
    pub limits: Limits,
    /// Kinds and their weights; what is off is not in it.
    pub kinds: Vec<(Kind, u64)>,
}

impl Mix {
    /// The mix of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Mix {
        let mut random = Random::new(seed ^ 0x006d_6978);
        let mut some = |percent, low, high| match random.percent(percent) {
            true => random.between(low, high),
            false => 0,
        };
        let short = some(100, 2_000, 6_000);
        let tenants = 1 + some(25, 1, 1);
        Mix {
            calls: some(100, 1_600, 2_400),
            tenants: u32::try_from(tenants).expect("1 or 2"),
            requesters: some(100, 1, 2) + tenants,
            projects: some(100, 2, 3) + tenants - 1,
            tasks: some(100, 5, 30),
            workers: some(100, 4, 10) + tenants,
            lease: (Millis(short), Millis(short + some(100, 0, 14_000))),
            overlap: some(100, 1, 4),
            dynamic: some(60, 20, 80),
            demanding: some(60, 10, 80),
            worker_picks: some(40, 10, 60),
            deadlines: some(40, 5, 40),
            unnamed: some(70, 10, 70),
            clusters: some(40, 20, 60),
            waits: some(50, 5, 50),
            wishes: some(50, 10, 60),
            paces: some(60, 20, 80),
            pushes: some(40, 10, 50),
            favours: some(60, 20, 90),
            tiers: some(50, 20, 70),
            rates: some(40, 20, 80),
            relaxation: some(50, 20, 90),
            limits: limits(&mut random),
            kinds: kinds(&mut random),
        }
    }

    /// One kind, as often as its weight says.
    pub(crate) fn pick(&self, random: &mut Random) -> Kind {
        let all: u64 = self.kinds.iter().map(|(_, weight)| weight).sum();
        let mut at = random.below(all);
        for (kind, weight) in &self.kinds {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return *kind,
            }
        }
        Kind::Ask
    }
}

/// Limits so small that everything happens within minutes.
fn limits(random: &mut Random) -> Limits {
    let mut ms = |low, high| Millis(random.between(low, high));
    let (restart_grace, expiry_bar) = (ms(500, 3_000), ms(1_000, 30_000));
    let (decline_within, decline_cooldown) = (ms(500, 3_000), ms(1_000, 8_000));
    let (create_keys_kept, service_gap) = (ms(5_000, 60_000), ms(500, 20_000));
    let claim_within = ms(500, 6_000);
    let declines_in_a_row = u32::try_from(random.between(2, 4)).expect("a few");
    let create_keys_max = random.index(30) + 6;
    Limits {
        restart_grace,
        expiry_bar,
        decline_within,
        declines_in_a_row,
        decline_cooldown,
        create_keys_kept,
        create_keys_max,
        service_gap,
        claim_within,
        rating_half_life: Millis(service_gap.0 * 30),
        unpacked_max: create_keys_max % 4,
    }
}

/// Asking and answering are always on; anything else in two seeds of three.
fn kinds(random: &mut Random) -> Vec<(Kind, u64)> {
    let mut kinds = Vec::new();
    for (kind, weight) in KINDS {
        if matches!(kind, Kind::Ask | Kind::Answer) {
            kinds.push((*kind, *weight));
        } else if random.percent(67) {
            kinds.push((*kind, (weight * random.between(1, 8)).div_ceil(4)));
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_turn_kinds_on_and_off() {
        let with = |kind| {
            let has = |seed: &u64| Mix::of(*seed).kinds.iter().any(|(k, _)| *k == kind);
            (0..300).filter(has).count()
        };
        assert_eq!(with(Kind::Ask), 300);
        for kind in [Kind::Vanish, Kind::Suspend, Kind::OtherTenant] {
            assert!((100..280).contains(&with(kind)), "{kind:?} in {}", with(kind));
        }
    }
}
