//! `price_anomaly`: a price far away from what this product was sold for.
//!
//! The score of a sale is the distance of ln p to its second nearest among the product's own last 60 sales (90 days at most), so
//! that tiers and packs are no news once they were sold twice. A tier vouches for what is near it and not for all that lies
//! beyond it: where half of the price was never paid, two sales at a third less do not make it usual. So twice that distance
//! counts, as far as four fifths of the distance from the median of the product's own prices, and up to 1.0: beyond, and so for
//! the alert, only the distance itself counts ([`distance`]). A price of 46 % off or more is then worth a warning, one of 40 %
//! off is not. A run of wrong prices can be most of what was sold lately, and must not make a usual price look strange once it is
//! over: the medians of the newer and of the older half of the product's prices are asked as well, and the one nearest to the price
//! counts. Whether a price is too high or too low is said against that median, too. All sales of one pane are compared with
//! what came before the half minute that ends with it: twenty sales at a wrong price do not vouch for each other. A product with
//! fewer than five sales is compared with its category: how far ln p lies outside the 0.5 % and 99.5 % quantiles of the last 30 days,
//! from 30 prices on. While the tickets of the whole category surge, what its prices share is taken away first ([`Far::beside`]).
//!
//! Unit: logarithm, 0.5 is a price off by 65 %, 1.2 by a factor of 3.3. Cold start: quiet. Source: DETECTION 1.5, section 3
//! feature 3. Exact under late rows and cancellations: both are functions of multisets.

use crate::feature::price::{OWN_LEAST, PriceHistory, kth_nearest, quantile, size};
use crate::plan::detect::SLIDE;
use crate::row::event::{Direction, Figure, Severity};
use crate::row::round::round_millionths;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use super::signal::Found;

/// What is said of the prices of a product in one pane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Nothing stands out, or nothing was sold.
    Quiet,
    /// Farthest from the product's own prices.
    Own(Far),
    /// The product has too few of its own: what was paid, and how often, for the category to judge.
    Unsettled(Vec<(i32, u32)>),
}

/// A price that is far away, in 1e-4 of a logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Far {
    /// The price.
    pub ln: i32,
    /// How often it was paid in the pane.
    pub times: u32,
    /// The distance, see [`distance`].
    pub distance: i32,
    /// What it is far from: the second nearest of its own prices, or the quantile.
    pub near: i32,
    /// Of the medians of its own prices and of either half of them the nearest, or the quantile.
    pub usual: i32,
    /// Prices that it was compared with.
    pub support: u32,
}

/// Up to here, in 1e-4, what lies beyond a tier counts twice.
const BEYOND: i32 = 10_000;

/// How far a price is from its second nearest, `near`; or twice as far, up to four fifths of the way from the median, `usual`. In 1e-4.
pub fn distance(ln: i32, near: i32, usual: i32) -> i32 {
    let (near, usual) = (i64::from(near.abs_diff(ln)), i64::from(usual.abs_diff(ln)));
    near.max((2 * near).min(usual * 4 / 5).min(BEYOND.into())) as i32
}

/// The median of a product's own prices, or that of the newer or the older half of them, whichever is nearest to `ln`; of an even
/// number the lower of two middle ones. The oldest instant of the newer half is taken whole; a half of fewer than five says nothing.
fn usual(history: &PriceHistory, from: i64, end: i64, own: &[(i32, u32)], ln: i32) -> i32 {
    let mut newer = vec![];
    history.newest_of(size(own) / 2, from, end, &mut newer);
    let mut older = own.to_vec();
    for (ln, n) in &mut older {
        *n -= newer.iter().find(|newer| newer.0 == *ln).map_or(0, |newer| newer.1.min(*n));
    }
    older.retain(|price| price.1 > 0);
    let halves = [&newer, &older].into_iter().filter(|half| size(half) >= OWN_LEAST);
    let medians = halves.map(|half| quantile(half, 500)).chain([quantile(own, 500)]);
    medians.min_by_key(|median| (median.abs_diff(ln), *median)).unwrap_or(ln)
}

/// Below this distance, in 1e-4, nobody asks whether one half of the prices vouches for a price: a tenth is not worth saying.
const NOTABLE: i32 = 1_000;

/// The farthest of what was paid; of several the cheapest.
fn farthest(paid: impl Iterator<Item = (i32, u32)>, distance: impl Fn(i32) -> Option<Far>) -> Option<Far> {
    let far = paid.filter_map(|(ln, times)| distance(ln).map(|far| Far { times, ..far }));
    far.max_by_key(|far| (far.distance, -far.ln))
}

/// Judges what was paid for a product in the pane `end`, by what was paid up to the pane `before`, the history's unit being ticks.
/// `from`: where 90 days begin.
pub fn judge(history: &PriceHistory, from: i64, (before, end): (u32, u32), own: &mut Vec<(i32, u32)>) -> Verdict {
    let (before, end) = (i64::from(before), i64::from(end));
    if history.at(end).next().is_none() {
        return Verdict::Quiet;
    }
    history.newest(from, before, own);
    let support = size(own);
    if support < OWN_LEAST {
        return Verdict::Unsettled(history.at(end).collect());
    }
    let median = quantile(own, 500);
    let far = farthest(history.at(end), |ln| {
        let near = kth_nearest(own, ln, 2)?;
        let notable = distance(ln, near, median) > NOTABLE;
        let usual = if notable { usual(history, from, before, own, ln) } else { median };
        Some(Far { ln, times: 0, distance: distance(ln, near, usual), near, usual, support })
    });
    far.filter(|far| far.distance > 0).map_or(Verdict::Quiet, Verdict::Own)
}

/// Width of a bin of [`CategoryPrices`]: one per cent.
const BIN: i32 = 100;

/// Days that count in [`CategoryPrices`].
pub const DAYS: u32 = 30;

/// Sales by bin in the order of bins, none of them 0.
type Histogram = Vec<(i32, i64)>;

/// The prices of a category over the last 30 days, as a histogram of ln p with bins of 0.01.
///
/// One entry of 16 bytes for each bin and day that has a sale, about 300 a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryPrices {
    days: VecDeque<(u32, Histogram)>,
    sum: Histogram,
    /// Of the newest panes, which a question about an earlier one leaves out: pane, bin, sales; in their order.
    recent: Vec<(u32, i32, i64)>,
}

/// Between which prices lie 99 % of those of a category, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    low: i32,
    high: i32,
    support: u32,
}

impl CategoryPrices {
    /// `n` sales at a price in the pane `pane` of day `day`; a cancellation is negative.
    pub fn add(&mut self, day: u32, pane: u32, ln: i32, n: i64) {
        let bin = ln.div_euclid(BIN);
        let i = self.days.partition_point(|d| d.0 < day);
        if self.days.get(i).is_none_or(|d| d.0 != day) {
            self.days.insert(i, (day, vec![]));
        }
        change(&mut self.days[i].1, bin, n);
        change(&mut self.sum, bin, n);
        match self.recent.binary_search_by_key(&(pane, bin), |r| (r.0, r.1)) {
            Ok(i) => self.recent[i].2 += n,
            Err(i) => self.recent.insert(i, (pane, bin, n)),
        }
    }

    /// Days before `day` count no more, and nobody asks about panes before `pane`.
    pub fn forget(&mut self, day: u32, pane: u32) {
        while let Some((_, old)) = self.days.pop_front_if(|d| d.0 < day) {
            old.into_iter().for_each(|(bin, n)| change(&mut self.sum, bin, -n));
        }
        self.recent.retain(|r| r.0 >= pane);
    }

    /// What was usual before the pane `end`; `None` without enough prices.
    pub fn usual(&self, end: u32) -> Option<Usual> {
        let mut counts = self.sum.clone();
        for (_, bin, n) in self.recent.iter().filter(|r| r.0 >= end) {
            if let Ok(i) = counts.binary_search_by_key(bin, |count| count.0) {
                counts[i].1 -= n;
            }
        }
        counts.retain(|count| count.1 > 0);
        let n: i64 = counts.iter().map(|count| count.1).sum();
        if n < i64::from(crate::feature::price::CATEGORY_LEAST) {
            return None;
        }
        let rank = (n - 1) / 200;
        let (low, high) = (nth(counts.iter(), rank)? * BIN, nth(counts.iter().rev(), rank)? * BIN + BIN - 1);
        Some(Usual { low, high, support: n.min(u32::MAX.into()) as u32 })
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }
}

impl Usual {
    /// How far `ln` lies outside.
    pub fn outside(&self, ln: i32) -> Far {
        let (below, above) = (self.low - ln, ln - self.high);
        let near = if below > above { self.low } else { self.high };
        Far { ln, times: 0, distance: below.max(above).max(0), near, usual: near, support: self.support }
    }

    /// Judges what was paid for a product that has no history.
    pub fn judge(&self, paid: &[(i32, u32)]) -> Option<Far> {
        farthest(paid.iter().copied(), |ln| Some(self.outside(ln))).filter(|far| far.distance > 0)
    }
}

fn change(histogram: &mut Histogram, bin: i32, by: i64) {
    match histogram.binary_search_by_key(&bin, |count| count.0) {
        Ok(i) => {
            histogram[i].1 += by;
            if histogram[i].1 == 0 {
                histogram.remove(i);
            }
        }
        Err(i) if by != 0 => histogram.insert(i, (bin, by)),
        Err(_) => (),
    }
}

/// The bin of the `i`-th, counted from 0.
fn nth<'a>(mut counts: impl Iterator<Item = &'a (i32, i64)>, mut i: i64) -> Option<i32> {
    counts.find_map(|(bin, n)| {
        i -= n;
        (i < 0).then_some(*bin)
    })
}

/// Thresholds in millionths of a logarithm.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// A warning.
    pub warn: i64,
    /// An alert.
    pub alert: i64,
}

impl Thresholds {
    /// From logarithms.
    pub fn new(warn: f64, alert: f64) -> Thresholds {
        Thresholds { warn: round_millionths(warn), alert: round_millionths(alert) }
    }
}

impl Far {
    /// What decides whether it is too high or too low: a wrong price may be nearer than the usual one, and lie on its other side.
    fn against(&self) -> i32 {
        if self.ln == self.usual { self.near } else { self.usual }
    }

    /// The same when all prices of the category have moved by `shift`, in 1e-4: what they share is not said of one product.
    pub fn beside(&self, shift: i64) -> Far {
        let ln = (i64::from(self.ln) - shift).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        Far { distance: distance(ln, self.near, self.usual).min(self.distance), ..*self }
    }
}

/// A price in cents, for a person, as exactly as its logarithm tells: above 100.00 to the tenth, above 1000.00 to the unit.
fn cents(ln: i32) -> i64 {
    let cents = libm::exp(f64::from(ln) / 1e4) * 100.0;
    let unit = match cents {
        ..10_000.0 => 1.0,
        ..100_000.0 => 10.0,
        _ => 100.0,
    };
    (libm::rint(cents / unit) * unit) as i64
}

/// What is said of a price; `None` where it is not worth saying. `own`: compared with the product's own prices.
pub fn found(far: &Far, own: bool, start: u32, thresholds: Thresholds) -> Option<Found> {
    let score = i64::from(far.distance) * 100;
    if score * 2 < thresholds.warn {
        return None;
    }
    let direction = if far.ln < far.against() { Direction::Down } else { Direction::Up };
    let same_side = (far.ln < far.near) == (direction == Direction::Down);
    let known = if same_side { far.near } else { far.usual };
    let (price, near) = (cents(far.ln), cents(known));
    let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    let (verb, factor) = match direction {
        Direction::Up => ("above", libm::exp(f64::from(far.ln - known) / 1e4)),
        Direction::Down => ("below", libm::exp(f64::from(known - far.ln) / 1e4)),
    };
    let with = if own { "what it was last sold for" } else { "99 % of the prices of its category" };
    let times = if far.times == 1 { "once".to_string() } else { format!("{} times", far.times) };
    Some(Found {
        direction,
        start,
        score,
        threshold: thresholds.warn,
        step: thresholds.alert - thresholds.warn,
        severity: if score >= thresholds.alert { Severity::Critical } else { Severity::Warning },
        value: Figure::Cents(price),
        expected: Some(Figure::Cents(near)),
        growth_pct: crate::row::round::growth(price, near),
        rule: format!("price/{}", if own { "own" } else { "category" }),
        message: format!("Price anomaly: {}, {factor:.1} times {verb} {with} ({})", money(price), money(near)),
        insights: vec![
            format!("sold {times} at this price in {} s", SLIDE / 1_000),
            format!("compared with {} {}", far.support, if own { "sales of the product" } else { "sales of the category" }),
        ],
    })
}

#[cfg(test)]
mod tests;
