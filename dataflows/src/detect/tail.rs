//! How rare a count is: tails of the negative binomial, in decades.
//!
//! A count with mean `m` and variance `v >= m` is taken as negative binomial with `r = m^2 / (v - m)` and `p = r / (r + m)`. Its
//! tails are regularised incomplete beta functions, `P(X >= k) = I_{1-p}(k, r)` and `P(X <= k) = I_p(r, k + 1)`, evaluated as a
//! continued fraction (Lentz) in logarithms: the tails of interest are far below the least float's reach of a sum.
//! Floats from `libm` only, so that a score is the same on every machine; what decides is a [table](super::table) of integers.

/// The least share of the variance above the mean: nearer to Poisson than this, `r` grows out of all bounds and nothing changes.
const LEAST_EXCESS: f64 = 1e-3;

/// Natural logarithm of 10.
const LN_10: f64 = core::f64::consts::LN_10;

/// A negative binomial by mean and variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    r: f64,
    p: f64,
}

impl Tail {
    /// `mean` > 0 counts a window, `variance` counts squared; a variance below the mean counts as (nearly) Poisson.
    pub fn new(mean: f64, variance: f64) -> Tail {
        let r = mean * mean / (variance - mean).max(mean * LEAST_EXCESS);
        Tail { r, p: r / (r + mean) }
    }

    /// `-log10 P(X >= k)`, decades. Unit: decades of probability; 0 for `k <= 0`.
    pub fn upper(&self, k: i64) -> f64 {
        if k <= 0 { 0.0 } else { decades(ln_beta(k as f64, self.r, 1.0 - self.p)) }
    }

    /// `-log10 P(X <= k)`, decades. A negative `k` counts as 0: cancellations can take a count below nothing.
    pub fn lower(&self, k: i64) -> f64 {
        decades(ln_beta(self.r, k.max(0) as f64 + 1.0, self.p))
    }
}

fn decades(ln: f64) -> f64 {
    (-ln / LN_10).max(0.0)
}

/// The logarithm of the regularised incomplete beta function `I_x(a, b)` for `a, b > 0` and `0 < x < 1`.
fn ln_beta(a: f64, b: f64, x: f64) -> f64 {
    let ln_front = |a: f64, b: f64, x: f64| {
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x) - libm::log(a)
    };
    if x < (a + 1.0) / (a + b + 2.0) {
        ln_front(a, b, x) + libm::log(fraction(a, b, x))
    } else {
        let other = libm::exp(ln_front(b, a, 1.0 - x) + libm::log(fraction(b, a, 1.0 - x)));
        libm::log1p(-other.min(1.0))
    }
}

/// The continued fraction of the incomplete beta function (Didonato and Morris 1992; Lentz's evaluation, which needs about the
/// root of the greater argument many steps).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const CLOSE: f64 = 1e-14;
    let keep = |y: f64| if y.abs() < TINY { TINY } else { y };
    let (mut c, mut d) = (1.0, 1.0 / keep(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for step in 1..100_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < CLOSE {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both tails by summing probabilities one by one: `P(X = k)` from `P(X = k - 1)`.
    fn summed(mean: f64, variance: f64, k: i64) -> (f64, f64) {
        let r = mean * mean / (variance - mean);
        let p = r / (r + mean);
        let mut term = (r * p.ln()).exp();
        let (mut below, mut above) = (0.0, 0.0);
        let reach = k + 40 * (variance.sqrt() as i64 + 10);
        for i in 0..reach {
            if i > 0 {
                term *= (r + i as f64 - 1.0) / i as f64 * (1.0 - p);
            }
            if i <= k {
                below += term;
            }
            if i >= k {
                above += term;
            }
        }
        (-above.log10(), -below.log10())
    }

    proptest! {
        #[test]
        fn tails_are_those_of_summation(mean in 0.05f64..300.0, a in 1.01f64..7.0, b in 0.0f64..0.05, sds in -6.0f64..8.0) {
            let variance = a * mean + b * mean * mean;
            let k = (mean + sds * variance.sqrt()).max(0.0) as i64;
            let (above, below) = summed(mean, variance, k);
            let tail = Tail::new(mean, variance);
            prop_assert!((tail.upper(k) - above.max(0.0)).abs() < 1e-6 + 1e-6 * above, "{} {above}", tail.upper(k));
            prop_assert!((tail.lower(k) - below.max(0.0)).abs() < 1e-6 + 1e-6 * below, "{} {below}", tail.lower(k));
        }
    }

    #[test]
    fn a_tail_falls_as_the_count_moves_away() {
        let tail = Tail::new(40.0, 60.0);
        assert!((0..400).all(|k| tail.upper(k) <= tail.upper(k + 1)));
        assert!((0..400).all(|k| tail.lower(k) >= tail.lower(k + 1)));
        assert_eq!((tail.upper(0), tail.upper(-3)), (0.0, 0.0));
        assert_eq!(tail.lower(-1), tail.lower(0));
        // P(0) of a Poisson count is e^-m
        assert!((Tail::new(10.0, 10.0).lower(0) - 10.0 / LN_10).abs() < 0.01);
    }
}
