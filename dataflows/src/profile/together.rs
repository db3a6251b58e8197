//! Which products are bought together, on the owner of each product: counts of 30 days, and the list that a row shows.
//!
//! Counts change when a half hour is counted; then all lists are made anew, and a row shows the list as it stood at its `as_of`.
//! Every worker knows how many baskets hold each product, and what each is called, since a list names the products of others.
//!
//! Memory: about 40 bytes for each pair of a day, as many for each pair of 30 days, 100 for each product.

use super::baskets::{Bought, HALF};
use crate::feature::affinity::{LEAST, TOP, nearer, npmi};
use crate::row::text::{integer, millionths, string};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a basket counts, in days.
const DAYS: u32 = 30;

/// Half hours in a day.
const PER_DAY: u32 = (86_400_000 / HALF) as u32;

/// The list of a product, and the one before it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct List {
    /// The first look that shows `now`.
    from: u32,
    now: String,
    before: String,
}

/// What the baskets of a day added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Day {
    pairs: BTreeMap<(u64, u64), i64>,
    singles: BTreeMap<u64, i64>,
    baskets: i64,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Together {
    days: BTreeMap<u32, Day>,
    pairs: HashMap<u64, HashMap<u64, i64>>,
    singles: HashMap<u64, i64>,
    baskets: i64,
    lists: HashMap<u64, List>,
    names: HashMap<u64, Box<str>>,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    days: BTreeMap<u32, Day>,
    lists: Vec<(u64, List)>,
    names: Vec<(u64, String)>,
}

impl Together {
    /// What a product is called.
    pub fn name(&mut self, product: u64, name: &str) {
        self.names.entry(product).or_insert_with(|| name.into());
    }

    /// Takes what was said at look `k`, of instant `now`; half hours are counted `lateness` milliseconds after their end.
    pub fn learn(&mut self, k: u32, now: i64, lateness: i64, said: Vec<Bought>) {
        if said.is_empty() {
            return;
        }
        let today = (now / 86_400_000) as u32;
        // Corrections of earlier half hours wait for the next list.
        let counted = said.iter().any(|b| (i64::from(b.half) + 1) * HALF + lateness == now);
        said.into_iter().for_each(|bought| self.keep(bought, today));
        self.expire(today);
        if counted {
            self.list(k);
        }
    }

    fn keep(&mut self, bought: Bought, today: u32) {
        let day = bought.half / PER_DAY;
        if day + DAYS < today {
            return;
        }
        let mut new = Day { baskets: bought.baskets, ..Day::default() };
        new.singles.extend(bought.singles.iter().map(|(product, n)| (*product, i64::from(*n))));
        new.pairs.extend(bought.pairs.iter().map(|(a, b, n)| ((*a, *b), i64::from(*n))));
        self.count(&new, 1);
        let of_day = self.days.entry(day).or_default();
        of_day.baskets += new.baskets;
        new.singles.into_iter().for_each(|(product, n)| *of_day.singles.entry(product).or_default() += n);
        new.pairs.into_iter().for_each(|(pair, n)| *of_day.pairs.entry(pair).or_default() += n);
    }

    fn expire(&mut self, today: u32) {
        while self.days.first_key_value().is_some_and(|d| d.0 + DAYS < today) {
            let Some((_, day)) = self.days.pop_first() else { break };
            self.count(&day, -1);
        }
    }

    fn count(&mut self, day: &Day, sign: i64) {
        self.baskets += sign * day.baskets;
        for (product, n) in &day.singles {
            let sum = self.singles.entry(*product).or_default();
            *sum += sign * n;
            if *sum == 0 {
                self.singles.remove(product);
            }
        }
        for ((a, b), n) in &day.pairs {
            let with = self.pairs.entry(*a).or_default();
            let sum = with.entry(*b).or_default();
            *sum += sign * n;
            if *sum == 0 {
                with.remove(b);
            }
            if with.is_empty() {
                self.pairs.remove(a);
            }
        }
    }

    /// Makes the lists that looks from `k` on show.
    fn list(&mut self, k: u32) {
        let (singles, names) = (&self.singles, &self.names);
        let single = |product: &u64| singles.get(product).copied().unwrap_or(0);
        let name = |product: &u64| names.get(product).map_or("", |n| &**n);
        let mut lists = HashMap::with_capacity(self.pairs.len());
        for (a, with) in &self.pairs {
            let n_a = single(a);
            let mut best: Vec<_> = with.iter().filter(|x| *x.1 >= LEAST).map(|(b, n)| ((*n, n_a, single(b)), *b)).collect();
            if best.is_empty() {
                continue;
            }
            best.sort_unstable_by(|x, y| nearer(x.0, y.0).then_with(|| name(&x.1).cmp(name(&y.1))));
            best.truncate(TOP);
            let mut text = vec![];
            for ((n, n_a, n_b), b) in best {
                text.extend_from_slice(if text.is_empty() { b"[{\"product\":" } else { b",{\"product\":" });
                string(name(&b), &mut text);
                text.extend_from_slice(b",\"copurchase_count_30d\":");
                integer(n, &mut text);
                text.extend_from_slice(b",\"basket_affinity\":");
                millionths(npmi(n, n_a, n_b, self.baskets), &mut text);
                text.push(b'}');
            }
            text.push(b']');
            lists.insert(*a, String::from_utf8_lossy(&text).into_owned());
        }
        for (a, old) in &mut self.lists {
            let new = lists.remove(a).unwrap_or_default();
            if new != old.now {
                *old = List { from: k, before: std::mem::take(&mut old.now), now: new };
            }
        }
        self.lists.retain(|_, list| !list.now.is_empty() || !list.before.is_empty() && list.from == k);
        self.lists.extend(lists.into_iter().map(|(a, now)| (a, List { from: k, now, before: String::new() })));
    }

    /// The list of a product as of look `e`, as JSON.
    pub fn of(&self, product: u64, e: u32) -> &str {
        let list = self.lists.get(&product).map_or("", |l| if e >= l.from { &l.now } else { &l.before });
        if list.is_empty() { "[]" } else { list }
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Saved {
        Saved {
            days: self.days.clone(),
            lists: self.lists.iter().map(|(a, list)| (*a, list.clone())).collect(),
            names: self.names.iter().map(|(a, name)| (*a, name.to_string())).collect(),
        }
    }

    /// Takes up what a worker held: the pairs of the products that are this one's, and of the `first` worker what all know.
    pub fn restore(&mut self, saved: Saved, first: bool, own: impl Fn(u64) -> bool) {
        for (day, mut held) in saved.days {
            held.pairs.retain(|pair, _| own(pair.0));
            if !first {
                (held.singles, held.baskets) = (BTreeMap::new(), 0);
            }
            self.count(&held, 1);
            let of_day = self.days.entry(day).or_default();
            of_day.baskets += held.baskets;
            of_day.singles.append(&mut held.singles);
            of_day.pairs.append(&mut held.pairs);
        }
        self.lists.extend(saved.lists.into_iter().filter(|l| own(l.0)));
        saved.names.iter().for_each(|(product, name)| self.name(*product, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(half: u32, pairs: &[(u64, u64, i32)], singles: &[(u64, i32)], baskets: i64) -> Bought {
        Bought { half, pairs: pairs.to_vec(), singles: singles.to_vec(), baskets, ..Bought::default() }
    }

    fn at(half: u32) -> i64 {
        i64::from(half + 1) * HALF + 60_000
    }

    #[test]
    fn lists_by_hand() {
        let mut together = Together::default();
        [(1, "a"), (2, "b"), (3, "c")].iter().for_each(|(p, n)| together.name(*p, n));
        let pairs = [(1, 2, 5), (2, 1, 5), (1, 3, 4), (3, 1, 4)];
        together.learn(62, at(0), 60_000, vec![bought(0, &pairs, &[(1, 10), (2, 10), (3, 4)], 100)]);
        // ln(5 * 100 / 100) / -ln(0.05) = 1.609438 / 2.995732
        let list = "[{\"product\":\"b\",\"copurchase_count_30d\":5,\"basket_affinity\":0.537244}]";
        assert_eq!((together.of(1, 61), together.of(1, 62), together.of(3, 62)), ("[]", list, "[]"));
        // c comes as often, and is nearer
        together.learn(122, at(1), 60_000, vec![bought(1, &[(1, 3, 1), (3, 1, 1)], &[(1, 1), (3, 1)], 1)]);
        assert!(together.of(1, 122).starts_with("[{\"product\":\"c\",\"copurchase_count_30d\":5"));
        assert_eq!(together.of(1, 121), list);
        let mut again = Together::default();
        again.restore(together.save(), true, |_| true);
        assert_eq!(again.of(1, 122), together.of(1, 122));
        // 31 days later nothing is left
        let later = 31 * PER_DAY;
        together.learn(5_000, at(later), 60_000, vec![bought(later, &[], &[(9, 1)], 1)]);
        assert_eq!((together.of(1, 5_000), together.pairs.len(), together.singles.len()), ("[]", 0, 1));
    }
}
