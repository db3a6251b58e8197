//! The profile of a customer: features 5, 6, 8, 10, 13, 14 and 15 (DETECTION).
//!
//! There are many customers, of whom most buy little: so a customer is a few short lists, and what is said of one is summed up
//! from them when it is asked for ([`Sums`]), once for a tick and then added to. A record lies by itself as long as it can be
//! cancelled, and until its customer is next spoken of: most customers are one short list. Then it enters panes: of five minutes
//! for a day, of a day for ninety.
//!
//! Memory: about 200 bytes, and 80 for each record by itself; later 170 for each sale of the last day, 110 for each older one;
//! sales of one (day, category, seller, step of the price) are one entry, so that a name which stands for many customers stays
//! bounded, too.

use super::env::{DAY, Env, FIVE, HOUR, MINUTE};
use super::fact::{Fact, class, sums};
use super::kinds::Profile;
use super::population::step;
use super::sums::Sums;
use super::turn::changed;
use crate::edge::Table;
use crate::feature::ln_fixed;
use serde::{Deserialize, Serialize};

/// Half an hour: what is bought within one is a basket.
const HALF: i64 = 30 * MINUTE;

/// A record by itself, or the sales of five minutes by payment in the last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Event time; of five minutes their begin.
    pub at: i64,
    /// What was sold.
    pub good: Good,
    /// Units, amount's logarithm.
    pub units: i64,
    /// See `units`.
    pub ln: i64,
    /// Whether it is five minutes.
    pub coarse: bool,
    /// `tp_payment`.
    pub payment: u8,
    /// Returns.
    pub returns: i32,
}

/// Sales of one day of one (category, seller, step of the price).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// Days since the Unix epoch.
    pub day: u32,
    /// Step of the price.
    pub step: u16,
    /// The category.
    pub category: u64,
    /// The seller.
    pub seller: u64,
    /// Lines.
    pub n: i32,
    /// Cents.
    pub cents: i64,
}

impl Recent {
    /// A record as the lists hold it.
    pub fn of(fact: &Fact) -> Recent {
        let n = i32::from(fact.sign);
        let good = Good {
            day: (fact.at / DAY) as u32,
            step: step(fact.price),
            category: fact.keys[class::CATEGORY],
            seller: fact.keys[class::SELLER],
            n,
            cents: fact.cents(),
        };
        let ln = i64::from(n) * ln_fixed(u32::try_from(fact.amount()).unwrap_or(u32::MAX));
        let (units, payment, returns) = (fact.units(), fact.payment, fact.returns() as i32);
        Recent { at: fact.at, good, units, ln, coarse: false, payment, returns }
    }
}

impl Day {
    /// One record.
    pub fn of(recent: &Recent) -> Day {
        let Recent { good, units, ln, returns, .. } = *recent;
        Day { day: good.day, n: good.n, returns, units, ln, ln2: i64::from(good.n) * ln * ln }
    }
}

impl Good {
    fn key(&self) -> (u32, u64, u64, u16) {
        (self.day, self.category, self.seller, self.step)
    }
}

/// Sums of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Days since the Unix epoch.
    pub day: u32,
    /// Lines, returns.
    pub n: i32,
    /// See `n`.
    pub returns: i32,
    /// Units.
    pub units: i64,
    /// Sum of the logarithms of the amounts.
    pub ln: i64,
    /// Sum of their squares.
    pub ln2: i64,
}

/// Lines of a half hour by payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habit {
    /// Half hours since the Unix epoch.
    pub half: u32,
    /// `tp_payment`.
    pub payment: u8,
    /// Lines.
    pub n: i32,
}

/// See the [module](self).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Customer {
    /// First what is in panes of five minutes, then the records that lie by themselves.
    recent: Vec<Recent>,
    /// Of all records that do not lie by themselves any more, as `habits` and `goods`.
    days: Vec<Day>,
    habits: Vec<Habit>,
    goods: Vec<Good>,
    /// The last sale of those that are not recent any more.
    last: Option<i64>,
}

/// Adds to the entry of a key in a sorted list, and takes it away when nothing is left.
fn merge<T, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K, new: T, add: impl FnOnce(&mut T, &T) -> bool) {
    let place = list.binary_search_by_key(&key(&new), &key);
    match place {
        Ok(i) => {
            if add(&mut list[i], &new) {
                list.remove(i);
            }
        }
        Err(i) => {
            room(list);
            list.insert(i, new);
        }
    }
}

/// Room for one more: most customers buy little, so a list begins with one place and not with four.
fn room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
}

impl Profile for Customer {
    type Saved = Customer;
    const CLASS: usize = class::CUSTOMER;
    const TABLE: Table = Table::CustomerFeatures;

    fn add(&mut self, fact: &Fact, _env: &Env) {
        let place = self.recent.partition_point(|r| r.at <= fact.at);
        room(&mut self.recent);
        self.recent.insert(place, Recent::of(fact));
    }

    /// Whether the customer has a row at `e`: lines, units, cents or returns entered at `e`, or left the hour.
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        let stands = |pane, without: &[Fact]| {
            let from = self.recent.partition_point(|r| r.at < env.instant(pane));
            let of = self.recent[from..].iter().take_while(|r| r.at < env.instant(pane + 1));
            let known = of.fold([0; 4], |[lines, units, cents, returns], r| {
                [lines + i64::from(r.good.n), units + r.units, cents + r.good.cents, returns + i64::from(r.returns)]
            });
            known != sums(without)
        };
        changed(e, late, env, stands, |facts| sums(facts) != [0; 4])
    }

    fn look(&mut self, e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>) {
        self.sum(e, env, pad);
        pad.cells(env.instant(e), env, out);
    }

    fn begin(&mut self, e: u32, env: &Env, pad: &mut Sums) {
        self.sum(e, env, pad);
    }

    fn score(&mut self, fact: &Fact, _e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>) {
        pad.cells(fact.at, env, out);
        pad.score(fact, env, out);
    }

    fn enter(&mut self, fact: &Fact, e: u32, env: &Env, pad: &mut Sums) {
        self.add(fact, env);
        pad.add(fact, env);
        pad.last = self.last(env.instant(e));
    }

    fn touch(&self) -> usize {
        let recent =
            self.recent.first().map_or(0, |r| usize::from(r.payment)) + self.recent.last().map_or(0, |r| r.returns as usize & 1);
        let days = self.days.first().map_or(0, |d| d.day as usize) + self.habits.first().map_or(0, |h| h.half as usize);
        recent + days + self.goods.first().map_or(0, |g| g.day as usize)
    }

    fn forget(&mut self, e: u32, env: &Env) {
        let done = env.instant(env.done(e));
        let earliest = e.saturating_sub(env.reach + 2);
        let five = i64::from(env.from(earliest, DAY, FIVE)) * FIVE;
        if self.recent.first().is_some_and(|r| r.at < five) {
            self.recent.retain(|r| !r.coarse || r.at >= five);
        }
        let coarse = self.recent.partition_point(|r| r.coarse);
        let end = self.recent.partition_point(|r| r.at / FIVE * FIVE + FIVE <= done);
        if end > coarse {
            for same in self.recent[coarse..end].chunk_by(|a, b| a.at == b.at) {
                if same.iter().map(|r| r.good.n).sum::<i32>() > 0 {
                    self.last = self.last.max(Some(same[0].at));
                }
            }
            let fine: Vec<Recent> = self.recent.splice(coarse..end, []).collect();
            fine.iter().for_each(|r| self.settle(r));
            let at = |r: &Recent| r.at / FIVE * FIVE;
            for r in fine.iter().filter(|r| at(r) >= five && (r.good.n != 0 || r.good.cents != 0)) {
                let good = Good { n: r.good.n, cents: r.good.cents, ..Good::default() };
                let new = Recent { at: at(r), good, units: 0, ln: 0, coarse: true, payment: r.payment, returns: 0 };
                merge(
                    &mut self.recent,
                    |r| (r.at, !r.coarse, r.payment),
                    new,
                    |r, new| {
                        r.good.n += new.good.n;
                        r.good.cents += new.good.cents;
                        r.good.n == 0 && r.good.cents == 0
                    },
                );
            }
        }
        let old = env.from(earliest, 90 * DAY, DAY);
        if self.days.first().is_some_and(|d| d.day < old) {
            self.days.retain(|d| d.day >= old);
            self.habits.retain(|h| i64::from(h.half) * HALF >= i64::from(old) * DAY);
            self.goods.retain(|g| g.day >= old);
        }
    }

    fn idle(&self) -> bool {
        self.recent.is_empty() && self.days.is_empty()
    }

    fn save(&self) -> Customer {
        self.clone()
    }

    fn restore(saved: Customer) -> Self {
        saved
    }
}

impl Customer {
    /// A record enters the panes of its day.
    fn settle(&mut self, recent: &Recent) {
        let Recent { at, good, payment, .. } = *recent;
        merge(
            &mut self.days,
            |d| d.day,
            Day::of(recent),
            |d, new| {
                d.n += new.n;
                d.returns += new.returns;
                d.units += new.units;
                d.ln += new.ln;
                d.ln2 = d.ln2.saturating_add(new.ln2);
                *d == Day { day: d.day, ..Day::default() }
            },
        );
        if good.n == 0 {
            return;
        }
        merge(
            &mut self.habits,
            |h| (h.half, h.payment),
            Habit { half: (at / HALF) as u32, payment, n: good.n },
            |h, new| {
                h.n += new.n;
                h.n == 0
            },
        );
        merge(&mut self.goods, Good::key, good, |g, new| {
            g.n += new.n;
            g.cents += new.cents;
            g.n == 0 && g.cents == 0
        });
    }

    /// Sums up what a look at `e` sees.
    pub fn sum(&self, e: u32, env: &Env, into: &mut Sums) {
        let day = |days: i64| env.from(e, days * DAY, DAY);
        into.begin(e, env);
        let [old, month, long, week] = [day(90), day(30), day(37), day(7)];
        for d in self.days.iter().filter(|d| d.day >= old) {
            let (n, returns) = (i64::from(d.n), i64::from(d.returns));
            into.day(d);
            into.refund(d.day >= month, d.day >= long && d.day < week, n, returns);
        }
        self.habits.iter().filter(|h| i64::from(h.half) * HALF >= i64::from(old) * DAY).for_each(|h| into.habit(h));
        self.goods.iter().filter(|g| g.day >= old).for_each(|g| into.good(g, env));
        let (five, until) = (i64::from(env.from(e, DAY, FIVE)) * FIVE, env.instant(e));
        let before = |instant: i64| self.recent.partition_point(|r| r.at < instant);
        let (from, to) = (before(five), before(until));
        self.recent[from.min(to)..to].iter().for_each(|r| into.recent(r));
        let alone = self.recent[..to].iter().filter(|r| !r.coarse && r.good.day >= old);
        alone.for_each(|r| into.sale(r, r.good.day >= month, r.good.day >= long && r.good.day < week, env));
        into.last = self.last(until);
    }

    /// The last sale before an instant that was not cancelled.
    pub fn last(&self, before: i64) -> Option<i64> {
        let mut end = self.recent.partition_point(|r| r.at < before);
        while end > 0 && !self.recent[end - 1].coarse {
            let at = self.recent[end - 1].at;
            let begin = self.recent.partition_point(|r| r.at < at);
            if self.recent[begin..end].iter().filter(|r| !r.coarse).map(|r| r.good.n).sum::<i32>() > 0 {
                return Some(at);
            }
            end = begin;
        }
        self.last
    }

    /// Lines of the last hour and of the last day lie in panes of these; see [`Sums`].
    pub fn spans(e: u32, env: &Env) -> [i64; 4] {
        let slide = |back: i64| i64::from(env.from(e, back, env.slide)) * env.slide;
        [slide(MINUTE), slide(5 * MINUTE), slide(HOUR), i64::from(env.from(e, DAY, FIVE)) * FIVE]
    }
}
