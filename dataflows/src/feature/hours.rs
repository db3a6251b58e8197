//! How unusual an hour of the day is for a customer (DETECTION, feature 15).

use crate::row::round::round_millionths;
use std::f64::consts::TAU;

/// Concentration of the kernel.
const KAPPA: f64 = 4.0;

/// The modified Bessel function I0 at 4, which makes the kernel a density.
const BESSEL: f64 = 11.301_921_952_136_33;

/// How much of the population is mixed in.
const POPULATION: f64 = 0.2;

/// The kernel at distances of 0..24 hours.
#[derive(Clone, Debug)]
pub struct Kernel([f64; 24]);

impl Default for Kernel {
    fn default() -> Self {
        let at = |h: usize| libm::exp(KAPPA * libm::cos(TAU * h as f64 / 24.0)) / (TAU * BESSEL);
        Kernel(std::array::from_fn(at))
    }
}

impl Kernel {
    /// Density at the hour, per radian; uniform without sales.
    fn density(&self, hours: &[i64; 24], at: usize) -> f64 {
        let (mut sum, mut n) = (0.0, 0.0);
        for (h, count) in hours.iter().enumerate() {
            let count = (*count).max(0) as f64;
            sum += count * self.0[(at + 24 - h) % 24];
            n += count;
        }
        if n == 0.0 { 1.0 / TAU } else { sum / n }
    }

    /// `hour_of_day_surprise`: minus the logarithm of the density of the customer's hours at the hour of the sale, in millionths
    /// of a nat; ln 2 pi = 1.837877 is what a uniform one gives.
    ///
    /// The density is that of a von Mises kernel (kappa 4) over the customer's hours of purchase, 24 bins of an hour of the day in
    /// UTC, mixed with 0.2 of the population's. Window: the customer's 90 days before the sale, the lower end on a day; the
    /// population's 30. Cold start: the population alone. Source: sales less cancellations.
    pub fn surprise(&self, customer: &[i64; 24], population: &[i64; 24], hour: usize) -> i64 {
        let all = self.density(population, hour);
        let density = if customer.iter().all(|n| *n <= 0) {
            all
        } else {
            (1.0 - POPULATION) * self.density(customer, hour) + POPULATION * all
        };
        round_millionths(-libm::log(density))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_a_density() {
        let kernel = Kernel::default();
        // The trapezium rule on a circle: exact to many digits for so smooth a function.
        let sum: f64 = kernel.0.iter().map(|d| d * TAU / 24.0).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn surprises_by_hand() {
        let kernel = Kernel::default();
        assert_eq!(kernel.surprise(&[0; 24], &[0; 24], 3), 1_837_877);
        assert_eq!(kernel.surprise(&[0; 24], &[7; 24], 3), 1_837_877);
        let mut noon = [0; 24];
        noon[12] = 5;
        // at noon: 0.8 e^4 / (2 pi I0) + 0.2 / (2 pi) = 0.646934; at midnight 0.8 e^-4 / (2 pi I0) + 0.0318 = 0.032037
        let near = |x: i64, y: f64| (x as f64 / 1e6 - y).abs() < 2e-5;
        let density = |k: f64| 0.8 * libm::exp(k) / (TAU * BESSEL) + 0.2 / TAU;
        assert!(near(kernel.surprise(&noon, &[1; 24], 12), -libm::log(density(4.0))));
        assert!(near(kernel.surprise(&noon, &[1; 24], 0), -libm::log(density(-4.0))));
    }
}
