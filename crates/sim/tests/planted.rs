//! Every mistake that can be planted in the engine is found by the bare run.

use std::sync::{Mutex, PoisonError};

use piecework_core::planted::{self, Mistake};
use piecework_sim::bare;

/// A mistake is planted in the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const SEEDS_MAX: u64 = 500;

fn are_found(mistakes: &[Mistake]) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut missed = Vec::new();
    for mistake in mistakes {
        planted::plant(Some(*mistake));
        let found = (0..SEEDS_MAX).find_map(|seed| bare::run(seed).err());
        planted::plant(None);
        match found {
            Some(failure) => {
                let what = failure.what.lines().next().unwrap_or_default();
                println!("{:26} {:3} seeds: {what}", mistake.name(), failure.seed + 1);
            }
            None => missed.push(mistake.name()),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS_MAX} seeds: {missed:?}");
}

#[test]
fn every_planted_mistake_of_leasing_is_found() {
    are_found(&[
        Mistake::ExpireFinished,
        Mistake::AcceptEnded,
        Mistake::ExpireEarly,
        Mistake::ForgetAnswered,
        Mistake::SequenceGap,
        Mistake::LateOvershoot,
        Mistake::LateWindowIgnored,
        Mistake::SuspendKeepsLeases,
        Mistake::ExtendRevives,
        Mistake::LeaseRetryGrants,
        Mistake::SubmitRetryCounts,
        Mistake::NameReused,
        Mistake::SkillIgnored,
        Mistake::CapacityIgnored,
        Mistake::PauseGrants,
        Mistake::GraceForgotten,
        Mistake::KeysForgotten,
        Mistake::LeaseRequestsForgotten,
        Mistake::DoubleResult,
        Mistake::PackedForgets,
    ]);
}

#[test]
fn every_planted_mistake_of_who_gets_what_is_found() {
    are_found(&[
        Mistake::WeightIgnored,
        Mistake::TierIgnored,
        Mistake::GapIgnored,
        Mistake::ThrottleIgnored,
        Mistake::RelaxationAtOnce,
        Mistake::BoxIgnored,
        Mistake::ClaimIgnored,
        Mistake::DraftLeaks,
    ]);
}

#[test]
fn every_planted_mistake_of_answers_is_found() {
    are_found(&[
        Mistake::OwnVoteCounts,
        Mistake::JudgedTwice,
        Mistake::TextAsWritten,
        Mistake::BoundsIgnored,
        Mistake::SpellingCounts,
        Mistake::CollectedJudged,
        Mistake::StaleRefined,
        Mistake::ResolvedRefined,
        Mistake::LearnedTwice,
        Mistake::SureBuys,
        Mistake::UnsureStops,
        Mistake::RevisionReused,
    ]);
}
