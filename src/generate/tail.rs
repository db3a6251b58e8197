//! Tails of the laws that counts and tickets follow when nothing happens, as decades: -log10 of a probability.
//!
//! They serve the labels alone. No detector reads them, so that neither can hide a mistake of the other.

use std::f64::consts::{LN_10, PI, SQRT_2};

/// Decades of the negative binomial tail from `count` on away from its mean: P(W >= count) above the mean, P(W <= count) below.
/// A variance not above the mean is taken for Poisson's. `count` need not be whole: both tails are continued by the incomplete
/// beta function.
pub(crate) fn count(mean: f64, variance: f64, count: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = variance.max(mean * (1.0 + 1e-7));
    let size = mean * mean / (variance - mean);
    let p = size / (size + mean);
    let tail = if count > mean { beta(1.0 - p, count, size) } else { beta(p, size, count.max(0.0) + 1.0) };
    (-tail / LN_10).max(0.0)
}

/// Decades of the normal tail from `z` standard deviations on.
pub(crate) fn normal(z: f64) -> f64 {
    if z < 10.0 {
        return -libm::log10(0.5 * libm::erfc(z / SQRT_2));
    }
    // Mills' ratio; the next term changes the logarithm by less than 1e-4 here.
    let log = -z * z / 2.0 - libm::log(z * libm::sqrt(2.0 * PI)) + libm::log1p(-1.0 / (z * z));
    -log / LN_10
}

/// Natural logarithm of the regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz).
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    }
    let front = |x: f64, a: f64, b: f64| {
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x) - libm::log(a)
    };
    if x < (a + 1.0) / (a + b + 2.0) {
        front(x, a, b) + libm::log(fraction(x, a, b))
    } else {
        libm::log1p(-libm::exp(front(1.0 - x, b, a)) * fraction(1.0 - x, b, a))
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let off_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_by_hand() {
        let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6 * expected.max(1.0), "{value} {expected}");
        // Geometric, mean 1: size 1, p 1/2; P(W >= 10) = 2^-10, P(W <= 0) = 1/2.
        near(count(1.0, 2.0, 10.0), 10.0 * libm::log10(2.0));
        near(count(1.0, 2.0, 0.0), libm::log10(2.0));
        // Size 2, p 1/2, mean 2, variance 4: P(W <= 1) = p^2 + 2 p^2 q = 1/4 + 1/4; P(W >= 3) = 1 - 1/4 - 1/4 - 3/16 = 5/16.
        near(count(2.0, 4.0, 1.0), libm::log10(2.0));
        near(count(2.0, 4.0, 3.0), -libm::log10(5.0 / 16.0));
        // Poisson of mean 4: P(0) = e^-4.
        assert!((count(4.0, 4.0, 0.0) - 4.0 / LN_10).abs() < 1e-5);
        near(normal(0.0), libm::log10(2.0));
        near(normal(3.0), 2.869_699_036);
        assert!((normal(9.999_999) - normal(10.0)).abs() < 1e-3 && normal(40.0) > 340.0);
    }

    #[test]
    fn far_tails_stay_finite_and_grow() {
        let far: Vec<f64> = [1e3, 2e3, 5e3, 2e4].map(|w| count(900.0, 1_400.0, w)).to_vec();
        assert!(far.windows(2).all(|pair| pair[0] < pair[1] && pair[1].is_finite()), "{far:?}");
        assert_eq!(count(0.0, 0.0, 5.0), 0.0);
    }
}
