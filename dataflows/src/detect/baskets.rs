//! Baskets, not lines: distinct customers of a pane, exact under late sales and cancellations.
//!
//! One order has many lines, and what comes in bunches is not rare: the variance of real sale lines is seven times their mean, of
//! orders it is about twice. So the shop, its categories and its sellers are counted in **baskets**: customers with more
//! sales than cancellations in the pane; where no customer is named, each line is a basket. Lines are counted besides.
//!
//! A worker counts the customers that it owns for the shop and the categories (worker 0 adds the parts up), and the sellers
//! that it owns. A pane's rows are kept as long as late ones may come; a pane that changes is counted again as a whole, and what
//! differs from what was said is said. Memory: 64 bytes for each (customer, seller, category) and role of the last 90 s.
//!
//! Plain state: the operator around it is in `counting`.

use crate::pane::heads::{Head, Heads, Identity, owner};
use crate::plan::detect::MINUTE;
use crate::plan::{Detect, ceil};
use crate::row::event::Level;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The key of the whole shop.
pub const SHOP: Identity = [0, 0];

/// Most customers of a pane that are told by name.
const HEAVY: usize = 4;

/// Who has one line in a pane is told by name when he bought in one of so many panes before, those of half a minute in all: within
/// less, one of three who share ten lines a minute seldom has two.
const BESIDE: u32 = MINUTE / 2 - 1;

/// How a series changes in one pane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// The slide at which this was learned.
    pub s: u32,
    /// The end of the pane.
    pub pane: u32,
    /// Of the series.
    pub level: Level,
    /// See `level`.
    pub key: Identity,
    /// Difference of baskets, of this worker's part.
    pub baskets: i64,
    /// Difference of lines.
    pub lines: i64,
    /// Of a seller: who and what makes the pane, as it now stands.
    pub makes: Makes,
}

/// What a seller's pane is made of, besides its sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Makes {
    /// The category with the most lines; of several, the least.
    pub category: Identity,
    /// Customers with several lines, or who bought shortly before, too; the greatest first.
    pub heavy: Vec<(u64, i64)>,
}

/// What the worker of a seller or of customers says to worker 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Word {
    /// A series changes.
    Step(Step),
    /// An identity has this name.
    Name(Level, Identity, String),
    /// Sales came from a live input: slide, input, pane, how many.
    Arrived(u32, u32, u32, i64),
}

/// Whose rows a pane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Role {
    Customers,
    Sellers,
}

/// Baskets and lines of a series in a pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    baskets: i64,
    lines: i64,
    makes: Makes,
}

/// The rows of one (pane, role), in order, and what was said of it.
#[derive(Clone, Debug, Default)]
struct Pane {
    rows: Vec<Head>,
    said: BTreeMap<(Level, Identity), Count>,
}

/// What a checkpoint holds: the rows of panes that may still change, of both roles, and those that wait for their slide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    customers: Vec<Head>,
    sellers: Vec<Head>,
}

/// See the [module](self).
pub struct Baskets {
    step: u32,
    lateness: u32,
    panes: BTreeMap<(u32, Role), Pane>,
    /// By slide.
    waiting: BTreeMap<u32, [Vec<Head>; 2]>,
}

impl Baskets {
    /// Nothing counted yet.
    pub fn new(detect: &Detect) -> Baskets {
        Baskets { step: detect.step, lateness: detect.lateness, panes: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Takes up what this worker owns of what all workers held when `tick` was open. What was said is said again from nothing.
    pub fn restore(&mut self, saved: Vec<Saved>, tick: u32, me: usize, peers: usize) {
        let waiting = self.waiting.entry(ceil(tick, self.step)).or_default();
        for Saved { customers, sellers } in saved {
            waiting[0].extend(customers.into_iter().filter(|head| head.counted_by(peers) as usize == me));
            waiting[1].extend(sellers.into_iter().filter(|head| owner(head.seller, peers) as usize == me));
        }
    }

    /// What a checkpoint must hold when `tick` is open.
    pub fn save(&self, tick: u32) -> Saved {
        let mut saved = Saved::default();
        for ((pane, role), held) in &self.panes {
            if pane.saturating_add(self.reach()) >= tick {
                let to = if *role == Role::Customers { &mut saved.customers } else { &mut saved.sellers };
                to.extend(&held.rows);
            }
        }
        for [customers, sellers] in self.waiting.values() {
            saved.customers.extend(customers);
            saved.sellers.extend(sellers);
        }
        saved
    }

    /// Takes what a reader told of a tick.
    pub fn learn(&mut self, heads: Heads) {
        let waiting = self.waiting.entry(ceil(heads.s, self.step)).or_default();
        waiting[0].extend(heads.customers);
        waiting[1].extend(heads.sellers);
    }

    /// The next slide at which something is to be said.
    pub fn busy(&self) -> Option<u32> {
        self.waiting.keys().next().copied()
    }

    /// All of slide `s` has been learned: says what changes.
    pub fn close(&mut self, s: u32, mut say: impl FnMut(Step)) {
        let waiting = self.waiting.remove(&s).unwrap_or_default();
        for (role, rows) in [Role::Customers, Role::Sellers].into_iter().zip(waiting) {
            let mut touched: BTreeSet<u32> = rows.iter().map(|head| head.pane).collect();
            for head in rows {
                self.panes.entry((head.pane, role)).or_default().rows.push(head);
            }
            for pane in &touched {
                if let Some(held) = self.panes.get_mut(&(*pane, role)) {
                    held.settle(role);
                }
            }
            if role == Role::Sellers {
                let later = |pane: &u32| (1..=BESIDE).map(|i| pane + i * self.step).collect::<Vec<_>>();
                let later: Vec<u32> = touched.iter().flat_map(later).collect();
                touched.extend(later);
            }
            // after a restart there are panes that were final: they only say who bought before
            for pane in touched.into_iter().filter(|pane| pane + self.lateness >= s) {
                let before = (1..=BESIDE).filter_map(|i| self.panes.get(&(pane.checked_sub(i * self.step)?, role)));
                let before = before.map(|held| Earlier(&held.rows)).collect();
                let now = match (self.panes.get(&(pane, role)), role) {
                    (None, _) => continue,
                    (Some(held), Role::Customers) => by_customer(&held.rows),
                    (Some(held), Role::Sellers) => by_seller(&held.rows, before),
                };
                if let Some(held) = self.panes.get_mut(&(pane, role)) {
                    held.tell(now, (s, pane), &mut say);
                }
            }
        }
        // what a later slide can still bring was released when a tick after s was open
        let (reach, first) = (self.reach(), s + 1);
        while self.panes.first_key_value().is_some_and(|((pane, _), _)| pane + reach < first) {
            self.panes.pop_first();
        }
    }

    /// For so many ticks after its end a pane matters: it may change, or the next ones ask who bought in it.
    fn reach(&self) -> u32 {
        self.lateness + BESIDE * self.step
    }
}

impl Pane {
    /// Brings the rows in order.
    fn settle(&mut self, role: Role) {
        let place = |head: &Head| match role {
            Role::Customers => (head.customer, head.category, head.seller),
            Role::Sellers => (head.seller, head.customer, head.category),
        };
        // a long run that is in order and a short one that is not: a stable sort merges them
        self.rows.sort_by_key(place);
        self.rows.dedup_by(|next, first| {
            let same = place(next) == place(first);
            if same {
                first.lines += next.lines;
            }
            same
        });
        self.rows.retain(|head| head.lines != 0);
    }

    /// Says what differs from what was said.
    fn tell(&mut self, now: BTreeMap<(Level, Identity), Count>, (s, pane): (u32, u32), say: &mut impl FnMut(Step)) {
        let zero = Count::default();
        let gone = self.said.keys().filter(|key| !now.contains_key(key)).map(|key| (key, &zero));
        for (key, count) in now.iter().chain(gone) {
            let was = self.said.get(key).unwrap_or(&zero);
            if was != count {
                let (baskets, lines) = (count.baskets - was.baskets, count.lines - was.lines);
                say(Step { s, pane, level: key.0, key: key.1, baskets, lines, makes: count.makes.clone() });
            }
        }
        self.said = now;
    }
}

/// The shop and the categories: rows in the order of customers.
fn by_customer(rows: &[Head]) -> BTreeMap<(Level, Identity), Count> {
    let mut counts: BTreeMap<(Level, Identity), Count> = BTreeMap::new();
    for of_customer in rows.chunk_by(|a, b| a.customer == b.customer) {
        let known = of_customer[0].customer != [0, 0];
        let mut all = 0;
        for of_category in of_customer.chunk_by(|a, b| a.category == b.category) {
            let lines = lines(of_category);
            counts.entry((Level::Category, of_category[0].category)).or_default().add(known, lines);
            all += lines;
        }
        counts.entry((Level::Global, SHOP)).or_default().add(known, all);
    }
    counts.retain(|_, count| *count != Count::default());
    counts
}

/// The rows of an earlier pane, in the order of sellers and their customers, as far as nobody asked about them.
struct Earlier<'a>(&'a [Head]);

impl Earlier<'_> {
    /// Whether a customer bought from a seller there; to be asked in their order.
    fn bought(&mut self, seller: Identity, customer: Identity) -> bool {
        let before = self.0.iter().take_while(|head| (head.seller, head.customer) < (seller, customer)).count();
        self.0 = &self.0[before..];
        let of_both = self.0.iter().take_while(|head| (head.seller, head.customer) == (seller, customer));
        of_both.map(|head| head.lines).sum::<i32>() > 0
    }
}

/// The sellers: rows in the order of sellers, beside those of the panes before.
fn by_seller(rows: &[Head], mut before: Vec<Earlier>) -> BTreeMap<(Level, Identity), Count> {
    let mut counts = BTreeMap::new();
    let mut categories: Vec<(Identity, i64)> = vec![];
    for of_seller in rows.chunk_by(|a, b| a.seller == b.seller) {
        let mut count = Count::default();
        for of_customer in of_seller.chunk_by(|a, b| a.customer == b.customer) {
            let (customer, lines) = (of_customer[0].customer, lines(of_customer));
            count.add(customer != [0, 0], lines);
            let mut again = || before.iter_mut().any(|earlier| earlier.bought(of_customer[0].seller, customer));
            if customer != [0, 0] && (lines > 1 || lines == 1 && again()) {
                count.makes.heavy.push((customer[0], lines));
            }
        }
        count.makes.heavy.sort_unstable_by_key(|(customer, lines)| (-lines, *customer));
        count.makes.heavy.truncate(HEAVY);
        categories.clear();
        for head in of_seller {
            match categories.iter_mut().find(|(category, _)| *category == head.category) {
                Some((_, lines)) => *lines += i64::from(head.lines),
                None => categories.push((head.category, head.lines.into())),
            }
        }
        count.makes.category = categories.iter().min_by_key(|(category, lines)| (-lines, *category)).map_or(SHOP, |it| it.0);
        counts.insert((Level::Seller, of_seller[0].seller), count);
    }
    counts
}

fn lines(rows: &[Head]) -> i64 {
    rows.iter().map(|head| i64::from(head.lines)).sum()
}

impl Count {
    /// The lines of one customer, or those of all who are not known.
    fn add(&mut self, known: bool, lines: i64) {
        self.lines += lines;
        self.baskets += if known { i64::from(lines > 0) } else { lines };
    }
}

#[cfg(test)]
mod tests;
