//! The beta distribution's quantiles: between which bounds a share lies.
//!
//! The regularised incomplete beta function by its continued fraction (modified Lentz;
//! W. Press et al., "Numerical Recipes", 6.4), inverted by halving. Through `libm`: the
//! same digits on every machine.
//!
//! Not here: what is counted (`rating.rs`).

/// Steps of halving: enough for every digit of a share.
const HALVINGS: u32 = 50;
const FRACTION_STEPS: u32 = 300;
const TINY: f64 = 1e-300;

/// The share below which a beta(a, b) variable lies with probability `p`; a, b > 0.
/// Cost: some ten microseconds.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if beta_below(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The probability that a beta(a, b) variable is below `x`.
fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The fraction converges fast on one side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below(1.0 - x, b, a);
    }
    let ln_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log(1.0 - x);
    libm::exp(ln_front) * fraction(x, a, b) / a
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut product = d;
    for step in 1..=FRACTION_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = product;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            product *= c * d;
        }
        if (product - before).abs() <= 1e-15 * product.abs() {
            break;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_known_distributions() {
        // Beta(1, 1) is even; beta(1, b) has 1 − (1 − p)^(1/b).
        assert!((beta_quantile(0.3, 1.0, 1.0) - 0.3).abs() < 1e-12);
        let one_of_five = 1.0 - libm::pow(0.95, 0.2);
        assert!((beta_quantile(0.05, 1.0, 5.0) - one_of_five).abs() < 1e-12);
        // scipy.stats.beta.ppf(0.05, 90.8, 13.2), and 0.95.
        assert!((beta_quantile(0.05, 90.8, 13.2) - 0.815_823_54).abs() < 1e-8);
        assert!((beta_quantile(0.95, 90.8, 13.2) - 0.922_153_28).abs() < 1e-8);
    }

    #[test]
    fn far_quantiles_of_much_evidence_stay_in_order() {
        let (low, high) = (beta_quantile(0.05, 1e6, 1.0), beta_quantile(0.95, 1e6, 1.0));
        assert!(0.999 < low && low < high && high <= 1.0);
        assert!((beta_quantile(0.5, 400.0, 400.0) - 0.5).abs() < 1e-9);
    }
}
