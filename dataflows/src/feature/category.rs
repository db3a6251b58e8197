//! Revenue trend, volume and price level of a category over half an hour.
//!
//! The trend is the least-squares slope of revenue over the last 30 whole minutes, relative to their mean (DETECTION,
//! feature 2, without the seasonal expectation, whose place is taken by a plain 1). It needs four sums of the minutes' net
//! cents, so that a minute that changes late is a subtraction and an addition. Minutes are counted from the Unix epoch in
//! `s1` and shifted here: a row's window moves, its sums must not.

use crate::row::CategoryColumns;
use crate::row::round::{div_half_even, narrow, round_millionths};
use serde::{Deserialize, Serialize};

/// Fixed point of [`ln_fixed`]: 20 binary digits after the point.
const ONE: i128 = 1 << 20;

/// Whole minutes in the trend.
const MINUTES: i64 = 30;

/// Fewer lines than this in the trend's minutes are no trend.
const TREND_LINES: i64 = 10;

/// The least sum over the trend's minutes that a slope is held against: 0.10 a minute, in cents.
const LEAST_SUM: i64 = 10 * MINUTES;

/// The trend is clipped to this, in millionths.
const TREND_LIMIT: i64 = 5_000_000;

/// Integer aggregates of one category, sales less cancellations; returns do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CategorySums {
    /// Lines in `[as_of - 30 min, as_of)`.
    pub n: i64,
    /// Units, likewise.
    pub units: i64,
    /// Cents, likewise.
    pub cents: i64,
    /// Sum of [`ln_fixed`] of each line's price, likewise.
    pub ln: i64,
    /// Sum of its square, likewise.
    pub ln2: i128,
    /// Lines in the 30 whole minutes that end at or before `as_of`.
    pub trend_n: i64,
    /// Sum of the net cents `x` of each of those minutes.
    pub s0: i64,
    /// Sum of `m * x`, where `m` counts minutes from the Unix epoch.
    pub s1: i128,
    /// Sum of `x * x`.
    pub s2: i128,
}

/// The natural logarithm of a price in currency units, with 20 binary digits after the point, half to even. A price of
/// nothing, which only foreign limits let in, counts as one cent.
#[inline]
pub fn ln_fixed(price_cents: u32) -> i64 {
    libm::rint(libm::log(f64::from(price_cents.max(1)) / 100.0) * ONE as f64) as i64
}

/// The category's columns, at `as_of` in milliseconds since the Unix epoch.
///
/// | column | unit | window | cold start |
/// |---|---|---|---|
/// | `category_trend_30min` | change across the window as a fraction of the mean, -5 to 5 | 30 whole minutes that end at or before `as_of` | 0 below 10 lines |
/// | `category_trend_30min_se` | standard error of it | same | 0 below 10 lines |
/// | `category_revenue_30min` | currency | `[as_of - 30 min, as_of)` | 0.00 |
/// | `category_volume_30min` | items | same | 0 |
/// | `price_mean_ln` | mean natural logarithm of the unit price | same | null |
/// | `price_sd_ln` | standard deviation of it (n - 1) | same | null; 0 for one line |
/// | `n`, `n_support` | lines | same | 0 |
///
/// With n = 30 minutes, revenue y_i and i = 0 the oldest: b = (12 sum(i y) - 6 (n-1) sum(y)) / (n (n^2 - 1)) and
/// trend = b n / max(mean(y), 0.1).
pub fn category(sums: &CategorySums, as_of: i64) -> CategoryColumns {
    let (trend, trend_se) = trend(sums, as_of);
    CategoryColumns {
        trend,
        trend_se,
        revenue: sums.cents,
        volume: sums.units,
        price_mean_ln: price_mean(sums),
        price_sd_ln: price_sd(sums),
        n: sums.n,
    }
}

fn price_mean(sums: &CategorySums) -> Option<i64> {
    (sums.n > 0).then(|| narrow(div_half_even(1_000_000 * i128::from(sums.ln), i128::from(sums.n) * ONE)))
}

fn price_sd(sums: &CategorySums) -> Option<i64> {
    let n = i128::from(sums.n);
    match sums.n {
        ..=0 => None,
        1 => Some(0),
        _ => {
            // n (n-1) times the variance, exact: the subtraction of near-equal numbers happens in integers.
            let squares = n.saturating_mul(sums.ln2);
            let square = i128::from(sums.ln) * i128::from(sums.ln);
            let variance = squares.saturating_sub(square).max(0) as f64 / (n * (n - 1)) as f64;
            Some(round_millionths(libm::sqrt(variance) / ONE as f64))
        }
    }
}

/// Trend and standard error, both in millionths.
///
/// In cents, with S0 = sum(x), A = sum(i x) and p = 12 A - 6*29 S0: b = p / (30*899), so
/// trend = (p / 899) / (max(S0, 300) / 30). The residual sum of squares is
/// `S2 - S0^2/30 - b^2 X` with X = sum((i - 14.5)^2) = 30*899/12 = 2247.5, and 144 X = 323640 makes it whole:
/// `323640 S2 - 10788 S0^2 - p^2`. Then se(b)^2 = RSS / 28 / X.
fn trend(sums: &CategorySums, as_of: i64) -> (i64, i64) {
    if sums.trend_n < TREND_LINES {
        return (0, 0);
    }
    let oldest = as_of.div_euclid(60_000) - MINUTES;
    let s0 = i128::from(sums.s0);
    let by_minute = sums.s1.saturating_sub(i128::from(oldest) * s0);
    let p = by_minute.saturating_mul(12).saturating_sub(174 * s0);
    let level = sums.s0.max(LEAST_SUM);
    let trend = narrow(div_half_even(p.saturating_mul(30_000_000), 899 * i128::from(level)));
    let residue = sums
        .s2
        .saturating_mul(323_640)
        .saturating_sub(s0.saturating_mul(s0).saturating_mul(10_788))
        .saturating_sub(p.saturating_mul(p))
        .max(0);
    // 323640 * 28 * 2247.5; 900 = 30 minutes / (1/30 of the sum)
    let se = libm::sqrt(residue as f64 / 20_366_665_200.0) * 900.0 / level as f64;
    (trend.clamp(-TREND_LIMIT, TREND_LIMIT), round_millionths(se))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AS_OF: i64 = 1_769_853_630_000; // 2026-01-31T10:00:30Z: the minutes are 09:30 to 09:59

    /// The sums of thirty minutes, the oldest first.
    fn minutes(cents: &[i64]) -> CategorySums {
        let oldest = i128::from(AS_OF.div_euclid(60_000) - 30);
        let mut sums = CategorySums { trend_n: 10, ..Default::default() };
        for (m, &x) in (oldest..).zip(cents) {
            sums.s0 += x;
            sums.s1 += m * i128::from(x);
            sums.s2 += i128::from(x) * i128::from(x);
        }
        sums
    }

    fn prices(cents: &[u32]) -> CategorySums {
        let ln: Vec<i64> = cents.iter().map(|&p| ln_fixed(p)).collect();
        let ln2 = ln.iter().map(|&l| i128::from(l) * i128::from(l)).sum();
        CategorySums { n: cents.len() as i64, ln: ln.iter().sum(), ln2, ..Default::default() }
    }

    #[test]
    fn logarithms_in_fixed_point() {
        assert_eq!(ln_fixed(100), 0); // ln 1
        assert_eq!(ln_fixed(272), 1_049_239); // ln 2.72 = 1.000631880 * 2^20 = 1049238.57
        assert_eq!(ln_fixed(1), -4_828_871); // ln 0.01 = -4.605170186 * 2^20 = -4828870.93
        assert_eq!(ln_fixed(0), ln_fixed(1));
        assert_eq!(ln_fixed(5_000_000), 11_345_360); // ln 50000 = 10.819778284 * 2^20 = 11345359.83
    }

    #[test]
    fn a_steady_ramp() {
        // 100, 200, ..., 3000 cents: mean 1550, b = 100 a minute, trend = 100 * 30 / 1550 = 1.935484, nothing left over
        let ramp: Vec<i64> = (1..=30).map(|i| 100 * i).collect();
        assert_eq!(trend(&minutes(&ramp), AS_OF), (1_935_484, 0));
        let falling: Vec<i64> = ramp.iter().rev().copied().collect();
        assert_eq!(trend(&minutes(&falling), AS_OF), (-1_935_484, 0));
        assert_eq!(trend(&minutes(&[500; 30]), AS_OF), (0, 0));
    }

    #[test]
    fn one_minute_of_sales_is_clipped() {
        // all of 29,000 cents in the last minute: A = 29 * 29000, b = (12*29 - 174) * 29000 / 26970 = 187.096774,
        // mean = 966.666, trend = b * 30 / mean = 5.806452, clipped
        let mut last = [0; 30];
        last[29] = 29_000;
        // RSS = 29000^2 * (1 - 1/30 - 14.5^2/2247.5) = 29000^2 * 0.873118, se(b) = sqrt(RSS / 28 / 2247.5) = 108.020373,
        // times 30 / 966.666 = 3.352356
        assert_eq!(trend(&minutes(&last), AS_OF), (5_000_000, 3_352_356));
    }

    #[test]
    fn little_is_no_trend_and_small_change_is_held_against_ten_cents() {
        let ramp: Vec<i64> = (1..=30).map(|i| 100 * i).collect();
        assert_eq!(trend(&CategorySums { trend_n: 9, ..minutes(&ramp) }, AS_OF), (0, 0));
        // cancellations: 30 cents in the last minute, -29 in the first: mean 1/30, level 10 cents;
        // b = (12*29*30 - 174) / 26970 = 0.380645, trend = b * 30 / 10 = 1.141935
        let mut net = [0; 30];
        (net[0], net[29]) = (-29, 30);
        assert_eq!(trend(&minutes(&net), AS_OF).0, 1_141_935);
    }

    #[test]
    fn prices_by_hand() {
        assert_eq!((price_mean(&prices(&[])), price_sd(&prices(&[]))), (None, None));
        // ln 100 = 4.605170; one line has no spread
        assert_eq!((price_mean(&prices(&[10_000])), price_sd(&prices(&[10_000]))), (Some(4_605_170), Some(0)));
        // ln 10 and ln 1000: mean ln 100; sd = ln(100)/sqrt 2 = 3.256347
        assert_eq!(
            (price_mean(&prices(&[1_000, 100_000])), price_sd(&prices(&[1_000, 100_000]))),
            (Some(4_605_170), Some(3_256_347))
        );
        // a cancellation without its sale
        let odd = CategorySums { n: 2, ln: 1 << 20, ln2: -(1 << 40), ..Default::default() };
        assert_eq!((price_mean(&odd), price_sd(&odd)), (Some(500_000), Some(0)));
        assert_eq!(price_mean(&CategorySums { n: -1, ln: 5, ..Default::default() }), None);
    }

    #[test]
    fn nonsense_does_not_panic() {
        for x in [i64::MAX, i64::MIN] {
            let big = i128::from(x) * i128::from(x);
            let sums =
                CategorySums { n: x, units: x, cents: x, ln: x, ln2: big, trend_n: 10, s0: x, s1: i128::MIN, s2: i128::MAX };
            category(&sums, x);
            category(&CategorySums { n: 2, trend_n: i64::MAX, s1: i128::MAX, ..sums }, 0);
        }
    }

    proptest! {
        // The formulas as they stand in the books, in floats, from the minutes and prices themselves.
        #[test]
        fn as_the_books_have_it(x in proptest::collection::vec(-50_000..2_000_000i64, 30), p in proptest::collection::vec(1..=5_000_000u32, 2..40)) {
            let mut sums = minutes(&x);
            let p_sums = prices(&p);
            (sums.n, sums.ln, sums.ln2) = (p_sums.n, p_sums.ln, p_sums.ln2);
            let found = category(&sums, AS_OF);

            let y: Vec<f64> = x.iter().map(|&c| c as f64 / 100.0).collect();
            let mean = y.iter().sum::<f64>() / 30.0;
            let var_i: f64 = (0..30).map(|i| (f64::from(i) - 14.5).powi(2)).sum();
            let b = (0..30).zip(&y).map(|(i, y)| (f64::from(i) - 14.5) * (y - mean)).sum::<f64>() / var_i;
            let rss: f64 = (0..30).zip(&y).map(|(i, y)| (y - mean - b * (f64::from(i) - 14.5)).powi(2)).sum();
            let scale = 30.0 / mean.max(0.1);
            let near = |millionths: i64, x: f64| (millionths as f64 - x * 1e6).abs() <= 1.0 + x.abs() * 1e-3;
            prop_assert!(near(found.trend, (b * scale).clamp(-5.0, 5.0)), "{} {}", found.trend, b * scale);
            prop_assert!(near(found.trend_se, (rss / 28.0 / var_i).sqrt() * scale));

            let ln: Vec<f64> = p.iter().map(|&p| (f64::from(p) / 100.0).ln()).collect();
            let m = ln.iter().sum::<f64>() / ln.len() as f64;
            let sd = (ln.iter().map(|l| (l - m).powi(2)).sum::<f64>() / (ln.len() - 1) as f64).sqrt();
            prop_assert!((found.price_mean_ln.unwrap() as f64 - m * 1e6).abs() < 2.0);
            prop_assert!((found.price_sd_ln.unwrap() as f64 - sd * 1e6).abs() < 2.0, "{:?} {}", found.price_sd_ln, sd);
        }
    }
}
