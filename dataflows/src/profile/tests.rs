//! The stage against the definitions: random records with late ones, cancellations of the newest, the dearest, the median and
//! the first sale, long pauses, several workers, and restarts.

use super::baskets::{Baskets, Bought, Course};
use super::columns;
use super::env::{Env, HOUR};
use super::fact::{Fact, Told, class, owner};
use super::kinds::Profile;
use super::naive::{Seen, lists, lot};
use super::stage::{Parts, Stage};
use super::together::Together;
use super::write::{Writer, row};
use super::{category::Category, customer::Customer, product::Product, seller::Seller};
use crate::plan::{Plan, ProfileSpec, Spec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const SLIDE: i64 = 30_000;
const REACH: u32 = 2;
/// 2026-01-30T21:30:00Z, a Friday evening.
const BEGIN: i64 = 1_769_808_600_000;

/// A record, and the look at which it is learned.
#[derive(Clone, Copy, Debug)]
struct Record {
    fact: Fact,
    learned: u32,
}

fn plan() -> Plan {
    let profiles = ProfileSpec { sellers: true, categories: true, products: true, customers: true, scores: true };
    Plan::new(&Spec { profiles, ..Spec::default() }).unwrap()
}

/// What is drawn for a record: pause, what it is, keys, price, quantity, delay.
type Draw = ((u8, u32), u8, [u8; 4], (u8, u8), u8);

fn draws(most: usize) -> impl Strategy<Value = Vec<Draw>> {
    let pause = (0..20u8, 0..1_000u32);
    proptest::collection::vec((pause, 0..15u8, [0..3u8, 0..2, 0..2, 0..4], (0..6u8, 1..4u8), 0..10u8), 1..most)
}

/// Records in the order of event time; keys are spread over the range of owners.
fn records(draws: &[Draw]) -> Vec<Record> {
    let (mut at, mut all): (i64, Vec<Record>) = (BEGIN, vec![]);
    for ((kind, pause), what, keys, (price, quantity), delay) in draws {
        at += i64::from(*pause)
            * match kind {
                0..=13 => 20,
                14..=16 => 1_000,
                17 => 10_000,
                18 => 100_000,
                _ => 2_000_000,
            };
        let key = |class: usize| ((u64::from(keys[class]) + 1) << 61) | (class as u64 + 1);
        let mut fact = Fact {
            at,
            keys: [key(0), key(1), key(2), if keys[3] == 3 { 0 } else { key(3) }],
            price: [100, 101, 250, 990, 5_000, 120_000][usize::from(*price)],
            quantity: (*quantity).into(),
            sign: if *what == 0 { 0 } else { 1 },
            payment: price % 6,
            ..Fact::default()
        };
        // A sale is cancelled once: of one cancelled twice the older lists cannot tell that it does not stand for another.
        let what_was_sold = |f: &Fact| (f.at, f.keys, f.price, f.quantity, f.payment);
        let mut net: BTreeMap<_, i64> = BTreeMap::new();
        all.iter().for_each(|r| *net.entry(what_was_sold(&r.fact)).or_default() += r.fact.lines());
        let recent = all.iter().filter(|r| r.fact.sign == 1 && r.fact.at > at - 3_000_000);
        let earlier: Vec<Record> = recent.filter(|r| net[&what_was_sold(&r.fact)] > 0).copied().collect();
        // The newest, the dearest, the median, the first.
        let which = |what: u8| -> Option<Record> {
            let mut of = earlier.clone();
            match what {
                1 => of.last().copied(),
                2 => of.iter().max_by_key(|r| r.fact.price).copied(),
                3 => {
                    of.sort_by_key(|r| r.fact.price);
                    of.get(of.len() / 2).copied()
                }
                4 => of.first().copied(),
                _ => None,
            }
        };
        let mut delay = match delay {
            0 => 60_000,
            1 => 30_000,
            2 => 1_000_000,
            _ => 0,
        };
        if let Some(sale) = which(*what) {
            fact = Fact { sign: -1, ..sale.fact };
            delay += at - fact.at;
        }
        if *what >= 12 {
            let quantity = [0, 3, 8, 20, 100, 2_000][usize::from(*price)];
            fact = Fact { at, keys: [0, fact.keys[1], 0, 0], quantity, stock: true, ..Fact::default() };
        }
        // What is later than the hour and the lateness is told to nobody.
        let delay = delay.min(HOUR + i64::from(REACH) * SLIDE);
        let learned = ((fact.at + delay) / SLIDE + 1) as u32;
        all.push(Record { fact, learned });
    }
    for (i, record) in all.iter_mut().enumerate().filter(|r| r.1.fact.sign > 0) {
        record.fact.ticket = i as u64;
    }
    all
}

type Row = (u32, String);

/// What a run says: rows by tick, and the columns of each sale by class.
#[derive(Default, PartialEq)]
struct Run {
    rows: Vec<Row>,
    parts: BTreeMap<(u64, u8), Vec<i64>>,
}

fn take(run: &mut Run, part: Parts) {
    if usize::from(part.class) == class::COUNT {
        return;
    }
    let wide = columns::width(&columns::given(part.class.into()));
    for (ticket, cells) in part.tickets.iter().zip(part.cells.chunks_exact(wide)) {
        run.parts.insert((*ticket, part.class), cells.to_vec());
    }
}

/// What `peers` workers say; all begin anew from a checkpoint after the ticks `cuts`.
fn run(records: &[Record], peers: usize, cuts: &[u32]) -> Run {
    let plan = plan();
    let fresh = |peers: usize| (0..peers).map(|me| Stage::new(&plan, me, peers)).collect::<Vec<_>>();
    let (mut stages, mut out, mut peers) = (fresh(peers), Run::default(), peers);
    let tick = |k: u32| k * 30;
    let mut ticks: BTreeMap<u32, Vec<Fact>> = BTreeMap::new();
    records.iter().for_each(|r| ticks.entry(r.learned).or_default().push(r.fact));
    let step = |stages: &mut Vec<Stage>, out: &mut Run, before: u32| {
        while let Some(s) = stages.iter().filter_map(Stage::next).min().filter(|s| *s < before) {
            for stage in stages.iter_mut().filter(|stage| stage.next() == Some(s)) {
                let (mut rows, mut parts) = (vec![], vec![]);
                stage.tick(s, u32::MAX, |batch| rows.extend(batch.lines()), |part| parts.push(part));
                out.rows.extend(rows.into_iter().map(|line| (s, line)));
                parts.into_iter().for_each(|part| take(out, part));
            }
        }
    };
    for (k, facts) in ticks {
        step(&mut stages, &mut out, tick(k));
        if cuts.contains(&k) {
            let saved: Vec<_> = stages.iter().map(|s| postcard::to_stdvec(&s.save()).unwrap()).collect();
            peers = peers % 3 + 1;
            stages = fresh(peers);
            for stage in &mut stages {
                let held = saved.iter().map(|bytes| postcard::from_bytes(bytes).unwrap());
                held.enumerate().for_each(|(worker, held)| stage.restore(worker, held));
            }
        }
        for (to, stage) in stages.iter_mut().enumerate() {
            let mut told = Told { s: tick(k), ..Told::default() };
            for fact in &facts {
                let own = (0..class::COUNT).filter(|c| fact.keys[*c] != 0 && owner(fact.keys[*c], peers) == to);
                let roles = own.map(|c| 1u8 << c).sum();
                (0..3).for_each(|c| told.names[c].push((fact.keys[c], name(fact.keys[c]))));
                if roles != 0 {
                    told.facts.push(Fact { roles, ..*fact });
                }
                if roles >> class::CUSTOMER & 1 == 1 {
                    told.customer(&name(fact.keys[class::CUSTOMER]));
                }
                if !fact.stock {
                    told.lots.push(lot(fact));
                }
            }
            stage.told(told);
            stage.bought(Bought { s: tick(k), ..Bought::default() });
        }
    }
    step(&mut stages, &mut out, u32::MAX);
    out.rows.sort();
    out
}

fn name(key: u64) -> String {
    format!("{key:x}")
}

/// An environment with the population that a look at `e` sees when `known` has been learned.
fn env(known: &[&Record], e: u32) -> Env {
    let mut env = Env::new(&plan());
    known.iter().filter(|r| !r.fact.stock).for_each(|r| env.population.learn(lot(&r.fact)));
    let hour = env.whole_hours(e);
    env.population.advance(hour, hour);
    env
}

/// The same from the definitions.
fn by_definition(records: &[Record]) -> Run {
    let mut out = Run::default();
    let pane = |r: &Record| (r.fact.at / SLIDE) as u32;
    let hour = (HOUR / SLIDE) as u32;
    for c in 0..class::COUNT {
        let writer = Writer::new(columns::of(c));
        let keys: BTreeSet<u64> = records.iter().map(|r| r.fact.keys[c]).filter(|k| *k != 0).collect();
        for key in keys {
            let own: Vec<&Record> = records.iter().filter(|r| r.fact.keys[c] == key).collect();
            let mut ticks: BTreeSet<u32> = own.iter().map(|r| r.learned).collect();
            if c == class::CATEGORY {
                // Whenever it may be; the definition says at which of them there is a row.
                own.iter().for_each(|r| ticks.extend(pane(r) + 1..pane(r) + 66));
            } else {
                ticks.extend(own.iter().map(|r| pane(r) + 1 + hour).collect::<Vec<_>>());
            }
            let mut said: BTreeMap<u32, (Option<Vec<i64>>, u32)> = BTreeMap::new();
            for s in ticks {
                let known: Vec<&Record> = records.iter().filter(|r| r.learned <= s).collect();
                let see = |e: u32, before: i64| -> Vec<&Fact> {
                    let seen = known.iter().filter(|r| r.fact.keys[c] == key && pane(r) < e && r.fact.at < before);
                    seen.map(|r| &r.fact).collect()
                };
                // The newest record that has entered, whatever the look.
                let named = |e: u32, before: i64| {
                    let entered = if e == s { s } else { s - 1 };
                    let of = known.iter().filter(|r| r.fact.keys[c] == key && pane(r) < entered && r.fact.at < before);
                    let of = of.filter(|r| !r.fact.stock);
                    of.map(|r| (r.fact.at, r.fact.keys[class::CATEGORY])).max().unwrap_or_default().1
                };
                let late = own.iter().filter(|r| r.learned == s && pane(r) + 1 < s).map(|r| pane(r) + 1).min();
                for e in late.map_or(s, |p| p.max(s - REACH))..=s {
                    let mut env = env(&known, e);
                    let now = env.instant(e);
                    let late = known.iter().filter(|r| r.learned == e + REACH && pane(r) + 1 < e).map(|r| &r.fact).collect();
                    let mut seen = Seen { facts: see(e, i64::MAX), late, e, now, named: named(e, i64::MAX), env: &mut env };
                    let live = match c {
                        class::SELLER => seen.seller_changed(),
                        class::CATEGORY => seen.category_changed(),
                        _ => seen.changed(),
                    };
                    let mut truth = live.then(|| cells(c, &mut seen));
                    if c == class::PRODUCT {
                        truth.iter_mut().for_each(|t| t.push(xxhash_rust::xxh3::xxh3_64(b"[]") as i64));
                    }
                    let known = said.entry(e).or_default();
                    if known.0 != truth {
                        let mut line = vec![];
                        row(&writer, &name(key), (now, known.1), truth.as_deref(), "[]", &mut line);
                        out.rows.push((s * 30, String::from_utf8(line).unwrap().trim_end().to_string()));
                        *known = (truth, known.1 + 1);
                    }
                }
                for record in own.iter().filter(|r| r.learned == s && r.fact.sign > 0) {
                    let p = pane(record);
                    if p + 1 + REACH < s {
                        continue;
                    }
                    let (e, before) = if p + 1 < s { (p, i64::MAX) } else { (s, record.fact.at) };
                    // A category is looked at once for all sales of a pane.
                    let e = if c == class::CATEGORY { p } else { e };
                    let mut env = env(&known, e);
                    let now = record.fact.at;
                    let mut seen = Seen { facts: see(e, before), late: vec![], e, now, named: named(e, before), env: &mut env };
                    let mut found = cells(c, &mut seen);
                    match c {
                        class::PRODUCT => found.extend(seen.of_price(&record.fact)),
                        class::CUSTOMER => found.extend(seen.of_customer(&record.fact)),
                        _ => (),
                    }
                    out.parts.insert((record.fact.ticket, c as u8), found);
                }
            }
        }
    }
    out.rows.sort();
    out
}

fn cells(c: usize, seen: &mut Seen) -> Vec<i64> {
    match c {
        Seller::CLASS => seen.seller(),
        Product::CLASS => seen.product(),
        Category::CLASS => seen.category(),
        Customer::CLASS => seen.customer(),
        _ => unreachable!("there are four classes"),
    }
}

fn same(found: &Run, wanted: &Run) -> Result<(), TestCaseError> {
    let first = found.rows.iter().zip(&wanted.rows).find(|(a, b)| a != b);
    if let Some((a, b)) = first {
        return Err(TestCaseError::fail(format!("found  {a:?}\nwanted {b:?}")));
    }
    prop_assert_eq!(found.rows.len(), wanted.rows.len());
    for (key, cells) in &wanted.parts {
        let other = found.parts.get(key);
        let columns: Vec<_> = columns::given(key.1.into()).iter().map(|c| c.0).collect();
        let at = other.map(|other| other.iter().zip(cells).position(|(a, b)| a != b));
        prop_assert_eq!(other, Some(cells), "sale {:?}, column {:?} of {:?}", key, at, columns);
    }
    prop_assert_eq!(found.parts.len(), wanted.parts.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn as_defined(draws in draws(50)) {
        let records = records(&draws);
        same(&run(&records, 1, &[]), &by_definition(&records))?;
    }

    // Six half hours of eight customers and four products: lists at each count.
    #[test]
    fn lists_as_counted_anew(lines in proptest::collection::vec((0..8u64, 0..4u64, 0..6 * 3_600i64, 0..12u8, 0..2i64), 40..250)) {
        let plan = plan();
        let course = Course::new(&plan, 1);
        let (mut baskets, mut together) = (Baskets::default(), Together::default());
        (0..4).for_each(|p| together.name(p, &name(p)));
        let begin = BEGIN / 1_800_000 * 1_800_000;
        let lines: Vec<(u64, u64, i64, i64, i64)> = lines
            .into_iter()
            .map(|(customer, product, at, n, late)| (customer, product, begin + at * 500, if n == 0 { -1 } else { 1 }, late))
            .collect();
        for (customer, product, at, n, late) in &lines {
            let learned = ((at / SLIDE + 1 + late) * 30) as u32;
            baskets.learn(learned, &[(*customer, *product, (at / 1_800_000) as u32, *n as i8)]);
        }
        while let Some(s) = baskets.next(&course) {
            let now = i64::from(s) * 1_000;
            let (said, _) = baskets.tick(s, &course);
            together.learn(s / 30, now, 60_000, said);
            let known: Vec<_> = lines.iter().filter(|l| (l.2 / SLIDE + 1 + l.4) * SLIDE <= now).map(|l| (l.0, l.1, l.2, l.3)).collect();
            let wanted = lists(&known, now, 60_000);
            for product in 0..4 {
                let all = wanted.get(&product).cloned().unwrap_or_default().into_iter().map(|(b, n, affinity)| {
                    let affinity = affinity as f64 / 1e6;
                    format!("{{\"product\":\"{}\",\"copurchase_count_30d\":{n},\"basket_affinity\":{affinity:.6}}}", name(b))
                });
                let wanted = format!("[{}]", all.collect::<Vec<_>>().join(",")).replace("-0.000000", "0.000000");
                prop_assert_eq!(together.of(product, s / 30), wanted);
            }
        }
    }

    #[test]
    fn on_any_number_of_workers_and_through_restarts(draws in draws(50), cuts in proptest::collection::vec(0..50usize, 0..3)) {
        let records = records(&draws);
        let one = run(&records, 1, &[]);
        same(&run(&records, 2, &[]), &one)?;
        same(&run(&records, 4, &[]), &one)?;
        let cuts: Vec<u32> = cuts.iter().filter_map(|i| records.get(*i)).map(|r| r.learned).collect();
        same(&run(&records, 1, &cuts), &one)?;
    }
}
