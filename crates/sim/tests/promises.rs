//! Each promise holds in simulation, and would be seen to break.
//!
//! A promise's test plants the mistakes that would break it, one by one: some seed
//! must fail under each, and the same seed must pass without it.
//!
//! Not here: P8 and P16, which come with money and credentials; P13, which is
//! `crates/server/tests`; P17, which is `tests/upgrade.rs`.

use std::sync::{Mutex, PoisonError};

use piecework_core::planted::{Mistake, plant};
use piecework_sim::run::run;

/// A mistake is planted in the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Seeds that are tried for each mistake.
const SEEDS: u64 = 60;

fn breaks_under(mistakes: &[Mistake]) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for mistake in mistakes {
        plant(Some(*mistake));
        let found = (0..SEEDS).find_map(|seed| Some((seed, run(seed).failure?)));
        plant(None);
        let Some((seed, _)) = found else {
            panic!("{SEEDS} seeds pass although this is planted: {}", mistake.what());
        };
        let failure = run(seed).failure;
        assert_eq!(failure, None, "seed {seed}, which found {}", mistake.name());
    }
}

#[test]
fn p01_what_was_acknowledged_survives() {
    breaks_under(&[
        Mistake::SkipSync,
        Mistake::TrustLastWrite,
        Mistake::TrustPageCache,
        Mistake::ReplyBeforeDurable,
    ]);
}

#[test]
fn p02_a_retry_has_the_first_outcome() {
    breaks_under(&[
        Mistake::KeysForgotten,
        Mistake::LeaseRequestsForgotten,
        Mistake::SubmitRetryCounts,
    ]);
}

#[test]
fn p03_lease_names_are_new_and_ended_leases_stay_ended() {
    breaks_under(&[Mistake::NameReused, Mistake::ExtendRevives, Mistake::AcceptEnded]);
}

#[test]
fn p04_counted_answers_and_live_leases_stay_within_wanted() {
    breaks_under(&[Mistake::LateOvershoot]);
}

#[test]
fn p05_late_answers_get_the_verdict_of_the_rule_and_nothing_counts_twice() {
    breaks_under(&[Mistake::LateWindowIgnored, Mistake::ExpireFinished, Mistake::DoubleResult]);
}

#[test]
fn p06_a_lost_reply_to_lease_and_an_unclaimed_push_strand_nothing() {
    breaks_under(&[Mistake::LeaseRetryGrants, Mistake::ClaimIgnored]);
}

#[test]
fn p07_grants_satisfy_every_hard_rule_and_a_suspension_revokes() {
    breaks_under(&[
        Mistake::SkillIgnored,
        Mistake::CapacityIgnored,
        Mistake::ForgetAnswered,
        Mistake::PauseGrants,
        Mistake::SuspendKeepsLeases,
    ]);
}

#[test]
fn p09_streams_are_dense_and_never_ahead_of_the_disk() {
    breaks_under(&[Mistake::SequenceGap, Mistake::PublishBeforeDurable]);
}

#[test]
fn p09_a_final_result_changes_only_by_the_next_revision() {
    breaks_under(&[Mistake::RevisionReused, Mistake::StaleRefined]);
}

#[test]
fn p09_what_a_requester_resolved_stands() {
    breaks_under(&[Mistake::ResolvedRefined]);
}

#[test]
fn p05_no_answer_is_learned_twice_and_a_task_buys_until_it_is_sure() {
    breaks_under(&[Mistake::LearnedTwice, Mistake::SureBuys, Mistake::UnsureStops]);
}

#[test]
fn p10_reads_rest_on_what_is_durable() {
    breaks_under(&[Mistake::ReadBeforeDurable]);
}

#[test]
fn p11_nobody_starves_and_grants_follow_tiers_and_weights() {
    breaks_under(&[
        Mistake::GapIgnored,
        Mistake::TierIgnored,
        Mistake::WeightIgnored,
        Mistake::ThrottleIgnored,
    ]);
}

#[test]
fn p12_jumps_of_the_clock_expire_nothing() {
    breaks_under(&[Mistake::ClockJump, Mistake::GraceForgotten, Mistake::ExpireEarly]);
}

#[test]
fn p14_after_a_failed_sync_nothing_is_acknowledged() {
    breaks_under(&[Mistake::ReplyAfterError]);
}

#[test]
fn p15_damage_is_found() {
    breaks_under(&[
        Mistake::OverlayLost,
        Mistake::AppliedTooEarly,
        Mistake::PlacesFirst,
        Mistake::NoteStays,
        Mistake::SnapshotUnchecked,
    ]);
}

#[test]
fn p18_a_snapshot_has_the_rows_of_its_position() {
    breaks_under(&[Mistake::SnapshotKeepsGone, Mistake::TrimTooEarly]);
}
