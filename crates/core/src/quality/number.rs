//! Numbers: the median, how far the answers lie apart, and how many agree with it.
//!
//! The median of an even number of answers is the mean of the two in the middle. The
//! spread is the median distance from it (Hampel's median absolute deviation), which one
//! wild answer does not move.
//!
//! Not here: refusing what is no number (the edge).

/// What the numbers of one task say together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberOpinion {
    /// The median, in the unit of the answers.
    pub median: f64,
    /// The median distance from it, in the same unit.
    pub spread: f64,
    /// How many lie within the tolerance of the median.
    pub agree: u32,
    /// Numbers it rests on.
    pub votes: u32,
}

/// The opinion of finite numbers, in any order; `tolerance` in their unit, not negative.
/// What is not finite is left out. `None` when nothing is left.
#[must_use]
pub fn number(answers: &[f64], tolerance: f64) -> Option<NumberOpinion> {
    let mut numbers: Vec<f64> = answers.iter().copied().filter(|n| n.is_finite()).collect();
    let median = median(&mut numbers)?;
    let mut distances: Vec<f64> = numbers.iter().map(|n| (n - median).abs()).collect();
    let agree = distances.iter().filter(|d| **d <= tolerance).count();
    let spread = self::median(&mut distances)?;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(NumberOpinion { median, spread, agree: count(agree), votes: count(numbers.len()) })
}

fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    match numbers.len() % 2 {
        1 => Some(upper),
        // Halved before they are added: the sum of two large ones stays finite.
        _ => Some(numbers[numbers.len() / 2 - 1] / 2.0 + upper / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_answer_moves_neither_median_nor_spread() {
        let opinion = number(&[10.0, 1e9, 11.0, 10.5, f64::NAN], 1.0).expect("numbers");
        assert_eq!((opinion.median, opinion.spread), (10.75, 0.5));
        assert_eq!((opinion.agree, opinion.votes), (3, 4));
    }

    #[test]
    fn numbers_far_apart_agree_on_nothing() {
        let opinion = number(&[0.0, 100.0], 1.0).expect("numbers");
        assert_eq!((opinion.median, opinion.agree), (50.0, 0));
        assert_eq!(number(&[], 1.0), None);
        let large = number(&[f64::MAX, f64::MAX], 0.0).expect("numbers");
        assert!(large.median.is_finite());
    }
}
