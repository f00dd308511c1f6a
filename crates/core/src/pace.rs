//! How long an answer takes, estimated in eight bytes: the 75th percentile, and the median.
//!
//! A frugal estimator: an answer that took longer moves the estimate up by three
//! steps, any other moves it down by one, so that it comes to rest where one answer
//! in four takes longer. A step is a sixteenth of the estimate: it follows a change
//! of pace within some dozens of answers, whatever the scale.
//!
//! The median moves by one step either way, and its steps shrink with the answers it has
//! seen: whoever is held against it must not be held against its own last dozens.
//!
//! Not here: whose estimate is used when (`matching/wishes.rs`, `engine/apply/rate.rs`).

use std::cmp::Ordering;

/// The estimate after one more answer. Zero stands for no answer yet.
pub(crate) fn learn(p75_ms: u64, took_ms: u64) -> u64 {
    if p75_ms == 0 {
        return took_ms.max(1);
    }
    let step = (p75_ms / 16).max(1);
    if took_ms > p75_ms {
        p75_ms.saturating_add(3 * step)
    } else {
        p75_ms.saturating_sub(step).max(1)
    }
}

/// The estimated median after one more answer; `answers`: how many there were before.
/// Zero stands for no answer yet.
pub(crate) fn learn_median(p50_ms: u64, took_ms: u64, answers: u64) -> u64 {
    if p50_ms == 0 {
        return took_ms.max(1);
    }
    let step = (p50_ms / (answers / 2).clamp(16, 1_024)).max(1);
    match took_ms.cmp(&p50_ms) {
        Ordering::Greater => p50_ms.saturating_add(step),
        Ordering::Equal => p50_ms,
        Ordering::Less => p50_ms.saturating_sub(step).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repeatable run of numbers below 2³², not in any order.
    fn noise() -> impl Iterator<Item = u64> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        std::iter::from_fn(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            Some(state >> 32)
        })
    }

    /// The middle of the estimate's course against the exact quantile of all answers.
    fn compare(shape: &str, took: &[u64]) {
        let p75 = |estimate, took, _| learn(estimate, took);
        for (percent, learn) in [(75, p75 as fn(u64, u64, u64) -> u64), (50, learn_median)] {
            let (mut quantile, mut course) = (0, Vec::new());
            for (n, ms) in (0..).zip(took) {
                quantile = learn(quantile, *ms, n);
                if n >= 200 {
                    course.push(quantile);
                }
            }
            course.sort_unstable();
            let mut sorted = took.to_vec();
            sorted.sort_unstable();
            let (exact, estimate) = (sorted[took.len() * percent / 100], course[course.len() / 2]);
            let off = estimate.abs_diff(exact) * 100;
            assert!(off <= 15 * exact, "{shape}: {estimate} ms, exactly {exact} ms");
        }
    }

    #[test]
    fn estimates_are_within_fifteen_percent_of_the_exact_quantiles() {
        let draw = |shape: fn(u64) -> u64| noise().take(20_000).map(shape).collect::<Vec<_>>();
        compare("always the same", &draw(|_| 30_000));
        compare("evenly between 10 and 50 s", &draw(|x| 10_000 + x % 40_000));
        compare("a bell around 60 s", &{
            let parts: Vec<u64> = noise().take(80_000).map(|x| x % 30_000).collect();
            parts.chunks(4).map(|four| four.iter().sum()).collect::<Vec<u64>>()
        });
        compare(
            "a long tail",
            &draw(|x| {
                let least = 20_000 << ((x | 1).leading_zeros() - 32).min(10);
                least + least * (x % 1_000) / 1_000
            }),
        );
        compare("quick ones and slow ones", &draw(|x| 5_000 + x % 2_000 + x % 5 / 3 * 60_000));
        compare("a few milliseconds", &draw(|x| 20 + x % 30));
    }

    #[test]
    fn the_estimate_follows_a_worker_that_learns() {
        let slow = noise().take(1_000).map(|x| 40_000 + x % 20_000);
        let quick = noise().take(100).map(|x| 8_000 + x % 4_000);
        let p75 = slow.chain(quick).fold(0, learn);
        assert!((8_000..16_000).contains(&p75), "{p75} ms");
    }

    #[test]
    fn the_first_answer_sets_it_and_nothing_takes_it_out_of_range() {
        assert_eq!(learn(0, 7_000), 7_000);
        assert_eq!(learn(0, 0), 1);
        assert_eq!(learn(1, 0), 1);
        assert_eq!(learn(16_000, 16_000), 15_000);
        assert_eq!(learn(16_000, 16_001), 19_000);
        assert_eq!(learn(u64::MAX - 1, u64::MAX), u64::MAX);
        let medians = [learn_median(0, 0, 0), learn_median(1, 0, 9), learn_median(7, 7, 9)];
        assert_eq!(medians, [1, 1, 7]);
        assert_eq!(learn_median(u64::MAX - 1, u64::MAX, 1), u64::MAX);
        assert_eq!(learn_median(16_000, 1, 10), 15_000);
        assert_eq!(learn_median(16_000, 1, 4_000), 15_985, "a median of thousands is slow");
    }
}
