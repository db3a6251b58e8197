//! All profiles of one worker: what is told waits for its tick, then enters, and rows and vectors come out. Plain state; the
//! operator around it is in [`operator`](super::operator).

use super::baskets::Bought;
use super::class::{Class, SavedKey, Scored, Tick};
use super::columns::{self, width};
use super::env::{DAY, Env, HOUR, MINUTE};
use super::fact::{Fact, Lot, Paid, Told, class, home, owner};
use super::kinds::Profile;
use super::population;
use super::ring::{Panes, Ring};
use super::sums::Sums;
use super::together::{self, Together};
use super::write::{Writer, row};
use super::{category::Category, customer::Customer, product::Product, seller::Seller};
use crate::edge::Batch;
use crate::feature::velocity::pace;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// Columns of vectors, from the owner of a key to where the vectors are put together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Parts {
    /// The worker.
    pub to: u32,
    /// The tick.
    pub s: u32,
    /// The class; [`class::COUNT`] for ways of payment.
    pub class: u8,
    /// The sales; of ways of payment (look, payment).
    pub tickets: Vec<u64>,
    /// Their columns, one after the other.
    pub cells: Vec<i64>,
}

/// What waits for its tick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Held {
    facts: Vec<Fact>,
    /// Of each record the place of its customer, if that is this worker's: it was sought when it came.
    #[serde(skip)]
    customers: Vec<u32>,
    lots: Vec<Lot>,
    paid: Vec<Paid>,
    bought: Vec<Bought>,
}

/// What a checkpoint holds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    held: BTreeMap<u32, Held>,
    population: population::Saved,
    payments: Vec<(u8, Panes)>,
    together: together::Saved,
    sellers: Vec<SavedKey<<Seller as Profile>::Saved>>,
    products: Vec<SavedKey<<Product as Profile>::Saved>>,
    categories: Vec<SavedKey<<Category as Profile>::Saved>>,
    customers: Vec<SavedKey<<Customer as Profile>::Saved>>,
}

/// See the [module](self).
pub struct Stage {
    plan: Plan,
    me: usize,
    peers: usize,
    env: Env,
    pad: Sums,
    held: BTreeMap<u32, Held>,
    sellers: Class<Seller>,
    products: Class<Product>,
    categories: Class<Category>,
    customers: Class<Customer>,
    payments: BTreeMap<u8, Ring<2, 4>>,
    together: Together,
    writers: [Writer; class::COUNT],
    /// Bytes of the last rows of each class: the next ones are about as many.
    rooms: [usize; class::COUNT],
}

/// Where a class of keys is gone through.
struct Desk<'a> {
    s: u32,
    k: u32,
    last: u32,
    held: &'a Held,
    /// The records in order.
    order: &'a [u32],
    env: &'a mut Env,
    pad: &'a mut Sums,
    together: &'a Together,
    writers: &'a [Writer; class::COUNT],
    rooms: &'a mut [usize; class::COUNT],
    plan: &'a Plan,
    peers: usize,
}

impl Stage {
    /// Nothing is known yet.
    pub fn new(plan: &Plan, me: usize, peers: usize) -> Stage {
        Stage {
            plan: plan.clone(),
            me,
            peers,
            env: Env::new(plan),
            pad: Sums::default(),
            held: BTreeMap::new(),
            sellers: Class::default(),
            products: Class::default(),
            categories: Class::default(),
            customers: Class::default(),
            payments: BTreeMap::new(),
            together: Together::default(),
            writers: std::array::from_fn(|class| Writer::new(columns::of(class))),
            rooms: [0; class::COUNT],
        }
    }

    /// Takes what a reader tells.
    pub fn told(&mut self, told: Told) {
        let k = self.look(told.s);
        let [sellers, products, categories, _] = &told.names;
        for (key, name) in products {
            self.together.name(*key, name);
        }
        let own = |key: &u64| owner(*key, self.peers) == self.me;
        sellers.iter().filter(|n| own(&n.0)).for_each(|(key, name)| _ = self.sellers.place(*key, Some(name), k));
        products.iter().filter(|n| own(&n.0)).for_each(|(key, name)| _ = self.products.place(*key, Some(name), k));
        categories.iter().filter(|n| own(&n.0)).for_each(|(key, name)| _ = self.categories.place(*key, Some(name), k));
        let (names, mut ends) = (&told.customers.0, told.customers.1.iter());
        let mut from = 0;
        let held = self.held.entry(told.s).or_default();
        for fact in &told.facts {
            held.customers.push(if fact.roles >> class::CUSTOMER & 1 == 1 {
                let end = ends.next().map_or(from, |end| *end as usize);
                let name = names.get(from..end);
                from = end;
                self.customers.place(fact.keys[class::CUSTOMER], name, k)
            } else {
                0
            });
        }
        if held.facts.is_empty() {
            held.facts = told.facts;
        } else {
            held.facts.extend(told.facts);
        }
        held.lots.extend(told.lots);
        held.paid.extend(told.paid);
    }

    /// Takes what baskets say.
    pub fn bought(&mut self, bought: Bought) {
        self.held.entry(bought.s).or_default().bought.push(bought);
    }

    fn look(&self, s: u32) -> u32 {
        (self.plan.millis(s) / self.env.slide) as u32
    }

    fn tick_of(&self, k: u32) -> u32 {
        ((self.env.instant(k) - self.plan.origin) / self.plan.tick) as u32
    }

    /// The next tick at which something happens.
    pub fn next(&self) -> Option<u32> {
        let due = [self.sellers.due(), self.products.due(), self.customers.due(), self.categories.due()];
        let due = due.into_iter().flatten().min().map(|k| self.tick_of(k));
        self.held.keys().next().copied().into_iter().chain(due).min()
    }

    /// Keys held.
    pub fn keys(&self) -> [usize; class::COUNT] {
        [self.sellers.keys(), self.products.keys(), self.categories.keys(), self.customers.keys()]
    }

    /// Everything of tick `s`; no row is made as of a tick after `last`.
    pub fn tick(&mut self, s: u32, last: u32, mut give: impl FnMut(Batch), mut part: impl FnMut(Parts)) {
        let k = self.look(s);
        let mut held = self.held.remove(&s).unwrap_or_default();
        let mut order: Vec<u32> = (0..held.facts.len() as u32).collect();
        order.sort_unstable_by(|a, b| held.facts[*a as usize].cmp(&held.facts[*b as usize]));
        std::mem::take(&mut held.lots).into_iter().for_each(|lot| self.env.population.learn(lot));
        let early = self.env.whole_hours(k.saturating_sub(self.env.reach + 1));
        self.env.population.advance(early, self.env.whole_hours(k));
        let lateness = i64::from(self.env.reach) * self.env.slide;
        self.together.learn(k, self.env.instant(k), lateness, std::mem::take(&mut held.bought));
        if self.plan.profiles.scores {
            self.pay(s, k, &held.paid).into_iter().for_each(&mut part);
        }
        let mut desk = Desk {
            s,
            k,
            last: ((self.plan.millis(last) / self.env.slide).min(u32::MAX.into())) as u32,
            held: &held,
            order: &order,
            env: &mut self.env,
            pad: &mut self.pad,
            together: &self.together,
            writers: &self.writers,
            rooms: &mut self.rooms,
            plan: &self.plan,
            peers: self.peers,
        };
        let wanted = self.plan.profiles;
        desk.class(&mut self.sellers, wanted.sellers, &mut give, &mut part);
        desk.class(&mut self.products, wanted.products, &mut give, &mut part);
        desk.class(&mut self.categories, wanted.categories, &mut give, &mut part);
        desk.class(&mut self.customers, wanted.customers, &mut give, &mut part);
    }

    /// The velocities of the ways of payment at the beginning of each pane that a vector of this tick may ask for.
    fn pay(&mut self, s: u32, k: u32, paid: &[Paid]) -> Option<Parts> {
        for p in paid {
            self.payments.entry(p.payment).or_default().add(p.pane, &p.sums);
        }
        let mut parts = Parts { to: self.me as u32, s, class: class::COUNT as u8, ..Parts::default() };
        let env = &self.env;
        for e in k.saturating_sub(env.reach + 1)..k {
            for (payment, ring) in &mut self.payments {
                ring.seek([MINUTE, 5 * MINUTE, HOUR, DAY].map(|back| env.from(e, back, env.slide)));
                let after = ring.since(e);
                let sums = [0, 1, 2, 3].map(|h| {
                    let [n, cents] = ring.total(h);
                    [n - after[0], cents - after[1]]
                });
                parts.tickets.push(u64::from(e) << 8 | u64::from(*payment));
                parts.cells.extend(sums.map(|x| x[0]));
                parts.cells.extend(sums.map(|x| x[1]));
                parts.cells.push(pace(sums[2][0], sums[3][0]));
            }
        }
        let old = env.from(k.saturating_sub(env.reach + 2), DAY, env.slide);
        self.payments.values_mut().for_each(|ring| ring.forget(old));
        (!paid.is_empty()).then_some(parts)
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Saved {
        Saved {
            held: self.held.clone(),
            population: self.env.population.save(),
            payments: self.payments.iter().map(|(payment, ring)| (*payment, ring.save())).collect(),
            together: self.together.save(),
            sellers: self.sellers.save(),
            products: self.products.save(),
            categories: self.categories.save(),
            customers: self.customers.save(),
        }
    }

    /// Takes up what worker number `worker` of an earlier run held, as far as it is this one's.
    pub fn restore(&mut self, worker: usize, saved: Saved) {
        let (me, peers) = (self.me, self.peers);
        let own = |key: u64| owner(key, peers) == me;
        for (s, held) in saved.held {
            let k = self.look(s);
            let to = self.held.entry(s).or_default();
            for fact in held.facts {
                let mine = (0..class::COUNT).filter(|c| own(fact.keys[*c])).map(|c| 1u8 << c).sum::<u8>();
                if fact.roles & mine != 0 {
                    let roles = fact.roles & mine;
                    let customer = roles >> class::CUSTOMER & 1 == 1;
                    to.customers.push(if customer { self.customers.place(fact.keys[class::CUSTOMER], None, k) } else { 0 });
                    to.facts.push(Fact { roles, ..fact });
                }
            }
            if worker == 0 {
                to.lots.extend(held.lots);
                to.paid.extend(held.paid);
            }
        }
        if worker == 0 {
            self.env.population = population::Population::restore(saved.population);
            self.payments = saved.payments.into_iter().map(|(payment, panes)| (payment, Ring::restore(panes))).collect();
        }
        self.together.restore(saved.together, worker == 0, own);
        saved.sellers.into_iter().filter(|k| own(k.key)).for_each(|k| self.sellers.restore(k));
        saved.products.into_iter().filter(|k| own(k.key)).for_each(|k| self.products.restore(k));
        saved.categories.into_iter().filter(|k| own(k.key)).for_each(|k| self.categories.restore(k));
        saved.customers.into_iter().filter(|k| own(k.key)).for_each(|k| self.customers.restore(k));
    }
}

impl Desk<'_> {
    fn class<P: Profile>(&mut self, of: &mut Class<P>, rows: bool, give: &mut impl FnMut(Batch), part: &mut impl FnMut(Parts)) {
        let (c, k, scores) = (P::CLASS, self.k, self.plan.profiles.scores);
        if !rows && !scores {
            return;
        }
        let mine = self.order.iter().map(|i| *i as usize).filter(|i| self.held.facts[*i].roles >> c & 1 == 1);
        let mut places = |i: usize| match c {
            class::CUSTOMER => self.held.customers[i],
            _ => of.place(self.held.facts[i].keys[c], None, k),
        };
        let mut order: Vec<(u32, u32, usize)> = mine.zip(0..).map(|(i, rank)| (places(i), rank, i)).collect();
        order.sort_unstable();
        let (places, facts): (Vec<u32>, Vec<Fact>) = order.into_iter().map(|(place, _, i)| (place, self.held.facts[i])).unzip();
        let mut scored = Scored { tickets: vec![], cells: vec![] };
        let mut batch = Batch::new(self.s, P::TABLE);
        batch.reserve(self.rooms[c]);
        let (together, writer, plan, slide) = (self.together, &self.writers[c], self.plan, self.env.slide);
        let pairs = c == class::PRODUCT;
        let mut tick = Tick { k, rows, scores, last: self.last, pad: self.pad };
        let list = |key: u64, e: u32| if pairs { together.of(key, e) } else { "" };
        let mark = |key: u64, e: u32| pairs.then(|| xxh3_64(list(key, e).as_bytes()) as i64);
        of.tick(&mut tick, (&places, &facts), self.env, &mut scored, mark, |e, name, key, revision, cells| {
            let instant = i64::from(e) * slide;
            let end = ((instant - plan.origin) / plan.tick) as u32;
            let text = if cells.is_some() { list(key, e) } else { "" };
            batch.row((end, 0), name, |out| row(writer, name, (instant, revision), cells, text, out));
        });
        self.rooms[c] = batch.bytes() + batch.bytes() / 8;
        if !batch.rows.is_empty() {
            give(batch);
        }
        if scored.tickets.is_empty() {
            return;
        }
        if self.peers == 1 {
            return part(Parts { to: 0, s: self.s, class: c as u8, tickets: scored.tickets, cells: scored.cells });
        }
        let wide = width(&columns::given(c));
        let blank = |to| Parts { to, s: self.s, class: c as u8, ..Parts::default() };
        let mut parts: Vec<Parts> = (0..self.peers as u32).map(blank).collect();
        for (ticket, cells) in scored.tickets.iter().zip(scored.cells.chunks_exact(wide)) {
            let to = &mut parts[home(*ticket, self.peers)];
            to.tickets.push(*ticket);
            to.cells.extend(cells);
        }
        parts.into_iter().filter(|p| !p.tickets.is_empty()).for_each(part);
    }
}
