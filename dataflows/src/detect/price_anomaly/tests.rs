//! By hand, then against all prices one by one.

use super::*;
use proptest::prelude::*;

const THRESHOLDS: Thresholds = Thresholds { warn: 500_000, alert: 1_200_000 };

fn history(prices: &[(i64, i32)]) -> PriceHistory {
    let mut history = PriceHistory::default();
    prices.iter().for_each(|(at, ln)| history.add(*at, *ln, 1));
    history
}

fn verdict(history: &PriceHistory, end: u32) -> Verdict {
    judge(history, i64::MIN, (end, end), &mut vec![])
}

#[test]
fn a_pane_is_judged_by_what_came_before_it() {
    let mut sold = vec![(1, 0), (1, 0), (2, 50), (2, 50), (3, 0)];
    assert_eq!(verdict(&history(&sold), 3), Verdict::Unsettled(vec![(0, 1)]));
    assert_eq!(verdict(&history(&sold), 4), Verdict::Quiet);
    // ten sales at a tenth of the price in one pane do not vouch for each other
    sold.extend([(4, -23_026); 10]);
    sold.push((4, 60));
    let Verdict::Own(far) = verdict(&history(&sold), 4) else { panic!("{:?}", verdict(&history(&sold), 4)) };
    assert_eq!(far, Far { ln: -23_026, times: 10, distance: 23_026, near: 0, usual: 0, support: 5 });
    let found = found(&far, true, 3, THRESHOLDS).unwrap();
    assert_eq!((found.direction, found.severity, found.score), (Direction::Down, Severity::Critical, 2_302_600));
    assert_eq!((found.value, found.expected), (Figure::Cents(10), Some(Figure::Cents(100))));
    assert_eq!(found.message, "Price anomaly: 0.10, 10.0 times below what it was last sold for (1.00)");
}

#[test]
fn what_a_category_shares_is_not_said_of_one_product() {
    let far = Far { ln: 20_986, times: 1, distance: 10_986, near: 10_000, usual: 10_000, support: 9 };
    assert_eq!([0, 10_000, 12_000, -500].map(|shift| far.beside(shift).distance), [10_986, 986, 1_014, 10_986]);
    assert_eq!([cents(23_026), cents(54_648), cents(91_050)], [1_000, 23_620, 900_000]);
}

#[test]
fn a_tier_does_not_vouch_for_what_lies_beyond_it() {
    // mostly 1.00, twice 0.67; now 0.50: ln -0.693, the nearest tier at -0.400
    let mut sold = vec![(1, -4_005), (1, -4_005)];
    sold.extend([(2, 0); 8]);
    let paid = |ln: i32| {
        let mut sold = sold.clone();
        sold.push((3, ln));
        match verdict(&history(&sold), 3) {
            Verdict::Own(far) => far,
            other => panic!("{other:?}"),
        }
    };
    let far = paid(-6_931);
    assert_eq!((far.near, far.usual, far.distance), (-4_005, 0, 6_931 * 4 / 5));
    assert!(found(&far, true, 2, THRESHOLDS).unwrap().holds());
    // 40 % off, between the tiers, and far off: no more than four fifths of the way from the median, and than 1.0
    assert_eq!([-5_108, -3_000, -9_500].map(|ln| paid(ln).distance), [2_206, 2_010, 7_600]);
    assert_eq!([-13_500, -16_094].map(|ln| paid(ln).distance), [10_000, 12_089]);
    // and what all prices of the category share is taken away first
    assert_eq!(far.beside(-6_931).distance, distance(0, -4_005, 0));
}

#[test]
fn a_run_of_wrong_prices_does_not_make_a_usual_one_strange() {
    // 1.00, twice 0.70; then eleven times 2.00 by mistake, most of what is known
    let mut sold = vec![(1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (2, 0), (2, 0), (2, -3_567), (2, -3_567)];
    sold.extend([(3, 6_931); 11]);
    let paid = |ln: i32, sold: &[(i64, i32)]| {
        let mut sold = sold.to_vec();
        sold.push((5, ln));
        match verdict(&history(&sold), 5) {
            Verdict::Own(far) => far,
            other => panic!("{other:?}"),
        }
    };
    // 0.60 is near a tier of the older half; against the median of all it would be 0.31 off, for all that 2.00 was never usual
    let far = paid(-5_108, &sold);
    assert_eq!((far.near, far.usual, far.distance), (-3_567, 0, 3_082));
    let far = paid(-6_000, &sold);
    assert_eq!((far.usual, far.distance), (0, 4_800));
    // the other way round: the mistake is old, and the newer half vouches
    let mut later = sold.clone();
    later.extend([(4, 0); 11]);
    assert_eq!(paid(-6_000, &later).usual, 0);
    // far from both halves is far
    assert_eq!(paid(-9_163, &sold).distance, 7_330);
}

#[test]
fn too_high_or_too_low_is_said_against_what_is_usual() {
    // mostly 1.00, twice 10.00 by mistake; 5.00 is nearer to the mistake, and too high all the same
    let mut sold = vec![(1, 0); 9];
    sold.extend([(2, 23_026), (2, 23_026), (3, 16_094)]);
    let Verdict::Own(far) = verdict(&history(&sold), 3) else { panic!() };
    assert_eq!((far.near, far.usual), (23_026, 0));
    let found = found(&far, true, 2, THRESHOLDS).unwrap();
    assert_eq!((found.direction, found.expected, found.holds()), (Direction::Up, Some(Figure::Cents(100)), true));
    assert!(found.message.contains("5.0 times above"), "{}", found.message);
}

#[test]
fn what_is_near_is_not_worth_saying() {
    let far = Far { ln: 2_499, times: 1, distance: 2_499, near: 0, usual: 0, support: 9 };
    assert_eq!(found(&far, true, 0, THRESHOLDS), None);
    let far = Far { distance: 2_500, ..far };
    assert!(!found(&far, true, 0, THRESHOLDS).unwrap().holds());
    assert!(found(&Far { distance: 5_000, ..far }, false, 0, THRESHOLDS).unwrap().holds());
}

proptest! {
    /// Quantiles of a list of prices; days that have gone, panes that are too new, cancellations.
    #[test]
    fn a_category_is_its_list_of_prices(
        sold in proptest::collection::vec((0..4u32, 0..10u32, -500..500i32, 1..6i64), 1..80),
        cancel in proptest::collection::vec(any::<proptest::sample::Index>(), 0..30),
        ask in (-800..800i32, 30..45u32),
    ) {
        let mut prices = CategoryPrices::default();
        let mut list: Vec<(u32, u32, i32)> = vec![];
        let mut all = sold.clone();
        all.extend(cancel.iter().map(|i| { let s = sold[i.index(sold.len())]; (s.0, s.1, s.2, 0) }));
        for (day, pane, ln, n) in all {
            let pane = 10 * day + pane;
            if n == 0 {
                if let Some(i) = list.iter().position(|s| *s == (day, pane, ln)) {
                    list.remove(i);
                    prices.add(day, pane, ln, -1);
                }
                continue;
            }
            (0..n).for_each(|_| list.push((day, pane, ln)));
            prices.add(day, pane, ln, n);
        }
        prices.forget(1, 30);
        let (ln, end) = ask;
        let mut bins: Vec<i32> = list.iter().filter(|s| s.0 >= 1 && s.1 < end).map(|s| s.2.div_euclid(100)).collect();
        bins.sort_unstable();
        let found = prices.usual(end).map(|usual| usual.outside(ln));
        prop_assert_eq!(found.is_some(), bins.len() >= 30);
        if let Some(far) = found {
            let rank = (bins.len() - 1) / 200;
            let (low, high) = (bins[rank] * 100, bins[bins.len() - 1 - rank] * 100 + 99);
            prop_assert_eq!(far.distance, (low - ln).max(ln - high).max(0));
            prop_assert_eq!(far.support as usize, bins.len());
        }
    }
}
