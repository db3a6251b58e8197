//! The profile of a product: features 10, 12, 14 and 16, and what a sale is compared with in 3 and 9 (DETECTION).
//!
//! Memory: 16 bytes for each price of an instant, of the last 60 to 90 sales and the last two hours; 48 for each pane of a slide with
//! a sale in the last two hours, 40 for each hour with one in 37 days; 2 KiB for a product that sells once an hour, 36 KiB for one
//! that sells all the time.

use super::columns::NULL;
use super::env::{DAY, Env, HOUR};
use super::fact::{Fact, class, sums};
use super::kinds::Profile;
use super::ring::{Panes, Ring};
use super::shelf::Shelf;
use super::sums::Sums;
use super::turn::changed;
use crate::edge::Table;
use crate::feature::elapsed::{age, since_last};
use crate::feature::price::{OWN_SPAN, PriceHistory, ln4, price_score, size};
use crate::feature::price_change::price_change;
use crate::feature::{refund, stock};
use serde::{Deserialize, Serialize};

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Product {
    /// By slide: lines, units, cents, returns. Horizon 1 h.
    slides: Ring<4, 1>,
    /// By hour: lines, returns, units. Horizons 7, 30, 37 d, 24 h.
    hours: Ring<3, 4>,
    prices: PriceHistory,
    first: Option<i64>,
    /// When its category was last named, and which.
    category: (i64, u64),
    /// What is in stock.
    shelf: Shelf,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    slides: Panes,
    hours: Panes,
    prices: PriceHistory,
    first: Option<i64>,
    category: (i64, u64),
    shelf: Shelf,
}

impl Profile for Product {
    type Saved = Saved;
    const CLASS: usize = class::PRODUCT;
    const TABLE: Table = Table::ProductFeatures;

    fn add(&mut self, fact: &Fact, env: &Env) {
        let pane = env.pane(fact.at);
        if fact.stock {
            let gone = self.slides.since(pane + 1)[1];
            return self.shelf.count(pane, fact.at, fact.quantity.into(), gone);
        }
        let (lines, units, returns) = (fact.lines(), fact.units(), fact.returns());
        self.shelf.sell(pane, units);
        self.slides.add(pane, &[lines, units, fact.cents(), returns]);
        self.hours.add((fact.at / HOUR) as u32, &[lines, returns, units]);
        self.category = self.category.max((fact.at, fact.keys[class::CATEGORY]));
        if lines != 0 {
            self.prices.add(fact.at, ln4(fact.price), i32::from(fact.sign));
        }
    }

    /// Whether the product has a row at `e`: lines, units, cents or returns entered at `e`, or left the hour; or its stock was
    /// counted.
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        let stands = |pane, without: &[Fact]| self.slides.pane(pane) != sums(without);
        let counted = late.iter().any(|f| f.stock) || e.checked_sub(1).is_some_and(|pane| self.shelf.counted(pane));
        counted || changed(e, late, env, stands, |facts| sums(facts) != [0; 4])
    }

    fn look(&mut self, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, env.instant(e), env, out);
    }

    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, fact.at, env, out);
        self.compared(fact, e, env, out);
    }

    fn touch(&self) -> usize {
        self.slides.touch() + self.hours.touch() + self.prices.touch()
    }

    fn forget(&mut self, e: u32, env: &Env) {
        let earliest = e.saturating_sub(env.reach + 2);
        let done = env.instant(env.done(e));
        if self.first.is_none() {
            self.first = self.prices.first().filter(|first| *first < done);
        }
        self.prices.forget(env.instant(earliest) - OWN_SPAN, done);
        self.shelf.forget(earliest);
        self.slides.forget(earliest.saturating_sub(env.hour + 1));
        self.hours.forget(env.from(earliest, 37 * DAY, HOUR));
    }

    fn save(&self) -> Saved {
        let (prices, first, category, shelf) = (self.prices.clone(), self.first, self.category, self.shelf.clone());
        Saved { slides: self.slides.save(), hours: self.hours.save(), prices, first, category, shelf }
    }

    fn restore(saved: Saved) -> Product {
        let Saved { slides, hours, prices, first, category, shelf } = saved;
        Product { slides: Ring::restore(slides), hours: Ring::restore(hours), prices, first, category, shelf }
    }
}

impl Product {
    /// The columns as of `e`, see [`columns`](super::columns).
    pub fn cells(&mut self, e: u32, now: i64, env: &mut Env, out: &mut Vec<i64>) {
        self.slides.seek([env.from(e, HOUR, env.slide)]);
        let from = |days: i64| env.from(e, days * DAY, HOUR);
        self.hours.seek([from(7), from(30), from(37), from(1)]);
        let after = self.slides.since(e);
        let hour = self.slides.total(0);
        let [week, month, long, day] = [0, 1, 2, 3].map(|h| self.hours.total(h));
        out.extend([hour[0] - after[0], hour[1] - after[1], hour[2] - after[2], day[0] - after[0], day[2] - after[1]]);
        let mut prices = std::mem::take(&mut env.prices);
        let instant = env.instant(e);
        self.prices.newest(instant - OWN_SPAN, instant, &mut prices);
        let n = size(&prices);
        out.push(if n == 0 { NULL } else { median(&prices, n) });
        out.push(price_change(&self.prices, None, instant, &mut prices).days);
        env.prices = prices;
        out.push(n.into());
        let prior = env.sums(e).rate(self.category.1);
        out.push(refund::rate(month[0] - after[0], month[1] - after[3], prior));
        out.push(refund::rate(long[0] - week[0], long[1] - week[1], prior));
        out.push(month[0] - after[0]);
        out.push(since_last(now, self.prices.backwards(instant).next().map(|p| p.0)));
        out.push(age(now, self.first().filter(|first| *first < instant)));
        out.extend(self.stock(e, after[1], (day[2] - after[1], day[0] - after[0]), env));
    }

    /// `stock_cover_h`, `p_stockout_before` of the lead time, and the lines of 24 h that both rest on; nothing without a record of
    /// the stock. `after`: units sold at or after `e`; `day`: units and lines of the 24 h before.
    fn stock(&self, e: u32, after: i64, day: (i64, i64), env: &Env) -> [i64; 3] {
        let Some(left) = self.shelf.left(e, after) else { return [NULL, NULL, 0] };
        let sums = env.sums(e);
        let since = |first: u32| env.instant(e) - i64::from(first.max(env.from(e, DAY, HOUR))) * HOUR;
        let hours = sums.first().map_or(0.0, |first| since(first) as f64 / HOUR as f64);
        let rate = stock::posterior(sums.demand(self.category.1), (day.0, hours));
        [stock::cover(left, rate), stock::stockout(left, rate, env.lead), day.1.max(0)]
    }

    fn first(&self) -> Option<i64> {
        self.first.or_else(|| self.prices.first())
    }

    /// What a sale is compared with: the columns that only `scores` has.
    fn compared(&self, fact: &Fact, e: u32, env: &mut Env, out: &mut Vec<i64>) {
        let mut prices = std::mem::take(&mut env.prices);
        let before = fact.at.min(env.instant(e));
        self.prices.newest(fact.at - OWN_SPAN, before, &mut prices);
        let ln = ln4(fact.price);
        let found = price_score(&prices, env.sums(e).prices(fact.keys[class::CATEGORY]), ln);
        out.extend([found.zscore, found.knn2.unwrap_or(NULL), found.level as i64, found.support.into()]);
        let change = price_change(&self.prices, Some(ln), before, &mut prices);
        out.push(change.versus_own);
        env.prices = prices;
    }
}

/// Of `n` prices, in millionths.
fn median(prices: &[(i32, u32)], n: u32) -> i64 {
    let nth = |rank: u32| {
        let mut passed = 0;
        let found = prices.iter().find(|p| {
            passed += p.1;
            passed > rank
        });
        i64::from(found.map_or(0, |p| p.0))
    };
    (nth((n - 1) / 2) + nth(n / 2)) * 50
}
