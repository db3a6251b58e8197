//! The lines of a seller's last hour, each by itself: who bought, of which category, and when.
//!
//! What is not a sum over them (distinct customers, the greatest share, orders) is kept for one look and moved to another by
//! adding and taking away the lines between: a deletion of the customer with the most lines, or of the last sale, is then an
//! ordinary line of the other sign. Counts are kept by count, so that the greatest is known after any change.
//!
//! Memory: 40 bytes for each line of the last two hours, and about 70 for each customer of the hour: one entry of one table, which
//! is found once for a line.

use super::env::{Env, MINUTE};
use super::fact::{Fact, class};
use super::shares::plus;
use crate::feature::concentration::Buyers;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// A line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Event time.
    pub at: i64,
    /// The customer, 0 for none.
    pub customer: u64,
    /// The category.
    pub category: u64,
    /// 1, or -1 for a cancellation.
    pub n: i64,
}

impl Line {
    /// The line of a record.
    pub fn of(fact: &Fact) -> Line {
        Line { at: fact.at, customer: fact.keys[class::CUSTOMER], category: fact.keys[class::CATEGORY], n: fact.lines() }
    }
}

/// Whether lines come to something for any customer, category and minute: what one customer bought, another may have cancelled.
pub fn differ(lines: impl Iterator<Item = Line>) -> bool {
    let mut net: BTreeMap<(u64, u64, i64), i64> = BTreeMap::new();
    lines.for_each(|l| *net.entry((l.customer, l.category, l.at / MINUTE)).or_default() += l.n);
    net.values().any(|&n| n != 0)
}

/// A customer of the hour at hand.
#[derive(Clone, Debug, Default)]
struct Person {
    /// Net lines.
    net: i64,
    /// Net lines of a pane, of the first one here: nearly always it is the only one. Kept where orders are counted.
    one: (u32, i32),
    more: Vec<(u32, i32)>,
}

impl Person {
    /// Adds to a pane. Gives by how much the number of minutes with a pane above 0 changes.
    fn order(&mut self, pane: u32, by: i32, env: &Env) -> i64 {
        let place = self.more.iter().position(|p| p.0 == pane);
        let known = match place {
            Some(i) => &mut self.more[i],
            None if self.one.1 == 0 || self.one.0 == pane => {
                self.one.0 = pane;
                &mut self.one
            }
            None => {
                self.more.push((pane, 0));
                let last = self.more.len() - 1;
                &mut self.more[last]
            }
        };
        let before = known.1 > 0;
        known.1 += by;
        let after = known.1 > 0;
        self.more.retain(|p| p.1 != 0);
        let minute = |pane: u32| env.instant(pane) / MINUTE;
        let alike = |p: &(u32, i32)| p.0 != pane && p.1 > 0 && minute(p.0) == minute(pane);
        let beside = alike(&self.one) || self.more.iter().any(alike);
        if beside { 0 } else { i64::from(after) - i64::from(before) }
    }

    fn is_nobody(&self) -> bool {
        self.net == 0 && self.one.1 == 0 && self.more.is_empty()
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct People {
    lines: VecDeque<Line>,
    /// The look at hand, and the places of the first line within its hour and of the first one after it.
    e: u32,
    lo: usize,
    hi: usize,
    people: HashMap<u64, Person>,
    /// By number of lines above 0: how many customers have so many. The last one is not 0.
    ranks: Vec<u32>,
    buyers: Buyers,
    /// Net lines by category, in the order of categories.
    mix: Vec<(u64, i64)>,
    /// Distinct (customer, minute) with a pane above 0.
    orders: i64,
    /// The first and the last sale of all that was forgotten.
    first: Option<i64>,
    last: Option<i64>,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    lines: Vec<Line>,
    first: Option<i64>,
    last: Option<i64>,
}

impl People {
    /// Adds a line.
    pub fn add(&mut self, line: Line, env: &Env) {
        let mut i = self.lines.len();
        while i > 0 && self.lines[i - 1].at > line.at {
            i -= 1;
        }
        self.lines.insert(i, line);
        let pane = env.pane(line.at);
        if pane < self.e {
            self.hi += 1;
            if pane < self.e.saturating_sub(env.hour) {
                self.lo += 1;
            } else {
                self.count(&line, 1, env);
            }
        }
    }

    /// Moves to a look.
    pub fn seek(&mut self, e: u32, env: &Env) {
        let pane = |line: &Line| env.pane(line.at);
        let from = e.saturating_sub(env.hour);
        while let Some(line) = self.lines.get(self.hi).copied().filter(|l| pane(l) < e) {
            self.count(&line, 1, env);
            self.hi += 1;
        }
        while let Some(line) = self.hi.checked_sub(1).map(|i| self.lines[i]).filter(|l| pane(l) >= e) {
            self.count(&line, -1, env);
            self.hi -= 1;
        }
        while let Some(line) = self.lines.get(self.lo).copied().filter(|l| pane(l) < from) {
            self.count(&line, -1, env);
            self.lo += 1;
        }
        while let Some(line) = self.lo.checked_sub(1).map(|i| self.lines[i]).filter(|l| pane(l) >= from) {
            self.count(&line, 1, env);
            self.lo -= 1;
        }
        self.e = e;
    }

    /// See [`Profile::touch`](super::kinds::Profile::touch).
    pub fn touch(&self) -> usize {
        let line = |i: usize| self.lines.get(i).map_or(0, |l| l.n as usize & 1);
        let mix = self.mix.first().map_or(0, |m| m.1 as usize & 1);
        line(0) + line(self.lo) + line(self.hi) + mix + self.ranks.last().map_or(0, |n| *n as usize)
    }

    /// The lines of a pane.
    pub fn pane(&self, pane: u32, env: &Env) -> impl Iterator<Item = Line> {
        let bound = |pane: u32| self.lines.partition_point(|l| env.pane(l.at) < pane);
        self.lines.range(bound(pane)..bound(pane + 1)).copied()
    }

    fn count(&mut self, line: &Line, sign: i64, env: &Env) {
        let by = sign * line.n;
        plus(&mut self.mix, line.category, by);
        if line.customer == 0 {
            self.buyers.anonymous += by;
            return;
        }
        let person = self.people.entry(line.customer).or_default();
        let (before, after) = (person.net, person.net + by);
        person.net = after;
        if env.orders {
            self.orders += person.order(env.pane(line.at), by as i32, env);
        }
        if person.is_nobody() {
            self.people.remove(&line.customer);
        }
        self.rank(before, -1);
        self.rank(after, 1);
    }

    fn rank(&mut self, n: i64, sign: i64) {
        if n <= 0 {
            return;
        }
        let rank = n as usize;
        if self.ranks.len() <= rank {
            self.ranks.resize(rank + 1, 0);
        }
        self.ranks[rank] = self.ranks[rank].wrapping_add_signed(sign as i32);
        while self.ranks.pop_if(|with| *with == 0).is_some() {}
        self.buyers.named += sign;
        self.buyers.lines += sign * n;
        self.buyers.squares += sign * n * n;
    }

    /// The customers of the hour at hand.
    pub fn buyers(&self) -> Buyers {
        Buyers { most: self.ranks.len().saturating_sub(1) as i64, ..self.buyers }
    }

    /// Distinct (customer, minute), plus the lines without a customer, of the hour at hand.
    pub fn orders(&self) -> i64 {
        self.orders + self.buyers.anonymous
    }

    /// Net lines of the hour at hand by category, in the order of categories.
    pub fn mix(&self) -> &[(u64, i64)] {
        &self.mix
    }

    /// The lines after the look at hand.
    pub fn after(&self) -> impl Iterator<Item = &Line> {
        self.lines.range(self.hi..)
    }

    /// The last sale before the look at hand that was not cancelled.
    pub fn last(&self) -> Option<i64> {
        let mut end = self.hi;
        while end > 0 {
            // Few lines are of one instant: they are not sought but passed.
            let at = self.lines[end - 1].at;
            let mut n = 0;
            while let Some(line) = end.checked_sub(1).map(|i| &self.lines[i]).filter(|l| l.at == at) {
                n += line.n;
                end -= 1;
            }
            if n > 0 {
                return Some(at);
            }
        }
        self.last
    }

    /// The first sale before the look at hand that was not cancelled.
    pub fn first(&self) -> Option<i64> {
        let mut begin = 0;
        while self.first.is_none() && begin < self.hi {
            let at = self.lines[begin].at;
            let mut n = 0;
            while let Some(line) = self.lines.get(begin).filter(|l| l.at == at) {
                n += line.n;
                begin += 1;
            }
            if n > 0 {
                return Some(at);
            }
        }
        self.first
    }

    /// The first sale, once it stands.
    pub fn settled(&self) -> Option<i64> {
        self.first
    }

    /// Forgets the lines of panes that do not change any more, when the next look is `e`.
    pub fn forget(&mut self, env: &Env) {
        let done = env.done(self.e);
        while self.lo > 0 && self.lines.front().is_some_and(|l| env.pane(l.at) < done) {
            let at = self.lines[0].at;
            let same = self.lines.iter().take_while(|l| l.at == at).count();
            if self.lines.drain(..same).map(|l| l.n).sum::<i64>() > 0 {
                self.first = self.first.or(Some(at));
                self.last = self.last.max(Some(at));
            }
            self.lo -= same;
            self.hi -= same;
        }
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Saved {
        Saved { lines: self.lines.iter().copied().collect(), first: self.first, last: self.last }
    }

    /// As it was saved; the look at hand is the beginning of time.
    pub fn restore(saved: Saved) -> People {
        People { lines: saved.lines.into(), first: saved.first, last: saved.last, ..People::default() }
    }
}
