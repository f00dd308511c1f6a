//! A worker's rating: how often it agreed with the majority of others.
//!
//! Smoothed by a prior, so that one lucky answer is no 100 and one slip no 0:
//! four imagined answers, 70 % of them in agreement. Integers only: the same on
//! every machine.
//!
//! Not here: which answers are judged (`majority.rs`).

/// Imagined answers of a worker of whom nothing is known.
const PRIOR_ANSWERS: u64 = 4;
/// Agreement of these, in percent.
const PRIOR_PERCENT: u64 = 70;

/// The rating in thousandths of a point, 0 to 100 000.
///
/// `agreed` of `judged` answers agreed with the majority of at least two others.
#[must_use]
pub fn rating_milli(judged: u32, agreed: u32) -> u32 {
    let agreed = u64::from(agreed.min(judged)) * 100_000;
    let prior = PRIOR_ANSWERS * PRIOR_PERCENT * 1_000;
    u32::try_from((agreed + prior) / (u64::from(judged) + PRIOR_ANSWERS)).unwrap_or(100_000)
}

/// The rating in whole points, rounded down: what a minimum is compared with.
#[must_use]
pub fn rating(judged: u32, agreed: u32) -> u8 {
    u8::try_from(rating_milli(judged, agreed) / 1_000).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_stands_at_the_prior_and_evidence_moves_it() {
        assert_eq!(rating(0, 0), 70);
        assert!(rating(1, 1) < 80, "one answer proves little");
        assert_eq!(rating(996, 996), 99);
        assert_eq!(rating(996, 0), 0);
    }
}
