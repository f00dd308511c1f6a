//! What a method says of one task: an answer and how sure it is.
//!
//! Not here: how it comes to say so (one file a method).

/// One task's answer with the probability of every class.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// The class held true.
    pub answer: u16,
    /// Of each class its probability, 0 to 1; they sum to one.
    pub posterior: Vec<f64>,
    /// Votes it rests on.
    pub votes: u32,
}

impl Opinion {
    /// The opinion of these probabilities: the likeliest class, of equals the
    /// one that the schema names first, so that the order of arrival is nothing.
    #[must_use]
    pub fn of(posterior: Vec<f64>, votes: usize) -> Opinion {
        let answer = u16::try_from(likeliest(&posterior)).unwrap_or(u16::MAX);
        Opinion { answer, posterior, votes: u32::try_from(votes).unwrap_or(u32::MAX) }
    }

    /// How sure the answer is, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.posterior.get(usize::from(self.answer)).copied().unwrap_or_default()
    }

    /// The same in millionths, rounded down: a number that can be written down.
    #[must_use]
    pub fn confidence_ppm(&self) -> u32 {
        ppm(self.confidence())
    }
}

/// A share of 0 to 1 in millionths, rounded down.
#[must_use]
pub fn ppm(share: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1_000_000"
    )]
    let ppm = (share * 1e6).clamp(0.0, 1e6) as u32;
    ppm
}

/// The place of the greatest; of equals the first. 0 for none.
pub(super) fn likeliest(of: &[f64]) -> usize {
    let mut best = 0;
    for (class, value) in of.iter().enumerate() {
        if *value > of[best] {
            best = class;
        }
    }
    best
}

/// Turns logarithms of weights into probabilities, in place; returns the logarithm
/// of their sum. Shifted by the greatest first, so that nothing underflows.
pub(super) fn normalise(logs: &mut [f64]) -> f64 {
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in logs.iter_mut() {
        *value = libm::exp(*value - greatest);
        sum += *value;
    }
    for value in logs.iter_mut() {
        *value /= sum;
    }
    greatest + libm::log(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equals_the_first_named_class_is_the_answer() {
        let opinion = Opinion::of(vec![0.2, 0.4, 0.4], 5);
        assert_eq!((opinion.answer, opinion.confidence_ppm()), (1, 400_000));
    }

    #[test]
    fn logarithms_far_below_zero_still_make_probabilities() {
        let mut logs = [-2_000.0, -2_000.0 + libm::log(3.0)];
        normalise(&mut logs);
        assert!((logs[0] - 0.25).abs() < 1e-12 && (logs[1] - 0.75).abs() < 1e-12, "{logs:?}");
    }
}
