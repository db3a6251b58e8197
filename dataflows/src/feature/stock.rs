//! How long the stock lasts (DETECTION, feature 12).

use crate::detect::tail::Tail;
use crate::row::round::round_millionths;

/// A Gamma(a, b) law of the units sold in an hour: a units in b hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Units.
    pub units: f64,
    /// Hours.
    pub hours: f64,
}

/// How strongly the category counts: as if the product had been seen for so many hours of it.
const PRIOR: f64 = 1.0;

/// The slowest rate, units an hour: nothing lasts for ever.
const LEAST: f64 = 1e-6;

/// The law after what was seen: (a0 + sum of units) / (b0 + hours) units an hour.
///
/// `category` is the mean rate of a product of the category in units an hour; `seen` the units of the last 24 hours, and how many of
/// these hours were seen. The seasonal indices of a whole day add up to its hours, so the season is in the units alone.
pub fn posterior(category: f64, seen: (i64, f64)) -> Rate {
    Rate { units: PRIOR * category.max(LEAST) + seen.0.max(0) as f64, hours: PRIOR + seen.1.max(0.0) }
}

/// `stock_cover_h`: hours until the stock is gone at the mean rate, in millionths.
///
/// Unit: hours. Window: 24 h. Cold start: the rate of the category. Source: stock feed, and units of sales less cancellations.
pub fn cover(stock: i64, rate: Rate) -> i64 {
    round_millionths(stock.max(0) as f64 / (rate.units / rate.hours).max(LEAST))
}

/// `p_stockout_before(L)`: the probability that demand within `hours` reaches the stock, in millionths.
///
/// Demand over L hours is negative binomial: r = a, p = b / (b + L), so its mean is m = a L / b and its variance m + m^2 / a.
///
/// Unit: probability. Window: 24 h. Cold start: the rate of the category. Source: as [`cover`].
pub fn stockout(stock: i64, rate: Rate, hours: f64) -> i64 {
    let mean = rate.units / rate.hours * hours;
    round_millionths(libm::exp10(-Tail::new(mean, mean + mean * mean / rate.units).upper(stock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_by_hand() {
        // one unit an hour in the category, 23 units in 24 ordinary hours: 24 / 25 an hour
        let rate = posterior(1.0, (23, 24.0));
        assert_eq!((rate.units, rate.hours), (24.0, 25.0));
        assert_eq!(cover(48, rate), 50_000_000);
        assert_eq!(cover(0, rate), 0);
    }

    #[test]
    fn probabilities_by_hand() {
        // r = 1, p = 1/2: geometric, P(D >= 3) = 1/8
        let rate = Rate { units: 1.0, hours: 1.0 };
        assert_eq!(stockout(3, rate, 1.0), 125_000);
        assert_eq!(stockout(0, rate, 1.0), 1_000_000);
        // r = 2, p = 2/3: P(0) = 4/9, P(1) = 2 * 4/9 * 1/3 = 8/27, P(D >= 2) = 1 - 20/27
        assert_eq!(stockout(2, Rate { units: 2.0, hours: 2.0 }, 1.0), 259_259);
        // a product that sells a thousand times an hour
        let rate = Rate { units: 24_000.0, hours: 24.0 };
        assert_eq!((stockout(800, rate, 1.0), stockout(1_200, rate, 1.0)), (1_000_000, 0));
    }
}
