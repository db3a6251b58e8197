//! `category_trend`: half an hour in one direction, after the season.
//!
//! y_i = x_i / m_i over the last 30 whole minutes, x_i what was counted and m_i what the season makes one expect. The slope is
//! Theil and Sen's, the median of the slopes of all 435 pairs, which one whale or one empty minute does not move; whether it is
//! there at all says the test of Mann and Kendall, with its correction for ties. A trend is raised when the two-sided p is below
//! 1e-4 *and* the change across the window, slope times 30 over the median of y, is at least 15 %.
//!
//! When it began says the change point of greatest likelihood: of counts with one rate before and one after it, the last k minutes
//! with the greatest (W ln(W / M) - W + M) M / V(M), W being what was counted in them, M what was expected, and V the variance of a
//! category's counts: over Poisson's, M, for slow noise moves half an hour as a whole. What stands out and began
//! ten minutes ago is no spike of a few minutes; half an hour of twenty orders is too noisy for the order of its minutes to say so.
//!
//! Unit: decades of p; change as a fraction. Window: 30 min, every minute. Cold start: quiet below 30 orders in the window.
//! Source: Mann 1945, Theil 1950, Kendall 1955, Sen 1968; DETECTION 1.5. All of it is computed from integers; the float comes last.

use super::dispersion::Dispersion;
use crate::row::event::Direction;
use crate::row::round::{div_half_even, narrow, round_millionths};

/// Whole minutes that a trend looks at.
pub const MINUTES: usize = 30;

/// Fewer orders than this in the window are no trend.
pub const ORDERS_LEAST: i64 = 30;

/// The least expectation of a minute: 0.05, in millionths.
const EXPECTED_LEAST: i64 = 50_000;

/// The least median that a slope is held against, in millionths.
const LEVEL_LEAST: i64 = 100_000;

/// So many minutes are now.
const NOW: usize = 5;

/// When a change began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    /// Minutes ago.
    pub minutes: usize,
    /// The last 5 minutes are at least as far from what was expected as all of them together.
    pub lasts: bool,
}

/// 30 minutes, the oldest first: counts, and what was expected of them in millionths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minutes {
    /// What was counted.
    pub counts: [i64; MINUTES],
    /// What the season makes one expect.
    pub expected: [i64; MINUTES],
}

impl Minutes {
    /// Orders in the window.
    pub fn orders(&self) -> i64 {
        self.counts.iter().sum()
    }

    /// Counts and expectations of the last so many minutes, both in millionths.
    fn last(&self, minutes: usize) -> [i128; 2] {
        let from = MINUTES - minutes.min(MINUTES);
        let sum = |values: &[i64]| values[from..].iter().map(|value| i128::from(*value)).sum::<i128>();
        [sum(&self.counts) * 1_000_000, sum(&self.expected).max(1)]
    }

    /// How many minutes ago the counts most likely left what was expected, and whether they are now, over the last 5 minutes, as
    /// far from it as since then; `None` when they did not go that way.
    /// `dispersion`: of the counts of so many minutes.
    pub fn onset(&self, direction: Direction, dispersion: impl Fn(usize) -> Dispersion) -> Option<Onset> {
        let gain = |minutes: usize| {
            let [count, mean] = self.last(minutes);
            if (count > mean) != (direction == Direction::Up) || count == mean {
                return 0.0;
            }
            let (count, mean) = (count as f64 / 1e6, mean as f64 / 1e6);
            let known = if count > 0.0 { count * libm::log(count / mean) } else { 0.0 };
            (known - count + mean) * mean / dispersion(minutes).variance(mean)
        };
        let mut best = (0, 0.0);
        for minutes in 1..=MINUTES {
            let gain = gain(minutes);
            if gain > best.1 {
                best = (minutes, gain);
            }
        }
        let ([now, usual], [since, expected]) = (self.last(NOW), self.last(best.0));
        let further = (now * expected).cmp(&(since * usual));
        let lasts = if direction == Direction::Up { further.is_ge() } else { further.is_le() };
        (best.0 > 0).then_some(Onset { minutes: best.0, lasts })
    }

    /// y, in millionths.
    fn ratios(&self) -> [i64; MINUTES] {
        std::array::from_fn(|i| {
            let expected = i128::from(self.expected[i].max(EXPECTED_LEAST));
            narrow(div_half_even(i128::from(self.counts[i]) * 1_000_000_000_000, expected))
        })
    }
}

/// -log10 of the two-sided p of Mann and Kendall, in millionths.
fn kendall(y: &[i64; MINUTES]) -> i64 {
    let mut s = 0i64;
    for (i, a) in y.iter().enumerate() {
        s += y[i + 1..].iter().map(|b| (b - a).signum()).sum::<i64>();
    }
    let mut sorted = *y;
    sorted.sort_unstable();
    let n = MINUTES as i64;
    let ties: i64 = sorted.chunk_by(|a, b| a == b).map(|t| t.len() as i64).map(|t| t * (t - 1) * (2 * t + 5)).sum();
    let variance = (n * (n - 1) * (2 * n + 5) - ties) as f64 / 18.0;
    let z = if variance > 0.0 { (s.abs() - 1).max(0) as f64 / libm::sqrt(variance) } else { 0.0 };
    round_millionths(-libm::log10(libm::erfc(z / std::f64::consts::SQRT_2))).max(0)
}

/// Change across the window by the slope of Theil and Sen, as a fraction of the median, in millionths.
fn theil_sen(y: &[i64; MINUTES]) -> i64 {
    let mut slopes = Vec::with_capacity(MINUTES * (MINUTES - 1) / 2);
    for (i, a) in y.iter().enumerate() {
        for (j, b) in y.iter().enumerate().skip(i + 1) {
            // A thousand parts of a millionth a minute.
            slopes.push(div_half_even(1_000 * (i128::from(*b) - i128::from(*a)), (j - i) as i128));
        }
    }
    let middle = slopes.len() / 2;
    let (_, slope, _) = slopes.select_nth_unstable(middle);
    let mut sorted = *y;
    sorted.sort_unstable();
    let level = (sorted[MINUTES / 2 - 1] + sorted[MINUTES / 2]).max(2 * LEVEL_LEAST);
    narrow(div_half_even(*slope * MINUTES as i128 * 2_000, level.into()))
}

/// Half an hour in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trend {
    /// -log10 of the two-sided p of Mann and Kendall, in millionths.
    pub decades: i64,
    /// Change across the window as a fraction of the median, in millionths.
    pub change: i64,
}

impl Trend {
    /// Where it goes.
    pub fn direction(&self) -> Direction {
        if self.change > 0 { Direction::Up } else { Direction::Down }
    }
}

/// The trend of 30 minutes; `None` where there is none. `decades` and `change` are the thresholds, in millionths.
pub fn trend(minutes: &Minutes, decades: i64, change: i64) -> Option<Trend> {
    if minutes.orders() < ORDERS_LEAST {
        return None;
    }
    let y = minutes.ratios();
    let found = kendall(&y);
    if found < decades {
        return None;
    }
    let moved = theil_sen(&y);
    (moved.abs() >= change).then_some(Trend { decades: found, change: moved })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FLAT: [i64; MINUTES] = [1_000_000; MINUTES];

    fn said(counts: [i64; MINUTES], expected: [i64; MINUTES]) -> Option<Trend> {
        trend(&Minutes { counts, expected }, 4_000_000, 150_000)
    }

    /// Change and decades, whatever they are.
    fn figures(counts: [i64; MINUTES], expected: [i64; MINUTES]) -> (i64, i64) {
        let y = Minutes { counts, expected }.ratios();
        (theil_sen(&y), kendall(&y))
    }

    #[test]
    fn ramps() {
        let up: [i64; MINUTES] = std::array::from_fn(|i| 100 + 5 * i as i64);
        // slope 5 a minute, median 172.5: 150 / 172.5; S = 435, variance 30*29*65/18 = 3141.67, z = 434/56.05 = 7.743, p = 9.7e-15
        let (change, decades) = figures(up, FLAT);
        assert_eq!((change, decades / 10_000), (869_565, 1_401));
        let rising = said(up, FLAT).unwrap();
        assert_eq!((rising.direction(), rising.decades, rising.change), (Direction::Up, decades, change));
        // The same ramp is no trend where the season has it.
        assert_eq!((figures(up, up.map(|x| x * 1_000_000)), said(up, up.map(|x| x * 1_000_000))), ((0, 0), None));
        let down: [i64; MINUTES] = std::array::from_fn(|i| up[MINUTES - 1 - i]);
        assert_eq!((figures(down, FLAT).0, said(down, FLAT).unwrap().direction()), (-869_565, Direction::Down));
        // Steady, and too small to matter.
        assert_eq!(said(std::array::from_fn(|i| 1_000 + 4 * i as i64), FLAT), None);
    }

    #[test]
    fn a_change_began_where_the_counts_left_what_was_expected() {
        let ten = [10_000_000; MINUTES];
        let since = |from: usize, to: usize, n: i64| Minutes {
            counts: std::array::from_fn(|i| if (from..to).contains(&i) { n } else { 10 }),
            expected: ten,
        };
        let seen = |minutes: &Minutes, direction| minutes.onset(direction, |_| Dispersion { a: 1.3, b: 0.006 });
        let onset = |minutes, lasts| Some(Onset { minutes, lasts });
        assert_eq!(seen(&since(26, 30, 30), Direction::Up), onset(4, false));
        assert_eq!(seen(&since(18, 30, 20), Direction::Up), onset(12, true));
        assert_eq!(seen(&since(18, 30, 20), Direction::Down), None);
        assert_eq!(seen(&since(20, 30, 0), Direction::Down), onset(10, true));
        // what is over began when it began, but does not last
        assert_eq!(seen(&since(15, 25, 40), Direction::Up), onset(15, false));
        assert_eq!(seen(&since(0, 0, 0), Direction::Up), None);
        // half an hour that is a little above is slow noise, and does not date a spike of the last minute back
        let above = Minutes { counts: std::array::from_fn(|i| if i < 29 { 52 } else { 100 }), expected: [40_000_000; MINUTES] };
        assert_eq!(seen(&above, Direction::Up), onset(1, false));
        assert!(above.onset(Direction::Up, |_| Dispersion { a: 1.0, b: 0.0 }).unwrap().minutes > 20);
        // a ramp of half an hour from 10 to 20 is seen from its middle on
        let ramp = Minutes { counts: std::array::from_fn(|i| 10 + i as i64 / 3), expected: ten };
        let ramp = seen(&ramp, Direction::Up).unwrap();
        assert!((12..25).contains(&ramp.minutes) && ramp.lasts, "{ramp:?}");
    }

    #[test]
    fn one_whale_is_no_trend_and_few_orders_say_nothing() {
        let mut x = [10; MINUTES];
        x[29] = 10_000;
        assert_eq!(figures(x, FLAT).0, 0);
        assert_eq!(said(std::array::from_fn(|i| i64::from(i > 0)), FLAT), None);
    }

    proptest! {
        /// The two tests as the books have them, in floats.
        #[test]
        fn as_the_books_have_it(x in proptest::collection::vec(0..60i64, MINUTES), m in proptest::collection::vec(1..40i64, MINUTES)) {
            let (x, m): ([i64; MINUTES], [i64; MINUTES]) = (x.try_into().unwrap(), m.try_into().unwrap());
            let (found, found_decades) = figures(x, m.map(|m| m * 1_000_000));
            let y: Vec<f64> = x.iter().zip(&m).map(|(x, m)| *x as f64 / *m as f64).collect();
            let median = |v: &mut Vec<f64>| { v.sort_by(f64::total_cmp); (v[(v.len() - 1) / 2] + v[v.len() / 2]) / 2.0 };
            let (mut slopes, mut s) = (vec![], 0.0);
            for i in 0..MINUTES {
                for j in i + 1..MINUTES {
                    slopes.push((y[j] - y[i]) / (j - i) as f64);
                    s += if x[j] * m[i] == x[i] * m[j] { 0.0 } else { (y[j] - y[i]).signum() };
                }
            }
            let change = median(&mut slopes) * 30.0 / median(&mut y.clone()).max(0.1);
            prop_assert!((found as f64 - change * 1e6).abs() <= 20.0 + change.abs() * 10.0, "{found} {change}");
            let mut tied = 0.0;
            let mut left: Vec<usize> = (0..MINUTES).collect();
            while let Some(&i) = left.first() {
                let t = left.iter().filter(|j| x[i] * m[**j] == x[**j] * m[i]).count() as f64;
                left.retain(|j| x[i] * m[*j] != x[*j] * m[i]);
                tied += t * (t - 1.0) * (2.0 * t + 5.0);
            }
            let z = (f64::abs(s) - 1.0).max(0.0) / ((30.0 * 29.0 * 65.0 - tied) / 18.0).sqrt();
            let decades = -libm::log10(libm::erfc(z / 2f64.sqrt()));
            prop_assert!((found_decades as f64 - decades * 1e6).abs() < 2.0, "{found_decades} {decades}");
        }
    }
}
