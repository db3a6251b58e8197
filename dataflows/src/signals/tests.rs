//! What the stages say, against a batch computation over all facts known at each slide: with late facts, cancellations of anything,
//! a restart in between, on 1, 2 and 4 workers.
//!
//! Ticks are panes here.

mod naive;

use super::categories::{self, Categories, halves};
use super::products::{self, Products, Share};
use super::shop::Shop;
use super::*;
use crate::dictionary::identity;
use crate::feature::price::{ln4, ln4_cents};
use crate::pane::told::owner_of;
use crate::plan::detect::MINUTE;
use crate::plan::{Plan, SignalSpec, Spec};
use crate::row::event::{Kind, Level};
use naive::Naive;
use proptest::prelude::*;
use std::collections::BTreeSet;

const DAY: u32 = 1_440 * MINUTE;

/// Panes in half a minute.
const HALF: u32 = MINUTE / 2;

/// A line that was sold (`n` = 1), or is cancelled (-1); or a record of the stock (0).
#[derive(Clone, Copy, Debug)]
struct Row {
    learned: u32,
    pane: u32,
    product: u32,
    category: u32,
    customer: u64,
    cents: u32,
    units: i32,
    n: i32,
}

fn plan() -> Plan {
    let signals = SignalSpec { enabled: true, stock: true, ..SignalSpec::default() };
    let mut spec = Spec { windows: vec![], signals, ..Spec::default() };
    spec.features.enabled = true;
    Plan::new(&spec).unwrap()
}

fn product(p: u32) -> String {
    format!("p{p}")
}

fn category(c: u32) -> String {
    format!("c{c}")
}

fn owner(name: &str, peers: usize) -> usize {
    owner_of(identity(name.as_bytes()), peers as u64) as usize
}

/// All stages of some workers.
struct Workers {
    plan: Plan,
    products: Vec<Products>,
    categories: Vec<Categories>,
    forecasts: Vec<Forecasts>,
    shop: Shop,
}

impl Workers {
    fn new(plan: &Plan, peers: usize) -> Workers {
        Workers {
            plan: plan.clone(),
            products: (0..peers).map(|_| Products::new(plan)).collect(),
            categories: (0..peers).map(|_| Categories::new(plan)).collect(),
            forecasts: (0..peers).map(|_| Forecasts::new(plan)).collect(),
            shop: Shop::new(plan, None),
        }
    }

    /// Through a checkpoint, onto another number of workers.
    fn moved(self, peers: usize) -> Workers {
        let products: Vec<_> = self.products.iter().map(|x| postcard::to_stdvec(&x.save()).unwrap()).collect();
        let categories: Vec<_> = self.categories.iter().map(|x| postcard::to_stdvec(&x.save()).unwrap()).collect();
        let forecasts: Vec<_> = self.forecasts.iter().map(|x| postcard::to_stdvec(&x.save()).unwrap()).collect();
        let mut to = Workers::new(&self.plan, peers);
        for me in 0..peers {
            to.products[me].restore(products.iter().map(|x| postcard::from_bytes(x).unwrap()).collect(), me, peers);
            to.categories[me].restore(categories.iter().map(|x| postcard::from_bytes(x).unwrap()).collect(), me, peers);
            let saved = forecasts.iter().map(|x| postcard::from_bytes(x).unwrap()).collect();
            to.forecasts[me].restore(saved, |name| owner(name, peers) == me);
        }
        to.shop = Shop::new(&self.plan, Some(self.shop.save()));
        to
    }

    /// What was learned at `s`; what is said of it.
    fn step(&mut self, s: u32, rows: &[Row]) -> Vec<Signal> {
        let peers = self.products.len();
        let (mut signals, mut priced, mut shares, mut questions) = (vec![], vec![], vec![], vec![]);
        for me in 0..peers {
            let mut delta: Delta<ProductFact> = Delta { s, ..Delta::default() };
            for row in rows.iter().filter(|row| owner(&product(row.product), peers) == me) {
                delta.names.push((row.product, product(row.product)));
                delta.ids.push(row.product);
                delta.panes.push(row.pane);
                let category = if row.n == 0 { [0, 0] } else { halves(identity(category(row.category).as_bytes())) };
                let sign = if row.n < 0 { -1 } else { 1 };
                delta.tallies.push(ProductFact { category, ln: ln4(row.cents), units: sign * row.units, sales: row.n });
            }
            if !delta.ids.is_empty() {
                self.products[me].learn(&delta);
            }
            let mut out = products::Out::default();
            if self.products[me].busy() == Some(s) {
                self.products[me].close(s, u32::MAX, &mut out);
            }
            priced.extend(out.priced);
            shares.extend(out.share);
            questions.push(out.questions);
        }
        let mut lines = vec![];
        for me in 0..peers {
            let mut delta: Delta<CategoryFact> = Delta { s, ..Delta::default() };
            for row in rows.iter().filter(|row| row.n != 0 && owner(&category(row.category), peers) == me) {
                delta.names.push((row.category, category(row.category)));
                delta.ids.push(row.category);
                delta.panes.push(row.pane);
                let cents = i64::from(row.cents) * i64::from(row.units);
                let (amount_ln, price_ln) = (ln4_cents(cents), ln4(row.cents));
                delta.tallies.push(CategoryFact { customer: [row.customer, 1], cents, amount_ln, price_ln, sales: row.n });
            }
            if !delta.ids.is_empty() {
                self.categories[me].learn(&delta);
            }
            let mine: Vec<Priced> = priced.iter().filter(|p| owns(p.category, peers) == me as u64).cloned().collect();
            let mut out = categories::Out::default();
            if !mine.is_empty() || self.categories[me].busy() == Some(s) {
                self.categories[me].close(s, u32::MAX, mine, &mut out);
            }
            signals.extend(out.signals);
            lines.extend(out.words);
        }
        for (forecasts, questions) in self.forecasts.iter_mut().zip(&questions) {
            let shares: Vec<Share> = shares.clone();
            if !shares.is_empty() || !questions.is_empty() {
                forecasts.close(s, &shares, questions, &mut signals);
            }
        }
        if !lines.is_empty() || self.shop.busy() == Some(s) {
            self.shop.close(s, u32::MAX, lines, &mut signals);
        }
        signals.sort_unstable();
        signals
    }
}

type Truth = BTreeMap<(u32, Subject), Found>;

/// A stream: a steady beginning that fills the baselines, then anything.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let odd = prop_oneof![6 => Just(1_000u32), 2 => Just(1_100), 2 => Just(100), 1 => Just(10_000), 1 => Just(400_000), 2 => Just(3_000)];
    let row = (1u32..60 * HALF, 0u32..5 * HALF, 0u32..4, 0u64..6, odd, 1i32..4, 0u32..10, any::<bool>());
    proptest::collection::vec(row, 1..120).prop_map(|odd| {
        let mut rows = vec![];
        for i in 0..240u32 {
            let (pane, product) = (1 + i / 24 * HALF, i % 3);
            let cents = 1_000 + 7 * (i % 11);
            rows.push(Row { learned: pane, pane, product, category: product % 2, customer: i.into(), cents, units: 1, n: 1 });
        }
        for (after, late, product, customer, cents, units, what, twice) in odd {
            let pane = 11 * HALF + after;
            let row = Row {
                learned: pane + late.saturating_sub(2 * HALF),
                pane,
                product,
                category: product % 2,
                customer,
                cents,
                units,
                n: 1,
            };
            match what {
                0 => rows.push(Row { n: 0, units: 10 * units, ..row }),
                1 | 2 => {
                    rows.push(row);
                    rows.push(Row { n: -1, learned: row.learned + late, ..row });
                }
                _ => (0..1 + i32::from(twice) * 4).for_each(|i| rows.push(Row { customer: customer + i as u64, ..row })),
            }
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_is_what_is_true(rows in rows(), cut in 1u32..70 * HALF) {
        let plan = plan();
        let mut workers = [1, 2, 4].map(|peers| Workers::new(&plan, peers));
        let mut naive = Naive::new(&plan);
        let mut told: Truth = Truth::new();
        for s in 1..=80 * HALF {
            let now: Vec<Row> = rows.iter().filter(|r| r.learned == s).copied().collect();
            naive.learn(s, &now);
            let said = workers[0].step(s, &now);
            for other in &mut workers[1..] {
                let backwards: Vec<Row> = now.iter().rev().copied().collect();
                prop_assert_eq!(&other.step(s, &backwards), &said, "at {}", s);
            }
            if s == cut {
                workers = workers.map(|w| { let peers = w.products.len() % 4 + 1; w.moved(peers) });
            }
            for signal in said {
                prop_assert_eq!(signal.learned, s);
                let key = (signal.end, signal.subject);
                match signal.found {
                    Some(found) => told.insert(key, *found),
                    None => told.remove(&key),
                };
            }
            for end in s.saturating_sub(MINUTE).max(1)..=s {
                // Corrections of the stock reach the ends in which the product was sold; its other ends speak for their own time.
                let of = |all: &Truth| -> Truth {
                    let judged = |key: &(u32, Subject)| key.0 == end && (end == s || key.1.kind != Kind::StockDepletion);
                    all.iter().filter(|x| judged(x.0)).map(|(key, found)| (key.clone(), found.clone())).collect()
                };
                prop_assert_eq!(of(&told), of(&naive.truth(s, end)), "of {} at {}", end, s);
            }
        }
    }
}

/// Every detector finds what it is for, and a record of the stock that comes before the first sale is nobody's category.
#[test]
fn each_kind_is_said() {
    let row = |half, product, cents, units, n| Row {
        learned: half * HALF,
        pane: half * HALF,
        product,
        category: product % 2,
        customer: u64::from(half * 7 + cents),
        cents,
        units,
        n,
    };
    let mut rows: Vec<Row> = vec![];
    for half in 1..=40 {
        rows.extend((0..8).map(|i| Row { customer: i + 100, ..row(half, (i % 3) as u32, 1_000 + 50 * (i as u32 % 4), 1, 1) }));
    }
    rows.push(row(41, 0, 100, 1, 1));
    rows.push(row(42, 9, 100, 5, 0));
    rows.push(Row { learned: 43 * HALF, ..row(42, 9, 90_000, 1, 1) });
    rows.push(row(44, 1, 900_000, 1, 1));
    rows.extend((0..9).map(|i| Row { customer: i, ..row(46, 2, 2_600, 1, 1) }));
    rows.push(row(47, 1, 0, 3, 0));
    rows.push(row(48, 1, 1_000, 1, 1));
    let mut workers = Workers::new(&plan(), 3);
    let mut said = BTreeSet::new();
    for s in 1..=60 * HALF {
        let now: Vec<Row> = rows.iter().filter(|r| r.learned == s).copied().collect();
        for signal in workers.step(s, &now) {
            if signal.found.is_some_and(|found| found.holds()) {
                said.insert((signal.subject.kind, signal.subject.key, signal.end));
            }
        }
    }
    for (kind, key, end) in [
        (Kind::PriceAnomaly, "p0", 41),
        (Kind::PriceAnomaly, "p9", 42),
        (Kind::LargeOrder, "c1", 44),
        (Kind::RevenueSurge, "c0", 46),
        (Kind::StockDepletion, "p1", 48),
    ] {
        assert!(said.contains(&(kind, key.into(), end * HALF)), "{kind:?} {key} {end} in {said:?}");
    }
    assert!(
        !said.contains(&(Kind::RevenueSurge, Level::WHOLE.into(), 46 * HALF)),
        "what one category does is not said of the shop"
    );
}
