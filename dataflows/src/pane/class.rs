//! One class of keys (sellers, categories, products) on the worker that owns them: names, and one store of panes for each
//! granularity, which serves all windows and features that slide by it.
//!
//! Plain state: the operator around it is in [`super::store`]. Ends are closed in order, and only those at which something
//! happens: nights and gaps cost nothing.

use super::arena::Arena;
use super::best::{Best, Candidate};
use super::delta::Delta;
use super::due::Due;
use super::minutes::Minutes;
use super::orders::Orders;
use super::tally::{Count, Tally};
use crate::dictionary::identity;
use crate::group::{Totals, slot};
use crate::plan::{Plan, Window, ceil};
use crate::time::Bi;
use differential_dataflow::difference::Abelian;
use hashbrown::HashTable;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Distinct count, best, sums of an hour, orders.
    Sellers,
    /// Distinct count, best, sums of half an hour, trend.
    Categories,
    /// Distinct count.
    Products,
}

/// Names by this worker's ids; shared with the operators that turn ids into rows.
#[derive(Default)]
pub struct Names {
    /// By id; empty when the id is free.
    pub names: Vec<Box<str>>,
    keys: Vec<u128>,
    index: HashTable<u32>,
    /// Tick at which a name was last spoken of.
    seen: Vec<u32>,
    free: Vec<u32>,
    /// Ids on their way to `free`: the rows made from them must be out first.
    leaving: VecDeque<(u32, u32)>,
    /// Names ever given an id.
    made: u64,
    /// Rows up to this tick are out.
    pub rows_out: u32,
    swept: u32,
}

impl Names {
    /// `served`: rows are made from the ids, and say when they are out through `rows_out`.
    pub fn new(served: bool) -> Names {
        Names { rows_out: if served { 0 } else { u32::MAX }, ..Names::default() }
    }

    /// The id of a name.
    fn id(&mut self, name: &str, s: u32) -> u32 {
        let key = identity(name.as_bytes());
        let keys = &self.keys;
        if let Some(&id) = self.index.find(key as u64, |&id| keys[id as usize] == key) {
            self.seen[id as usize] = s;
            return id;
        }
        self.made += 1;
        let id = match self.free.pop() {
            Some(id) => {
                (self.names[id as usize], self.keys[id as usize], self.seen[id as usize]) = (name.into(), key, s);
                id
            }
            None => {
                self.names.push(name.into());
                self.keys.push(key);
                self.seen.push(s);
                self.names.len() as u32 - 1
            }
        };
        let keys = &self.keys;
        self.index.insert_unique(key as u64, id, |&id| keys[id as usize] as u64);
        id
    }

    /// Names held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no name is held.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Forgets what nobody has spoken of for `hold` ticks, now and then; calls `gone` for each id.
    fn sweep(&mut self, s: u32, hold: u32, mut gone: impl FnMut(u32)) {
        while let Some((_, id)) = self.leaving.pop_front_if(|x| x.0 <= self.rows_out) {
            self.names[id as usize] = Box::default();
            self.free.push(id);
        }
        if s < self.swept.saturating_add(hold / 2) {
            return;
        }
        self.swept = s;
        let (seen, keys) = (&self.seen, &self.keys);
        let old: Vec<u32> = self.index.iter().copied().filter(|&id| seen[id as usize].saturating_add(hold) < s).collect();
        for id in old {
            if let Ok(e) = self.index.find_entry(keys[id as usize] as u64, |&other| other == id) {
                e.remove();
            }
            self.leaving.push_back((s, id));
            gone(id);
        }
    }
}

/// What a class says when ends close: updates for differential.
pub struct Changes<G> {
    /// By window definition: the number of distinct keys.
    pub presence: Vec<Vec<((), Bi, Totals)>>,
    /// By window definition: the best key.
    pub best: Vec<Vec<(Candidate, Bi, isize)>>,
    /// Sums by key, for the features.
    pub sums: Vec<(u32, Bi, G)>,
}

struct WindowState {
    /// Index of the definition.
    index: usize,
    size: u32,
    lateness: u32,
    due: Due<1>,
    best: Option<Best>,
}

/// A size whose sums by key are wanted.
#[derive(Clone, Copy)]
struct Sums {
    size: u32,
    lateness: u32,
}

/// The first end that takes a record which was released when tick `s` was open: the least `E` with `E + lateness >= s`.
#[inline]
pub fn first_end(s: u32, lateness: u32, slide: u32) -> u32 {
    ceil(s.saturating_sub(lateness), slide)
}

/// All that slides by the same number of ticks.
struct Grain<V> {
    slide: u32,
    keep: u32,
    arena: Arena<V>,
    /// The end that closed last.
    closed: u32,
    /// The end for which rows have come; 0 for none.
    open: u32,
    rows: Vec<V>,
    touched: Vec<u32>,
    /// Rows of closed panes: pane, tick of release, key, sums.
    late: Vec<(u32, u32, u32, V)>,
    windows: Vec<WindowState>,
    sums: Option<Sums>,
}

impl<V: Tally> Grain<V> {
    fn new(slide: u32, windows: &[(usize, &Window)], best: bool, sums: Option<Sums>) -> Grain<V> {
        let reach = |w: &Window| ceil(w.lateness, w.slide);
        let state = |&(index, w): &(usize, &Window)| WindowState {
            index,
            size: w.size,
            lateness: w.lateness,
            due: Due::new(slide),
            best: best.then(|| Best::new(w.size, slide, reach(w))),
        };
        let keeps = windows.iter().map(|(_, w)| w.size + reach(w)).chain(sums.map(|x| x.size + ceil(x.lateness, slide)));
        Grain {
            slide,
            keep: keeps.max().unwrap_or(0) + slide,
            arena: Arena::default(),
            closed: 0,
            open: 0,
            rows: vec![],
            touched: vec![],
            late: vec![],
            windows: windows.iter().map(state).collect(),
            sums,
        }
    }

    /// A row learned at tick `s`; on time when its pane is not before `s`.
    #[inline]
    fn row(&mut self, id: u32, pane: u32, tally: &V, s: u32) {
        let (pane, end) = (ceil(pane, self.slide), ceil(s, self.slide));
        self.open = end;
        if pane == end {
            let i = id as usize;
            if self.rows.len() <= i {
                self.rows.resize(i + 1, V::default());
            }
            let row = &mut self.rows[i];
            if row.is_nothing() {
                self.touched.push(id);
            }
            row.add(tally);
        } else if pane + self.keep > end {
            self.late.push((pane, s, id, *tally));
        }
    }

    /// The next end at which something happens.
    fn busy(&self) -> Option<u32> {
        let open = (self.open > 0).then_some(self.open);
        if open == Some(self.closed + self.slide) {
            return open;
        }
        let due = self.windows.iter().filter_map(|w| w.due.busy());
        let leaves = |size: u32| self.arena.pane_after(self.closed.saturating_sub(size)).map(|p| p + size);
        let sizes = self.windows.iter().filter(|w| w.best.is_some()).map(|w| w.size).chain(self.sums.map(|s| s.size));
        open.into_iter().chain(due).chain(sizes.filter_map(leaves)).filter(|e| *e > self.closed).min()
    }

    fn close(
        &mut self,
        s: u32,
        slot: usize,
        names: &[Box<str>],
        out: &mut Changes<V::Group>,
        mut each: impl FnMut(u32, u32, &V, u32),
    ) {
        let Grain { slide, arena, windows, sums, .. } = self;
        for w in windows.iter_mut() {
            w.due.skip_to(s);
            if let Some(best) = &mut w.best {
                best.skip((s - self.closed) / *slide - 1);
            }
        }
        arena.grow(names.len());
        arena.open();
        for id in self.touched.drain(..) {
            let v = std::mem::take(&mut self.rows[id as usize]);
            // A key that was touched twice, or came back to nothing.
            if v.is_nothing() {
                continue;
            }
            let turn = arena.add(id, s, &v, false);
            for w in windows.iter_mut() {
                if let Some((lo, hi)) = turn.and_then(|t| t.ends(s, w.size, 0)) {
                    let sign = turn.map_or(0, |t| t.sign);
                    w.due.put(lo, &[sign]);
                    w.due.put(hi, &[-sign]);
                }
                if let Some(best) = &mut w.best {
                    best.add(id, s, v.sales(), s, s);
                }
            }
            if sums.is_some() {
                out.sums.push((id, Bi::diagonal(s), v.group()));
                each(id, s, &v, s);
            }
        }
        arena.late();
        for (pane, released, id, v) in self.late.drain(..) {
            let turn = arena.add(id, pane, &v, true);
            for w in windows.iter_mut() {
                let from = first_end(released, w.lateness, *slide).max(pane);
                if let Some((lo, hi)) = turn.and_then(|t| t.ends(pane, w.size, from)) {
                    let sign = turn.map_or(0, |t| t.sign);
                    w.due.put(lo, &[sign]);
                    w.due.put(hi, &[-sign]);
                }
                if let Some(best) = &mut w.best {
                    best.add(id, pane, v.sales(), s, from);
                }
            }
            if let Some(x) = sums {
                let from = first_end(released, x.lateness, *slide).max(pane);
                // What leaves at s or later leaves with its pane.
                if from < pane + x.size {
                    out.sums.push((id, Bi { e: from, s }, v.group()));
                    if pane + x.size < s {
                        out.sums.push((id, Bi { e: pane + x.size, s }, negated(v.group())));
                    }
                } else if pane + x.size == s {
                    // Its pane leaves now, with it; it never counted.
                    out.sums.push((id, Bi::diagonal(s), v.group()));
                }
                each(id, pane, &v, from);
            }
        }
        arena.close(s);
        if let Some(x) = sums
            && s > x.size
        {
            arena.pane(s - x.size, |e| {
                if !e.tally.is_nothing() {
                    out.sums.push((e.id, Bi::diagonal(s), negated(e.tally.group())));
                }
            });
        }
        for w in windows.iter_mut() {
            if let Some(best) = &mut w.best {
                best.close(s, arena, names, |e, c, d| out.best[w.index].push((c, Bi { e, s }, d)));
            }
            w.due.close(|e, [n]| {
                let mut totals = Totals::default();
                totals.0[slot] = n;
                out.presence[w.index].push(((), Bi { e, s }, totals));
            });
        }
        arena.expire(s.saturating_sub(self.keep));
        (self.closed, self.open) = (s, 0);
    }
}

fn negated<G: Abelian>(mut g: G) -> G {
    g.negate();
    g
}

/// See the [module](self).
pub struct Class<V> {
    slot: usize,
    hold: u32,
    names: Rc<RefCell<Names>>,
    /// By sender: its ids to ours.
    local: Vec<Vec<u32>>,
    counts: Vec<Grain<Count>>,
    tallies: Option<Grain<V>>,
    orders: Option<Orders>,
    minutes: Option<Minutes>,
    lateness: u32,
}

impl<V: Tally> Class<V> {
    /// `senders`: how many workers send.
    pub fn new(plan: &Plan, kind: Kind, senders: usize, names: Rc<RefCell<Names>>) -> Class<V> {
        let f = &plan.features;
        let best = kind != Kind::Products;
        let sums = match kind {
            Kind::Sellers if f.enabled => Some(Sums { size: f.hour, lateness: f.lateness }),
            Kind::Categories if f.enabled => Some(Sums { size: f.half_hour, lateness: f.lateness }),
            _ => None,
        };
        let mut slides: Vec<u32> = plan.windows.iter().map(|w| w.slide).collect();
        slides.sort_unstable();
        slides.dedup();
        let having = |slide: u32| plan.windows.iter().enumerate().filter(|(_, w)| w.slide == slide).collect::<Vec<_>>();
        let featured = sums.is_some().then_some(f.slide);
        let counts = slides.iter().filter(|s| Some(**s) != featured).map(|s| Grain::new(*s, &having(*s), best, None));
        let reach = ceil(f.lateness, f.slide);
        Class {
            slot: match kind {
                Kind::Sellers => slot::SELLERS,
                Kind::Categories => slot::CATEGORIES,
                Kind::Products => slot::PRODUCTS,
            },
            hold: super::delta::hold(plan),
            names,
            local: vec![vec![]; senders],
            counts: counts.collect(),
            tallies: featured.map(|s| Grain::new(s, &having(s), best, sums)),
            orders: (kind == Kind::Sellers && f.enabled && f.orders).then(|| Orders::new(f.hour, f.slide, f.minute, reach)),
            minutes: (kind == Kind::Categories && f.enabled).then(|| Minutes::new(f.minute, f.half_hour, reach, plan.origin)),
            lateness: f.lateness,
        }
    }

    /// Takes the rows of tick `s`. Ticks come in order, and [`Class::close`] has been called up to `s - 1`.
    pub fn learn(&mut self, delta: &Delta<V>) {
        let names = &mut *self.names.borrow_mut();
        let local = &mut self.local[delta.from as usize];
        for (id, name) in &delta.names {
            let i = *id as usize;
            if local.len() <= i {
                local.resize(i + 1, u32::MAX);
            }
            local[i] = names.id(name, delta.s);
        }
        for (i, (id, v)) in delta.ids.iter().zip(&delta.tallies).enumerate() {
            let id = local[*id as usize];
            names.seen[id as usize] = delta.s;
            let pane = delta.panes.get(i).copied().unwrap_or(delta.s);
            let count = Count(v.sales());
            if count.0 != 0 {
                for grain in &mut self.counts {
                    grain.row(id, pane, &count, delta.s);
                }
            }
            if let Some(grain) = &mut self.tallies {
                grain.row(id, pane, v, delta.s);
            }
        }
        if let (Some(orders), Some(grain)) = (&mut self.orders, &mut self.tallies) {
            let end = ceil(delta.s, grain.slide);
            for c in &delta.customers {
                let (id, pane) = (local[c.id as usize], ceil(c.pane, grain.slide));
                grain.open = end;
                if pane == end {
                    orders.add(id, c.customer, c.sales.into());
                } else if pane + grain.keep > end {
                    let from = first_end(delta.s, self.lateness, grain.slide).max(pane);
                    // Where the pane lies in no window that still takes it, it is as if it had not come.
                    if from < pane + grain.sums.map_or(0, |x| x.size) {
                        orders.add_late(id, c.customer, pane, c.sales.into(), from);
                    }
                }
            }
        }
    }

    /// The next tick at which an end closes and something happens.
    pub fn busy(&self) -> Option<u32> {
        let counts = self.counts.iter().filter_map(Grain::busy);
        counts.chain(self.tallies_busy()).min()
    }

    fn tallies_busy(&self) -> Option<u32> {
        let grain = self.tallies.as_ref()?;
        let hour = grain.sums.map_or(0, |s| s.size);
        let orders = self.orders.as_ref().and_then(Orders::leaving).map(|p| p + hour);
        let minutes = self.minutes.as_ref().and_then(Minutes::busy);
        grain.busy().into_iter().chain(orders).chain(minutes).filter(|e| *e > grain.closed).min()
    }

    /// Closes the ends at tick `s`, of those granularities that are busy there.
    pub fn close(&mut self, s: u32, out: &mut Changes<V::Group>) {
        let names = self.names.clone();
        let names = &mut *names.borrow_mut();
        let mut counts =
            Changes { presence: std::mem::take(&mut out.presence), best: std::mem::take(&mut out.best), sums: vec![] };
        for grain in &mut self.counts {
            if grain.busy() == Some(s) {
                grain.close(s, self.slot, &names.names, &mut counts, |_, _, _, _| ());
            }
        }
        (out.presence, out.best) = (counts.presence, counts.best);
        if self.tallies_busy() == Some(s)
            && let Some(grain) = &mut self.tallies
        {
            let minutes = &mut self.minutes;
            grain.close(s, self.slot, &names.names, out, |id, pane, v, from| {
                if let (Some(m), Some(x)) = (minutes.as_mut(), v.trend()) {
                    m.add(id, pane, x, s, from);
                }
            });
            if let Some(m) = &mut self.minutes {
                m.close(s, |c| {
                    let (n, s0, s1, s2) = c.sums;
                    out.sums.push((c.id, Bi { e: c.end, s }, V::minutes(n, s0, s1, s2)));
                });
            }
            if let Some(o) = &mut self.orders {
                o.close(s, |id, end, n| out.sums.push((id, Bi { e: end, s }, V::orders(n))));
            }
        }
        names.sweep(s, self.hold, |id| {
            self.counts.iter_mut().for_each(|g| g.arena.forget(id));
            self.tallies.iter_mut().for_each(|g| g.arena.forget(id));
        });
    }

    /// Keys that this worker has come to own, each time that it did.
    pub fn named(&self) -> u64 {
        self.names.borrow().made
    }

    /// Live (key, pane) entries, and the bytes reserved for them.
    pub fn size(&self) -> (usize, usize) {
        let best = |w: &WindowState| w.best.as_ref().map_or(0, Best::bytes);
        let counts = self.counts.iter().map(|g| (g.arena.len(), g.arena.bytes() + g.windows.iter().map(best).sum::<usize>()));
        let tallies = self.tallies.iter().map(|g| (g.arena.len(), g.arena.bytes() + g.windows.iter().map(best).sum::<usize>()));
        counts.chain(tallies).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FeatureSpec, Spec, WindowSpec};

    /// Every tick sells another product; the names, ids and panes that are kept stay as many as fit into twice the hold.
    #[test]
    fn what_nobody_buys_any_more_is_forgotten() {
        let window = WindowSpec { name: "6s/3s".into(), size: 6_000, slide: 3_000, lateness: 6_000, biggest: false };
        let features = FeatureSpec { enabled: false, ..Spec::default().features };
        let plan = Plan::new(&Spec { windows: vec![window], features, ..Spec::default() }).unwrap();
        let names = Rc::new(RefCell::new(Names::new(false)));
        let mut class = Class::<Count>::new(&plan, Kind::Products, 1, names.clone());
        let hold = super::super::delta::hold(&plan);
        let mut most = (0, 0);
        for tick in 1..=40 * hold {
            let s = tick * 3;
            let named = vec![(tick % 7, format!("product {tick}"))];
            let delta = Delta { s, names: named, ids: vec![tick % 7], tallies: vec![Count(1)], ..Delta::default() };
            class.learn(&delta);
            while let Some(end) = class.busy().filter(|e| *e <= s) {
                let mut changes = Changes { presence: vec![vec![]], best: vec![vec![]], sums: vec![] };
                class.close(end, &mut changes);
            }
            most = (most.0.max(class.size().0), most.1.max(names.borrow().names.len()));
        }
        assert!(most.0 <= 8 && most.1 <= 2 * hold as usize, "{most:?}");
    }
}
