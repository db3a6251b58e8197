//! How much comes back (DETECTION, feature 10).

use crate::row::round::{div_half_even, narrow};

/// Rates in fixed point: 32 binary digits after the point.
const ONE: i128 = 1 << 32;

/// What is assumed of a category of which nothing is known: one return among this many sales.
const PRIOR: i128 = 20;

/// The refund rate of a category, in 2^-32: (R + 1) / (N + 20), so 5 % of a category without a sale.
///
/// Source: the population's sums of 30 days up to the last whole hour.
pub fn category_rate(sales: i64, returns: i64) -> i64 {
    narrow(div_half_even((i128::from(returns.max(0)) + 1) * ONE, i128::from(sales.max(0)) + PRIOR)).max(1)
}

/// The mean rate of several categories, each with its weight; of none, that of a category without a sale. In 2^-32.
pub fn mean_rate(rates: impl Iterator<Item = (i64, i64)>) -> i64 {
    let (mut weighted, mut weight) = (0i128, 0i128);
    for (rate, lines) in rates.filter(|r| r.1 > 0) {
        weighted += i128::from(rate) * i128::from(lines);
        weight += i128::from(lines);
    }
    if weight == 0 { category_rate(0, 0) } else { narrow(div_half_even(weighted, weight)).max(1) }
}

/// `refund_rate_30d` and `refund_rate_30d_lag7`, in millionths: (R + 1) / (N + 1 / pi0), which is pi0 where nothing is known.
///
/// Unit: 0..1, above where more comes back than was sold in the window. Window: the 30 days before `as_of`; with `lag7` the 30
/// days that ended 7 days before, because a return is a label that comes late. The lower end lies on a pane of an hour (of a
/// day for customers). Cold start: pi0, the rate of the categories the key deals in. Source: R `return` records, N sales less
/// cancellations.
pub fn rate(sales: i64, returns: i64, prior: i64) -> i64 {
    let prior = i128::from(prior.max(1));
    // (R + 1) pi0 / (N pi0 + 1), with pi0 in 2^-32
    let above = (i128::from(returns.max(0)) + 1) * prior * 1_000_000;
    narrow(div_half_even(above, i128::from(sales.max(0)) * prior + ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_by_hand() {
        assert_eq!(category_rate(0, 0), (1 << 32) / 20 + 1); // 5 %, rounded up
        assert_eq!(category_rate(980, 99), (1 << 32) / 10 + 1); // 100 / 1000, rounded up
        let tenth = category_rate(980, 99);
        assert_eq!(rate(0, 0, tenth), 100_000);
        assert_eq!(rate(10, 0, tenth), 50_000); // 1 / (10 + 10)
        assert_eq!(rate(90, 4, tenth), 50_000); // 5 / 100
        assert_eq!(rate(-3, -1, tenth), 100_000);
        assert_eq!(mean_rate([(100, 3), (200, 1), (900, -5)].into_iter()), 125);
        assert_eq!(mean_rate(std::iter::empty()), category_rate(0, 0));
    }
}
