//! An amount against what its customer usually spends (DETECTION, feature 13).

use crate::row::round::{div_half_even, narrow, round_millionths};

/// Logarithms are in 2^-20.
const ONE: i128 = 1 << 20;

/// Fewer sales than this of a customer say nothing: then the category is asked.
const LEAST: i64 = 3;

/// The least standard deviation.
const FLOOR: f64 = 0.3;

/// Sums over amounts: how many, their logarithms in 2^-20, and the squares of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// Sales less cancellations.
    pub n: i64,
    /// Sum of the logarithms.
    pub ln: i64,
    /// Sum of their squares.
    pub ln2: i128,
}

impl Logs {
    /// Mean in millionths; `None` without a sale.
    pub fn mean(&self) -> Option<i64> {
        (self.n > 0).then(|| narrow(div_half_even(1_000_000 * i128::from(self.ln), i128::from(self.n) * ONE)))
    }

    /// Standard deviation (n - 1) in units of 1; 0 below two sales.
    pub fn deviation(&self) -> f64 {
        let n = i128::from(self.n);
        if n < 2 {
            return 0.0;
        }
        let spread = (n.saturating_mul(self.ln2) - i128::from(self.ln) * i128::from(self.ln)).max(0);
        libm::sqrt(spread as f64 / (n * (n - 1)) as f64) / ONE as f64
    }

    fn distance(&self, ln: i64) -> i64 {
        let mean = self.ln as f64 / self.n as f64;
        round_millionths((ln as f64 - mean) / ONE as f64 / self.deviation().max(FLOOR))
    }
}

/// `amount_vs_customer`: how many standard deviations the logarithm of an amount lies above the customer's mean, in millionths.
///
/// Unit: standard deviations of ln r, r = price times quantity: (ln r - mean) / max(sd, 0.3). Window: the customer's sales of 90
/// days before the sale, the lower end on a day. Cold start: below 3 of them the category's mean and deviation of the last 30
/// days; 0 below 3 of those. Source: sales less cancellations.
pub fn amount_vs_customer(ln: i64, customer: &Logs, category: &Logs) -> i64 {
    match (customer.n >= LEAST, category.n >= LEAST) {
        (true, _) => customer.distance(ln),
        (false, true) => category.distance(ln),
        (false, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::ln_fixed;

    fn logs(cents: &[u32]) -> Logs {
        let ln: Vec<i64> = cents.iter().map(|c| ln_fixed(*c)).collect();
        Logs { n: ln.len() as i64, ln: ln.iter().sum(), ln2: ln.iter().map(|l| i128::from(l * l)).sum() }
    }

    #[test]
    fn amounts_by_hand() {
        // ln 10, ln 100, ln 1000: mean ln 100, sd ln 10; 10,000 lies two of them above
        let customer = logs(&[1_000, 10_000, 100_000]);
        assert_eq!(amount_vs_customer(ln_fixed(1_000_000), &customer, &Logs::default()), 2_000_000);
        assert_eq!(customer.mean(), Some(4_605_170));
        // the same amounts: the floor of 0.3; ln 10 / 0.3
        assert_eq!(amount_vs_customer(ln_fixed(10_000), &logs(&[1_000; 3]), &customer), 7_675_285);
        assert_eq!(amount_vs_customer(ln_fixed(1_000_000), &logs(&[1_000; 2]), &customer), 2_000_000);
        assert_eq!(amount_vs_customer(ln_fixed(1_000_000), &logs(&[]), &logs(&[100; 2])), 0);
    }
}
