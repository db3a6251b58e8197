//! What all customers do together, category by category: what a key of which little is known is compared with.
//!
//! Every worker is told the same [`Lot`]s and keeps the same sums. They are read as they stood at the last whole hour that ended
//! at least the allowed lateness ago: so a late record that still revises rows never moves what they are compared with, and a
//! row is a function of the records whatever their order of arrival. Records of 30 days count, in panes of a day at the far end.
//!
//! Memory: about 4 KiB for each category, and 8 bytes for each (day, category, step of the price); where the stock is known, 12 more
//! for each product and for each (day, product).

use super::fact::Lot;
use crate::feature::price::ln4;
use crate::feature::refund::category_rate;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Width of a step of the price: 1/32 of its natural logarithm, in 1e-4 rounded.
const STEP: f64 = 10_000.0 / 32.0;

/// Steps; the least is a cent, the greatest 50,000.
pub const STEPS: usize = 512;

/// The step of the least price.
const LEAST: f64 = -46_052.0;

/// How long a record counts, in days.
const DAYS: u32 = 30;

/// Hours in a day.
const DAY: u32 = 24;

/// The step of a price in cents.
#[inline]
pub fn step(cents: u32) -> u16 {
    ((f64::from(ln4(cents)) - LEAST) / STEP).clamp(0.0, (STEPS - 1) as f64) as u16
}

/// The logarithm of the price in the middle of a step, in 1e-4.
pub fn middle(step: u16) -> i32 {
    libm::rint(LEAST + (f64::from(step) + 0.5) * STEP) as i32
}

/// What is known of a category.
#[derive(Clone, Debug)]
pub struct Category {
    /// Sales less cancellations.
    pub n: i64,
    /// Returns.
    pub returns: i64,
    /// Sum of the logarithms of the amounts.
    pub ln: i64,
    /// Sum of their squares.
    pub ln2: i128,
    /// See [`category_rate`].
    pub rate: i64,
    /// Units sold less those cancelled; where the stock is known.
    units: i64,
    /// Sales less cancellations by product; where the stock is known.
    products: HashMap<u64, i64>,
    /// Products of which more was sold than cancelled.
    sold: i64,
    steps: Vec<i64>,
    /// By step: the share of the sales with a lower price, the half of those at the step added, in 2^-16.
    shares: Vec<u32>,
    /// The steps at which there are sales, as prices.
    prices: Vec<(i32, u32)>,
}

impl Default for Category {
    fn default() -> Self {
        let (steps, shares) = (vec![0; STEPS], vec![1 << 15; STEPS]);
        let rate = category_rate(0, 0);
        let (products, prices) = (HashMap::new(), vec![]);
        Category { n: 0, returns: 0, ln: 0, ln2: 0, rate, units: 0, products, sold: 0, steps, shares, prices }
    }
}

impl Category {
    fn add(&mut self, lot: &Lot, sign: i64) {
        self.n += sign * lot.n;
        self.returns += sign * lot.returns;
        self.ln += sign * lot.ln;
        self.ln2 += i128::from(sign) * lot.ln2;
        for (step, n) in &lot.prices {
            self.steps[usize::from(*step)] += sign * i64::from(*n);
        }
        self.units += sign * lot.units;
        for (product, n) in &lot.products {
            let known = self.products.entry(*product).or_default();
            *known += sign * i64::from(*n);
            if *known == 0 {
                self.products.remove(product);
            }
        }
    }

    /// Whether anything is known. Sales may come to none and their amounts not, where cancellations came without their sales.
    fn holds(&self) -> bool {
        let sums = [self.n, self.returns, self.ln, self.units];
        sums != [0; 4] || self.ln2 != 0 || !self.products.is_empty() || self.steps.iter().any(|n| *n != 0)
    }

    fn settle(&mut self) {
        self.rate = category_rate(self.n, self.returns);
        self.sold = self.products.values().filter(|n| **n > 0).count() as i64;
        let n: i64 = self.steps.iter().map(|n| *n.max(&0)).sum();
        let mut below = 0;
        self.prices.clear();
        for (step, at) in self.steps.iter().enumerate() {
            let here = *at.max(&0);
            // (below + here / 2) / n
            self.shares[step] = if n == 0 { 1 << 15 } else { ((2 * below + here) * (1 << 15) / n) as u32 };
            below += here;
            if here > 0 {
                self.prices.push((middle(step as u16), here.min(i64::from(u32::MAX / 1024)) as u32));
            }
        }
    }
}

/// The sums of all categories up to an hour.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// The first hour that does not count.
    through: u32,
    /// The hour of the first record there ever was, of those that count; `None` without one.
    first: Option<u32>,
    categories: HashMap<u64, Category>,
    /// By hour of the day, UTC: sales less cancellations.
    pub hours: [i64; 24],
}

impl Sums {
    /// A category of which something is known.
    pub fn category(&self, category: u64) -> Option<&Category> {
        self.categories.get(&category)
    }

    /// The share of the category's sales that cost less than this step, in 2^-16; a half when nothing is known.
    #[inline]
    pub fn share(&self, category: u64, step: u16) -> u32 {
        self.category(category).map_or(1 << 15, |c| c.shares[usize::from(step).min(STEPS - 1)])
    }

    /// Prices of a category, in order.
    pub fn prices(&self, category: u64) -> &[(i32, u32)] {
        self.category(category).map_or(&[], |c| &c.prices)
    }

    /// The rate at which the goods of a category come back, see [`category_rate`].
    pub fn rate(&self, category: u64) -> i64 {
        self.category(category).map_or_else(|| category_rate(0, 0), |c| c.rate)
    }

    /// The hour of the first record, of those before the last whole hour.
    pub fn first(&self) -> Option<u32> {
        self.first
    }

    /// Units that a product of the category sells in an hour, of those that were sold at all; 0 when nothing is known.
    pub fn demand(&self, category: u64) -> f64 {
        let (Some(c), Some(first)) = (self.category(category), self.first) else { return 0.0 };
        let hours = self.through.saturating_sub(first.max(first_hour(self.through)));
        c.units.max(0) as f64 / (c.sold.max(1) as f64 * f64::from(hours.max(1)))
    }

    fn begin(&mut self, hour: u32) {
        self.first = Some(self.first.map_or(hour, |first| first.min(hour)));
    }

    fn add(&mut self, lot: &Lot, sign: i64) {
        self.categories.entry(lot.category).or_default().add(lot, sign);
        self.hours[(lot.hour % DAY) as usize] += sign * lot.n;
    }
}

/// The first hour that counts at an hour.
fn first_hour(through: u32) -> u32 {
    (through / DAY).saturating_sub(DAYS) * DAY
}

/// The sums of a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Day {
    lots: BTreeMap<u64, Lot>,
    hours: [i64; 24],
}

/// Adds sums of the same category.
fn merge(into: &mut Lot, lot: &Lot) {
    into.n += lot.n;
    into.returns += lot.returns;
    into.ln += lot.ln;
    into.ln2 += lot.ln2;
    for (step, n) in &lot.prices {
        match into.prices.binary_search_by_key(step, |p| p.0) {
            Ok(i) => into.prices[i].1 += n,
            Err(i) => into.prices.insert(i, (*step, *n)),
        }
    }
    into.units += lot.units;
    for (product, n) in &lot.products {
        match into.products.binary_search_by_key(product, |p| p.0) {
            Ok(i) => into.products[i].1 += n,
            Err(i) => into.products.insert(i, (*product, *n)),
        }
    }
}

impl Day {
    fn add(&mut self, lot: &Lot) {
        let blank = || Lot { category: lot.category, ..Lot::default() };
        merge(self.lots.entry(lot.category).or_insert_with(blank), lot);
        self.hours[(lot.hour % DAY) as usize] += lot.n;
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Population {
    now: Rc<Sums>,
    /// As it stood an hour before, for looks at the last minutes.
    before: Rc<Sums>,
    /// Lots of hours that are not over, by hour and category.
    ahead: BTreeMap<(u32, u64), Lot>,
    /// What counts, by day.
    days: BTreeMap<u32, Day>,
}

/// [`Sums`] in a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct SavedSums {
    through: u32,
    first: Option<u32>,
    lots: Vec<Lot>,
    hours: [i64; 24],
}

/// What a checkpoint holds of a [`Population`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    before: SavedSums,
    now: SavedSums,
    ahead: Vec<Lot>,
    days: BTreeMap<u32, Day>,
}

impl Sums {
    fn save(&self) -> SavedSums {
        let of = |(category, c): (&u64, &Category)| {
            let steps = c.steps.iter().enumerate().filter(|s| *s.1 != 0);
            let prices = steps.map(|(step, n)| (step as u16, (*n).clamp(i32::MIN.into(), i32::MAX.into()) as i32)).collect();
            let clamped = |n: i64| n.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            let mut products: Vec<(u64, i32)> = c.products.iter().map(|(product, n)| (*product, clamped(*n))).collect();
            products.sort_unstable();
            let (category, units) = (*category, c.units);
            Lot { category, hour: 0, n: c.n, returns: c.returns, ln: c.ln, ln2: c.ln2, prices, units, products }
        };
        let mut lots: Vec<Lot> = self.categories.iter().map(of).collect();
        lots.sort_unstable_by_key(|lot| lot.category);
        SavedSums { through: self.through, first: self.first, lots, hours: self.hours }
    }

    fn restore(saved: SavedSums) -> Sums {
        let mut sums = Sums::default();
        saved.lots.iter().for_each(|lot| sums.add(lot, 1));
        (sums.through, sums.first, sums.hours) = (saved.through, saved.first, saved.hours);
        sums.categories.values_mut().for_each(Category::settle);
        sums
    }
}

impl Population {
    /// Takes what was learned.
    pub fn learn(&mut self, lot: Lot) {
        if lot.hour >= self.now.through {
            let blank = || Lot { category: lot.category, hour: lot.hour, ..Lot::default() };
            merge(self.ahead.entry((lot.hour, lot.category)).or_insert_with(blank), &lot);
        } else if lot.hour / DAY + DAYS >= self.now.through / DAY {
            let shared = Rc::ptr_eq(&self.now, &self.before);
            let take = |sums: &mut Rc<Sums>| {
                let sums = Rc::make_mut(sums);
                sums.begin(lot.hour);
                sums.add(&lot, 1);
                sums.categories.entry(lot.category).or_default().settle();
            };
            if shared {
                // Both are one: what is done to one of them is not to make them two.
                self.before = Rc::default();
            }
            take(&mut self.now);
            if shared {
                self.before = self.now.clone();
            } else if lot.hour < self.before.through {
                take(&mut self.before);
            }
            self.days.entry(lot.hour / DAY).or_default().add(&lot);
        }
    }

    /// Looks from now on go to the hours `early` (an hour at most before) or `late`, in hours since the Unix epoch.
    pub fn advance(&mut self, early: u32, late: u32) {
        if early > self.now.through {
            self.go(early);
        }
        if late > self.now.through {
            self.before = self.now.clone();
            self.go(late);
        } else if early >= self.now.through && !Rc::ptr_eq(&self.now, &self.before) {
            self.before = self.now.clone();
        }
    }

    fn go(&mut self, through: u32) {
        let later = self.ahead.split_off(&(through, 0));
        let lots = std::mem::replace(&mut self.ahead, later);
        let first = first_hour(through) / DAY;
        let sums = Rc::make_mut(&mut self.now);
        lots.keys().next().into_iter().for_each(|(hour, _)| sums.begin(*hour));
        while self.days.first_key_value().is_some_and(|d| *d.0 < first) {
            let Some((_, day)) = self.days.pop_first() else { break };
            day.lots.values().for_each(|lot| sums.categories.entry(lot.category).or_default().add(lot, -1));
            sums.hours.iter_mut().zip(day.hours).for_each(|(sum, n)| *sum -= n);
        }
        for lot in lots.into_values().filter(|lot| lot.hour / DAY >= first) {
            sums.add(&lot, 1);
            self.days.entry(lot.hour / DAY).or_default().add(&lot);
        }
        sums.through = through;
        sums.categories.retain(|_, c| c.holds());
        sums.categories.values_mut().for_each(Category::settle);
    }

    /// The sums that a look at `hour` reads.
    pub fn at(&self, hour: u32) -> &Sums {
        if hour >= self.now.through { &self.now } else { &self.before }
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Saved {
        let (ahead, days) = (self.ahead.values().cloned().collect(), self.days.clone());
        Saved { before: self.before.save(), now: self.now.save(), ahead, days }
    }

    /// As it was saved.
    pub fn restore(saved: Saved) -> Population {
        let (now, before) = (Rc::new(Sums::restore(saved.now)), Rc::new(Sums::restore(saved.before)));
        let mut population = Population { now, before, ahead: BTreeMap::new(), days: saved.days };
        saved.ahead.into_iter().for_each(|lot| population.learn(lot));
        population
    }
}

#[cfg(test)]
mod tests;
