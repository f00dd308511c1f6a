//! How sure an answer is on which some agree, where there are no classes to count with:
//! numbers and texts.
//!
//! A worker is imagined right 4 times in 5, and two that are wrong to agree by chance
//! 1 time in 10. The first to agree says only itself.
//!
//! Not here: who agrees (`number.rs`, `text.rs`).

const RIGHT: f64 = 0.8;
const CHANCE: f64 = 0.1;

/// The probability that the answer on which `agree` of `votes` agree is right, 0 to 1.
pub(super) fn confidence(agree: usize, votes: usize) -> f64 {
    if agree == 0 || votes == 0 {
        return 0.0;
    }
    let others = agree.min(votes) as f64 - 1.0;
    let against = votes.saturating_sub(agree) as f64;
    let log_odds = libm::log(RIGHT / (1.0 - RIGHT))
        + others * libm::log(RIGHT / CHANCE)
        + against * libm::log((1.0 - RIGHT) / (1.0 - CHANCE));
    1.0 / (1.0 + libm::exp(-log_odds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_makes_sure_and_dissent_unsure() {
        assert!((confidence(1, 1) - 0.8).abs() < 1e-12);
        assert!(confidence(2, 2) > 0.95 && confidence(3, 3) > confidence(2, 2));
        assert!(confidence(2, 3) < 0.9 && confidence(1, 2) < 0.5);
        assert!(confidence(0, 3) <= 0.0);
    }
}
