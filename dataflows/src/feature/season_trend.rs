//! The trend of a category after the season, and two checks of it that one whale cannot upset (DETECTION, feature 2).

use super::category::{CategorySums, category};
use crate::row::round::round_millionths;

/// Whole minutes that are looked at.
pub const MINUTES: usize = 30;

/// The least seasonal index that revenue is divided by, in millionths.
const LEAST_INDEX: i64 = 100_000;

/// Fewer lines than this are no trend.
const LEAST_LINES: i64 = 10;

/// The columns, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeasonTrend {
    /// `category_trend_30min_seasonal` and its standard error.
    pub trend: i64,
    /// See `trend`.
    pub error: i64,
    /// `category_trend_30min_theil_sen`.
    pub theil_sen: i64,
    /// `category_trend_30min_mann_kendall`.
    pub mann_kendall: i64,
}

/// The columns of the minutes `(cents, seasonal index in millionths)`, the oldest first.
///
/// | column | unit | window | cold start |
/// |---|---|---|---|
/// | `category_trend_30min_seasonal` | least-squares slope of y over the window, relative to its mean, -5 to 5 | 30 whole minutes that end at or before `as_of` | 0 below 10 lines |
/// | `category_trend_30min_seasonal_se` | its standard error | same | same |
/// | `category_trend_30min_theil_sen` | the same with the median of the slopes of all pairs of minutes | same | same |
/// | `category_trend_30min_mann_kendall` | z of the number of rising less that of falling pairs, ties taken into account | same | same |
///
/// y = revenue of a minute / max(m, 0.1), m the `seasonal_index` of its hour: 1 while no season is known.
pub fn season_trend(minutes: &[(i64, i64); MINUTES], lines: i64) -> SeasonTrend {
    if lines < LEAST_LINES {
        return SeasonTrend::default();
    }
    let y = minutes.map(|(cents, index)| (i128::from(cents) * 1_000_000 / i128::from(index.max(LEAST_INDEX))) as i64);
    let mut sums = CategorySums { trend_n: lines, ..CategorySums::default() };
    for (i, y) in (0..).zip(y) {
        sums.s0 += y;
        sums.s1 += i * i128::from(y);
        sums.s2 += i128::from(y) * i128::from(y);
    }
    // Minutes are counted from the first of the window, so the window ends at minute 30.
    let columns = category(&sums, MINUTES as i64 * 60_000);
    let (mut slopes, mut s) = ([0.0; MINUTES * (MINUTES - 1) / 2], 0i64);
    let mut k = 0;
    for i in 0..MINUTES {
        for j in i + 1..MINUTES {
            let rise = y[j] - y[i];
            slopes[k] = rise as f64 / (j - i) as f64;
            s += rise.signum();
            k += 1;
        }
    }
    let middle = slopes.len() / 2;
    let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    // The mean of 10 cents a minute is the least a slope is held against, as for the least squares.
    let level = (sums.s0.max(10 * MINUTES as i64)) as f64 / MINUTES as f64;
    let theil_sen = (*median * MINUTES as f64 / level).clamp(-5.0, 5.0);
    let z = if s == 0 { 0.0 } else { (s - s.signum()) as f64 / libm::sqrt(variance(y)) };
    SeasonTrend {
        trend: columns.trend,
        error: columns.trend_se,
        theil_sen: round_millionths(theil_sen),
        mann_kendall: round_millionths(z),
    }
}

/// Of the Mann-Kendall count: (n (n-1) (2n+5) - sum over ties t (t-1) (2t+5)) / 18.
fn variance(mut y: [i64; MINUTES]) -> f64 {
    y.sort_unstable();
    let term = |n: usize| (n * (n - 1) * (2 * n + 5)) as f64;
    let ties: f64 = y.chunk_by(|a, b| a == b).map(|c| term(c.len())).sum();
    ((term(MINUTES) - ties) / 18.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_that_the_season_explains_is_none() {
        let ramp = std::array::from_fn(|i| (1_000 * (i as i64 + 1), 100_000 * (i as i64 + 1)));
        assert_eq!(season_trend(&ramp, 10), SeasonTrend::default());
        let plain = ramp.map(|m| (m.0, 1_000_000));
        // mean 15,500, slope 1,000: 30,000 / 15,500; all 435 pairs rise: 434 / sqrt(30 * 29 * 65 / 18)
        let found = season_trend(&plain, 10);
        assert_eq!((found.trend, found.error, found.theil_sen), (1_935_484, 0, 1_935_484));
        assert_eq!(found.mann_kendall, 7_743_007);
        assert_eq!(season_trend(&plain, 9), SeasonTrend::default());
    }

    #[test]
    fn one_whale_is_no_trend() {
        let mut minutes = [(500, 1_000_000); MINUTES];
        minutes[29].0 = 1_000_000;
        let found = season_trend(&minutes, 40);
        assert_eq!(found.theil_sen, 0);
        assert!(found.trend == 5_000_000 && found.mann_kendall < 1_800_000, "{found:?}");
    }
}
