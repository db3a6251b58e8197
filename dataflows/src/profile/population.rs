//! What all customers do together, category by category: what a key of which little is known is compared with.
//!
//! Every worker is told the same [`Lot`]s and keeps the same sums. They are read as they stood at the last whole hour that ended
//! at least the allowed lateness ago: so a late record that still revises rows never moves what they are compared with, and a
//! row is a function of the records whatever their order of arrival. Records of 30 days count, in panes of a day at the far end.
//!
//! Memory: about 4 KiB for each category, and 8 bytes for each (day, category, step of the price).

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
    steps: Vec<i64>,
    /// By step: the share of the sales with a lower price, the half of those at the step added, in 2^-16.
    shares: Vec<u32>,
    /// The steps at which there are sales, as prices.
    prices: Vec<(i32, u32)>,
}

impl Default for Category {
    fn default() -> Self {
        let (steps, shares) = (vec![0; STEPS], vec![1 << 15; STEPS]);
        Category { n: 0, returns: 0, ln: 0, ln2: 0, rate: category_rate(0, 0), steps, shares, prices: vec![] }
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
    }

    /// Whether anything is known. Sales may come to none and their amounts not, where cancellations came without their sales.
    fn holds(&self) -> bool {
        self.n != 0 || self.returns != 0 || self.ln != 0 || self.ln2 != 0 || self.steps.iter().any(|n| *n != 0)
    }

    fn settle(&mut self) {
        self.rate = category_rate(self.n, self.returns);
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

    fn add(&mut self, lot: &Lot, sign: i64) {
        self.categories.entry(lot.category).or_default().add(lot, sign);
        self.hours[(lot.hour % DAY) as usize] += sign * lot.n;
    }
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
            Lot { category: *category, hour: 0, n: c.n, returns: c.returns, ln: c.ln, ln2: c.ln2, prices }
        };
        let mut lots: Vec<Lot> = self.categories.iter().map(of).collect();
        lots.sort_unstable_by_key(|lot| lot.category);
        SavedSums { through: self.through, lots, hours: self.hours }
    }

    fn restore(saved: SavedSums) -> Sums {
        let mut sums = Sums::default();
        saved.lots.iter().for_each(|lot| sums.add(lot, 1));
        (sums.through, sums.hours) = (saved.through, saved.hours);
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
        let first = (through / DAY).saturating_sub(DAYS);
        let sums = Rc::make_mut(&mut self.now);
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
mod tests {
    use super::*;

    fn lot(hour: u32, n: i64) -> Lot {
        Lot { category: 7, hour, n, returns: 1, ln: 10 * n, ln2: 100, prices: vec![(100, n as i32)] }
    }

    fn refunds(population: &Population, hour: u32) -> (i64, i64) {
        let known = population.at(hour).category(7).unwrap();
        assert_eq!(population.at(hour).rate(7), category_rate(known.n, known.returns));
        assert_eq!(population.at(hour).rate(8), category_rate(0, 0));
        (known.n, known.returns)
    }

    #[test]
    fn hours_count_when_they_are_over_and_days_are_forgotten() {
        let mut population = Population::default();
        population.learn(lot(1_000, 3));
        population.learn(lot(1_001, 4));
        population.advance(1_001, 1_001);
        assert_eq!(refunds(&population, 1_001), (3, 1));
        population.advance(1_001, 1_002);
        assert_eq!((refunds(&population, 1_001).0, refunds(&population, 1_002).0), (3, 7));
        // later than everything
        population.learn(lot(1_000, 2));
        assert_eq!((refunds(&population, 1_001).0, refunds(&population, 1_002).0), (5, 9));
        let again = Population::restore(population.save());
        assert_eq!(refunds(&again, 1_002).0, 9);
        assert_eq!(again.at(1_002).hours, population.at(1_002).hours);
        population.advance(1_002 + 24 * 31, 1_002 + 24 * 31);
        assert!(population.at(u32::MAX).category(7).is_none());
    }

    #[test]
    fn amounts_without_sales_were_forgotten() {
        let mut population = Population::default();
        let lots = [(1, 1, 10), (1, -1, -30), (2, 1, 30)];
        lots.iter().for_each(|(hour, n, ln)| {
            population.learn(Lot { category: 7, hour: *hour, n: *n, ln: *ln, prices: vec![(100, *n as i32)], ..Lot::default() });
        });
        population.advance(2, 2);
        population.advance(3, 3);
        assert_eq!(population.at(3).category(7).map(|c| (c.n, c.ln)), Some((1, 10)));
    }

    #[test]
    fn shares_of_lower_prices() {
        let mut population = Population::default();
        let prices = vec![(10, 1), (20, 2), (30, 1)];
        population.learn(Lot { category: 1, hour: 0, n: 4, prices, ..Lot::default() });
        population.advance(1, 1);
        let shares = [5, 10, 20, 25, 30, 40].map(|s| f64::from(population.at(1).share(1, s)) / 65_536.0);
        assert_eq!(shares, [0.0, 0.125, 0.5, 0.75, 0.875, 1.0]);
        assert_eq!(population.at(1).prices(1).iter().map(|p| p.1).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(population.at(1).share(2, 5), 1 << 15);
    }

    #[test]
    fn steps_of_prices() {
        assert_eq!((step(1), step(100), step(5_000_000), step(u32::MAX)), (0, 147, 493, 511));
        assert!((i64::from(middle(step(12_345))) - i64::from(ln4(12_345))).abs() <= 157);
    }
}
