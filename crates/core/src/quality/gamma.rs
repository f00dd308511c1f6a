//! The digamma function, and the likelihoods of counts under a prior.
//!
//! Through `libm`: the same digits on every machine.
//!
//! Not here: the distribution function of the beta distribution (`interval.rs`).

/// ψ(x), the derivative of ln Γ, for x > 0, to about 1e-12.
///
/// ψ(x) = ψ(x + 1) − 1/x up to 8, then the asymptotic series (Abramowitz and
/// Stegun, 6.3.5 and 6.3.18).
#[must_use]
pub(super) fn digamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x.max(1e-12), 0.0);
    while x < 8.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square
        * (1.0 / 12.0
            - square
                * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square / 132.0))));
    sum + libm::log(x) - 0.5 / x - series
}

/// ln of Γ(a + n) / Γ(a): `n` counts that fell where the prior held `a`. Made once for
/// all that share an `a`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rising {
    a: f64,
    ln_gamma: f64,
}

impl Rising {
    /// From `a` on, which is over 0.
    pub(super) fn from(a: f64) -> Rising {
        Rising { a, ln_gamma: libm::lgamma(a) }
    }

    /// By `n`; 0 where that is none.
    #[must_use]
    pub(super) fn ln(&self, n: f64) -> f64 {
        if n <= 0.0 { 0.0 } else { libm::lgamma(self.a + n) - self.ln_gamma }
    }
}

/// The beta-binomial distribution, without the choice of order: hits under a beta prior.
#[derive(Debug, Clone, Copy)]
pub(super) struct BetaBinomial {
    hits: Rising,
    misses: Rising,
    all: Rising,
}

impl BetaBinomial {
    /// Under a prior of this mean and this strength.
    pub(super) fn new(mean: f64, strength: f64) -> BetaBinomial {
        BetaBinomial {
            hits: Rising::from(strength * mean),
            misses: Rising::from(strength * (1.0 - mean)),
            all: Rising::from(strength),
        }
    }

    /// ln likelihood of `hits` among `all`.
    #[must_use]
    pub(super) fn ln(&self, hits: f64, all: f64) -> f64 {
        self.hits.ln(hits) + self.misses.ln(all - hits) - self.all.ln(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digamma_has_its_known_values() {
        let euler = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + euler).abs() < 1e-12);
        assert!((digamma(0.5) + euler + 2.0 * libm::log(2.0)).abs() < 1e-12);
        assert!((digamma(101.0) - digamma(100.0) - 0.01).abs() < 1e-13);
    }

    #[test]
    fn one_count_has_the_likelihood_of_the_prior_mean() {
        let prior = BetaBinomial::new(0.8, 5.0);
        assert!((prior.ln(1.0, 1.0) - libm::log(0.8)).abs() < 1e-12);
        assert!((prior.ln(0.0, 1.0) - libm::log(0.2)).abs() < 1e-12);
    }
}
