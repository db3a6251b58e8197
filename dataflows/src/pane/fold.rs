//! On each reader: sales wait by pane until the watermark passes it, then fold into aggregates by key.
//!
//! A pane keeps its sales as they are and folds them when it closes, straight into the messages to the owners ([`Told`]): what
//! is at hand stays in the cache, and memory is bounded by the sales in open panes, not by panes times keys.
//! Plain state: the operator around it is in [`super::combine`].

use super::delta::{AmountDelta, Customer, Delta, Lump};
use super::facts::{Facts, Spoken};
use super::heads::{Crier, Heads};
use super::note::{Note, fate};
use super::signed::{Logs, Signed};
use super::tally::{CategoryTally, Count, SellerTally, Tally};
use super::told::Told;
use crate::dictionary::{Dictionaries, Dictionary};
use crate::plan::{Plan, ceil};
use crate::release::Released;
use crate::sale::{Op, Sale};
use crate::snapshot::Entry;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Panes at most this far ahead of the open tick are found by index.
const NEAR: usize = 1024;

/// So many sales are fetched at once: the sums of one look for what lies far away and branch on it, so that those of the next would
/// wait for it.
const TOUCHED: usize = 64;

/// What a checkpoint holds of the sales that wait: those in open panes, and what their ids mean.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// Of sellers, categories and products.
    names: [Vec<(u32, String)>; 3],
    sales: Vec<Sale>,
    /// Of live inputs: see [`Crier`].
    arrived: Vec<((u32, u32, u32), i64)>,
}

/// All that leaves when a tick closes.
#[derive(Default)]
pub struct Closed {
    /// To the owners of sellers.
    pub sellers: Vec<Delta<SellerTally>>,
    /// To the owners of categories.
    pub categories: Vec<Delta<CategoryTally>>,
    /// To the owners of products.
    pub products: Vec<Delta<Count>>,
    /// To the owners of amounts.
    pub amounts: Vec<AmountDelta>,
    /// Sums over all.
    pub lumps: Vec<Lump>,
    /// To worker 0.
    pub notes: Vec<Note>,
    /// Each sale by itself, where detectors want it.
    pub facts: Spoken,
    /// To those who count baskets.
    pub heads: Vec<Heads>,
}

/// For the owners of sellers, categories and products.
type Messages = (Vec<Delta<SellerTally>>, Vec<Delta<CategoryTally>>, Vec<Delta<Count>>);

/// Which block was the newest at which tick, for the last ticks, coarsely.
struct Recent {
    hold: u32,
    blocks: VecDeque<(u32, u64)>,
}

impl Recent {
    /// At tick `s` the newest block is `block`. Returns the newest block of `hold / 2` ticks ago, or 0.
    ///
    /// A name that no block has used since then would have to be explained again, so that forgetting it costs nothing.
    fn since(&mut self, s: u32, block: u64) -> u64 {
        let hold = self.hold / 2;
        if self.blocks.back().is_none_or(|x| s - x.0 > hold / 16) {
            self.blocks.push_back((s, block));
        }
        while self.blocks.get(1).is_some_and(|x| s - x.0 > hold) {
            self.blocks.pop_front();
        }
        self.blocks.front().filter(|x| s - x.0 > hold).map_or(0, |x| x.1)
    }
}

/// See the [module](self).
pub struct Fold {
    plan: Plan,
    peers: usize,
    biggest: bool,
    /// The tick that closes next.
    first: u32,
    near: VecDeque<Vec<Sale>>,
    far: BTreeMap<u32, Vec<Sale>>,
    pool: Vec<Vec<Sale>>,
    /// Late sales and what was released, by tick.
    late: BTreeMap<u32, Vec<Sale>>,
    released: BTreeMap<u32, (Note, [i64; 3])>,
    /// Of sellers, categories, products.
    told: [Told; 3],
    facts: Option<Facts>,
    crier: Option<Crier>,
    logs: Logs,
    sweep_at: usize,
    recent: Recent,
}

impl Fold {
    /// `me`, `peers`: this worker and how many there are.
    pub fn new(plan: &Plan, me: usize, peers: usize) -> Fold {
        let hold = super::delta::hold(plan);
        Fold {
            plan: plan.clone(),
            peers,
            biggest: plan.windows.iter().any(|w| w.biggest),
            first: 1,
            near: VecDeque::new(),
            far: BTreeMap::new(),
            pool: vec![],
            late: BTreeMap::new(),
            released: BTreeMap::new(),
            told: std::array::from_fn(|_| Told::new(me, peers, hold)),
            facts: Facts::new(plan, me, peers),
            crier: Crier::new(plan, peers),
            logs: Logs::default(),
            sweep_at: 4096,
            recent: Recent { hold, blocks: VecDeque::new() },
        }
    }

    /// What a checkpoint must hold, when all ticks before it have closed: then no late sale waits.
    pub fn save(&self, names: &Dictionaries) -> Saved {
        let sales: Vec<Sale> = self.near.iter().chain(self.far.values()).flatten().copied().collect();
        let of = |d: &Dictionary, id: fn(&Sale) -> u32| {
            let ids: BTreeSet<u32> = sales.iter().map(id).collect();
            ids.into_iter().map(|id| (id, d.name(id).to_string())).collect()
        };
        let names = [of(&names.sellers, |s| s.seller), of(&names.categories, |s| s.category), of(&names.products, |s| s.product)];
        let arrived = self.crier.iter().flat_map(|crier| crier.arrived.iter().map(|(key, n)| (*key, *n))).collect();
        Saved { names, sales, arrived }
    }

    /// Takes up what some worker held when `tick` was open.
    pub fn restore(&mut self, saved: &Saved, tick: u32, names: &mut Dictionaries) {
        self.skip_to(tick);
        if let Some(crier) = &mut self.crier {
            saved.arrived.iter().for_each(|(key, n)| *crier.arrived.entry(*key).or_default() += n);
        }
        let block = names.block;
        let of = |d: &mut Dictionary, known: &[(u32, String)]| -> BTreeMap<u32, u32> {
            known.iter().map(|(id, name)| (*id, d.intern(name, block))).collect()
        };
        let sellers = of(&mut names.sellers, &saved.names[0]);
        let categories = of(&mut names.categories, &saved.names[1]);
        let products = of(&mut names.products, &saved.names[2]);
        for sale in &saved.sales {
            let (seller, category, product) = (sellers[&sale.seller], categories[&sale.category], products[&sale.product]);
            let pane = self.plan.pane(sale.at);
            self.pane(pane).push(Sale { seller, category, product, ..*sale });
        }
    }

    /// Sends again what was learned at an earlier tick: `entries` are of one tick, with ids of this worker.
    pub fn again(&mut self, s: u32, entries: &[Entry], names: &Dictionaries, out: &mut Closed) {
        let [to_sellers, to_categories, to_products] = &mut self.told;
        for late in [false, true] {
            again(to_sellers, s, late, entries.iter().flat_map(|e| &e.sellers), &names.sellers, &mut out.sellers);
            again(to_categories, s, late, entries.iter().flat_map(|e| &e.categories), &names.categories, &mut out.categories);
            again(to_products, s, late, entries.iter().flat_map(|e| &e.products), &names.products, &mut out.products);
        }
        let mut amounts = self.blank_amounts(s, 0);
        for amount in entries.iter().flat_map(|e| &e.amounts) {
            amount.plus.iter().for_each(|a| amounts[owner_of_amount(*a, self.peers)].plus.push(*a));
            amount.odd.iter().for_each(|a| amounts[owner_of_amount(a.1, self.peers)].odd.push(*a));
        }
        out.amounts.extend(amounts.into_iter().filter(|a| !a.plus.is_empty() || !a.odd.is_empty()));
        out.lumps.extend(entries.iter().flat_map(|e| &e.lumps));
    }

    /// Takes the records of a block.
    pub fn take(&mut self, block: &Released) {
        let s = block.before + 1;
        if let Some(crier) = self.crier.as_mut().filter(|_| block.live) {
            crier.arrive(&self.plan, block.input, s, &block.decoded.sales);
        }
        let least = self.plan.least_pane(block.before);
        let (tick, origin) = (self.plan.tick, self.plan.origin);
        let (mut from, mut to, mut pane) = (1, 0, 0u32);
        let (mut late, mut lost) = (vec![], 0u64);
        for sale in &block.decoded.sales {
            if sale.at < from || sale.at >= to {
                pane = self.plan.pane(sale.at);
                from = origin + (i64::from(pane) - 1) * tick;
                to = from + tick;
            }
            if pane >= s {
                self.pane(pane).push(*sale);
            } else if pane >= least {
                late.push(*sale);
            } else {
                lost += 1;
            }
        }
        let windows = self.plan.windows.len();
        let future = |r: &&crate::sale::Reject| r.faults.iter().any(|f| f.code == "future_sale_date");
        let rejects = &block.decoded.rejects;
        let bad_time = rejects.iter().filter(future).count() as u64 + lost;
        let (note, gates) = self.released.entry(s).or_insert_with(|| (Note::new(s, windows), [0; 3]));
        let (first, last) = note.epochs.unwrap_or((block.epoch, block.epoch));
        note.epochs = Some((first.min(block.epoch), last.max(block.epoch)));
        note.late += late.len() as u64;
        note.fates[fate::REJECTED] += rejects.len() as u64;
        note.fates[fate::TOO_LATE] += lost;
        note.fates[fate::DUPLICATE] += block.duplicates;
        note.fates[fate::ACCEPTED] += block.decoded.sales.len() as u64 - lost;
        for (g, n) in gates.iter_mut().zip([block.decoded.records() + block.duplicates, rejects.len() as u64, bad_time]) {
            *g += n as i64;
        }
        if !late.is_empty() {
            self.late.entry(s).or_default().append(&mut late);
        }
    }

    #[inline]
    fn pane(&mut self, pane: u32) -> &mut Vec<Sale> {
        let i = (pane - self.first) as usize;
        if i >= NEAR {
            return self.far.entry(pane).or_default();
        }
        while self.near.len() <= i {
            self.near.push_back(self.pool.pop().unwrap_or_default());
        }
        &mut self.near[i]
    }

    /// The next tick, not after `upto`, at which something leaves.
    fn busy(&self, upto: u32) -> Option<u32> {
        let near = self.near.iter().position(|p| !p.is_empty()).map(|i| self.first + i as u32);
        let others = [self.far.keys().next(), self.late.keys().next(), self.released.keys().next()];
        near.into_iter().chain(others.into_iter().flatten().copied()).min().filter(|t| *t <= upto)
    }

    /// Closes the ticks up to `upto`.
    pub fn close(&mut self, upto: u32, names: &Dictionaries, out: &mut Closed) {
        while let Some(t) = self.busy(upto) {
            self.skip_to(t);
            let mut sales = self.near.pop_front().unwrap_or_default();
            self.first = t + 1;
            let windows = self.plan.windows.len();
            let (mut note, gates) = self.released.remove(&t).unwrap_or_else(|| (Note::new(t, windows), [0; 3]));
            self.on_time(&sales, gates, names, &mut note, out);
            if let Some(facts) = &mut self.facts {
                facts.tell(t, &sales, None, names, &mut out.facts);
            }
            if let Some(crier) = &mut self.crier {
                crier.tell(&self.plan, t, &sales, names, &mut out.heads);
            }
            sales.clear();
            self.pool.push(sales);
            if let Some(late) = self.late.remove(&t) {
                self.corrections(t, &late, names, &mut note, out);
                if let Some(facts) = &mut self.facts {
                    facts.tell(t, &late, Some(&self.plan), names, &mut out.facts);
                }
                if let Some(crier) = &mut self.crier {
                    crier.tell(&self.plan, t, &late, names, &mut out.heads);
                }
            }
            out.notes.push(note);
        }
        self.skip_to(upto + 1);
    }

    /// What worker 0 must know of the ticks that a stop has left open: they do not close, but the fate of each record is known.
    pub fn unclosed(&mut self) -> impl Iterator<Item = Note> {
        std::mem::take(&mut self.released).into_values().map(|(note, _)| note)
    }

    /// Nothing is before tick `t`.
    pub fn skip_to(&mut self, t: u32) {
        while self.first < t {
            match self.near.pop_front() {
                Some(p) => {
                    self.pool.push(p);
                    self.first += 1;
                }
                None => self.first = t,
            }
        }
        self.pool.truncate(64);
        // Later panes may be near now, and far ones are looked for only at their own tick: keep each pane in one place.
        while let Some(e) = self.far.first_entry().filter(|e| ((*e.key() - self.first) as usize) < NEAR) {
            let (pane, mut sales) = e.remove_entry();
            self.pane(pane).append(&mut sales);
        }
    }

    fn on_time(&mut self, sales: &[Sale], gates: [i64; 3], names: &Dictionaries, note: &mut Note, out: &mut Closed) {
        let s = note.s;
        let mut lump = Lump { s, pane: s, sums: [0, 0, 0, 0, 0, gates[0], gates[1], gates[2]] };
        let mut amounts = self.blank_amounts(s, if self.biggest { sales.len() } else { 0 });
        let orders = self.plan.features.enabled && self.plan.features.orders && !self.plan.profiles.sellers;
        let [to_sellers, to_categories, to_products] = &mut self.told;
        let mut deltas: Messages = (to_sellers.blank(s), to_categories.blank(s), to_products.blank(s));
        for some in sales.chunks(TOUCHED) {
            let reads = some
                .iter()
                .map(|sale| self.logs.touch(sale.price) ^ to_sellers.touch(sale.seller) ^ to_products.touch(sale.product));
            std::hint::black_box(reads.fold(0, |a, b| a ^ b));
            for sale in some.iter().filter(|sale| sale.op != Op::Stock) {
                note.first = note.first.min(sale.at);
                let Some(x) = Signed::of(sale, &mut self.logs, &mut lump) else { continue };
                to_sellers.row(&mut deltas.0, sale.seller, s, &names.sellers).add(&x.seller);
                to_categories.row(&mut deltas.1, sale.category, s, &names.categories).add(&x.category);
                to_products.row(&mut deltas.2, sale.product, s, &names.products).add(&x.product);
                if self.biggest {
                    let amount = sale.cents() as u32;
                    let to = &mut amounts[owner_of_amount(amount, self.peers)];
                    if sale.op == Op::Sale { to.plus.push(amount) } else { to.odd.push((s, amount, -1)) }
                }
                if orders && sale.customer != [0, 0] {
                    let customer = Customer { id: sale.seller, pane: s, sales: x.product.0 as i32, customer: sale.customer };
                    to_sellers.to(&mut deltas.0, sale.seller, s, &names.sellers).customers.push(customer);
                }
            }
        }
        to_sellers.send(deltas.0, &mut out.sellers);
        to_categories.send(deltas.1, &mut out.categories);
        to_products.send(deltas.2, &mut out.products);
        out.amounts.extend(amounts.into_iter().filter(|a| !a.plus.is_empty() || !a.odd.is_empty()));
        if lump.sums != [0; 8] {
            out.lumps.push(lump);
        }
    }

    fn corrections(&mut self, s: u32, sales: &[Sale], names: &Dictionaries, note: &mut Note, out: &mut Closed) {
        let mut amounts = self.blank_amounts(s, 0);
        let orders = self.plan.features.enabled && self.plan.features.orders && !self.plan.profiles.sellers;
        let [to_sellers, to_categories, to_products] = &mut self.told;
        let mut deltas: Messages = (to_sellers.blank(s), to_categories.blank(s), to_products.blank(s));
        let mut lumps: BTreeMap<u32, Lump> = BTreeMap::new();
        for sale in sales.iter().filter(|sale| sale.op != Op::Stock) {
            note.first = note.first.min(sale.at);
            let pane = self.plan.pane(sale.at);
            for (n, w) in note.unrevised.iter_mut().zip(&self.plan.windows) {
                let (first, last) = (ceil(pane, w.slide), ceil(pane, w.slide) + w.size);
                let taken = super::class::first_end(s, w.lateness, w.slide).clamp(first, last);
                *n += u64::from((taken - first) / w.slide);
            }
            let lump = lumps.entry(pane).or_insert(Lump { s, pane, sums: [0; 8] });
            let Some(x) = Signed::of(sale, &mut self.logs, lump) else { continue };
            let to = to_sellers.to(&mut deltas.0, sale.seller, s, &names.sellers);
            if orders && sale.customer != [0, 0] {
                to.customers.push(Customer { id: sale.seller, pane, sales: x.product.0 as i32, customer: sale.customer });
            }
            row(to, sale.seller, Some(pane), x.seller);
            row(to_categories.to(&mut deltas.1, sale.category, s, &names.categories), sale.category, Some(pane), x.category);
            row(to_products.to(&mut deltas.2, sale.product, s, &names.products), sale.product, Some(pane), x.product);
            if self.biggest {
                let amount = sale.cents() as u32;
                amounts[owner_of_amount(amount, self.peers)].odd.push((pane, amount, x.product.0 as i8));
            }
        }
        to_sellers.send(deltas.0, &mut out.sellers);
        to_categories.send(deltas.1, &mut out.categories);
        to_products.send(deltas.2, &mut out.products);
        out.amounts.extend(amounts.into_iter().filter(|a| !a.odd.is_empty()));
        out.lumps.extend(lumps.into_values().filter(|l| l.sums != [0; 8]));
    }

    /// For each owner, with room for its share of so many sales.
    fn blank_amounts(&self, s: u32, sales: usize) -> Vec<AmountDelta> {
        let room = sales / self.peers + sales / self.peers / 8;
        let blank = |to| AmountDelta { to, s, plus: Vec::with_capacity(room), odd: vec![] };
        (0..self.peers as u32).map(blank).collect()
    }

    /// Forgets, when many names have gathered, those that no open pane uses and no block of the last ticks; blocks from
    /// `waiting` on have not come yet. Tick `s` has closed.
    pub fn forget(&mut self, names: &mut Dictionaries, waiting: u64, s: u32) {
        let before = self.recent.since(s, names.block).min(waiting);
        if names.sellers.len().max(names.products.len()).max(names.categories.len()) < self.sweep_at {
            return;
        }
        let mut held = [&names.sellers, &names.categories, &names.products].map(|d| vec![false; d.bound()]);
        for sale in self.near.iter().chain(self.far.values()).chain(self.late.values()).flatten() {
            held[0][sale.seller as usize] = true;
            held[1][sale.category as usize] = true;
            held[2][sale.product as usize] = true;
        }
        let Dictionaries { sellers, categories, products, .. } = names;
        let (classes, facts, crier) = ([sellers, categories, products], &mut self.facts, &mut self.crier);
        for (class, ((d, held), told)) in classes.into_iter().zip(&held).zip(&mut self.told).enumerate() {
            let gone = |id| {
                told.forget(id);
                facts.iter_mut().for_each(|facts| facts.forget(class, id));
                crier.iter_mut().for_each(|crier| crier.forget(class, id));
            };
            d.forget(before, |id| held[id as usize], gone);
        }
        self.sweep_at = 2 * names.sellers.len().max(names.products.len()).max(names.categories.len()).max(2048);
    }
}

/// The worker that owns an amount. A division costs as much as the rest of what is done for one.
#[inline]
fn owner_of_amount(amount: u32, peers: usize) -> usize {
    if peers == 1 { 0 } else { amount as usize % peers }
}

/// Sends the rows of one class again, those of the tick's own pane or the `late` ones.
fn again<'a, V: Tally>(
    told: &mut Told,
    s: u32,
    late: bool,
    deltas: impl Iterator<Item = &'a Delta<V>>,
    names: &Dictionary,
    out: &mut Vec<Delta<V>>,
) {
    let mut messages = told.blank(s);
    for delta in deltas.filter(|d| d.panes.is_empty() != late) {
        for (i, (id, tally)) in delta.ids.iter().zip(&delta.tallies).enumerate() {
            match delta.panes.get(i) {
                Some(pane) => row(told.to(&mut messages, *id, s, names), *id, Some(*pane), *tally),
                None => told.row(&mut messages, *id, s, names).add(tally),
            }
        }
        for customer in &delta.customers {
            told.to(&mut messages, customer.id, s, names).customers.push(*customer);
        }
    }
    told.send(messages, out);
}

#[inline]
fn row<V>(to: &mut Delta<V>, id: u32, pane: Option<u32>, v: V) {
    to.ids.push(id);
    to.panes.extend(pane);
    to.tallies.push(v);
}
