//! How much the hour of the week says of a category's sales (DETECTION, feature 4).

use crate::row::round::{div_half_even, narrow, round_millionths};

/// Hours in a week.
pub const WEEK: usize = 168;

/// Weeks that are looked at.
pub const WEEKS: usize = 4;

/// Weights of the last four weeks, the newest first, in tenths.
const WEIGHTS: [i128; WEEKS] = [4, 3, 2, 1];

/// The columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seasonality {
    /// `seasonal_index`, in millionths.
    pub index: i64,
    /// `seasonality_score`, in millionths.
    pub score: i64,
    /// `seasonality_n_support`: hours that were seen.
    pub hours: i64,
}

/// The columns at a whole hour.
///
/// | column | unit | window | cold start |
/// |---|---|---|---|
/// | `seasonal_index` | expected sales of this hour of the week against the mean hour | 28 d of whole hours | 1 until 2 full weeks |
/// | `seasonality_score` | share of the variance that the hour of the week explains, 0..1 | same | 0 until 2 full weeks |
/// | `seasonality_n_support` | whole hours seen, 672 at most | same | 0 |
///
/// `counts` are the sales less cancellations of the last whole hours, the oldest first; the last 672 count. With the same hour of
/// the week (slot) of the last four weeks c_1 (newest) .. c_4, the slot's mean is m = sum w_j c_j / sum w_j, w = .4, .3, .2, .1, and `seasonal_index` = m / mean of m over the slots. `seasonality_score` is
/// eta squared less the noise of counting: 1 - max(0, SSw - N) / (SSt - N), where SSw and SSt are the sums of squares within the
/// slots and in all, and N the sum of the slots' variances under a Poisson law, for SSw n - 1 degrees of freedom a slot, for SSt one less
/// than hours.
pub fn seasonality(counts: &[i64]) -> Seasonality {
    let counts = &counts[counts.len().saturating_sub(WEEK * WEEKS)..];
    let hours = counts.len();
    if hours < 2 * WEEK {
        return Seasonality { index: 1_000_000, score: 0, hours: hours as i64 };
    }
    // Slots as distances back from now, so that the newest hour is slot 0 of the newest week.
    let back = |slot: usize| counts.iter().rev().skip(slot).step_by(WEEK);
    // The expected count of a slot, in tenths over the sum of its weights: n weeks have weights that sum to 4, 7, 9, 10.
    let expected = |slot: usize| {
        let (mut sum, mut weight) = (0, 0);
        for (w, c) in WEIGHTS.iter().zip(back(slot)) {
            sum += w * i128::from(*c);
            weight += w;
        }
        // over 4, 7, 9 or 10: 1260 makes all of them whole
        sum * (1_260 / weight.max(1))
    };
    let all: i128 = (0..WEEK).map(expected).sum();
    // The slot that begins now was last seen a week ago: 167 hours before the newest.
    let index = if all > 0 { div_half_even(expected(WEEK - 1) * WEEK as i128 * 1_000_000, all) } else { 1_000_000 };
    let score = score(counts);
    Seasonality { index: narrow(index), score, hours: hours as i64 }
}

fn score(counts: &[i64]) -> i64 {
    let total: i128 = counts.iter().map(|c| i128::from(*c)).sum();
    let squares: i128 = counts.iter().map(|c| i128::from(*c) * i128::from(*c)).sum();
    let n = counts.len() as i128;
    // n times the sums of squares, whole.
    let in_all = n * squares - total * total;
    let (mut within, mut noise) = (0.0, 0.0);
    for slot in 0..WEEK {
        let of = || counts.iter().skip(slot).step_by(WEEK).map(|c| i128::from(*c));
        let (k, sum, sq) = (of().count() as i128, of().sum::<i128>(), of().map(|c| c * c).sum::<i128>());
        within += (k * sq - sum * sum) as f64 / k as f64;
        noise += ((k - 1) * sum) as f64 / k as f64;
    }
    let all = in_all as f64 / n as f64 - (n - 1) as f64 * total as f64 / n as f64;
    if all <= 0.0 {
        return 0;
    }
    round_millionths((1.0 - (within - noise).max(0.0) / all).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_weeks_are_needed() {
        let cold = Seasonality { index: 1_000_000, score: 0, hours: 335 };
        assert_eq!(seasonality(&[5; 335]), cold);
        assert_eq!(seasonality(&[5; 336]), Seasonality { hours: 336, ..cold });
        assert_eq!(seasonality(&[5; 1_000]), Seasonality { hours: 672, ..cold });
    }

    #[test]
    fn a_week_that_repeats_is_all_season() {
        // 100 an hour, 300 in one hour of each week: the mean is (167 * 100 + 300) / 168
        let mut counts = vec![100; 672];
        (0..4).for_each(|week| counts[week * WEEK] = 300);
        let found = seasonality(&counts);
        // SSw = 0, so nothing is left of it: all is season
        assert_eq!((found.index, found.score), (2_964_706, 1_000_000)); // 300 * 168 / 17000
    }

    #[test]
    fn weights_prefer_the_last_weeks() {
        let mut counts = vec![10; 672];
        // the hour that comes: 20, 40, 60 and 80, the newest last: .4*80 + .3*60 + .2*40 + .1*20 = 60
        (0..4).for_each(|week| counts[week * WEEK] = 20 * (week as i64 + 1));
        assert_eq!(seasonality(&counts).index, narrow(div_half_even(60 * 168 * 1_000_000, 167 * 10 + 60)));
    }
}
