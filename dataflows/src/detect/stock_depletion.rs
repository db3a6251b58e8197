//! `stock_depletion`: the stock of a product will probably not last through the lead time. No anomaly, but a forecast.
//!
//! Units are asked for at a rate that is itself uncertain: its posterior is gamma, with shape a0 + sum q and exposure b0 + h, where
//! q are the units sold in the last 24 h, h the hours that the stream has run, 24 at most, b0 = 2 h, and a0 / b0 the mean rate of
//! the products of the category that sell at all. The demand D over a lead time L then has mean M = L (a0 + sum q) / (b0 + h) and
//! variance phi M + M^2 / (a0 + sum q), where phi = sum q^2 / sum q is the size of a typical order: a negative binomial. The event
//! holds while P(D >= stock) >= 0.9, and escalates as a tail of a count does, when what is left of the doubt is a thousandth of
//! that: 0.9999. The season is not in it: the rate is that of the last day.
//!
//! Unit: probability. Window: 24 h in steps of 5 min, each slide. Cold start: quiet below 3 lines in 24 h, without a record of the
//! stock, and in the first 5 min of a run. Source: DETECTION 1.5, feature 12 (gamma-Poisson). Returns put nothing back.
//!
//! A record of the stock says what there was at the end of the pane in which it lies; what is sold in later panes goes off.

use super::signal::Found;
use super::tail::Tail;
use crate::row::event::{Direction, Figure, Severity};
use crate::row::round::round_millionths;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Fewer lines in 24 h than this have no forecast.
pub const LINES_LEAST: i64 = 3;

/// Exposure of the category's prior, in hours.
const PRIOR_HOURS: f64 = 2.0;

/// Sums over lines: lines, units, squares of the units; less those cancelled. A commutative group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// Lines.
    pub lines: i64,
    /// Units.
    pub units: i64,
    /// Squares of the units of each line.
    pub squares: i64,
}

impl Sold {
    /// Adds.
    pub fn add(&mut self, o: &Sold, sign: i64) {
        self.lines += sign * o.lines;
        self.units += sign * o.units;
        self.squares += sign * o.squares;
    }
}

/// What was sold of one product, and what there was: exact under late rows and cancellations.
///
/// One entry of 32 bytes for each pane of the last hour and each 5 min of the last day in which it was sold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Panes that may still change.
    fresh: VecDeque<(u32, Sold)>,
    /// Older ones, by steps of 5 min.
    old: VecDeque<(u32, Sold)>,
    /// Records of the stock: pane, units, and what was sold since in panes that are no longer fresh.
    stock: Vec<(u32, i64, i64)>,
}

/// Spans of a [`Demand`] in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// 24 h.
    pub day: u32,
    /// 5 min.
    pub step: u32,
}

/// What a forecast is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Units in stock; 0 when more was sold than there was.
    pub stock: i64,
    /// What was sold in the last 24 h.
    pub sold: Sold,
}

impl Demand {
    /// A line was sold in a pane, or one is cancelled (`n` = -1).
    pub fn sell(&mut self, pane: u32, units: i64, n: i64) {
        let sold = Sold { lines: n, units: n * units, squares: n * units * units };
        let i = self.fresh.partition_point(|p| p.0 < pane);
        match self.fresh.get_mut(i) {
            Some(known) if known.0 == pane => known.1.add(&sold, 1),
            _ => self.fresh.insert(i, (pane, sold)),
        }
    }

    /// There were so many units at the end of a pane. Of two records of one pane the smaller counts.
    pub fn stock(&mut self, pane: u32, units: i64) {
        match self.stock.binary_search_by_key(&pane, |s| s.0) {
            Ok(i) => self.stock[i].1 = self.stock[i].1.min(units),
            Err(i) => self.stock.insert(i, (pane, units, 0)),
        }
    }

    /// Panes before `done` change no more, and nobody asks about an end before `asked` (at or after `done`): what is no longer
    /// fresh goes into steps of 5 min.
    pub fn settle(&mut self, done: u32, asked: u32, spans: Spans) {
        while let Some((pane, sold)) = self.fresh.pop_front_if(|p| p.0 < done) {
            let step = pane.div_ceil(spans.step) * spans.step;
            match self.old.back_mut() {
                Some(last) if last.0 == step => last.1.add(&sold, 1),
                _ => self.old.push_back((step, sold)),
            }
            self.stock.iter_mut().filter(|s| s.0 < pane).for_each(|s| s.2 += sold.units);
        }
        while self.old.pop_front_if(|p| p.0 + spans.day <= asked).is_some() {}
        // The newest record that a question can still need, and those after it.
        let needed = self.stock.partition_point(|s| s.0 <= done.min(asked)).saturating_sub(1);
        self.stock.drain(..needed);
    }

    /// What was sold in the 24 h that end at `end`, from a whole 5 min on.
    pub fn sold(&self, end: u32, spans: Spans) -> Sold {
        let mut sum = Sold::default();
        let from = (end.saturating_sub(spans.day)).div_euclid(spans.step) * spans.step;
        self.old.iter().filter(|p| p.0 > from).for_each(|p| sum.add(&p.1, 1));
        self.fresh.iter().filter(|p| p.0 > from && p.0 <= end).for_each(|p| sum.add(&p.1, 1));
        sum
    }

    /// What a forecast at `end` is made from; `None` without a record of the stock.
    pub fn asked(&self, end: u32, spans: Spans) -> Option<Asked> {
        let (pane, units, gone) = *self.stock[..self.stock.partition_point(|s| s.0 <= end)].last()?;
        let fresh: i64 = self.fresh.iter().filter(|p| p.0 > pane && p.0 <= end).map(|p| p.1.units).sum();
        Some(Asked { stock: (units - gone - fresh).max(0), sold: self.sold(end, spans) })
    }

    /// Whether anybody has said what is in stock.
    pub fn is_stocked(&self) -> bool {
        !self.stock.is_empty()
    }
}

/// What the products of a category sold in the last 24 h: a commutative group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prior {
    /// Products that were sold.
    pub products: i64,
    /// Units.
    pub units: i64,
}

/// A forecast for one product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Units in stock.
    pub stock: i64,
    /// Units that the lead time is expected to ask for.
    pub mean: f64,
    /// P(D >= stock).
    pub probability: f64,
    shape: f64,
    rate: f64,
    phi: f64,
}

impl Forecast {
    /// `hours`: how long sales have been counted, 24 at most; `lead`: the lead time in hours. `None` where there are too few lines.
    pub fn new(asked: &Asked, prior: &Prior, hours: f64, lead: f64) -> Option<Forecast> {
        let sold = asked.sold;
        if sold.lines < LINES_LEAST || sold.units <= 0 || hours <= 0.0 {
            return None;
        }
        let usual = prior.units.max(0) as f64 / (prior.products.max(1) as f64 * hours);
        let shape = PRIOR_HOURS * usual + sold.units as f64;
        let rate = shape / (PRIOR_HOURS + hours);
        let phi = (sold.squares as f64 / sold.units as f64).max(1.0);
        let mut forecast = Forecast { stock: asked.stock, mean: rate * lead, probability: 0.0, shape, rate, phi };
        forecast.probability = forecast.gone(lead);
        Some(forecast)
    }

    /// The probability that the stock is gone within so many hours.
    fn gone(&self, hours: f64) -> f64 {
        let mean = self.rate * hours;
        let tail = Tail::new(mean, self.phi * mean + mean * mean / self.shape);
        libm::exp10(-tail.upper(self.stock))
    }

    /// Hours until the stock is gone with probability `p`; at most 1000 days. Found by halving, to a thousandth of itself.
    pub fn hours(&self, p: f64) -> f64 {
        if self.stock <= 0 {
            return 0.0;
        }
        let (mut low, mut high) = (1.0 / 3600.0, 24_000.0);
        while high > low * 1.001 {
            let middle = libm::sqrt(low * high);
            if self.gone(middle) >= p { high = middle } else { low = middle }
        }
        high
    }
}

/// A span for a person.
fn span(hours: f64) -> String {
    let minutes = libm::rint(hours * 60.0) as i64;
    match minutes {
        ..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{:.1} h", hours),
        _ => format!("{:.1} days", hours / 24.0),
    }
}

/// What is said of a forecast at a look; `None` where it is not worth saying. `least`: the probability from which on it holds;
/// `lead`: the lead time in hours.
pub fn found(forecast: &Forecast, start: u32, least: f64, lead: f64) -> Option<Found> {
    let (score, threshold) = (round_millionths(forecast.probability), round_millionths(least));
    if score * 2 < threshold {
        return None;
    }
    let [early, median, late] = [0.1, 0.5, 0.9].map(|p| span(forecast.hours(p)));
    Some(Found {
        direction: Direction::Down,
        start,
        score,
        threshold,
        // a thousandth of the doubt there may be at the threshold
        step: (1_000_000 - threshold) * 999 / 1_000,
        severity: if forecast.stock == 0 { Severity::Critical } else { Severity::Warning },
        value: Figure::Count(forecast.stock),
        expected: Some(Figure::Millionths(round_millionths(forecast.mean))),
        growth_pct: None,
        rule: "stock/gamma-poisson".into(),
        message: format!(
            "Stock running out: {} units left, {:.0} % likely to be gone within {}",
            forecast.stock,
            forecast.probability * 100.0,
            span(lead)
        ),
        insights: vec![
            format!("{:.1} units are expected to be sold within {}", forecast.mean, span(lead)),
            format!("time to zero: 10 % {early}, 50 % {median}, 90 % {late}"),
        ],
    })
}

#[cfg(test)]
mod tests;
