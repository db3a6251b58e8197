//! `revenue_surge` by ticket: the mean log amount of a line is far above its usual value, whatever the number of lines does.
//!
//! z = sum (ln x - m) / sqrt(sum sd^2) over the lines of the last 30 s, 60 s, 2 and 5 min, the greatest of the four. m and sd are the
//! mean and the standard deviation of ln x of the category over the 24 h that end 5 min before the pane of the line: what goes on
//! now is not in its own baseline, and a late row inside the lateness never moves it. For one category this is the
//! (sum ln x - n m) / (sd sqrt n) of DETECTION 1.5; over the whole shop each line is held against its own category, so that a
//! category of dear goods that sells more is no surge of tickets.
//!
//! Unit: standard errors; 5 of them have a chance of 10^-6.5, that of the one threshold of all counts. Needs 5 lines of 3 customers,
//! and 100 lines in the baseline. A line counts with at most 4 standard deviations: one whale is a [large order](super::large_order),
//! not a surge. Customers are counted in 64 buckets by a hash of theirs: never too many, and sums of buckets add and subtract. Amounts
//! are logarithms of 1e-4, all sums are integers.

use super::signal::Found;
use crate::plan::detect::MINUTE;
use crate::row::event::{Direction, Figure, Severity};
use crate::row::round::{div_half_even, round_millionths};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Buckets of customers.
pub const BUCKETS: usize = 64;

/// Fewer lines in the baseline than this say nothing.
pub const BASE_LEAST: i64 = 100;

/// Fewer lines than this are no surge.
pub const LINES_LEAST: i64 = 5;

/// Fewer customers than this are no surge.
pub const CUSTOMERS_LEAST: i64 = 3;

/// A line counts with at most so many standard deviations above the mean.
const CLIP: i64 = 4;

/// The least standard deviation: 0.10, in 1e-4.
const SD_FLOOR: i64 = 1_000;

/// Mean and standard deviation of ln x in 1e-4, and the lines they stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Mean.
    pub mean: i64,
    /// Standard deviation, at least 0.10.
    pub sd: i64,
    /// Lines.
    pub n: i64,
}

impl Base {
    /// From n, the sum and the sum of squares; `None` below [`BASE_LEAST`] lines.
    pub fn of([n, sum, squares]: [i64; 3]) -> Option<Base> {
        if n < BASE_LEAST {
            return None;
        }
        let [n128, sum, squares] = [n, sum, squares].map(i128::from);
        let variance = (n128 * squares - sum * sum).max(0) as f64 / (n128 * (n128 - 1)) as f64;
        let sd = (libm::rint(libm::sqrt(variance)) as i64).max(SD_FLOOR);
        Some(Base { mean: div_half_even(sum, n128) as i64, sd, n })
    }

    /// How far an amount lies above the mean.
    pub fn above(&self, ln: i32) -> i64 {
        i64::from(ln) - self.mean
    }
}

/// Sums over lines by pane, with those of the 24 h that end 5 min before the newest pane that was asked about. Linear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The pane for which `sum` stands.
    at: u32,
    sum: [i64; 3],
    inside: VecDeque<(u32, [i64; 3])>,
    ahead: VecDeque<(u32, [i64; 3])>,
}

/// Spans of a [`Baseline`] in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// 24 h.
    pub day: u32,
    /// 5 min.
    pub gap: u32,
}

fn add(a: &mut [i64; 3], b: &[i64; 3], sign: i64) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += sign * b);
}

impl Baseline {
    /// `n` lines of an amount in a pane; cancellations are negative.
    pub fn add(&mut self, pane: u32, ln: i32, n: i64, spans: Spans) {
        let ln = i64::from(ln);
        let v = [n, n * ln, n * ln * ln];
        let old = pane + spans.gap <= self.at;
        if old && pane + spans.gap + spans.day <= self.at {
            return;
        }
        if old {
            add(&mut self.sum, &v, 1);
        }
        let panes = if old { &mut self.inside } else { &mut self.ahead };
        let i = panes.partition_point(|p| p.0 < pane);
        match panes.get_mut(i) {
            Some(known) if known.0 == pane => add(&mut known.1, &v, 1),
            _ => panes.insert(i, (pane, v)),
        }
    }

    /// The baseline of lines in the pane `pane`. Questions come in the order of the panes; one about an earlier pane is answered
    /// as of the newest.
    pub fn of(&mut self, pane: u32, spans: Spans) -> Option<Base> {
        self.at = self.at.max(pane);
        while let Some(next) = self.ahead.pop_front_if(|p| p.0 + spans.gap <= self.at) {
            add(&mut self.sum, &next.1, 1);
            self.inside.push_back(next);
        }
        while let Some(old) = self.inside.pop_front_if(|p| p.0 + spans.gap + spans.day <= self.at) {
            add(&mut self.sum, &old.1, -1);
        }
        Base::of(self.sum)
    }

    /// Lines in the panes of `(from, to]`.
    pub fn lines(&self, from: u32, to: u32) -> i64 {
        self.inside.iter().chain(&self.ahead).filter(|p| p.0 > from && p.0 <= to).map(|p| p.1[0]).sum()
    }
}

/// Lines of one pane against their baselines: sums that add over panes, categories and workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Lines, less those cancelled.
    pub n: i64,
    /// Sum of ln x - m, clipped, in 1e-4.
    pub above: i64,
    /// Sum of the variances, in 1e-8.
    pub variance: i64,
    /// Net lines by a hash of the customer.
    pub buckets: Vec<i64>,
    /// Net lines without a customer: each is a customer of its own.
    pub anonymous: i64,
}

impl Default for Lines {
    fn default() -> Self {
        Lines { n: 0, above: 0, variance: 0, buckets: vec![0; BUCKETS], anonymous: 0 }
    }
}

impl Lines {
    /// `n` lines of an amount against their baseline.
    pub fn line(&mut self, base: &Base, ln: i32, customer: [u64; 2], n: i64) {
        self.n += n;
        self.above += n * base.above(ln).min(CLIP * base.sd);
        self.variance += n * base.sd * base.sd;
        if customer == [0, 0] {
            self.anonymous += n;
        } else {
            self.buckets[customer[0] as usize % BUCKETS] += n;
        }
    }

    /// Adds.
    pub fn add(&mut self, other: &Lines) {
        self.n += other.n;
        self.above += other.above;
        self.variance += other.variance;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(a, b)| *a += b);
        self.anonymous += other.anonymous;
    }

    /// The same when all amounts have moved by `shift`, in 1e-4.
    pub fn beside(&self, shift: i64) -> Lines {
        Lines { above: self.above - self.n * shift, ..self.clone() }
    }

    /// Takes away.
    pub fn take_away(&mut self, other: &Lines) {
        self.n -= other.n;
        self.above -= other.above;
        self.variance -= other.variance;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(a, b)| *a -= b);
        self.anonymous -= other.anonymous;
    }

    /// Whether it is all zero.
    pub fn is_nothing(&self) -> bool {
        (self.n, self.above, self.variance, self.anonymous) == (0, 0, 0, 0) && self.buckets.iter().all(|b| *b == 0)
    }

    /// Customers, at least.
    pub fn customers(&self) -> i64 {
        self.buckets.iter().filter(|b| **b > 0).count() as i64 + self.anonymous.max(0)
    }

    /// z in millionths; `None` below the least numbers of lines and customers.
    pub fn z(&self) -> Option<i64> {
        if self.n < LINES_LEAST || self.customers() < CUSTOMERS_LEAST || self.variance <= 0 {
            return None;
        }
        Some(libm::rint(self.above as f64 * 1e6 / libm::sqrt(self.variance as f64)) as i64)
    }

    /// The mean of ln x - m, in 1e-4.
    pub fn mean_above(&self) -> i64 {
        if self.n == 0 { 0 } else { div_half_even(self.above.into(), self.n.into()) as i64 }
    }
}

/// The scale at which a series stands out most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surge {
    /// Of [`SCALES`], in panes.
    pub panes: u32,
    /// z, in millionths.
    pub z: i64,
    /// The lines of the scale.
    pub lines: Lines,
}

/// The scales in panes: 30 s, 60 s, 2 and 5 min.
pub const SCALES: [u32; 4] = [MINUTE / 2, MINUTE, 2 * MINUTE, LONGEST];

/// The longest of them.
pub const LONGEST: u32 = 5 * MINUTE;

/// The lines of each of [`SCALES`] that ends with the pane `end`; `panes` in order, sparse. `slide`: ticks in a pane.
fn scales<'a>(panes: impl DoubleEndedIterator<Item = (u32, &'a Lines)>, end: u32, slide: u32) -> [Lines; SCALES.len()] {
    let mut newest = panes.rev().filter(|p| p.0 <= end).peekable();
    let mut lines = Lines::default();
    SCALES.map(|scale| {
        while let Some((_, pane)) = newest.next_if(|p| p.0 + scale * slide > end) {
            lines.add(pane);
        }
        lines.clone()
    })
}

/// The greatest z over the scales that end with the pane `end`; `panes` in order, sparse. `slide`: ticks in a pane.
pub fn surge<'a>(panes: impl DoubleEndedIterator<Item = (u32, &'a Lines)>, end: u32, slide: u32) -> Option<Surge> {
    beside(scales(panes, end, slide), &[0; SCALES.len()])
}

/// The greatest z over the scales, once all amounts of a scale have moved by its `shifts`.
fn beside(scales: [Lines; SCALES.len()], shifts: &[i64; SCALES.len()]) -> Option<Surge> {
    let mut best = None::<Surge>;
    for ((panes, lines), shift) in SCALES.into_iter().zip(scales).zip(shifts) {
        let lines = lines.beside(*shift);
        if let Some(z) = lines.z()
            && best.as_ref().is_none_or(|best| z > best.z)
        {
            best = Some(Surge { panes, z, lines });
        }
    }
    best
}

/// One category whose tickets stand out, or may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Lines of the hour that ended 5 min before.
    pub hour: i64,
    /// The panes of the longest scale.
    pub panes: Vec<(u32, Lines)>,
}

/// Who speaks of an end: the shop, and its categories by the order of `parts`.
///
/// What one category does is not said of the shop: the shop is quiet when it does not stand out without the category that stands
/// out most. What the shop does is not said of its categories: while it speaks, each is held against what the others share, scale by
/// scale: a window that is longer than the surge holds less of it.
/// `threshold` in millionths.
pub fn speakers(
    shop: &[(u32, Lines)],
    parts: &[&Part],
    end: u32,
    slide: u32,
    threshold: i64,
) -> (Option<Surge>, Vec<Option<Surge>>) {
    let judge = |panes: &[(u32, Lines)]| surge(panes.iter().map(|pane| (pane.0, &pane.1)), end, slide);
    let holds = |surge: &Option<Surge>| surge.as_ref().is_some_and(|surge| surge.z >= threshold);
    let whole = judge(shop);
    let alone: Vec<Option<Surge>> = parts.iter().map(|part| judge(&part.panes)).collect();
    let z = |surge: &Option<Surge>| surge.as_ref().map_or(0, |surge| surge.z);
    let Some(top) = (0..parts.len()).max_by_key(|i| (z(&alone[*i]), std::cmp::Reverse(*i))) else { return (whole, alone) };
    let mut others = shop.to_vec();
    for (pane, lines) in &mut others {
        parts[top].panes.iter().filter(|of| of.0 == *pane).for_each(|of| lines.take_away(&of.1));
    }
    let rest = judge(&others);
    if holds(&alone[top]) && !holds(&rest) {
        return (None, alone);
    }
    if rest.is_none() || !holds(&whole) {
        return (whole, alone);
    }
    let of = |panes: &[(u32, Lines)]| scales(panes.iter().map(|pane| (pane.0, &pane.1)), end, slide);
    let shifts = of(&others).map(|lines| lines.mean_above());
    (whole, parts.iter().map(|part| beside(of(&part.panes), &shifts)).collect())
}

/// What is said of a surge that ends with the pane `end`; `None` where it is not worth saying. `hour`: lines of the hour that ended
/// 5 min before, for the words on whether the number of lines moved too.
pub fn found(surge: &Surge, end: u32, slide: u32, threshold: f64, hour: i64) -> Option<Found> {
    let threshold = round_millionths(threshold);
    if surge.z * 2 < threshold {
        return None;
    }
    let lines = &surge.lines;
    let ratio = round_millionths(libm::exp(lines.mean_above() as f64 / 1e4));
    let seconds = i64::from(60 * surge.panes / MINUTE);
    let span = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
    let expected = hour as f64 * seconds as f64 / 3_600.0;
    // Clumped counts vary by one and a half times their mean.
    let moved = lines.n as f64 - expected > 4.0 * libm::sqrt(1.5 * expected);
    let (also, count) = if moved { ("ticket and count", "above the") } else { ("ticket", "about the") };
    Some(Found {
        direction: Direction::Up,
        start: end.saturating_sub(surge.panes * slide),
        score: surge.z,
        threshold,
        step: threshold,
        severity: if surge.z >= 2 * threshold { Severity::Critical } else { Severity::Warning },
        value: Figure::Millionths(ratio),
        expected: Some(Figure::Millionths(1_000_000)),
        growth_pct: Some(100 * (ratio - 1_000_000)),
        rule: "ticket/log-mean".into(),
        message: format!("Revenue surge by {also}: tickets are {:.2} times as high as usual for {span}", ratio as f64 / 1e6),
        insights: vec![
            format!("{:.1} standard errors above the mean log amount of the 24 h before", surge.z as f64 / 1e6),
            format!(
                "{} lines of at least {} customers in {span}, {count} {expected:.1} that the hour before makes one expect",
                lines.n,
                lines.customers()
            ),
        ],
    })
}

#[cfg(test)]
mod tests;
