//! By hand, then against the lines one by one.

use super::*;
use proptest::prelude::*;

/// Ticks in a pane, a tick being a second.
const PANE: u32 = 60 / MINUTE;

#[test]
fn a_baseline_needs_a_hundred_lines_and_has_some_spread() {
    assert_eq!(Base::of([99, 99, 99]), None);
    assert_eq!(Base::of([100, 100 * 46_052, 100 * 46_052 * 46_052]), Some(Base { mean: 46_052, sd: 1_000, n: 100 }));
    // half at 0, half at 10,000: sd = 5000 * sqrt(100/99) = 5025.19
    assert_eq!(Base::of([100, 500_000, 5_000_000_000]), Some(Base { mean: 5_000, sd: 5_025, n: 100 }));
}

const BASE: Base = Base { mean: 40_000, sd: 8_000, n: 500 };

fn pane(lines: &[(i32, u64)]) -> Lines {
    let mut pane = Lines::default();
    lines.iter().for_each(|(ln, customer)| pane.line(&BASE, *ln, [*customer, 0], 1));
    pane
}

#[test]
fn few_lines_few_customers_and_one_whale_are_no_surge() {
    let dear = 40_000 + 24_000; // three deviations
    let z = |lines: &[(i32, u64)]| pane(lines).z();
    assert_eq!(z(&[(dear, 1), (dear, 2), (dear, 3), (dear, 4)]), None);
    assert_eq!(z(&[(dear, 1), (dear, 1), (dear, 1), (dear, 2), (dear, 2)]), None);
    // 5 * 3 / sqrt 5
    assert_eq!(z(&[(dear, 1), (dear, 2), (dear, 3), (dear, 4), (dear, 5)]), Some(6_708_204));
    // a million times the usual amount counts as four deviations: 4 / sqrt 5
    assert_eq!(z(&[(200_000, 1), (40_000, 2), (40_000, 3), (40_000, 4), (40_000, 5)]), Some(1_788_854));
    let mut nobody = Lines::default();
    (0..5).for_each(|_| nobody.line(&BASE, dear, [0, 0], 1));
    assert_eq!((nobody.customers(), nobody.z()), (5, Some(6_708_204)));
}

#[test]
fn the_scale_that_stands_out_most() {
    let (dear, usual) =
        (pane(&[(50_000, 1), (50_000, 2), (50_000, 3), (50_000, 4), (50_000, 5)]), pane(&[(40_000, 1), (40_000, 2)]));
    let panes = [(100, &usual), (130, &usual), (240, &dear), (270, &dear), (300, &usual)];
    // 30 s: usual; 60 s: dear and usual; 2 min: two dear, one usual: 10 * 10000 / (8000 sqrt 12); 5 min: one more pane of usual ones
    let found = surge(panes.into_iter(), 300, PANE).unwrap();
    assert_eq!((found.panes, found.lines.n, found.z), (2 * MINUTE, 12, 3_608_439));
    assert_eq!(surge(panes.into_iter(), 270, PANE).unwrap().panes, MINUTE, "what is newer than the end is left out");
}

proptest! {
    /// The running sums are those of the lines, whatever comes late or goes.
    #[test]
    fn the_baseline_is_that_of_the_list(steps in proptest::collection::vec((0..12u32, 0..60u32, 0..5_000i32, -2..60i64), 1..60)) {
        let spans = Spans { day: 100, gap: 10 };
        let (mut baseline, mut list, mut at) = (Baseline::default(), vec![], 0);
        for (ahead, back, ln, n) in steps {
            at += ahead;
            let asked = baseline.of(at, spans);
            let naive = |list: &[(u32, i32, i64)]| {
                let inside = list.iter().filter(|l| l.0 + 10 <= at && l.0 + 110 > at);
                Base::of(inside.fold([0; 3], |s, l| {
                    let ln = i64::from(l.1);
                    [s[0] + l.2, s[1] + l.2 * ln, s[2] + l.2 * ln * ln]
                }))
            };
            prop_assert_eq!(asked, naive(&list));
            let pane = at.saturating_sub(back);
            baseline.add(pane, ln, n, spans);
            list.push((pane, ln, n));
        }
    }

    /// Lines that are added and taken away in any order leave no trace.
    #[test]
    fn cancelled_lines_never_were(kept in proptest::collection::vec((0..90_000i32, 0..200u64), 0..30), gone in proptest::collection::vec((0..90_000i32, 0..200u64), 0..30)) {
        let mut pane_of_all = pane(&kept);
        let mut odd = Lines::default();
        for (ln, customer) in gone {
            pane_of_all.line(&BASE, ln, [customer, 0], 1);
            odd.line(&BASE, ln, [customer, 0], -1);
        }
        pane_of_all.add(&odd);
        prop_assert_eq!(pane_of_all, pane(&kept));
    }
}

#[test]
fn the_shop_speaks_or_its_categories_do() {
    let part = |ln: i32, customers: std::ops::Range<u64>| Part {
        hour: 0,
        panes: vec![(300, pane(&customers.map(|c| (ln, c)).collect::<Vec<_>>()))],
    };
    let (dear, usual) = (48_000, 40_000); // one deviation
    let who = |parts: &[Part]| {
        let mut all = Lines::default();
        parts.iter().for_each(|part| all.add(&part.panes[0].1));
        let may: Vec<&Part> = parts
            .iter()
            .filter(|part| surge(part.panes.iter().map(|p| (p.0, &p.1)), 300, PANE).is_some_and(|s| s.z > 2_000_000))
            .collect();
        let (shop, alone) = speakers(&[(300, all)], &may, 300, PANE, 4_250_000);
        let holds = |surge: &Option<Surge>| surge.as_ref().is_some_and(|surge| surge.z >= 4_250_000);
        (holds(&shop), alone.iter().filter(|surge| holds(surge)).count())
    };
    // 25 lines one deviation up: z = 5
    assert_eq!(who(&[part(dear, 0..25), part(usual, 25..50), part(usual, 0..25)]), (false, 1));
    assert_eq!(who(&[part(dear, 0..25), part(dear, 25..50), part(dear, 0..25)]), (true, 0));
    // one that moves three times as far as the others does stand out beside them
    assert_eq!(who(&[part(64_000, 0..25), part(dear, 25..50), part(dear, 0..25)]), (true, 1));
    assert_eq!(who(&[part(usual, 0..25), part(usual, 25..50)]), (false, 0));
    assert_eq!(who(&[]), (false, 0));
}

#[test]
fn a_surge_that_lasts_longer_than_a_short_scale_is_still_the_shops() {
    // all amounts are one deviation up since two minutes: the shop stands out most over 5 min, its categories over 2 min
    let part = |from: u64| {
        let lines = |ln: i32| pane(&(from..from + 60).map(|c| (ln, c)).collect::<Vec<_>>());
        let panes = (1..=10).map(|i| (30 * i, lines(if i > 6 { 48_000 } else { 40_000 })));
        Part { hour: 0, panes: panes.collect() }
    };
    let parts: Vec<Part> = (0..4).map(|i| part(60 * i)).collect();
    let shop: Vec<(u32, Lines)> = (0..10)
        .map(|i| {
            let mut all = Lines::default();
            parts.iter().for_each(|part| all.add(&part.panes[i].1));
            (parts[0].panes[i].0, all)
        })
        .collect();
    let (whole, alone) = speakers(&shop, &parts.iter().collect::<Vec<_>>(), 300, PANE, 4_250_000);
    assert!(whole.is_some_and(|whole| whole.z > 20_000_000));
    assert!(alone.iter().flatten().all(|surge| surge.z == 0), "{alone:?}");
}
