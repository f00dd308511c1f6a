//! Every mistake that can be planted in the engine is found by the bare run.
//!
//! One after the other: the switch is of the whole process.

use piecework_core::planted::{self, Mistake};
use piecework_sim::bare;

const SEEDS_MAX: u64 = 500;

const MISTAKES: [Mistake; 33] = [
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
    Mistake::WeightIgnored,
    Mistake::TierIgnored,
    Mistake::GapIgnored,
    Mistake::ThrottleIgnored,
    Mistake::RelaxationAtOnce,
    Mistake::BoxIgnored,
    Mistake::ClaimIgnored,
    Mistake::DraftLeaks,
    Mistake::OwnVoteCounts,
    Mistake::JudgedTwice,
    Mistake::TextAsWritten,
    Mistake::BoundsIgnored,
    Mistake::SpellingCounts,
    Mistake::CollectedJudged,
];

#[test]
fn every_planted_mistake_of_the_engine_is_found() {
    let mut missed = Vec::new();
    for mistake in MISTAKES {
        planted::plant(Some(mistake));
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
