//! The beta distribution's quantiles: between which bounds a share lies.
//!
//! The regularised incomplete beta function by its continued fraction (modified Lentz;
//! W. Press et al., "Numerical Recipes", 6.4), inverted by Newton's method between bounds. Through `libm`: the
//! same digits on every machine.
//!
//! Not here: what is counted (`rating.rs`).

/// Steps towards a quantile at most; where Newton's go astray they halve, which finds
/// every digit of a share.
const STEPS_MAX: u32 = 60;
/// A step that is so small a part of the share, and of what is left of one, ends the search.
const STEP_MIN: f64 = 1e-12;
const FRACTION_STEPS: u32 = 300;
const TINY: f64 = 1e-300;

/// The share below which a beta(a, b) variable lies with probability `p`; a, b > 0.
/// Cost: some microseconds.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    search(p, a, b).0
}

/// The quantile, and the steps that it took.
fn search(p: f64, a: f64, b: f64) -> (f64, u32) {
    let beta = Beta::new(a, b);
    let (mut low, mut high) = (0.0, 1.0);
    let mut at = near(p, a, b);
    for step in 1..=STEPS_MAX {
        let (below, density) = beta.at(at);
        if below < p {
            low = at;
        } else {
            high = at;
        }
        let newton = at + (p - below) / density;
        let is_inside = low < newton && newton < high;
        // At the end a step may be lost in the last digit, and lie on a bound.
        let next = if is_inside || is_end(newton, at) { newton } else { 0.5 * (low + high) };
        if is_end(next, at) {
            return (next, step);
        }
        at = next;
    }
    (at, STEPS_MAX)
}

fn is_end(next: f64, at: f64) -> bool {
    (next - at).abs() <= STEP_MIN * at.min(1.0 - at)
}

/// Where a normal distribution of the same mean and variance has it, or the mean
/// (M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 26.2.22).
fn near(p: f64, a: f64, b: f64) -> f64 {
    let mean = a / (a + b);
    let t = libm::sqrt(-2.0 * libm::log(p.min(1.0 - p)));
    let away = t - (2.30753 + 0.27061 * t) / (1.0 + t * (0.99229 + 0.04481 * t));
    let deviation = libm::sqrt(mean * (1.0 - mean) / (a + b + 1.0));
    let at = mean + if p < 0.5 { -away } else { away } * deviation;
    if 0.0 < at && at < 1.0 { at } else { mean }
}

/// A beta distribution.
struct Beta {
    a: f64,
    b: f64,
    /// Logarithm of what its density is divided by, negated.
    ln_scale: f64,
}

impl Beta {
    fn new(a: f64, b: f64) -> Beta {
        let ln_scale = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
        Beta { a, b, ln_scale }
    }

    /// The probability of less than `x`, and the density there.
    fn at(&self, x: f64) -> (f64, f64) {
        if x <= 0.0 || x >= 1.0 {
            return (if x <= 0.0 { 0.0 } else { 1.0 }, 0.0);
        }
        let Beta { a, b, ln_scale } = *self;
        let front = libm::exp(ln_scale + a * libm::log(x) + b * libm::log(1.0 - x));
        // The fraction converges fast on one side of the mean only.
        let below = match x > (a + 1.0) / (a + b + 2.0) {
            true => 1.0 - front * fraction(1.0 - x, b, a) / b,
            false => front * fraction(x, a, b) / a,
        };
        (below, front / (x * (1.0 - x)))
    }
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

    #[test]
    fn a_rating_s_interval_takes_few_steps() {
        let evidence = (1..200).flat_map(|right| (1..40).map(move |wrong| (right, wrong)));
        let slow = evidence
            .flat_map(|(right, wrong)| [0.05, 0.95].map(|p| (p, right, wrong)))
            .map(|(p, right, wrong)| search(p, f64::from(right) + 1.8, f64::from(wrong) + 0.2).1)
            .max();
        assert!(slow.is_some_and(|steps| steps <= 9), "{slow:?}");
    }

    #[test]
    fn a_quantile_is_where_its_probability_lies() {
        let parameters = [1e-3, 0.2, 1.0, 1.2, 2.8, 13.0, 400.0, 1e5];
        for (a, b) in parameters.iter().flat_map(|a| parameters.map(|b| (*a, b))) {
            for p in [0.001, 0.05, 0.5, 0.95, 0.999] {
                let at = beta_quantile(p, a, b);
                let (below, density) = Beta::new(a, b).at(at);
                // A share near one has no more digits than these.
                let slack = 1e-9 + density * at * 4.0 * f64::EPSILON;
                let is_end = !(1e-11..1.0 - 1e-11).contains(&at);
                assert!(is_end || (below - p).abs() <= slack, "{p} of {a}, {b}: {at} has {below}");
            }
        }
    }
}
