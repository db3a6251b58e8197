//! What was bought together: on the owner of each customer, half hour by half hour.
//!
//! A basket is what one customer bought within one half hour of the clock, net of cancellations. It is counted when its half hour
//! ended the allowed lateness ago, so that a late line that still revises rows is in it; a line that is later changes the counts
//! when it comes. Lines lie unsorted until then, 24 bytes each, and for an hour more.
//!
//! The most products of a basket that count are [`MOST`]: pairs grow with the square. The others are dropped, and counted.

use super::fact::owner;
use super::gather::{Item, Items};
use crate::clock::Failure;
use crate::clock::context::add;
use crate::plan::{Plan, ceil};
use crate::site::Site;
use crate::time::Bi;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// Products of a basket that count.
pub const MOST: usize = 50;

/// Milliseconds in half an hour.
pub const HALF: i64 = 1_800_000;

/// What baskets say to the owner of products, of one half hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bought {
    /// The worker.
    pub to: u32,
    /// The tick at which it is said.
    pub s: u32,
    /// The half hour.
    pub half: u32,
    /// Baskets that hold both products, in both orders; of products that the worker owns.
    pub pairs: Vec<(u64, u64, i32)>,
    /// Baskets that hold a product; of all products.
    pub singles: Vec<(u64, i32)>,
    /// All baskets.
    pub baskets: i64,
}

/// Counts of one half hour.
#[derive(Default)]
struct Counts {
    pairs: HashMap<(u64, u64), i32>,
    singles: HashMap<u64, i32>,
    baskets: i64,
}

impl Counts {
    /// Adds a basket, or takes it away.
    fn basket(&mut self, products: &[u64], sign: i32) {
        if products.is_empty() {
            return;
        }
        self.baskets += i64::from(sign);
        for (i, a) in products.iter().enumerate() {
            *self.singles.entry(*a).or_default() += sign;
            for b in &products[i + 1..] {
                *self.pairs.entry((*a, *b)).or_default() += sign;
                *self.pairs.entry((*b, *a)).or_default() += sign;
            }
        }
    }

    fn say(self, s: u32, half: u32, peers: usize) -> Vec<Bought> {
        let mut singles: Vec<_> = self.singles.into_iter().filter(|x| x.1 != 0).collect();
        singles.sort_unstable();
        let mut pairs: Vec<_> = self.pairs.into_iter().filter(|x| x.1 != 0).collect();
        pairs.sort_unstable();
        let blank = |to| Bought { to, s, half, singles: singles.clone(), baskets: self.baskets, ..Bought::default() };
        let mut all: Vec<Bought> = (0..peers as u32).map(blank).collect();
        pairs.into_iter().for_each(|((a, b), n)| all[owner(a, peers)].pairs.push((a, b, n)));
        all.retain(|b| b.baskets != 0 || !b.singles.is_empty() || !b.pairs.is_empty());
        all
    }
}

/// The lines of one half hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Half {
    lines: Vec<(u64, u64, i32)>,
    counted: bool,
    /// Customers and products whose lines came after the count.
    later: BTreeMap<u64, Vec<(u64, i32)>>,
}

/// The products of net lines above 0, of which the first [`MOST`] by key count; and how many are dropped.
fn products(lines: impl Iterator<Item = (u64, i32)>) -> (Vec<u64>, u64) {
    let mut net: BTreeMap<u64, i32> = BTreeMap::new();
    lines.for_each(|(product, n)| *net.entry(product).or_default() += n);
    let mut products: Vec<u64> = net.into_iter().filter(|x| x.1 > 0).map(|x| x.0).collect();
    let dropped = products.len().saturating_sub(MOST);
    products.truncate(MOST);
    (products, dropped as u64)
}

impl Half {
    /// Counts all baskets.
    fn count(&mut self, counts: &mut Counts) -> u64 {
        self.counted = true;
        self.lines.sort_unstable();
        let mut dropped = 0;
        for basket in self.lines.chunk_by(|a, b| a.0 == b.0) {
            match basket {
                [one] => counts.basket(if one.2 > 0 { std::slice::from_ref(&one.1) } else { &[] }, 1),
                _ => {
                    let (products, more) = products(basket.iter().map(|l| (l.1, l.2)));
                    dropped += more;
                    counts.basket(&products, 1);
                }
            }
        }
        dropped
    }

    fn of(&self, customer: u64) -> Vec<u64> {
        let from = self.lines.partition_point(|l| l.0 < customer);
        let counted = self.lines[from..].iter().take_while(|l| l.0 == customer).map(|l| (l.1, l.2));
        products(counted.chain(self.later.get(&customer).into_iter().flatten().copied())).0
    }
}

/// Baskets of the customers that a worker owns. Plain state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Baskets {
    halves: BTreeMap<u32, Half>,
    /// Lines of ticks that have not come.
    ahead: BTreeMap<u32, Vec<Item>>,
}

/// Half hours as ticks.
#[derive(Clone, Copy)]
pub(super) struct Course {
    peers: usize,
    tick: i64,
    origin: i64,
    slide: u32,
    lateness: u32,
    keep: i64,
}

impl Course {
    pub fn new(plan: &Plan, peers: usize) -> Course {
        let f = &plan.features;
        let keep = i64::from(f.hour + f.lateness + 2 * f.slide) * plan.tick;
        Course { peers, tick: plan.tick, origin: plan.origin, slide: f.slide, lateness: f.lateness, keep }
    }

    /// The tick at which a half hour is counted.
    fn close(&self, half: u32) -> u32 {
        let end = (i64::from(half) + 1) * HALF - self.origin;
        ceil((end.max(0) / self.tick) as u32 + self.lateness, self.slide)
    }
}

impl Baskets {
    /// Takes lines that are learned at a tick.
    pub(super) fn learn(&mut self, s: u32, items: &[Item]) {
        self.ahead.entry(s).or_default().extend(items);
    }

    /// The next tick at which something happens.
    pub(super) fn next(&self, course: &Course) -> Option<u32> {
        let close = self.halves.iter().filter(|h| !h.1.counted).map(|h| course.close(*h.0)).min();
        close.into_iter().chain(self.ahead.keys().next().copied()).min()
    }

    /// Everything of tick `s`: what is to be said, and how many products were dropped.
    pub(super) fn tick(&mut self, s: u32, course: &Course) -> (Vec<Bought>, u64) {
        let mut touched: BTreeMap<u32, BTreeMap<u64, Vec<(u64, i32)>>> = BTreeMap::new();
        for (customer, product, half, n) in self.ahead.remove(&s).unwrap_or_default() {
            let n = i32::from(n);
            let place = self.halves.entry(half).or_default();
            if place.counted {
                touched.entry(half).or_default().entry(customer).or_default().push((product, n));
            } else {
                place.lines.push((customer, product, n));
            }
        }
        let (mut said, mut dropped) = (vec![], 0);
        for (half, customers) in touched {
            let (mut counts, Some(place)) = (Counts::default(), self.halves.get_mut(&half)) else { continue };
            for (customer, lines) in customers {
                counts.basket(&place.of(customer), -1);
                place.later.entry(customer).or_default().extend(lines);
                counts.basket(&place.of(customer), 1);
            }
            said.extend(counts.say(s, half, course.peers));
        }
        for (half, place) in self.halves.iter_mut().filter(|h| !h.1.counted && course.close(*h.0) <= s) {
            let mut counts = Counts::default();
            dropped += place.count(&mut counts);
            said.extend(counts.say(s, *half, course.peers));
        }
        let now = course.origin + i64::from(s) * course.tick;
        self.halves.retain(|half, place| !place.counted || (i64::from(*half) + 1) * HALF + course.keep > now);
        (said, dropped)
    }

    /// Takes up what a worker held, of the customers that are this one's.
    fn restore(&mut self, saved: Baskets, own: impl Fn(u64) -> bool) {
        for (half, held) in saved.halves {
            let place = self.halves.entry(half).or_default();
            place.counted |= held.counted;
            place.lines.extend(held.lines.into_iter().filter(|l| own(l.0)));
            place.lines.sort_unstable();
            place.later.extend(held.later.into_iter().filter(|l| own(l.0)));
        }
        for (s, items) in saved.ahead {
            self.ahead.entry(s).or_default().extend(items.into_iter().filter(|i| own(i.0)));
        }
    }
}

/// The name under which the stage deposits its state.
const NAME: &str = "profiles/baskets";

/// Counts the baskets.
pub fn baskets<'s>(items: Stream<'s, Bi, Vec<Items>>, site: &Site) -> Stream<'s, Bi, Vec<Bought>> {
    let scope = items.scope();
    let (me, peers) = (scope.index(), scope.peers());
    let context = site.context.clone();
    let course = Course::new(&context.plan, peers);
    let mut state = Baskets::default();
    match context.snapshots.join::<Baskets>(NAME) {
        Ok((_, held)) => held.into_iter().for_each(|held| state.restore(held, |key| owner(key, peers) == me)),
        Err(problem) => context.fail(Failure::Input(problem)),
    }
    let to = Exchange::new(|items: &Items| u64::from(items.to));
    items.unary_frontier::<CapacityContainerBuilder<Vec<Bought>>, _, _, _>(to, "BoughtTogether", move |cap, _| {
        let mut cap = Some(cap);
        move |(input, frontier), output| {
            input.for_each(|_, data| {
                for items in data.drain(..) {
                    state.learn(items.s, &items.items);
                }
            });
            let Some((open, hold)) = frontier.frontier().iter().map(|t| t.s).min().zip(cap.as_mut()) else {
                cap = None;
                return;
            };
            while let Some(s) = state.next(&course).filter(|s| *s < open) {
                let (said, dropped) = state.tick(s, &course);
                add(&context.counters.dropped, dropped);
                output.session(&*hold).give_iterator(said.into_iter());
            }
            if let Err(problem) = context.snapshots.stage(NAME, open, || state.clone()) {
                return context.fail(Failure::Output(problem));
            }
            if hold.time().s < open {
                hold.downgrade(&Bi::diagonal(open));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COURSE: Course = Course { peers: 1, tick: 30_000, origin: 0, slide: 1, lateness: 2, keep: 4_000_000 };

    #[test]
    fn a_half_hour_is_counted_when_late_lines_are_in() {
        assert_eq!(COURSE.close(0), 62);
        let mut baskets = Baskets::default();
        baskets.ahead.insert(5, vec![(1, 10, 0, 1), (1, 11, 0, 1), (2, 10, 0, 1)]);
        baskets.ahead.insert(62, vec![(2, 12, 0, 1), (1, 11, 0, -1)]);
        assert_eq!(baskets.next(&COURSE), Some(5));
        assert!(baskets.tick(5, &COURSE).0.is_empty());
        let (said, _) = baskets.tick(62, &COURSE);
        assert_eq!((said[0].baskets, said[0].singles.clone()), (2, vec![(10, 2), (12, 1)]));
        assert_eq!(said[0].pairs, [(10, 12, 1), (12, 10, 1)]);
        // later: the pair is gone, another comes
        baskets.ahead.insert(70, vec![(2, 12, 0, -1), (1, 11, 0, 1)]);
        let (said, _) = baskets.tick(70, &COURSE);
        assert_eq!(said[0].pairs, [(10, 11, 1), (10, 12, -1), (11, 10, 1), (12, 10, -1)]);
        assert_eq!((said[0].baskets, said[0].singles.clone()), (0, vec![(11, 1), (12, -1)]));
    }

    #[test]
    fn large_baskets_are_cut() {
        let mut baskets = Baskets::default();
        baskets.ahead.insert(1, (0..60).map(|p| (1, p, 0, 1)).collect());
        baskets.tick(1, &COURSE);
        let (said, dropped) = baskets.tick(62, &COURSE);
        assert_eq!((said[0].pairs.len(), dropped), (50 * 49, 10));
    }

    proptest! {
        // Whatever the order and the ticks, the sums of what was said are those of the whole.
        #[test]
        fn as_counted_anew(lines in proptest::collection::vec((0..3u64, 0..4u64, prop_oneof![Just(1i8), Just(1), Just(-1)], 0..90u32), 0..60)) {
            let mut baskets = Baskets::default();
            for (customer, product, n, s) in &lines {
                baskets.ahead.entry(*s + 1).or_default().push((*customer, *product, 0, *n));
            }
            let mut found: BTreeMap<(u64, u64), i32> = BTreeMap::new();
            while let Some(s) = baskets.next(&COURSE) {
                for said in baskets.tick(s, &COURSE).0 {
                    said.pairs.iter().for_each(|(a, b, n)| *found.entry((*a, *b)).or_default() += n);
                }
            }
            found.retain(|_, n| *n != 0);
            let mut wanted: BTreeMap<(u64, u64), i32> = BTreeMap::new();
            for customer in 0..3 {
                let net = |p: u64| lines.iter().filter(|l| l.0 == customer && l.1 == p).map(|l| i32::from(l.2)).sum::<i32>();
                let set: Vec<u64> = (0..4).filter(|p| net(*p) > 0).collect();
                for a in &set {
                    set.iter().filter(|b| *b != a).for_each(|b| *wanted.entry((*a, *b)).or_default() += 1);
                }
            }
            prop_assert_eq!(found, wanted);
        }
    }
}
