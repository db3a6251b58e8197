//! How much a count varies around its mean: `V(m) = a m + b m^2`.
//!
//! `a` is the clumping of baskets, `b` what the expectation itself misses (slow noise, an error of the profile). One pair for all
//! series of a class at one scale, by least squares of `(W - m)^2` on `(m, m^2)` with weights `1 / (1.5 m + (0.1 m)^2)^2`, squared
//! residuals capped at 30 times `1.5 m + (0.1 m)^2`, `a >= 1`, `b >= 0`.
//!
//! Window: closed days, each day forgotten by one part in 14. Refit daily, so that within a day a decision depends on nothing
//! else. Cold start: the first guess counts as a hundred independent samples and fades as samples come.
//! Source: Noufaily et al. 2013; the weights are the inverse squares of a first guess of the variance.
//!
//! The sums are integers in fixed point: they do not depend on the order of the series.

use serde::{Deserialize, Serialize};

/// `V(m) = a m + b m^2`, in counts squared for a mean in counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispersion {
    /// Variance over mean of a small count.
    pub a: f64,
    /// Squared coefficient of variation of a great one.
    pub b: f64,
}

impl Dispersion {
    /// The variance of a count with this mean.
    pub fn variance(&self, mean: f64) -> f64 {
        self.a * mean + self.b * mean * mean
    }
}

/// Fixed point of the sums.
const BITS: i32 = 40;

/// A squared residual counts at most so many times the first guess of the variance.
const CAP: f64 = 30.0;

/// Samples that the first guess is worth.
const PRIOR: f64 = 100.0;

/// Windows with a lesser mean say nothing about either coefficient.
const LEAST_MEAN: f64 = 0.05;

/// `b` is never taken to be less than this: no expectation is known to better than one part in fifty.
const LEAST_B: f64 = 0.0004;

/// Weighted sums of one (class, scale).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    n: i64,
    /// Of m^2, m^3, m^4, y m, y m^2, each with its weight.
    sums: [i128; 5],
}

impl Samples {
    /// A window of `count` where `mean` was expected.
    pub fn add(&mut self, count: i64, mean: f64) {
        if mean < LEAST_MEAN {
            return;
        }
        let guess = 1.5 * mean + 0.01 * mean * mean;
        let off = count as f64 - mean;
        let y = (off * off).min(CAP * guess);
        // relative to the guess, so that all terms are of the order of one
        let (x1, x2, y) = (mean / guess, mean * mean / guess, y / guess);
        for (sum, term) in self.sums.iter_mut().zip([x1 * x1, x1 * x2, x2 * x2, y * x1, y * x2]) {
            *sum += libm::rint(libm::ldexp(term, BITS)) as i128;
        }
        self.n += 1;
    }

    /// A day has closed: older ones count less, and `today` counts in full.
    pub fn close(&mut self, today: &mut Samples) {
        self.n += today.n - self.n / 14;
        for (sum, new) in self.sums.iter_mut().zip(std::mem::take(&mut today.sums)) {
            *sum += new - *sum / 14;
        }
        today.n = 0;
    }

    /// The fit, mixed with `guess`; so many samples in a row are worth one.
    pub fn fit(&self, guess: Dispersion, overlap: f64) -> Dispersion {
        let [s11, s12, s22, t1, t2] = self.sums.map(|sum| libm::ldexp(sum as f64, -BITS));
        if self.n == 0 || s11 <= 0.0 {
            return guess;
        }
        let det = s11 * s22 - s12 * s12;
        let (mut a, mut b) =
            if det > 1e-9 * s11 * s22 { ((t1 * s22 - t2 * s12) / det, (t2 * s11 - t1 * s12) / det) } else { (t1 / s11, 0.0) };
        if b < 0.0 {
            (a, b) = (t1 / s11, 0.0);
        }
        if a < 1.0 {
            (a, b) = (1.0, ((t2 - s12) / s22).max(0.0));
        }
        let n = self.n as f64 / overlap;
        let mix = |fit: f64, guess: f64| (n * fit + PRIOR * guess) / (n + PRIOR);
        Dispersion { a: mix(a, guess.a), b: mix(b, guess.b).max(LEAST_B) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Means between 2 and 400 and residuals of exactly the standard deviation.
    #[test]
    fn a_variance_that_follows_the_formula_is_found() {
        let truth = Dispersion { a: 1.4, b: 0.006 };
        let (mut all, mut today) = (Samples::default(), Samples::default());
        for day in 0..5 {
            for i in 1..2_000 {
                let mean = f64::from(1 + i % 200) * 2.0;
                let sd = truth.variance(mean).sqrt();
                let sign = if (i + day) % 2 == 0 { 1.0 } else { -1.0 };
                today.add((mean + sign * sd).round() as i64, mean);
            }
            all.close(&mut today);
        }
        let fit = all.fit(Dispersion { a: 2.0, b: 0.02 }, 1.0);
        assert!((fit.a - truth.a).abs() < 0.05 && (fit.b - truth.b).abs() < 0.0006, "{fit:?}");
    }

    #[test]
    fn without_samples_the_guess_holds() {
        let guess = Dispersion { a: 2.0, b: 0.02 };
        assert_eq!(Samples::default().fit(guess, 1.0), guess);
    }

    #[test]
    fn less_than_poisson_is_not_believed() {
        let mut samples = Samples::default();
        (0..100_000).for_each(|i| samples.add(10 + i % 20, f64::from(10 + (i % 20) as i32)));
        let fit = samples.fit(Dispersion { a: 1.0, b: 0.0 }, 1.0);
        assert!(fit.a >= 1.0 && fit.a < 1.01 && (LEAST_B..0.001).contains(&fit.b), "{fit:?}");
    }
}
