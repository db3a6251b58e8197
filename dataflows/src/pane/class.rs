//! One class of keys (sellers, categories, products) on the worker that owns them: names, and one store of panes for each
//! granularity, which serves all windows and features that slide by it.
//!
//! Plain state: the operator around it is in [`super::store`]. Ends are closed in order, and only those at which something
//! happens: nights and gaps cost nothing.

use super::arena::Arena;
use super::best::{Best, Candidate, Peak};
use super::delta::Delta;
use super::minutes::Minutes;
use super::names::Names;
use super::orders::Orders;
use super::presence::Presence;
use super::tally::{Count, Tally};
use super::texts::Texts;
use super::touched::Touched;
use crate::group::{Totals, slot};
use crate::plan::{Plan, Window, ceil};
use crate::time::Bi;
use differential_dataflow::difference::{Abelian, IsZero};
use std::cell::RefCell;
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

/// What a class says when ends close: updates for differential.
pub struct Changes<G> {
    /// By window definition: the number of distinct keys.
    pub presence: Vec<Vec<((), Bi, Totals)>>,
    /// By window definition: the best key.
    pub best: Vec<Vec<(Peak, Bi, isize)>>,
    /// Sums by key, for the features.
    pub sums: Vec<(u32, Bi, G)>,
    /// By id: how the sums change at the end that closes. What enters, what leaves and what becomes a whole minute are one
    /// update, and the updates come in the order of the ids.
    now: Vec<G>,
    touched: Touched,
}

impl<G: Abelian + Default + IsZero> Changes<G> {
    /// For so many window definitions.
    pub fn new(windows: usize) -> Changes<G> {
        let (presence, best) = (vec![vec![]; windows], (0..windows).map(|_| vec![]).collect());
        Changes { presence, best, sums: vec![], now: vec![], touched: Touched::default() }
    }

    /// The sums of a key change from end `e` on, as learned at end `s`.
    #[inline]
    fn sum(&mut self, id: u32, e: u32, s: u32, by: G) {
        if e < s {
            return self.sums.push((id, Bi { e, s }, by));
        }
        let i = id as usize;
        if self.now.len() <= i {
            self.now.resize(i + 1, G::default());
        }
        self.touched.mark(id);
        self.now[i].plus_equals(&by);
    }

    /// All changes of end `s` have been made.
    fn settle(&mut self, s: u32) {
        let (now, sums) = (&mut self.now, &mut self.sums);
        sums.reserve(self.touched.len());
        self.touched.drain(|id| {
            let by = std::mem::take(&mut now[id as usize]);
            if !by.is_zero() {
                sums.push((id, Bi::diagonal(s), by));
            }
        });
    }
}

struct WindowState {
    /// Index of the definition.
    index: usize,
    size: u32,
    lateness: u32,
    presence: Presence,
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
    /// Rows of closed panes: pane, tick of release, key, sums.
    late: Vec<(u32, u32, u32, V)>,
    windows: Vec<WindowState>,
    sums: Option<Sums>,
}

impl<V: Tally> Grain<V> {
    fn new(slide: u32, windows: &[(usize, &Window)], best: Option<fn(Candidate) -> Peak>, sums: Option<Sums>) -> Grain<V> {
        let reach = |w: &Window| ceil(w.lateness, w.slide);
        let state = |&(index, w): &(usize, &Window)| WindowState {
            index,
            size: w.size,
            lateness: w.lateness,
            presence: Presence::new(w.size, slide),
            best: best.map(|say| Best::new(w.size, slide, reach(w), say)),
        };
        let keeps = windows.iter().map(|(_, w)| w.size + reach(w)).chain(sums.map(|x| x.size + ceil(x.lateness, slide)));
        Grain {
            slide,
            keep: keeps.max().unwrap_or(0) + slide,
            arena: Arena::default(),
            closed: 0,
            open: 0,
            late: vec![],
            windows: windows.iter().map(state).collect(),
            sums,
        }
    }

    /// Rows come for the end `end`: the next one that closes, since all ends before it at which anything happens have closed.
    fn begin(&mut self, end: u32) {
        if self.open == 0 {
            self.arena.open();
        }
        debug_assert!(self.open == 0 || self.open == end, "ticks come in order");
        self.open = end;
    }

    /// Rows of pane `s`, learned at tick `s`; ids lie in `0..bound`.
    fn on_time(&mut self, s: u32, bound: usize, rows: impl Iterator<Item = (u32, V)>) {
        let end = ceil(s, self.slide);
        self.begin(end);
        self.arena.grow(bound);
        for (id, tally) in rows {
            self.arena.put(id, end, &tally);
        }
    }

    /// A row of an earlier pane, learned at tick `s`. At this granularity it may still be on time.
    fn row(&mut self, id: u32, pane: u32, tally: &V, s: u32) {
        let (pane, end) = (ceil(pane, self.slide), ceil(s, self.slide));
        if pane == end {
            return self.on_time(s, id as usize + 1, std::iter::once((id, *tally)));
        }
        self.begin(end);
        if pane + self.keep > end {
            self.late.push((pane, s, id, *tally));
        }
    }

    /// The next end at which something happens.
    fn busy(&self) -> Option<u32> {
        let open = (self.open > 0).then_some(self.open);
        if open == Some(self.closed + self.slide) {
            return open;
        }
        let due = self.windows.iter().filter_map(|w| w.presence.busy());
        let leaves = |size: u32| self.arena.pane_after(self.closed.saturating_sub(size)).map(|p| p + size);
        let sizes = self.windows.iter().filter(|w| w.best.is_some()).map(|w| w.size).chain(self.sums.map(|s| s.size));
        open.into_iter().chain(due).chain(sizes.filter_map(leaves)).filter(|e| *e > self.closed).min()
    }

    fn close(
        &mut self,
        s: u32,
        slot: usize,
        names: &Texts,
        out: &mut Changes<V::Group>,
        mut each: impl FnMut(u32, u32, &V, u32),
    ) {
        debug_assert!(self.open == 0 || self.open == s, "no end was skipped");
        let Grain { slide, arena, windows, sums, .. } = self;
        for w in windows.iter_mut() {
            w.presence.skip_to(s);
            if let Some(best) = &mut w.best {
                best.skip((s - self.closed) / *slide - 1);
            }
        }
        arena.grow(names.len());
        if self.open == 0 {
            arena.open();
        }
        arena.settle(|e, turn| {
            for w in windows.iter_mut() {
                if let Some(turn) = turn {
                    w.presence.enter(turn.before, s);
                }
                if let Some(best) = &mut w.best {
                    best.add_on_time(e.id, e.tally.sales());
                }
            }
            if sums.is_some() {
                out.sum(e.id, s, s, e.tally.group());
                each(e.id, s, &e.tally, s);
            }
        });
        windows.iter_mut().for_each(|w| w.presence.entered(s));
        for (pane, released, id, v) in self.late.drain(..) {
            let turn = arena.add_late(id, pane, &v);
            for w in windows.iter_mut() {
                let from = first_end(released, w.lateness, *slide).max(pane);
                if let Some(turn) = turn {
                    w.presence.turn(turn, pane, from);
                }
                if let Some(best) = &mut w.best {
                    best.add(id, pane, v.sales(), s, from);
                }
            }
            if let Some(x) = sums {
                let from = first_end(released, x.lateness, *slide).max(pane);
                // What leaves at s or later leaves with its pane.
                if from < pane + x.size {
                    out.sum(id, from, s, v.group());
                    if pane + x.size < s {
                        out.sum(id, pane + x.size, s, negated(v.group()));
                    }
                } else if pane + x.size == s {
                    // Its pane leaves now, with it; it never counted.
                    out.sum(id, s, s, v.group());
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
                    out.sum(e.id, s, s, negated(e.tally.group()));
                }
            });
        }
        for w in windows.iter_mut() {
            if let Some(best) = &mut w.best {
                best.close(s, arena, names, |e, c, d| out.best[w.index].push((c, Bi { e, s }, d)));
            }
            w.presence.close(|e, n| {
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
    /// Our ids of the rows at hand.
    ids: Vec<u32>,
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
        let best: Option<fn(Candidate) -> Peak> = match kind {
            Kind::Sellers => Some(Peak::Seller),
            Kind::Categories => Some(Peak::Category),
            Kind::Products => None,
        };
        let sums = match kind {
            Kind::Sellers if f.enabled && !plan.profiles.sellers => Some(Sums { size: f.hour, lateness: f.lateness }),
            Kind::Categories if f.enabled && !plan.profiles.categories => Some(Sums { size: f.half_hour, lateness: f.lateness }),
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
            ids: vec![],
            counts: counts.collect(),
            tallies: featured.map(|s| Grain::new(s, &having(s), best, sums)),
            orders: (kind == Kind::Sellers && sums.is_some() && f.orders).then(|| Orders::new(f.hour, f.slide, f.minute, reach)),
            minutes: (kind == Kind::Categories && sums.is_some())
                .then(|| Minutes::new(f.minute, f.half_hour, reach, plan.origin)),
            lateness: f.lateness,
        }
    }

    /// Takes the rows of tick `s`. Ticks come in order, and [`Class::close`] has been called up to `s - 1`.
    pub fn learn(&mut self, delta: &Delta<V>) {
        // Without windows nobody asks for products, and nothing would ever close.
        if self.counts.is_empty() && self.tallies.is_none() {
            return;
        }
        let names = &mut *self.names.borrow_mut();
        let local = &mut self.local[delta.from as usize];
        for (id, name) in &delta.names {
            let i = *id as usize;
            if local.len() <= i {
                local.resize(i + 1, u32::MAX);
            }
            local[i] = names.id(name, delta.s);
        }
        self.ids.clear();
        for id in &delta.ids {
            let id = local[*id as usize];
            names.seen(id, delta.s);
            self.ids.push(id);
        }
        let rows = self.ids.iter().copied().zip(&delta.tallies);
        let counts = rows.clone().map(|(id, v)| (id, Count(v.sales())));
        if delta.panes.is_empty() {
            self.counts.iter_mut().for_each(|g| g.on_time(delta.s, names.bound(), counts.clone()));
            self.tallies.iter_mut().for_each(|g| g.on_time(delta.s, names.bound(), rows.clone().map(|(id, v)| (id, *v))));
        } else {
            for ((id, v), pane) in rows.zip(&delta.panes) {
                self.counts.iter_mut().for_each(|g| g.row(id, *pane, &Count(v.sales()), delta.s));
                self.tallies.iter_mut().for_each(|g| g.row(id, *pane, v, delta.s));
            }
        }
        if let (Some(orders), Some(grain)) = (&mut self.orders, &mut self.tallies) {
            let end = ceil(delta.s, grain.slide);
            for c in &delta.customers {
                let (id, pane) = (local[c.id as usize], ceil(c.pane, grain.slide));
                names.seen(id, delta.s);
                grain.begin(end);
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
        let mut counts = Changes::new(0);
        (counts.presence, counts.best) = (std::mem::take(&mut out.presence), std::mem::take(&mut out.best));
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
                    out.sum(c.id, c.end, s, V::minutes(n, s0, s1, s2));
                });
            }
            if let Some(o) = &mut self.orders {
                o.close(s, |id, end, n| out.sum(id, end, s, V::orders(n)));
            }
            out.settle(s);
        }
        names.sweep(s, self.hold, |id| {
            self.counts.iter_mut().for_each(|g| g.arena.forget(id));
            self.tallies.iter_mut().for_each(|g| g.arena.forget(id));
        });
    }

    /// Keys that this worker has come to own, each time that it did.
    pub fn named(&self) -> u64 {
        self.names.borrow().made()
    }

    /// Live (key, pane) entries, with (seller, customer, pane) those of orders, and the bytes reserved for them.
    pub fn size(&self) -> (usize, usize) {
        let best = |w: &WindowState| w.best.as_ref().map_or(0, Best::bytes);
        let counts = self.counts.iter().map(|g| (g.arena.len(), g.arena.bytes() + g.windows.iter().map(best).sum::<usize>()));
        let tallies = self.tallies.iter().map(|g| (g.arena.len(), g.arena.bytes() + g.windows.iter().map(best).sum::<usize>()));
        let orders = self.orders.iter().map(|orders| (orders.len(), orders.bytes()));
        counts.chain(tallies).chain(orders).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
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
            // Ends before this tick close first, as the store does it.
            while let Some(end) = class.busy().filter(|e| *e < s) {
                class.close(end, &mut Changes::new(1));
            }
            class.learn(&delta);
            if class.busy() == Some(s) {
                class.close(s, &mut Changes::new(1));
            }
            most = (most.0.max(class.size().0), most.1.max(names.borrow().names.len()));
        }
        assert!(most.0 <= 8 && most.1 <= 2 * hold as usize, "{most:?}");
    }
}
