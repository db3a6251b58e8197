//! Which counts are rare enough: integers decide.
//!
//! For a mean on a grid of 1/64 octave the least count whose upper tail is at `h` decades or beyond, and the greatest whose lower
//! tail is. Between two points of the grid the limits are interpolated in integers, rounded away from the alarm. A grid point
//! is computed when it is first asked for: it is a function of mean, dispersion and `h` alone, so when that happens does not show.
//! The decision `count >= limit` is then bit-identical on every machine and in every order; a float only explains it.

use super::dispersion::Dispersion;
use super::tail::Tail;
use std::collections::BTreeMap;

/// Means are counts in fixed point with so many binary digits behind the point.
pub const BITS: u32 = 20;

/// One, as a mean.
pub const ONE: i64 = 1 << BITS;

/// Points of the grid in an octave.
const STEPS: i64 = 64;

/// The least mean of the grid, fixed point; a lesser one counts as this.
const LEAST: i64 = ONE / 64;

/// The greatest mean of the grid.
const MOST: i64 = ONE << 32;

/// A mean in fixed point as a float.
pub fn float(mean: i64) -> f64 {
    mean as f64 / ONE as f64
}

/// A mean as a fixed point number, rounded to the nearest.
pub fn fixed(mean: f64) -> i64 {
    libm::rint(mean * ONE as f64) as i64
}

/// The limits of one grid point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    /// The least count that is too many, for `h` and for half of it.
    upper: [i64; 2],
    /// The greatest count that is too few; -1 when none is.
    lower: [i64; 2],
}

/// How far a count is from what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its tail is above half of the threshold.
    Quiet,
    /// At half of the threshold or beyond.
    Lasts,
    /// At the threshold or beyond.
    Holds,
}

/// The limits of one dispersion and threshold, by grid point.
#[derive(Clone, Debug)]
pub struct Table {
    dispersion: Dispersion,
    h: f64,
    points: BTreeMap<i64, Limits>,
}

impl Table {
    /// `h` in decades.
    pub fn new(dispersion: Dispersion, h: f64) -> Table {
        Table { dispersion, h, points: BTreeMap::new() }
    }

    /// How the variance depends on the mean.
    pub fn dispersion(&self) -> Dispersion {
        self.dispersion
    }

    /// Whether `count` is too many for a mean in fixed point.
    pub fn above(&mut self, count: i64, mean: i64) -> Standing {
        let [whole, half] = self.limits(mean, |limits| limits.upper);
        // away from the alarm: up
        let over = |limit: i64| count.saturating_mul(SCALE) >= limit;
        if over(whole) {
            Standing::Holds
        } else if over(half) {
            Standing::Lasts
        } else {
            Standing::Quiet
        }
    }

    /// Whether `count` is too few for a mean in fixed point.
    pub fn below(&mut self, count: i64, mean: i64) -> Standing {
        let [whole, half] = self.limits(mean, |limits| limits.lower);
        let under = |limit: i64| limit >= 0 && count.max(0).saturating_mul(SCALE) <= limit;
        if under(whole) {
            Standing::Holds
        } else if under(half) {
            Standing::Lasts
        } else {
            Standing::Quiet
        }
    }

    /// Both limits at a mean, times [`SCALE`], linear between two points of the grid.
    fn limits(&mut self, mean: i64, of: impl Fn(&Limits) -> [i64; 2]) -> [i64; 2] {
        let mean = mean.clamp(LEAST, MOST);
        let (point, part) = place(mean);
        let from = of(&self.point(point));
        let to = if part == 0 { from } else { of(&self.point(point + 1)) };
        [0, 1].map(|i| if from[i] < 0 { -1 } else { from[i] * SCALE + (to[i] - from[i]) * part })
    }

    fn point(&mut self, point: i64) -> Limits {
        let (dispersion, h) = (self.dispersion, self.h);
        *self.points.entry(point).or_insert_with(|| limits(grid(point), dispersion, h))
    }
}

/// Parts of a step between two points of the grid.
const SCALE: i64 = 1 << 10;

/// The octave of a mean, its step within it, and the part of the step: integers only. Steps are even within an octave.
fn place(mean: i64) -> (i64, i64) {
    let octave = i64::from(63 - mean.leading_zeros());
    let within = (i128::from(mean - (1 << octave)) * i128::from(STEPS * SCALE)) >> octave;
    (octave * STEPS + (within as i64) / SCALE, (within as i64) % SCALE)
}

/// The mean of a grid point.
fn grid(point: i64) -> f64 {
    let (octave, step) = (point.div_euclid(STEPS), point.rem_euclid(STEPS));
    libm::ldexp(1.0 + step as f64 / STEPS as f64, octave as i32 - BITS as i32)
}

fn limits(mean: f64, dispersion: Dispersion, h: f64) -> Limits {
    let variance = dispersion.variance(mean);
    let tail = Tail::new(mean, variance);
    let reach = libm::sqrt(variance) as i64 + 1;
    let upper = [h, h / 2.0].map(|h| first(mean as i64, reach, |k| tail.upper(k) >= h));
    let lower = [h, h / 2.0].map(|h| first(0, reach, |k| tail.lower(k) < h) - 1);
    Limits { upper, lower }
}

/// The least `k >= from` for which something holds that goes on holding.
fn first(from: i64, reach: i64, holds: impl Fn(i64) -> bool) -> i64 {
    if holds(from) {
        return from;
    }
    let (mut no, mut step) = (from, reach);
    let mut yes = loop {
        let k = no + step;
        if holds(k) {
            break k;
        }
        (no, step) = (k, 2 * step);
    };
    while yes - no > 1 {
        let k = no + (yes - no) / 2;
        if holds(k) { yes = k } else { no = k }
    }
    yes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const H: f64 = 6.5;

    proptest! {
        // what the table says is what the tails say, but for the width of one step of the grid
        #[test]
        fn integers_decide_as_the_tails_do(mean in 0.1f64..5_000.0, sds in -12.0f64..12.0, a in 1.0f64..3.0, b in 0.0f64..0.02) {
            let dispersion = Dispersion { a, b };
            let mut table = Table::new(dispersion, H);
            let count = (mean + sds * dispersion.variance(mean).sqrt()).max(0.0) as i64;
            let scores = |slack: f64| {
                let tail = |m: f64| Tail::new(m, dispersion.variance(m));
                (tail(mean * (1.0 - slack)), tail(mean * (1.0 + slack)))
            };
            let (less, more) = scores(0.0005);
            let above = table.above(count, fixed(mean));
            if less.upper(count) < H && less.upper(count + 1) < H { prop_assert!(above < Standing::Holds) }
            if more.upper(count - 1) >= H { prop_assert_eq!(above, Standing::Holds) }
            let below = table.below(count, fixed(mean));
            if more.lower(count) < H && more.lower((count - 1).max(0)) < H { prop_assert!(below < Standing::Holds) }
            if count >= 1 && less.lower(count + 1) >= H { prop_assert_eq!(below, Standing::Holds) }
        }
    }

    #[test]
    fn limits_rise_with_the_mean() {
        let mut table = Table::new(Dispersion { a: 1.3, b: 0.005 }, H);
        let mut last = [0, 0];
        for i in 0..2_000 {
            let limits = table.limits(ONE / 8 + i * ONE / 20, |l| l.upper);
            assert!(limits[0] >= last[0] && limits[1] >= last[1] && limits[0] >= limits[1]);
            last = limits;
        }
        // even nothing is no evidence below 2.3 h
        assert_eq!(table.below(0, 10 * ONE), Standing::Lasts);
        assert_eq!(table.below(0, 5 * ONE), Standing::Quiet);
        assert_eq!(table.below(0, 40 * ONE), Standing::Holds);
    }
}
