//! Against counting by hand, with late sales, cancellations, several workers and a restart at any slide.

use super::*;
use crate::plan::{Plan, Spec};
use proptest::prelude::*;

fn detect() -> Detect {
    let mut spec = Spec::default();
    spec.detect.enabled = true;
    Plan::new(&spec).unwrap().detect
}

/// (slide at which it is learned, panes before it, customer, seller, category, lines), in units of slides.
type Row = (u32, u32, u64, u64, u64, i32);

fn head((s, back, customer, seller, category, lines): Row, step: u32) -> Head {
    let pane = s.saturating_sub(back).max(1) * step;
    Head {
        customer: [customer, customer << 61],
        seller: [seller, seller << 62],
        category: [category, category << 60],
        pane,
        lines,
    }
}

/// All that is known at slide `s`, counted from the records.
fn naive(rows: &[Row], s: u32, step: u32) -> BTreeMap<(u32, Level, Identity), (i64, i64)> {
    let heads: Vec<Head> = rows.iter().filter(|row| row.0 <= s).map(|row| head(*row, step)).collect();
    let mut nets: BTreeMap<(u32, Level, Identity, Identity), i64> = BTreeMap::new();
    for h in &heads {
        for (level, key) in [(Level::Global, SHOP), (Level::Category, h.category), (Level::Seller, h.seller)] {
            *nets.entry((h.pane, level, key, h.customer)).or_default() += i64::from(h.lines);
        }
    }
    let mut counts: BTreeMap<(u32, Level, Identity), (i64, i64)> = BTreeMap::new();
    for ((pane, level, key, customer), net) in nets {
        let count = counts.entry((pane, level, key)).or_default();
        count.0 += if customer == [0, 0] { net } else { i64::from(net > 0) };
        count.1 += net;
    }
    counts.retain(|_, count| *count != (0, 0));
    counts
}

fn run(rows: &[Row], peers: usize, restart: Option<u32>) {
    let detect = detect();
    let step = detect.step;
    let mut workers: Vec<Baskets> = (0..peers).map(|_| Baskets::new(&detect)).collect();
    let mut told: BTreeMap<(u32, Level, Identity), (i64, i64)> = BTreeMap::new();
    for s in 1..=12u32 {
        if restart == Some(s) {
            let tick = (s - 1) * step + 1;
            let saved: Vec<Saved> = workers.iter().map(|worker| worker.save(tick)).collect();
            // what may still change is told from nothing
            told.retain(|(pane, _, _), _| pane + detect.lateness < tick);
            workers = (0..peers).map(|_| Baskets::new(&detect)).collect();
            for (me, worker) in workers.iter_mut().enumerate() {
                worker.restore(saved.clone(), tick, me, peers);
            }
        }
        let heads: Vec<Head> = rows.iter().filter(|row| row.0 == s).map(|row| head(*row, step)).collect();
        for (me, worker) in workers.iter_mut().enumerate() {
            let to = |of: fn(&Head, usize) -> u32| heads.iter().filter(|h| of(h, peers) as usize == me).copied().collect();
            let customers = to(|h, peers| h.counted_by(peers));
            let sellers = to(|h, peers| owner(h.seller, peers));
            worker.learn(Heads { to: me as u32, s: s * step - 1, customers, sellers, ..Heads::default() });
            worker.close(s * step, |x| {
                let count = told.entry((x.pane, x.level, x.key)).or_default();
                *count = (count.0 + x.baskets, count.1 + x.lines);
            });
        }
        told.retain(|_, count| *count != (0, 0));
        assert_eq!(told, naive(rows, s, step), "slide {s}");
    }
}

proptest! {
    #[test]
    fn baskets_are_those_counted_by_hand(
        rows in prop::collection::vec((1u32..12, 0u32..3, 0u64..6, 1u64..4, 1u64..4, -2i32..4), 0..60),
        peers in 1usize..4,
        restart in prop::option::of(2u32..12),
    ) {
        run(&rows, peers, restart);
    }
}

#[test]
fn who_and_what_makes_a_pane_is_told() {
    let detect = detect();
    let mut baskets = Baskets::new(&detect);
    let rows = [(1, 0, 5, 1, 2, 3), (1, 0, 5, 1, 3, 3), (1, 0, 6, 1, 3, 1), (1, 0, 0, 1, 3, 9)];
    let sellers = rows.iter().map(|row| head(*row, detect.step)).collect();
    baskets.learn(Heads { s: 1, sellers, ..Heads::default() });
    let mut said = vec![];
    baskets.close(detect.step, |step| said.push(step));
    let [it] = &said[..] else { panic!("{said:?}") };
    assert_eq!((it.baskets, it.lines), (11, 16));
    assert_eq!(it.makes, Makes { category: [3, 3 << 60], heavy: vec![(5, 6)] });
}

#[test]
fn who_buys_again_within_half_a_minute_is_told_by_name() {
    let detect = detect();
    let mut baskets = Baskets::new(&detect);
    // 5 buys in each of three panes, 6 in the first and the third, and a guest whenever he likes; 5 cancels the first at last
    let rows = [(1, 0, 5, 1, 3, 1), (1, 0, 6, 1, 3, 1), (1, 0, 0, 1, 3, 1), (2, 0, 5, 1, 3, 1), (2, 0, 0, 1, 3, 1)];
    let rows = rows.into_iter().chain([(3, 0, 5, 1, 3, 1), (3, 0, 6, 1, 3, 1), (4, 3, 5, 1, 3, -1)]);
    let mut told: BTreeMap<u32, Vec<Makes>> = BTreeMap::new();
    let rows: Vec<Row> = rows.collect();
    for s in 1..=4 {
        let sellers = rows.iter().filter(|row| row.0 == s).map(|row| head(*row, detect.step)).collect();
        baskets.learn(Heads { s: s * detect.step, sellers, ..Heads::default() });
        baskets.close(s * detect.step, |step| told.entry(step.pane / detect.step).or_default().push(step.makes));
    }
    let heavy = |pane: u32| told[&pane].iter().map(|makes| makes.heavy.clone()).collect::<Vec<_>>();
    assert_eq!(heavy(1), [vec![], vec![]], "nobody bought before");
    assert_eq!(heavy(2), [vec![(5, 1)], vec![]], "once the first is cancelled nobody did");
    assert_eq!(heavy(3), [vec![(5, 1)]], "6 did not buy in the pane before");
}
