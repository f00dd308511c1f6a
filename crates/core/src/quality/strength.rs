//! How strongly a prior is held, chosen by the data.
//!
//! A strength is a number of imagined answers. Each round of learning looks one step
//! up and one step down a fixed ladder and goes where the data are likelier (empirical
//! Bayes), with a mild preference for where it began: a log-normal prior of width one.
//!
//! Not here: which likelihood (the caller's).

/// Steps of about the square root of two, in imagined answers.
const LADDER: [f64; 14] =
    [1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 22.0, 32.0, 45.0, 64.0, 90.0];

/// One strength, on its ladder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strength {
    rung: usize,
    start: usize,
}

impl Strength {
    /// A strength that begins at the ladder's rung `rung`.
    pub(super) const fn starting_at(rung: usize) -> Strength {
        Strength { rung, start: rung }
    }

    /// In imagined answers.
    pub(super) fn answers(self) -> f64 {
        LADDER[self.rung]
    }

    /// Goes one step where `ln_likelihood` (of a strength) is greater, or stays.
    pub(super) fn step(&mut self, ln_likelihood: impl Fn(f64) -> f64) {
        let score = |rung: usize| {
            let off = libm::log(LADDER[rung] / LADDER[self.start]);
            ln_likelihood(LADDER[rung]) - 0.5 * off * off
        };
        let here = score(self.rung);
        if self.rung + 1 < LADDER.len() && score(self.rung + 1) > here {
            self.rung += 1;
        } else if self.rung > 0 && score(self.rung - 1) > here {
            self.rung -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_climbs_to_the_likeliest_rung_and_stays() {
        let mut strength = Strength::starting_at(4);
        for _ in 0..20 {
            strength.step(|s| -100.0 * (s - 30.0) * (s - 30.0));
        }
        assert!((strength.answers() - 32.0).abs() < 1e-9);
        for _ in 0..40 {
            strength.step(|_| 0.0);
        }
        assert!((strength.answers() - 4.0).abs() < 1e-9, "without data it goes home");
    }
}
