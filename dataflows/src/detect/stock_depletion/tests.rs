//! By hand, then against the lines and records one by one.

use super::*;
use proptest::prelude::*;

const SPANS: Spans = Spans { day: 200, step: 10 };

#[test]
fn a_steady_seller_by_hand() {
    // 48 single units in 24 h, two an hour; the category's products sell as much: shape 4 + 48, rate 2
    let asked = |stock| Asked { stock, sold: Sold { lines: 48, units: 48, squares: 48 } };
    let prior = Prior { products: 10, units: 480 };
    let forecast = |stock, lead| Forecast::new(&asked(stock), &prior, 24.0, lead).unwrap();
    let one = forecast(1, 1.0);
    assert_eq!(one.mean, 2.0);
    // P(D = 0) = (52 / 54)^52 = 0.1405
    assert!((one.probability - 0.859_5).abs() < 1e-3, "{}", one.probability);
    assert!(found(&one, 0, 0.9, 1.0).is_some_and(|f| !f.holds()));
    assert!(found(&forecast(10, 1.0), 0, 0.9, 1.0).is_none());
    let soon = forecast(10, 12.0);
    assert!(soon.probability > 0.99, "{}", soon.probability);
    // ten units at two an hour: about five hours
    assert!((soon.hours(0.5) - 4.9).abs() < 0.3, "{}", soon.hours(0.5));
    assert!(soon.hours(0.1) < soon.hours(0.5) && soon.hours(0.5) < soon.hours(0.9));
    let gone = found(&forecast(0, 1.0), 0, 0.9, 1.0).unwrap();
    assert_eq!((gone.score, gone.severity), (1_000_000, Severity::Critical));
    assert!(gone.insights[1].contains("50 % 0 min"), "{:?}", gone.insights);
    assert_eq!(Forecast::new(&Asked { stock: 0, sold: Sold { lines: 2, units: 9, squares: 41 } }, &prior, 24.0, 1.0), None);
}

#[test]
fn the_stock_is_what_was_last_counted_less_what_was_sold_since() {
    let mut demand = Demand::default();
    assert_eq!(demand.asked(9, SPANS), None);
    demand.sell(3, 5, 1);
    demand.stock(3, 100);
    demand.sell(4, 2, 1);
    demand.stock(6, 50);
    demand.sell(7, 1, 1);
    let stock = |d: &Demand, end| d.asked(end, SPANS).map(|a| a.stock);
    assert_eq!([2, 3, 4, 5, 6, 7].map(|end| stock(&demand, end)), [None, Some(100), Some(98), Some(98), Some(50), Some(49)]);
    demand.settle(5, 5, SPANS);
    assert_eq!([5, 6, 7].map(|end| stock(&demand, end)), [Some(98), Some(50), Some(49)]);
    demand.sell(8, 60, 1);
    assert_eq!(stock(&demand, 8), Some(0));
}

proptest! {
    /// Late rows, cancellations and records of the stock in any order; what is settled is settled.
    #[test]
    fn demand_is_that_of_the_list(
        lines in proptest::collection::vec((1..400u32, 1..9i64, 1..4i64), 0..60),
        cancel in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        stock in proptest::collection::vec((1..400u32, 0..500i64), 0..8),
        done in 1..400u32,
        ask in 0..60u32,
    ) {
        let mut log: Vec<(u32, i64, i64)> = lines.clone();
        if !lines.is_empty() {
            log.extend(cancel.iter().map(|i| { let l = lines[i.index(lines.len())]; (l.0, l.1, -1) }));
        }
        let end = done + ask;
        let mut demand = Demand::default();
        for early in [true, false] {
            log.iter().rev().filter(|l| (l.0 < done) == early).for_each(|l| demand.sell(l.0, l.1, l.2));
            stock.iter().filter(|s| (s.0 < done) == early).for_each(|s| demand.stock(s.0, s.1));
            demand.settle(if early { done } else { 0 }, done, SPANS);
        }
        let from = end.saturating_sub(200) / 10 * 10;
        let mut sold = Sold::default();
        for (_, units, n) in log.iter().filter(|l| l.0 > from && l.0 <= end) {
            sold.add(&Sold { lines: *n, units: n * units, squares: n * units * units }, 1);
        }
        prop_assert_eq!(demand.sold(end, SPANS), sold);
        let newest = stock.iter().filter(|s| s.0 <= end).map(|s| s.0).max();
        let naive = newest.map(|pane| {
            let units = stock.iter().filter(|s| s.0 == pane).map(|s| s.1).min().unwrap();
            let gone: i64 = log.iter().filter(|l| l.0 > pane && l.0 <= end).map(|l| l.1 * l.2).sum();
            (units - gone).max(0)
        });
        prop_assert_eq!(demand.asked(end, SPANS).map(|a| a.stock), naive);
    }
}
