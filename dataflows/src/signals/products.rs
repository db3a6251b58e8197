//! On the owner of a product: what it was sold for, and how much of it.

use super::first_end;
use crate::detect::keyed::Keyed;
use crate::detect::price_anomaly::{Verdict, judge};
use crate::detect::stock_depletion::{Asked, Demand, Prior, Spans};
use crate::feature::price::{OWN_SPAN, PriceHistory};
use crate::pane::delta::Delta;
use crate::pane::facts::ProductFact;
use crate::plan::detect::MINUTE;
use crate::plan::{Plan, ceil};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be said of the prices of a product at one end, for the owner of its category: in place of what was said before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Priced {
    pub s: u32,
    pub end: u32,
    pub category: [u64; 2],
    pub product: String,
    pub verdict: Verdict,
}

/// A question for a forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub s: u32,
    pub end: u32,
    pub category: [u64; 2],
    pub product: String,
    pub asked: Asked,
}

/// What the products of one worker sold in the last 24 h, by category; in place of what was said at earlier ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub to: u32,
    pub s: u32,
    /// The pane of the first sale.
    pub first: u32,
    pub categories: Vec<([u64; 2], Prior)>,
}

/// All that leaves when an end closes.
#[derive(Debug, Default)]
pub struct Out {
    pub priced: Vec<Priced>,
    pub questions: Vec<Question>,
    pub share: Option<Share>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Product {
    history: PriceHistory,
    demand: Demand,
    /// The newest pane with a sale, and its category.
    category: (u32, [u64; 2]),
    /// What was said of ends that can still change, and to the owner of which category.
    said: Vec<(u32, [u64; 2], Verdict)>,
    /// The least end that has changed since the last close; 0 for none.
    touched: u32,
    /// The end at which it was touched last.
    seen: u32,
}

/// What a checkpoint holds.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    closed: u32,
    open: u32,
    first: u32,
    products: Vec<(String, Product)>,
}

/// See the [module](self). Plain state.
pub struct Products {
    plan: Plan,
    spans: Spans,
    /// How long after its last sale the forecast of a product is made again.
    watch: u32,
    /// Panes this far back change no more.
    horizon: u32,
    /// 90 days.
    reach: i64,
    products: Keyed<Product>,
    touched: BTreeSet<u32>,
    watched: BTreeSet<u32>,
    /// The end that closed last.
    closed: u32,
    /// The end for which facts have come; 0 for none.
    open: u32,
    /// The pane of the first sale; 0 without one.
    first: u32,
    own: Vec<(i32, u32)>,
}

impl Products {
    pub fn new(plan: &Plan) -> Products {
        let signals = &plan.signals;
        Products {
            spans: Spans { day: signals.day, step: 5 * MINUTE * signals.slide },
            watch: 60 * MINUTE * signals.slide,
            horizon: crate::snapshot::horizon(plan),
            reach: OWN_SPAN / plan.tick,
            plan: plan.clone(),
            products: Keyed::default(),
            touched: BTreeSet::new(),
            watched: BTreeSet::new(),
            closed: 0,
            open: 0,
            first: 0,
            own: vec![],
        }
    }

    /// Takes up what all workers deposited: this is worker `me` of `peers`.
    pub fn restore(&mut self, saved: Vec<Saved>, me: usize, peers: usize) {
        for saved in saved {
            self.closed = self.closed.max(saved.closed);
            self.open = self.open.max(saved.open);
            self.first = least(self.first, saved.first);
            self.products.restore(saved.products, me, peers);
        }
        for id in self.products.ids() {
            let product = self.products.at(id);
            if product.touched > 0 {
                self.touched.insert(id);
            }
            if product.demand.is_stocked() && product.seen + self.watch > self.closed {
                self.watched.insert(id);
            }
        }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        let products = self.products.sorted().into_iter().map(|(name, state)| (name.to_string(), state.clone()));
        Saved { closed: self.closed, open: self.open, first: self.first, products: products.collect() }
    }

    /// Takes facts. Nothing is left to be done at the ends before that of their tick.
    pub fn learn(&mut self, delta: &Delta<ProductFact>) {
        let Products { plan, products, touched, first, .. } = self;
        let (slide, stock) = (plan.signals.slide, plan.signals.spec.stock);
        let learned = ceil(delta.s, slide);
        self.closed = self.closed.max(learned - slide);
        products.hear(delta, |id, product, pane, fact| {
            let end = ceil(pane, slide);
            if fact.sales == 0 {
                product.demand.stock(end, fact.units.into());
            } else {
                product.history.add(end.into(), fact.ln, fact.sales);
                if stock {
                    product.demand.sell(end, i64::from(fact.units.abs()), fact.sales.into());
                }
                product.category = product.category.max((end, fact.category));
                *first = least(*first, end);
            }
            product.touched = least(product.touched, end);
            product.seen = learned;
            touched.insert(id);
        });
        self.open = learned;
    }

    /// The next end at which something is to be done.
    pub fn busy(&self) -> Option<u32> {
        let changed = (self.open > self.closed).then_some(self.open);
        let watched = (!self.watched.is_empty()).then_some(self.closed + self.plan.signals.slide);
        // What a day holds changes at each step.
        let stock = self.plan.signals.spec.stock && self.first > 0;
        let step = stock.then(|| (self.closed.max(self.first) / self.spans.step + 1) * self.spans.step);
        changed.into_iter().chain(watched).chain(step).min()
    }

    /// Closes the end `s`; ends after `last` are not spoken of.
    pub fn close(&mut self, s: u32, last: u32, out: &mut Out) {
        let signals = self.plan.signals.clone();
        let from = first_end(&signals, s);
        let done = s.saturating_sub(self.horizon);
        for id in std::mem::take(&mut self.touched) {
            let (name, product) = self.products.named(id);
            let mut end = product.touched.max(from);
            while end <= s.min(last) {
                let verdict = judge(
                    &product.history,
                    i64::from(end) - self.reach,
                    (end.saturating_sub((MINUTE / 2 - 1) * signals.slide), end),
                    &mut self.own,
                );
                let i = product.said.iter().position(|x| x.0 == end).unwrap_or_else(|| {
                    product.said.push((end, product.category.1, Verdict::Quiet));
                    product.said.len() - 1
                });
                if product.said[i].2 != verdict {
                    if product.said[i].2 == Verdict::Quiet {
                        product.said[i].1 = product.category.1;
                    }
                    product.said[i].2 = verdict.clone();
                    out.priced.push(Priced { s, end, category: product.said[i].1, product: name.into(), verdict });
                }
                if end < s {
                    out.questions.extend(question(name, product, s, end, self.spans));
                }
                end += signals.slide;
            }
            if product.demand.is_stocked() {
                self.watched.insert(id);
            }
            product.touched = 0;
            product.said.retain(|x| x.0 > from);
            product.history.forget(i64::from(done) - self.reach, done.into());
        }
        if signals.spec.stock {
            self.stock(s, last, done, out);
        }
        if s / signals.day != self.closed / signals.day {
            let reach = self.reach;
            self.products.retain(|product| product.touched > 0 || i64::from(product.seen) + reach > i64::from(s));
        }
        self.closed = s;
    }

    fn stock(&mut self, s: u32, last: u32, done: u32, out: &mut Out) {
        let spans = self.spans;
        if s.is_multiple_of(spans.step) {
            let mut categories: BTreeMap<[u64; 2], Prior> = BTreeMap::new();
            for id in self.products.ids() {
                let product = self.products.at(id);
                product.demand.settle(done, done, spans);
                let sold = product.demand.sold(s, spans);
                if sold.units > 0 {
                    let prior = categories.entry(product.category.1).or_default();
                    prior.products += 1;
                    prior.units += sold.units;
                }
            }
            out.share = Some(Share { to: 0, s, first: self.first, categories: categories.into_iter().collect() });
        }
        let (products, watch) = (&mut self.products, self.watch);
        self.watched.retain(|id| {
            let (name, product) = products.named(*id);
            if s <= last {
                out.questions.extend(question(name, product, s, s, spans));
            }
            product.seen + watch > s
        });
    }
}

fn question(name: &str, product: &Product, s: u32, end: u32, spans: Spans) -> Option<Question> {
    let asked = product.demand.asked(end, spans)?;
    Some(Question { s, end, category: product.category.1, product: name.into(), asked })
}

/// The lesser of two panes, 0 standing for none.
pub fn least(a: u32, b: u32) -> u32 {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}
