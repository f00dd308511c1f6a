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

/// ln of Γ(a + n) / Γ(a): `n` counts that fell where the prior held `a`.
#[must_use]
pub(super) fn ln_rising(a: f64, n: f64) -> f64 {
    if n <= 0.0 { 0.0 } else { libm::lgamma(a + n) - libm::lgamma(a) }
}

/// ln likelihood of `hits` among `all` under a beta prior of mean `mean` and
/// strength `strength` (the beta-binomial distribution, without the choice of order).
#[must_use]
pub(super) fn ln_beta_binomial(hits: f64, all: f64, mean: f64, strength: f64) -> f64 {
    ln_rising(strength * mean, hits) + ln_rising(strength * (1.0 - mean), all - hits)
        - ln_rising(strength, all)
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
        assert!((ln_beta_binomial(1.0, 1.0, 0.8, 5.0) - libm::log(0.8)).abs() < 1e-12);
        assert!((ln_beta_binomial(0.0, 1.0, 0.8, 5.0) - libm::log(0.2)).abs() < 1e-12);
    }
}
